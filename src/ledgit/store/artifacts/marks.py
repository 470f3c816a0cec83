"""What the ledger says about objects that no run needs: ``objects/<two hex>.yaml``, clocked documents.

An object is a *candidate* since a date, or is being *swept* until one; an object that is not named,
or whose key lost its value, is like any other. Nothing here is trusted: what can't be understood
says nothing, and who deletes has looked for himself whether a run needs the object.
"""

from __future__ import annotations

from ledgit.errors import InvalidValue, RecordError
from ledgit.records.values import Values

TYPE_CHECKING = False  # pushes look here, and mostly there is nothing to read
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from ledgit.git import Objects, ObjectSet, TreeEntry

__all__ = [
    "CANDIDATE",
    "GRACE",
    "OBJECTS",
    "SWEPT",
    "WINDOW",
    "Judgement",
    "Mark",
    "decode_marks",
    "is_being_swept",
    "judge",
    "marks_folder",
    "read_marks",
    "write_marks",
]

OBJECTS = "objects"
CANDIDATE, SWEPT = "candidate", "swept"

GRACE = 30 * 24 * 3_600_000
"""Milliseconds for which a candidate is announced before it may go."""

WINDOW = 3_600_000
"""Milliseconds after which nobody deletes any more what he marked as swept."""

_SKEW = 12 * 3_600_000  # ms that the clocks of two people may differ
_DAY = 24 * 3_600_000
_LATEST = 253_402_300_799_999  # the last ms of the year 9999
_HEX = frozenset("0123456789abcdef")
_MOST_KEYS = 5000  # of a document: 130 bytes each, and readers refuse a file of a ledger beyond 1 MiB


class Mark(Values):
    """What is said of one object.

    Attributes:
        state: `CANDIDATE` or `SWEPT`.
        when: Milliseconds since the epoch: since when it is a candidate, or until when it may be deleted.
    """

    __slots__ = ("state", "when")

    def __init__(self, state: str, when: int) -> None:
        self.state, self.when = state, when

    def __str__(self) -> str:
        """As it stands in the document."""
        from ledgit.records.run import iso

        return f"{self.state} {iso(self.when)}"

    @classmethod
    def parse(cls, value: object) -> Mark | None:
        """Read what :meth:`__str__` wrote; None of anything else."""
        if not isinstance(value, str) or len(value) > 60:
            return None
        from ledgit.records.run import from_iso

        state, _, date = value.partition(" ")
        if state not in (CANDIDATE, SWEPT):
            return None
        try:
            when = from_iso(date)
        except (ValueError, OverflowError, InvalidValue, RecordError):
            return None
        return cls(state, when) if isinstance(when, int) and 0 <= when <= _LATEST else None


def is_being_swept(mark: Mark, now: int) -> bool:
    """Whether somebody may be deleting the object, whosever clock is right."""
    return mark.state == SWEPT and now < mark.when + _SKEW


# ---------------------------------------------------------------------- documents


def marks_folder(objects: Objects, tree: str | None, fresh: ObjectSet | None = None) -> str | None:
    """Return the folder of the documents in a ledger's tree: as long as it is the same, so are the marks."""
    from ledgit.git import TREE
    from ledgit.store.ledger.reader import Reader

    entry = Reader(objects, fresh).folder(tree).get(OBJECTS)
    return entry.oid if entry is not None and entry.mode == TREE else None


def read_marks(objects: Objects, tree: str | None, fresh: ObjectSet | None = None) -> dict[str, Mark]:
    """Return what a ledger's tree says: object id → mark. What can't be understood is left out."""
    from ledgit.git import FILE
    from ledgit.store.ledger.reader import Reader

    folder = marks_folder(objects, tree, fresh)
    reader = Reader(objects, fresh)
    found: dict[str, Mark] = {}
    for name, entry in reader.folder(folder).items():
        if entry.mode == FILE and _is_file(name):
            found |= decode_marks(reader.read(entry.oid, "blob"), name)
    return found


def decode_marks(data: bytes, name: str) -> dict[str, Mark]:
    """Return what the document *name* (``ab.yaml``) says of the objects that it may speak of."""
    values, _ = _decode(data, name)
    found = {}
    for oid, value in values.items():
        mark = Mark.parse(value) if _is_oid(oid) and oid[:2] == name[:2] else None
        if mark is not None:
            found[oid] = mark
    return found


