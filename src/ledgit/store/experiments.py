"""Experiment records: tags and lifecycle of a label, in the ledger's tree.

A run names its experiment; that is all most experiments ever need, so an experiment exists
as soon as a run is in it. Only what is *said about* an experiment (tags, a new name,
deletion) is written down: ``experiments/<safe name>.yaml`` in the tree of
``refs/ledgit/ledger``, every key with a clock, so that two clones' edits join key by key.
"""

from __future__ import annotations

import os
from zlib import crc32

from ledgit.errors import InvalidName, RecordError, RefMoved
from ledgit.git import read_ref
from ledgit.records.names import safe_file
from ledgit.records.values import Values
from ledgit.store.journal import now_ms
from ledgit.store.ledger import LEDGER_REF

# A start of a run looks here whether its experiment was deleted, and most repositories have no
# experiment record at all: what reading or writing one needs is imported when there is one.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = [
    "LEDGER_REF",
    "ExperimentRecord",
    "check_experiment",
    "decode_experiment",
    "encode_experiment",
    "experiment_id",
    "read_experiments",
    "update_experiment",
]

FOLDER = "experiments"
CACHE = "experiments.json"
_ATTEMPTS = 8


class ExperimentRecord(Values):
    """What was said about one experiment.

    Attributes:
        label: The name that runs carry; never changes.
        values: Key → value. Keys: ``name`` (shown instead of the label), ``deleted``,
            ``created`` (ms), ``tags.<key>``.
        clocks: Key → (Lamport counter, clone id); a key without a value was removed.
    """

    __slots__ = ("clocks", "label", "values")

    def __init__(
        self, label: str, values: dict[str, Any] | None = None, clocks: dict[str, tuple[int, str]] | None = None
    ) -> None:
        self.label = label
        self.values = {} if values is None else values
        self.clocks = {} if clocks is None else clocks

    @property
    def name(self) -> str:
        """The name people see."""
        return str(self.values.get("name", self.label))

    @property
    def deleted(self) -> bool:
        """Whether it is marked as deleted, and its runs with it."""
        return bool(self.values.get("deleted", False))

    @property
    def tags(self) -> dict[str, str]:
        """The experiment's tags."""
        return {key[5:]: str(value) for key, value in self.values.items() if key.startswith("tags.")}


