"""The ledger's table as a tree of files: united, extended, compared, looked up.

Days are independent of each other, and so are, below a day, the digits of ids. So two tables are
united by going down only where their ids differ, and the tree is a function of the lines alone:
a file that would hold more than 64 runs is a folder of files by the next digit, and as a run
never leaves the table, no folder ever has to become a file again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from ledgit.errors import RecordError
from ledgit.git import FILE, TREE, TreeEntry
from ledgit.records.table import LEAF_RUNS, Line, decode_leaf, encode_leaf, place_of, unite_leaf
from ledgit.store.ledger.files import base_files, join_entry
from ledgit.store.ledger.reader import SEGMENTS, SUFFIX, Dir, Leaf, Node, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet
    from ledgit.store.index_places import Places

__all__ = ["Union", "add_lines", "differing", "every_line", "lines_of", "on_other_days", "union_trees"]

_FEW = 16
_DIGITS = 32  # of an id: deeper nothing is split


class Union:
    """What two tables are together.

    Attributes:
        tree: Id of the united tree.
        dropped: Lines of *base* that it lacks.
    """

    __slots__ = ("_added", "_reader", "_whole", "dropped", "tree")

    def __init__(self, tree: str, reader: Reader, added: list[Line], dropped: list[Line], whole: list[str]) -> None:
        self.tree = tree
        self.dropped = dropped
        self._reader = reader
        self._added = added
        self._whole = whole  # files that are new as a whole, not read yet

    @property
    def added(self) -> list[Line]:
        """Lines in the tree that *base* lacks. Whole new files are read when this is first asked for."""
        while self._whole:
            self._added += self._reader.lines(self._whole.pop())
        return self._added

    def each_added(self) -> Iterator[Line]:
        """Yield what :attr:`added` lists, without keeping it: for tables of any size."""
        yield from self._added
        for oid in self._whole:
            yield from self._reader.lines(oid)


class Lines:
    """Lines that stand for a file which isn't stored."""

    __slots__ = ("lines",)

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines


def union_trees(objects: Objects, fresh: ObjectSet, base: str | None, other: str | None) -> Union:
    """Unite two ledgers' trees; new objects go into *fresh*.

    Args:
        objects: Where both are.
        fresh: Takes what is new; trees may also be in it.
        base: Id of a tree; None for the empty ledger.
        other: The same. Trees from elsewhere must have passed
            :func:`ledgit.store.ledger.check_tree`.
    """
    work = Work(objects, fresh)
    if base is None and other is None:
        return work.result(fresh.tree(base_files(fresh).values()))
    first, second = work.reader.folder(base), work.reader.folder(other)
    entries: dict[str, TreeEntry] = {}
    for name in {**first, **second}:
        a, b = first.get(name), second.get(name)
        if name == SEGMENTS:
            entry = work.segments(a, {} if b is None else work.months(b.oid), b)
        else:
            entry = join_entry(work.reader, fresh, name, a, b)
        if entry is not None:
            entries[name] = entry
    for side, tree in ((first, base), (second, other)):
        if tree is not None and entries == side:
            return work.result(tree)
    return work.result(fresh.tree(entries.values()))


def add_lines(objects: Objects, fresh: ObjectSet, base: str | None, lines: Iterable[Line]) -> Union:
    """Unite a ledger's tree with *lines*; each must say its start, which is its place.

    Raises:
        RecordError: A line without a start.
    """
    work = Work(objects, fresh)
    days: dict[str, list[Line]] = {}
    for line in lines:
        day = line.day
        if day is None:
            raise RecordError("the ledger", f"can't take a line without a start, {line.raw[:60]!r}")
        days.setdefault(day, []).append(line)
    months: dict[str, dict[str, Node | Lines]] = {}
    for path, found in days.items():
        month, _, day = path.partition("/")
        months.setdefault(month, {})[day] = Lines(found)
    entries = work.reader.folder(base) if base is not None else base_files(fresh)
    before = entries.get(SEGMENTS)
    after = work.segments(before, months, None)
    if after is not None:
        entries[SEGMENTS] = after
    if base is not None and after == before:
        return work.result(base)
    return work.result(fresh.tree(entries.values()))