def write_marks(
    objects: Objects, fresh: ObjectSet, tree: str, changes: Mapping[str, Mark | None], clone: str
) -> tuple[str, list[str]]:
    """Return the ledger's tree with these marks (None takes one away), and the objects that had no room.

    Args:
        objects: Where the tree is.
        fresh: Takes what is new; *tree* may be in it.
        tree: The ledger's tree.
        changes: Object id → mark.
        clone: Id of the clone that says so.
    """
    from ledgit.git import FILE, TREE, TreeEntry
    from ledgit.store.ledger.reader import Reader

    reader = Reader(objects, fresh)
    top = reader.folder(tree)
    above = top.get(OBJECTS)
    files: dict[str, TreeEntry] = reader.folder(above.oid) if above is not None and above.mode == TREE else {}
    groups: dict[str, dict[str, Mark | None]] = {}
    for oid, mark in changes.items():
        groups.setdefault(f"{oid[:2]}.yaml", {})[oid] = mark
    left: list[str] = []
    for name, group in groups.items():
        old = files.get(name)
        before = reader.read(old.oid, "blob") if old is not None and old.mode == FILE else b""
        data, full = _change(before, name, group, clone)
        left += full
        if data != before:
            files[name] = TreeEntry(name, FILE, fresh.blob(data))
    if not files:
        return tree, left
    top[OBJECTS] = TreeEntry(OBJECTS, TREE, fresh.tree(files.values()))
    return fresh.tree(top.values()), left


def _change(data: bytes, name: str, changes: Mapping[str, Mark | None], clone: str) -> tuple[bytes, list[str]]:
    """Return the document with *changes*, and the objects that it has no room for."""
    from ledgit.records.clock import GREATEST
    from ledgit.records.clocked import encode_clocked

    values, clocks = _decode(data, name)
    counter = min(1 + max((clock[0] for clock in clocks.values()), default=0), GREATEST)
    left, changed = [], False
    for oid, mark in changes.items():
        value = None if mark is None else str(mark)
        if values.get(oid) == value:
            continue
        if oid not in clocks and len(clocks) >= _MOST_KEYS and not _make_room(values, clocks):
            left.append(oid)
            continue
        changed = True
        clocks[oid] = (counter, clone)
        if value is None:
            values.pop(oid, None)
        else:
            values[oid] = value
    return (encode_clocked(name.removesuffix(".yaml"), values, clocks) if changed else data), left


def _make_room(values: Mapping[str, Any], clocks: dict[str, tuple[int, str]]) -> bool:
    """Forget that keys had a value, the oldest first. Who brings one back has not synced for very long."""
    empty = sorted((clock, key) for key, clock in clocks.items() if key not in values)
    for _, key in empty[: max(1, len(empty) // 2)]:
        del clocks[key]
    return bool(empty)


def _decode(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, tuple[int, str]]]:
    from ledgit.records.clocked import decode_clocked

    if not data:
        return {}, {}
    try:
        _, values, clocks = decode_clocked(data, f"{OBJECTS}/{name}")
    except RecordError:
        return {}, {}
    return values, clocks


def _is_file(name: str) -> bool:
    return len(name) == 7 and name.endswith(".yaml") and _HEX.issuperset(name[:2])


def _is_oid(oid: str) -> bool:
    digits = oid.removesuffix(".dir")
    return len(digits) == 32 and _HEX.issuperset(digits)


# ---------------------------------------------------------------------- what follows from them


class Judgement(Values):
    """What a sweep would do.

    Attributes:
        fresh: Objects that become candidates.
        waiting: Candidates → when they may go (ms since the epoch).
        due: Objects that may go now.
        marked: Those that are marked as swept by somebody who may still be at work → until when.
        withdrawn: Objects whose mark is to go: a run needs them, or they are gone.
    """

    __slots__ = ("due", "fresh", "marked", "waiting", "withdrawn")

    def __init__(self) -> None:
        self.fresh: list[str] = []
        self.waiting: dict[str, int] = {}
        self.due: list[str] = []
        self.marked: dict[str, int] = {}
        self.withdrawn: list[str] = []


def judge(
    there: Iterable[str],
    needed: Collection[str],
    marks: Mapping[str, Mark],
    now: int,
    grace: int = GRACE,
    at_once: Collection[str] = (),
) -> Judgement:
    """Decide what becomes of every object that is there or that has a mark. Pure.

    Args:
        there: Objects on the remote.
        needed: Those that some run needs.
        marks: What the ledger says.
        now: Milliseconds since the epoch.
        grace: Milliseconds between announcing and deleting.
        at_once: Objects that need no grace: those of purged runs.
    """
    found = Judgement()
    present = set(there)
    for oid in sorted(present):
        mark = marks.get(oid)
        if oid in needed:
            if mark is not None and not (mark.state == SWEPT and now < mark.when + _SKEW):
                found.withdrawn.append(oid)
        elif oid in at_once:
            found.due.append(oid)
        elif mark is None or now + _DAY < mark.when - (WINDOW if mark.state == SWEPT else 0):
            found.fresh.append(oid)  # a date that is far off says nothing
        elif mark.state == SWEPT:
            if now < mark.when:
                found.marked[oid] = mark.when
            elif now - mark.when > grace + _DAY:
                found.fresh.append(oid)  # brought back by a clone that has not synced for long
            else:
                found.due.append(oid)  # whoever marked it was killed: it was announced long enough
        elif now - mark.when >= grace:
            found.due.append(oid)
        else:
            found.waiting[oid] = mark.when + grace
    for oid in sorted(marks.keys() - present):
        mark = marks[oid]
        if not is_being_swept(mark, now):
            found.withdrawn.append(oid)
    return found
