"""The message of a registry tag: a YAML mapping, whose first line is for people.

::

    summary: "Register churn v1.2.0 (version 3) from run calm-owl-417"
    ledgit: 1
    model: "churn"
    version: "v1.2.0"
    number: 3
    …
"""

from __future__ import annotations

from ledgit.errors import NewerFormat, RecordError
from ledgit.records.documents import dump_document, load_document
from ledgit.records.shapes import is_run_id
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FORMAT", "MAX_MESSAGE", "RegistryMessage", "decode_message", "encode_message", "is_signed", "split_message"]

FORMAT = 1
MAX_MESSAGE = 64 * 1024
"""Bytes of a message that are read: a stranger's tag must not cost memory."""
_MOST = 1 << 53  # a number that every JSON reader takes
_TEXTS = ("summary", "model", "version", "run", "path", "digest", "reason", "stage", "previous", "kind")
_SIGNATURES = (b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----", b"-----BEGIN SIGNED MESSAGE-----")


class RegistryMessage(Values):
    """What the message of a tag of ours says; what it doesn't say is None.

    Attributes:
        summary: One line for people.
        model: The model's name as it was given.
        version: ``v1.2.0``.
        number: The integer version.
        run: Id of the run the model is from.
        path: The model's folder among the run's artifacts; of a project its folder in the tree.
        digest: ``sha256:…`` of the model's files; of a project ``tree:…``, the id of its folder's tree.
        reason: Why; free text.
        stage: As it was given, for assign and unassign.
        previous: For assign: the version the stage stood at before.
        kind: What a version is of: ``project``; None: a model.
        extra: What a newer Ledgit added.
    """

    __slots__ = (*_TEXTS, "extra", "number")

    def __init__(
        self,
        summary: str | None = None,
        model: str | None = None,
        version: str | None = None,
        number: int | None = None,
        run: str | None = None,
        path: str | None = None,
        digest: str | None = None,
        reason: str | None = None,
        stage: str | None = None,
        previous: str | None = None,
        kind: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.summary, self.model, self.version, self.number, self.run = summary, model, version, number, run
        self.path, self.digest, self.reason, self.stage, self.previous = path, digest, reason, stage, previous
        self.kind = kind
        self.extra = {} if extra is None else extra


def encode_message(message: RegistryMessage) -> bytes:
    """Return the YAML of *message*; ends in a line break."""
    document: dict[str, Any] = {"summary": message.summary or "", "ledgit": FORMAT}
    for key in ("model", "kind", "version", "number", "run", "path", "digest", "reason", "stage", "previous"):
        value = getattr(message, key)
        if value is not None and value != "":
            document[key] = value
    document |= {key: value for key, value in message.extra.items() if key not in document}
    return dump_document(document)


def split_message(data: bytes) -> tuple[bytes, bool]:
    """Return the message of a tag object without the signature, and whether there was one."""
    if b"-----BEGIN " not in data:  # nearly always
        return data, False
    for mark in _SIGNATURES:
        at = 0 if data.startswith(mark) else data.find(b"\n" + mark) + 1
        if at > 0 or data.startswith(mark):
            return data[:at], True
    return data, False


def is_signed(data: bytes) -> bool:
    """Whether the message of a tag object ends in a signature; whether it is a good one, Git says."""
    return split_message(data)[1]


def decode_message(data: bytes, where: str = "tag") -> RegistryMessage | None:
    """Return what a tag's message (without signature) says; None if somebody else wrote it.

    Raises:
        NewerFormat: A newer Ledgit wrote it.
        RecordError: It is one of ours that does not decode, or too large to look.
    """
    if len(data) > MAX_MESSAGE:
        raise RecordError(where, f"has a message of {len(data):,} bytes; {MAX_MESSAGE:,} are read")
    if not data.startswith(b"ledgit: ") and b"\nledgit: " not in data:
        return None
    document = load_document(data, where)
    if not isinstance(document, dict):
        return None  # prose with such a line in it
    found = document.pop("ledgit", None)
    if type(found) is not int or found < 1:
        raise RecordError(where, f"has the format {found!r:.40}, expected a number")
    if found > FORMAT:
        raise NewerFormat(where, found, FORMAT)
    message = RegistryMessage()
    for key in _TEXTS:
        value = document.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise RecordError(where, f"has {value!r:.40} as {key}, expected text")
        setattr(message, key, value)
    number = document.pop("number", None)
    if number is not None and (type(number) is not int or not 0 < number < _MOST):
        raise RecordError(where, f"has {number!r:.40} as number, expected 1, 2, 3 …")
    if message.run is not None and not is_run_id(message.run):
        raise RecordError(where, f"has {message.run!r:.40} as run, expected the id of a run")
    message.number = number
    message.extra = document
    return message
