"""Experiment records: tags and lifecycle of a label, in the ledger's tree.

A run names its experiment; that is all most experiments ever need, so an experiment exists
as soon as a run is in it. Only what is *said about* an experiment (tags, a new name,
deletion) is written down: ``experiments/<safe name>.yaml`` in the tree of
``refs/ledgit/ledger``, every key with a clock, so that two clones' edits join key by key.
"""

from __future__ import annotations

import os

from ledgit.errors import InvalidName, RecordError, RefMoved
from ledgit.git import read_ref
from ledgit.records.names import safe_file
from ledgit.records.values import Values
from ledgit.store.journal import now_ms

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

LEDGER_REF = "refs/ledgit/ledger"
FOLDER = "experiments"
_README = """# Ledgit's ledger

Written by Ledgit (`ledgit ls` reads it). `segments/` holds one line per run, `experiments/`
what was said about experiments. The runs themselves are the commits this history reaches.
"""
_FORMAT = {"min_reader": 1, "min_writer": 1}
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
    from ledgit.records.documents import dump_document

    keys = {}
    for key in sorted(record.clocks):
        counter, clone = record.clocks[key]
        item: dict[str, Any] = {"clock": [counter, clone]}
        if key in record.values:
            item["value"] = record.values[key]
        keys[key] = item
    return dump_document({"label": record.label, "keys": keys})


def decode_experiment(data: bytes, where: str = "experiment") -> ExperimentRecord:
    """Decode what :func:`encode_experiment` wrote.

    Raises:
        RecordError: The data is something else.
    """
    from ledgit.records.documents import load_document

    document = load_document(data)
    try:
        record = ExperimentRecord(str(document["label"]))
        for key, item in document["keys"].items():
            counter, clone = item["clock"]
            record.clocks[str(key)] = (int(counter), str(clone))
            if "value" in item:
                record.values[str(key)] = item["value"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(where, f"is no experiment record ({error})") from None
    return record


def read_experiments(repo: Repo) -> dict[str, ExperimentRecord]:
    """Return every experiment record in the ledger by label; undecodable ones are left out."""
    if read_ref(repo, LEDGER_REF) is None:
        return {}
    from ledgit.git import BatchReader, parse_tree

    found: dict[str, ExperimentRecord] = {}
    with BatchReader(repo) as reader:
        top = reader.read(f"{LEDGER_REF}:{FOLDER}")
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
    from ledgit.git import FILE, Objects, ObjectSet, RefUpdate, edit_tree, identity, update_refs
    from ledgit.records.documents import dump_document
    from ledgit.store.packs import note_pack

    now = now_ms() if when is None else when
    objects = Objects(repo)
    tip = read_ref(repo, LEDGER_REF)
    root = objects.commit(tip).tree if tip else None
    path = f"{FOLDER}/{safe_file(label)}.yaml"
    entry = objects.find(root, path) if root else None
    record = ExperimentRecord(label)
    if entry is not None:
        record = decode_experiment(objects.read(entry.oid)[1], path)
    counter = 1 + max((clock[0] for clock in record.clocks.values()), default=0)
    if "created" not in record.clocks:
        values = {"created": now, **values}
    changed = False
    for key, value in values.items():
        if value is None:
            changed |= record.values.pop(key, None) is not None
        elif record.values.get(key) == value:
            continue
        else:
            record.values[key] = value
            changed = True
        record.clocks[key] = (counter, folder.clone_id)
    if not changed and entry is not None:
        return record
    fresh = ObjectSet()
    changes = {path: (FILE, fresh.blob(encode_experiment(record)))}
    if root is None:
        changes["README.md"] = (FILE, fresh.blob(_README.encode()))
        changes["format"] = (FILE, fresh.blob(dump_document(_FORMAT)))
    tree = edit_tree(objects, fresh, root, changes)
    name, email = identity(repo)
    who = (name or "ledgit", email, now // 1000, "+0000")
    commit = fresh.commit(tree, [tip] if tip else [], who, who, f"experiment {label}: {', '.join(sorted(values))}\n")
    pack = fresh.write(repo, keep=True)
    try:
        update_refs(repo, [RefUpdate(LEDGER_REF, commit, tip)])
    finally:
        pack.release()
    note_pack(repo, folder, os.path.basename(pack.path))
    return record