class Work:
    """One union: what it reads, makes and finds."""

    def __init__(self, objects: Objects, fresh: ObjectSet) -> None:
        self.reader = Reader(objects, fresh)
        self.fresh = fresh
        self.added: list[Line] = []
        self.dropped: list[Line] = []
        self.whole: list[str] = []

    def result(self, tree: str) -> Union:
        return Union(tree, self.reader, self.added, self.dropped, self.whole)

    def months(self, oid: str) -> dict[str, str]:
        """Return the months below a ``segments`` folder."""
        return {name: entry.oid for name, entry in self.reader.folder(oid).items()}

    def segments(
        self, a: TreeEntry | None, months: Mapping[str, str | dict[str, Node | Lines]], b: TreeEntry | None
    ) -> TreeEntry | None:
        """Unite the folder *a* with *months*: trees, which *b* stands for, or days with lines."""
        if a is not None and b is not None and a.oid == b.oid:
            return a
        before = {} if a is None else self.months(a.oid)
        after = dict(before)
        for name, month in months.items():
            if before.get(name) != month:
                days = self.reader.slots(month) if isinstance(month, str) else month
                after[name] = self._month(before.get(name), days, month if isinstance(month, str) else None)
        if after == before:
            return a
        if b is not None and after == months:
            return b
        oid = self.fresh.tree(TreeEntry(name, TREE, tree) for name, tree in after.items())
        return TreeEntry(SEGMENTS, TREE, oid)

    def _month(self, a: str | None, days: Mapping[str, Node | Lines], b: str | None) -> str:
        before = self.reader.slots(a)
        after: dict[str, Node] = dict(before)
        for name, day in days.items():
            after[name] = self.unite(before.get(name), day, 0)
        return self._folder(before, a, after, days, b)

    def _folder(
        self,
        before: dict[str, Node],
        a: str | None,
        after: dict[str, Node],
        other: Mapping[str, Node | Lines],
        b: str | None,
    ) -> str:
        """Return the id of the folder *after*; the one there is if it equals *before* or *other*."""
        if a is not None and same(before, after):
            return a
        if b is not None and same(other, after):
            return b
        return self.fresh.tree(entry_of(slot, node) for slot, node in after.items())

    def unite(self, a: Node | Lines | None, b: Node | Lines | None, depth: int) -> Node:
        """Unite two versions of one place, *depth* digits below a day; *a* is the base's."""
        if a is None:
            assert b is not None
            return self._take_whole(b, depth)
        if b is None:
            return self.write(a.lines, depth) if isinstance(a, Lines) else a
        if not isinstance(a, Lines) and not isinstance(b, Lines) and type(a) is type(b) and a.oid == b.oid:
            return a
        if isinstance(a, Dir) or isinstance(b, Dir):
            first, second = self._children(a, depth), self._children(b, depth)
            after: dict[str, Node] = {}
            for digit in {**first, **second}:
                after[digit] = self.unite(first.get(digit), second.get(digit), depth + 1)
            stored = {digit: node for digit, node in first.items() if not isinstance(node, Lines)}
            tree = self._folder(
                stored, a.oid if isinstance(a, Dir) else None, after, second, b.oid if isinstance(b, Dir) else None
            )
            return Dir(tree)
        mine, theirs = self._lines(a), self._lines(b)
        lines, added, dropped = unite_leaf(mine, theirs)
        self.added += added
        self.dropped += dropped
        if isinstance(a, Leaf) and lines is mine:
            return a
        if isinstance(b, Leaf) and lines == theirs:
            return b
        return self.write(lines, depth)

    def _take_whole(self, node: Node | Lines, depth: int) -> Node:
        """Take over what the base has nothing of."""
        if isinstance(node, Lines):
            lines, added, _ = unite_leaf([], node.lines)
            self.added += added
            return self.write(lines, depth)
        self.whole += [oid for _, oid in self.reader.leaves(node, "")]
        return node

    def _lines(self, node: Leaf | Lines) -> list[Line]:
        return node.lines if isinstance(node, Lines) else self.reader.lines(node.oid)

    def _children(self, node: Node | Lines, depth: int) -> Mapping[str, Node | Lines]:
        if isinstance(node, Dir):
            return self.reader.slots(node.oid)
        return {digit: Lines(lines) for digit, lines in by_digit(self._lines(node), depth).items()}

    def write(self, lines: list[Line], depth: int) -> Node:
        if depth >= _DIGITS or fit(lines):
            return Leaf(self.fresh.blob(encode_leaf(lines)))
        parts = {digit: self.write(part, depth + 1) for digit, part in by_digit(lines, depth).items()}
        return Dir(self.fresh.tree(entry_of(digit, node) for digit, node in parts.items()))


def fit(lines: Iterable[Line]) -> bool:
    """Whether one file may have all these lines."""
    return len({line.key for line in lines}) <= LEAF_RUNS


