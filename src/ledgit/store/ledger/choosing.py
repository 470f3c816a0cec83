"""Some of the lines that one table has and another lacks, put into a third: a file at a time.

A push that holds a run back, of 100,000 that go, would else have all of their lines in memory.
"""

from __future__ import annotations

from ledgit.git import TREE, TreeEntry
from ledgit.store.ledger import tree
from ledgit.store.ledger.files import base_files
from ledgit.store.ledger.reader import SEGMENTS, Dir, Leaf, Node, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledgit.git import Objects, ObjectSet
    from ledgit.records.table import Line

    Place = Leaf | Dir | tree.Lines

__all__ = ["add_chosen"]


def add_chosen(
    objects: Objects,
    fresh: ObjectSet,
    base: str | None,
    whole: str | None,
    known: str | None,
    goes: Callable[[Line], bool],
    source: ObjectSet | None = None,
) -> str:
    """Return the tree of *base* with those lines of *whole* that *known* lacks and that *goes* lets through.

    The same tree as :func:`ledgit.store.ledger.add_lines` makes of a list of them.

    Args:
        objects: Where the trees are.
        fresh: Takes what is new; *base* may be in it.
        base: A ledger's tree; None for the empty ledger.
        whole: The same, with all runs of *known*, and lines of its own.
        known: The same.
        goes: Asked of each line.
        source: What *whole* and *known* may be in; *fresh* by default.
    """
    work = _Choice(objects, fresh, Reader(objects, fresh if source is None else source), goes)
    entries = work.reader.folder(base) if base is not None else base_files(fresh)
    before = {} if base is None else work.reader.segments(base)
    after = work.put(before, whole, known)
    if base is not None and after == before:
        return base
    if after:
        segments = fresh.tree(TreeEntry(name, TREE, oid) for name, oid in after.items())
        entries[SEGMENTS] = TreeEntry(SEGMENTS, TREE, segments)
    return fresh.tree(entries.values())


class _Choice(tree.Work):
    """One choice: *source* reads what is chosen from, `reader` what it is put into."""

    def __init__(self, objects: Objects, fresh: ObjectSet, source: Reader, goes: Callable[[Line], bool]) -> None:
        super().__init__(objects, fresh)
        self.source, self.goes = source, goes

    def put(self, before: dict[str, str], whole: str | None, known: str | None) -> dict[str, str]:
        """Return the months *before* with what is chosen."""
        have = self.source.segments(known)
        after = dict(before)
        for month, oid in self.source.segments(whole).items():
            if have.get(month) == oid:
                continue
            here, there = self.reader.slots(before.get(month)), self.source.slots(have.get(month))
            days: dict[str, Node] = dict(here)
            for day, node in self.source.slots(oid).items():
                new = self.choose(here.get(day), node, there.get(day), 0)
                if new is not None:
                    days[day] = self.stored(new, 0)
            if days and not tree.same(here, days):
                after[month] = self.fresh.tree(tree.entry_of(slot, node) for slot, node in days.items())
        return after

    def choose(self, base: Place | None, whole: Place, known: Place | None, depth: int) -> Place | None:
        """Return what stands at one place: *base* with the lines of *whole* that *known* lacks and that go."""
        if not isinstance(whole, tree.Lines) and type(whole) is type(known) and whole.oid == known.oid:
            return base
        if isinstance(whole, Dir):
            return self.below(base, whole, known, depth)
        have = {line.raw for line in self.all_lines(known)}
        lines = self.all_lines(whole)
        chosen = [line for line in lines if line.raw not in have and self.goes(line)]
        if not chosen:
            return base
        if base is None and isinstance(whole, Leaf) and len(chosen) == len(lines):
            found = (
                None if self.source.fresh is self.fresh or not self.source.fresh else self.source.fresh.get(whole.oid)
            )
            return whole if found is None else Leaf(self.fresh.add(*found))
        node = self.unite(base, tree.Lines(chosen), depth)
        self.added, self.dropped = [], []  # nobody asks for them, and they are many
        return node

    def below(self, base: Place | None, whole: Dir, known: Place | None, depth: int) -> Place | None:
        """Return the same where *whole* was split."""
        here = self.parts(self.reader, base, depth)
        there = self.parts(self.source, known, depth)
        after: dict[str, Place] = dict(here)
        for digit, node in self.source.slots(whole.oid).items():
            new = self.choose(here.get(digit), node, there.get(digit), depth + 1)
            if new is not None:
                after[digit] = new
        if after.keys() == here.keys() and all(after[digit] is here[digit] for digit in after):
            return base
        if not isinstance(base, Dir):
            lines = self.few(after)
            if lines is not None:
                return self.write(lines, depth)
        stored = {digit: self.stored(node, depth + 1) for digit, node in after.items()}
        return Dir(self.fresh.tree(tree.entry_of(digit, node) for digit, node in stored.items()))

    def few(self, parts: Mapping[str, Place]) -> list[Line] | None:
        """Return the lines of all *parts*, if one file is to have them; None: they are of too many runs."""
        found: list[Line] = []
        for node in parts.values():
            if isinstance(node, Dir):
                return None
            found += node.lines if isinstance(node, tree.Lines) else self.reader.lines(node.oid)
            if not tree.fit(found):
                return None
        found.sort(key=lambda line: line.raw)
        return found

    def stored(self, node: Place, depth: int) -> Node:
        """Return *node* as it is stored."""
        return self.write(node.lines, depth) if isinstance(node, tree.Lines) else node

    def parts(self, reader: Reader, node: Place | None, depth: int) -> Mapping[str, Place]:
        """Return what stands below a place, by digit; a file is split."""
        if node is None:
            return {}
        if isinstance(node, Dir):
            return reader.slots(node.oid)
        lines = node.lines if isinstance(node, tree.Lines) else reader.lines(node.oid)
        return {digit: tree.Lines(some) for digit, some in tree.by_digit(lines, depth).items()}

    def all_lines(self, node: Place | None) -> list[Line]:
        """Return the lines of a place that is chosen from."""
        if node is None:
            return []
        if isinstance(node, tree.Lines):
            return node.lines
        return [line for _, oid in self.source.leaves(node, "") for line in self.source.lines(oid)]