def experiment_id(label: str) -> str:
    """Return the id of an experiment: '0' for Default, else 16 hex digits made from its label.

    The same label has the same id in every clone, without asking anybody.
    """
    if label == "Default":
        return "0"
    from hashlib import sha256

    return sha256(label.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def check_experiment(name: str) -> None:
    """Check the name of an experiment: any text of 1 to 500 characters without control characters.

    Raises:
        InvalidName: The name breaks this.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidName("experiment", str(name), "is empty")
    if len(name) > 500:
        raise InvalidName("experiment", name, f"has {len(name)} characters, at most 500 are allowed")
    if not name.isprintable():
        raise InvalidName("experiment", name, "has control characters or undecodable bytes")


def encode_experiment(record: ExperimentRecord) -> bytes:
    """Return the YAML of *record*: label, then every key with value and clock."""
    from ledgit.records.clocked import encode_clocked

    return encode_clocked(record.label, record.values, record.clocks)


def decode_experiment(data: bytes, where: str = "experiment") -> ExperimentRecord:
    """Decode what :func:`encode_experiment` wrote.

    Raises:
        RecordError: The data is something else.
    """
    from ledgit.records.clocked import decode_clocked

    return ExperimentRecord(*decode_clocked(data, where))


def read_experiments(repo: Repo) -> dict[str, ExperimentRecord]:
    """Return every experiment record in the ledger by label; undecodable ones are left out.

    What was read is kept beside the index for as long as the ledger does not move: the start of a
    run asks, and a git process would take longer than the whole start.
    """
    ledger = read_ref(repo, LEDGER_REF)
    if ledger is None:
        return {}
    path = os.path.join(repo.common_dir, "ledgit", CACHE)
    kept = _kept(path, ledger)
    if kept is not None:
        return kept
    found = _read_ledger(repo, ledger)
    _keep(path, ledger, found)
    return found


def _read_ledger(repo: Repo, ledger: str) -> dict[str, ExperimentRecord]:
    from ledgit.git import BatchReader, parse_tree

    found: dict[str, ExperimentRecord] = {}
    with BatchReader(repo) as reader:
        top = reader.read(f"{ledger}:{FOLDER}")
        entries = parse_tree(top[2], FOLDER) if top is not None and top[1] == "tree" else []
        for entry, blob in zip(entries, reader.read_many(entry.oid for entry in entries), strict=True):
            if blob is None:
                continue
            try:
                record = decode_experiment(blob[2], entry.name)
            except RecordError:
                continue
            found[record.label] = record
    return found


def _kept(path: str, ledger: str) -> dict[str, ExperimentRecord] | None:
    """Return the records of *ledger* as they were read before; None if they have to be read."""
    try:
        with open(path, "rb") as file:
            first, _, rest = file.read().partition(b"\n")
    except OSError:
        return None
    if first != _mark(ledger, rest):
        return None  # of another ledger, or cut short by a full disk or a power cut
    if not rest:  # the common case: nothing was said about any
        return {}
    from orjson import loads

    try:
        return {
            label: ExperimentRecord(label, values, {key: (counter, clone) for key, (counter, clone) in clocks.items()})
            for label, values, clocks in loads(rest)
        }
    except (ValueError, TypeError, AttributeError):
        return None


def _mark(ledger: str, data: bytes) -> bytes:
    return b"%b %08x" % (ledger.encode("ascii"), crc32(data))


def _keep(path: str, ledger: str, records: dict[str, ExperimentRecord]) -> None:
    data = b""
    if records:
        from orjson import JSONEncodeError, dumps

        try:
            data = dumps([(one.label, one.values, one.clocks) for one in records.values()])
        except JSONEncodeError:
            return  # a value that JSON has no form for
    scratch = f"{path}.{os.getpid()}"
    try:
        with open(scratch, "wb") as file:
            file.write(_mark(ledger, data) + b"\n" + data)
        os.replace(scratch, path)
    except OSError:
        pass  # read-only, or no folder yet: it is read again next time


def update_experiment(
    repo: Repo, folder: Folder, label: str, values: Mapping[str, Any], when: int | None = None
) -> ExperimentRecord:
    """Set *values* (None removes a key) of an experiment, as one commit of the ledger.

    Args:
        repo: The repository.
        folder: Ledgit's folder, for this clone's id.
        label: The experiment's label.
        values: Keys as in :class:`ExperimentRecord`.
        when: Milliseconds since the epoch; now if None.
    """
    check_experiment(label)
    for attempt in range(_ATTEMPTS):
        try:
            return _update_once(repo, folder, label, values, when)
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _update_once(
    repo: Repo, folder: Folder, label: str, values: Mapping[str, Any], when: int | None
) -> ExperimentRecord:
    from ledgit.git import FILE, Objects, ObjectSet, edit_tree, identity
    from ledgit.store.ledger import LedgerLock, check_writable, commit_ledger, move_ledger, union_trees

    now = now_ms() if when is None else when
    path = f"{FOLDER}/{safe_file(label)}.yaml"
    with LedgerLock(folder), Objects(repo) as objects:
        tip = read_ref(repo, LEDGER_REF)
        entry = objects.find(tip, path) if tip else None
        record = ExperimentRecord(label)
        if entry is not None:
            record = decode_experiment(objects.read(entry.oid)[1], path)
        if "created" not in record.clocks:
            values = {"created": now, **values}
        if not _set(record, values, folder.clone_id) and entry is not None:
            return record
        fresh = ObjectSet()
        base = objects.commit(tip).tree if tip else union_trees(objects, fresh, None, None).tree
        check_writable(objects, base, fresh)
        tree = edit_tree(objects, fresh, base, {path: (FILE, fresh.blob(encode_experiment(record)))})
        name, email = identity(repo)
        commit = commit_ledger(
            objects,
            fresh,
            tree,
            tip,
            (),
            who=(name or "ledgit", email),
            when=now // 1000,
            subject=f"experiment {label}: {', '.join(sorted(values))}",
        )
        move_ledger(repo, folder, fresh, commit, tip)
    return record


def _set(record: ExperimentRecord, values: Mapping[str, Any], clone: str) -> bool:
    """Set *values* in *record*; return whether anything is other than before."""
    counter = 1 + max((clock[0] for clock in record.clocks.values()), default=0)
    changed = False
    for key, value in values.items():
        if value is None:
            changed |= record.values.pop(key, None) is not None
        elif record.values.get(key) == value:
            continue
        else:
            record.values[key] = value
            changed = True
        record.clocks[key] = (counter, clone)
    return changed