def by_digit(lines: Iterable[Line], depth: int) -> dict[str, list[Line]]:
    """Return *lines* by the digit that a day split *depth* times goes by next."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.key[depth], []).append(line)
    return found


def entry_of(slot: str, node: Node) -> TreeEntry:
    """Return how a folder lists what stands at *slot*."""
    return TreeEntry(slot, TREE, node.oid) if isinstance(node, Dir) else TreeEntry(slot + SUFFIX, FILE, node.oid)


def same(a: Mapping[str, Node | Lines], b: dict[str, Node]) -> bool:
    """Whether two folders hold the same, stored under the same ids."""
    if a.keys() != b.keys():
        return False
    for slot, node in b.items():
        other = a[slot]
        if isinstance(other, Lines) or type(other) is not type(node) or other.oid != node.oid:
            return False
    return True


def lines_of(objects: Objects, tree: str | None, run_id: str, day: str, fresh: ObjectSet | None = None) -> list[Line]:
    """Return the lines of the run *run_id* that started on *day* (``2026-11/23``)."""
    reader = Reader(objects, fresh)
    month, _, slot = day.partition("/")
    node = reader.slots(reader.segments(tree).get(month)).get(slot)
    key = place_of(run_id)
    depth = 0
    while isinstance(node, Dir):
        node = reader.slots(node.oid).get(key[depth])
        depth += 1
    return [] if node is None else [line for line in reader.lines(node.oid) if line.key == key]


def on_other_days(
    objects: Objects,
    tree: str | None,
    runs: Mapping[str, str],
    fresh: ObjectSet | None = None,
    places: Places | None = None,
) -> dict[str, list[Line]]:
    """Return the lines that runs (id → day) have on other days than theirs; a run has one day.

    Two clones that import a run with different starts make such lines. Of a few runs one file a day is
    looked at (0.2 ms each), of many all: 1 s for 100,000. With *places*, what the index knows of these runs,
    only files that it has not read.
    """
    reader = Reader(objects, fresh)
    found: dict[str, list[Line]] = {}
    read: Collection[str] = () if places is None else places.read
    looked: set[tuple[str, str]] = set()
    for run_id, days in () if places is None else places.days.items():
        for day in sorted(days - {runs[run_id]}):
            looked.add((run_id, day))
            lines = [line for line in lines_of(objects, tree, run_id, day, fresh) if line.id == run_id]
            if lines:
                found.setdefault(run_id, []).extend(lines)
    keys = {place_of(run_id) for run_id in runs} if len(runs) <= _FEW else None
    for month, oid in reader.segments(tree).items() if runs else ():
        for slot, node in reader.slots(oid).items():
            for data in _files(reader, node, keys, 0, read):
                for run_id in _ids_in(data, runs):
                    day = f"{month}/{slot}"
                    if runs[run_id] != day and (run_id, day) not in looked:
                        found.setdefault(run_id, []).extend(line for line in decode_leaf(data) if line.id == run_id)
    return found


def _files(
    reader: Reader, node: Node, keys: Collection[str] | None, depth: int, read: Collection[str]
) -> Iterator[bytes]:
    """Yield the files of *node* that can have one of *keys* (of None, all), but what was *read* already."""
    if node.oid in read:
        return
    if isinstance(node, Leaf):
        yield reader.read(node.oid, "blob")
        return
    for digit, below in reader.slots(node.oid).items():
        left = None if keys is None else [key for key in keys if key[depth : depth + 1] == digit]
        if left is None or left:
            yield from _files(reader, below, left, depth + 1, read)


def _ids_in(data: bytes, runs: Mapping[str, str]) -> set[str]:
    """Return those of *runs* that a line of *data* begins with the id of, without decoding the others."""
    starts = (line[7:300].partition(b'"')[0] for line in data.split(b"\n") if line.startswith(b'{"id":"'))
    return {text for start in starts if (text := start.decode("ascii", "replace")) in runs}


def every_line(objects: Objects, tree: str | None, fresh: ObjectSet | None = None) -> Iterator[tuple[str, Line]]:
    """Yield (path of the file, line) for all lines of a ledger's tree."""
    reader = Reader(objects, fresh)
    for path, _, oid in differing(objects, None, tree, fresh):
        if oid is not None:
            for line in reader.lines(oid):
                yield path, line


def differing(
    objects: Objects, old: str | None, new: str | None, fresh: ObjectSet | None = None
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield (path, old blob, new blob) of the files of lines in which two trees differ, in order of the days.

    A day that was split since shows as one file that went and several that came.
    """
    reader = Reader(objects, fresh)
    before, after = reader.segments(old), reader.segments(new)
    for month in sorted({*before, *after}):
        if before.get(month) != after.get(month):
            sides = reader.slots(before.get(month)), reader.slots(after.get(month))
            yield from _differing(reader, f"{SEGMENTS}/{month}", *sides)


def _differing(
    reader: Reader, path: str, before: dict[str, Node], after: dict[str, Node]
) -> Iterator[tuple[str, str | None, str | None]]:
    for slot in sorted({*before, *after}):
        old, new = before.get(slot), after.get(slot)
        here = f"{path}/{slot}"
        if isinstance(old, Leaf) and isinstance(new, Leaf):
            if old.oid != new.oid:
                yield here + SUFFIX, old.oid, new.oid
        elif isinstance(old, Dir) and isinstance(new, Dir):
            if old.oid != new.oid:
                yield from _differing(reader, here, reader.slots(old.oid), reader.slots(new.oid))
        else:
            if old is not None:
                yield from ((at, oid, None) for at, oid in reader.leaves(old, here))
            if new is not None:
                yield from ((at, None, oid) for at, oid in reader.leaves(new, here))
