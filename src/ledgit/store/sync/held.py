"""Runs held back from publishing, with their reasons: ``held.json`` in Ledgit's folder.

The file is a note, not the truth: a run that is missing here is looked at by the next push
like any other, so a file that was lost, cut off or written by somebody else costs a look, never
a run. What can't be read in it counts as not there.
"""

from __future__ import annotations

import json
import os

from ledgit.errors import StorageError
from ledgit.records.shapes import is_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ledgit.store.folder import Folder

__all__ = [
    "ARTIFACTS",
    "KINDS",
    "PURGED",
    "REFUSED",
    "SECRET",
    "SIZE",
    "UNPUSHED",
    "Held",
    "hold",
    "read_held",
    "read_json",
    "release",
    "update_json",
]

UNPUSHED = "unpushed-code"  #: code that is not on the remote, and nobody agreed to publish it
SECRET = "secret"  # noqa: S105 #: something in it looks like a secret
SIZE = "size"  #: an object is larger than the host takes
REFUSED = "refused"  #: the host refused it
PURGED = "purged"  #: it stands on a run that was purged, and would bring it back
ARTIFACTS = "artifacts"  #: its artifacts could not be sent, so nobody could use it
KINDS = (UNPUSHED, SECRET, SIZE, REFUSED, PURGED, ARTIFACTS)

_LONGEST = 2000  # characters of a reason that are kept
_MOST_BYTES = 64 << 20
_HEX = frozenset("0123456789abcdef")


class Held:
    """Why one run stays here.

    Attributes:
        heads: The run's heads when it was looked at, sorted; others mean: look again.
        reason: One sentence, with what to do.
        kind: One of :data:`KINDS`.
        since_ms: When it was first held for this kind of reason: ms since the epoch, UTC.
        remote: Name of the remote that it was to go to.
    """

    __slots__ = ("heads", "kind", "reason", "remote", "since_ms")

    def __init__(self, heads: Iterable[str], reason: str, kind: str, since_ms: int, remote: str = "") -> None:
        self.heads = tuple(sorted(heads))
        self.reason, self.kind, self.since_ms, self.remote = reason[:_LONGEST], kind, since_ms, remote

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Held({self.heads!r}, {self.reason!r}, {self.kind!r}, {self.since_ms!r}, {self.remote!r})"

    def _key(self) -> tuple[object, ...]:
        return self.heads, self.reason, self.kind, self.since_ms, self.remote

    def is_about(self, heads: Iterable[str]) -> bool:
        """Whether the run still has the heads it was held with."""
        return self.heads == tuple(sorted(heads))

    def is_same(self, other: Held) -> bool:
        """Whether *other* holds the same commits back from the same remote for the same reason, at whatever time."""
        return (self.heads, self.reason, self.kind, self.remote) == (
            other.heads,
            other.reason,
            other.kind,
            other.remote,
        )


def read_held(folder: Folder) -> dict[str, Held]:
    """Return the runs that are held back: run id → why. Never fails: what is unreadable is not there."""
    runs = read_json(_path(folder)).get("runs")
    found = {}
    for run_id, item in runs.items() if isinstance(runs, dict) else ():
        held = _decode(item)
        if held is not None and is_run_id(run_id):
            found[run_id] = held
    return found


def hold(folder: Folder, runs: Mapping[str, Held]) -> None:
    """Note that *runs* are held back. One held before for the same kind of reason keeps its date.

    Raises:
        StorageError: The file can't be written.
    """
    if not runs:
        return

    def change(known: dict[str, Any]) -> None:
        for run_id, held in runs.items():
            before = _decode(known.get(run_id))
            same = before is not None and (before.kind, before.remote) == (held.kind, held.remote)
            since = min(before.since_ms, held.since_ms) if same and before is not None else held.since_ms
            known[run_id] = {
                "heads": list(held.heads),
                "kind": held.kind,
                "reason": held.reason,
                "remote": held.remote,
                "since": since,
            }

    _update_runs(folder, change)


def release(folder: Folder, ids: Iterable[str]) -> None:
    """Note that the runs *ids* are held back no longer; those that were not are passed over.

    Raises:
        StorageError: The file can't be written.
    """
    wanted = set(ids)
    if not wanted or not os.path.exists(_path(folder)):
        return

    def change(known: dict[str, Any]) -> None:
        for run_id in wanted:
            known.pop(run_id, None)

    _update_runs(folder, change)


def _update_runs(folder: Folder, change: Callable[[dict[str, Any]], None]) -> None:
    def apply(document: dict[str, Any]) -> None:
        runs = document.get("runs")
        # What can't be read is dropped here too, or it would stay for ever.
        known = (
            {key: item for key, item in runs.items() if is_run_id(key) and _decode(item)}
            if isinstance(runs, dict)
            else {}
        )
        change(known)
        document["runs"] = known

    update_json(folder, _path(folder), apply)


def update_json(folder: Folder, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a small JSON file of Ledgit's folder: locked, atomically, and on disk when this returns.

    Args:
        folder: Ledgit's folder.
        path: The file.
        change: Gets what the file says ({} if it is missing or unreadable) and changes it in place.

    Raises:
        StorageError: The file can't be written.
    """
    folder.make(folder.path)
    with _locked(path):
        document = read_json(path)
        before = json.dumps(document, sort_keys=True)
        change(document)
        after = json.dumps(document, sort_keys=True)
        if after == before and os.path.exists(path):
            return
        scratch = f"{path}.{os.urandom(4).hex()}"
        try:
            with open(scratch, "w", encoding="ascii") as file:
                file.write(after + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)


class _locked:  # noqa: N801 - reads as the phrase it is; contextlib's way costs an import
    """Holds ``<path>.lock`` alone while its block runs."""

    def __init__(self, path: str) -> None:
        self._path = path + ".lock"
        self._fd = -1

    def __enter__(self) -> None:
        import fcntl

        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(self._path, error.strerror or str(error)) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)  # held for a millisecond
        except OSError:
            pass  # a file system without locks: the rename is atomic all the same

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _path(folder: Folder) -> str:
    return os.path.join(folder.path, "held.json")


def read_json(path: str) -> dict[str, Any]:
    """Return what a small JSON file says; {} if it is missing, unreadable, or no object."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _decode(item: object) -> Held | None:
    if not isinstance(item, dict):
        return None
    heads, kind, reason = item.get("heads"), item.get("kind"), item.get("reason")
    remote, since = item.get("remote", ""), item.get("since")
    if not isinstance(heads, list) or not all(isinstance(head, str) and _is_hex(head, 40) for head in heads):
        return None
    if kind not in KINDS or not isinstance(reason, str) or not isinstance(remote, str) or type(since) is not int:
        return None
    return Held(heads, reason, kind, since, remote)


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and _HEX.issuperset(text)
