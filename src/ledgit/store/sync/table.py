"""Questions to two tables: what came, what went, what only one of them has."""

from __future__ import annotations

TYPE_CHECKING = False  # a pull without news needs no more than an empty `Changes`
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ledgit.git import Objects, ObjectSet
    from ledgit.records.table import Line

__all__ = ["Changes", "add_new", "files_only", "new_lines", "table_changes", "without_runs"]


class Changes:
    """What differs between an older and a newer table.

    Attributes:
        new: Ids of runs that came.
        edited: Ids of runs with other lines than before.
        purged: Ids of runs with a new tombstone → their lines before (none if they weren't there).
        gone: Ids of runs that are not there any more.
    """

    __slots__ = ("edited", "gone", "new", "purged")

    def __init__(
        self,
        new: list[str] | None = None,
        edited: list[str] | None = None,
        purged: dict[str, list[Line]] | None = None,
        gone: list[str] | None = None,
    ) -> None:
        self.new, self.edited, self.gone = new or [], edited or [], gone or []
        self.purged = purged or {}

    def __bool__(self) -> bool:
        return bool(self.new or self.edited or self.purged or self.gone)

    def __repr__(self) -> str:
        return f"Changes({self.new!r}, {self.edited!r}, {self.purged!r}, {self.gone!r})"


def table_changes(objects: Objects, old: str | None, new: str | None, fresh: ObjectSet | None = None) -> Changes:
    """Compare two tables (trees; None: empty). Costs what differs."""
    found = Changes()
    for before, after in _days(objects, old, new, fresh):
        for key, lines in after.items():
            past = before.get(key, [])
            name = lines[0].id or key
            if lines == past:
                continue
            if any(line.purged for line in lines):
                if not any(line.purged for line in past):
                    found.purged[name] = past
            elif past:
                found.edited.append(name)
            else:
                found.new.append(name)
        found.gone += [lines[0].id or key for key, lines in before.items() if key not in after]
    return found


def add_new(found: Changes, lines: list[Line]) -> None:
    """Add what the *lines* of one file say, none of which was there before."""
    runs: dict[str, list[Line]] = {}
    for line in lines:
        runs.setdefault(line.key, []).append(line)
    for key, several in runs.items():
        if any(line.purged for line in several):
            found.purged[several[0].id or key] = []
        else:
            found.new.append(several[0].id or key)


def new_lines(objects: Objects, old: str | None, new: str | None, fresh: ObjectSet | None = None) -> Iterator[Line]:
    """Yield the lines of the table *new* that *old* lacks."""
    for before, after in _days(objects, old, new, fresh):
        for key, lines in after.items():
            past = before.get(key, ())
            yield from (line for line in lines if line not in past)


def _days(
    objects: Objects, old: str | None, new: str | None, fresh: ObjectSet | None
) -> Iterator[tuple[dict[str, list[Line]], dict[str, list[Line]]]]:
    """Yield (lines before, lines after) by run of each file that differs.

    Of a file that became many its lines wait until those files come, which they do next: so no more than
    two files are in memory.
    """
    from ledgit.store.ledger.reader import Reader
    from ledgit.store.ledger.tree import differing

    reader = Reader(objects, fresh)
    here = ""
    left: dict[str, list[Line]] = {}
    for path, was, now in differing(objects, old, new, fresh):
        day = path[: len("segments/2026-11/23")]
        if day != here:
            if left:
                yield left, {}
            here, left = day, {}
        if was is not None:
            for line in reader.lines(was):
                left.setdefault(line.key, []).append(line)
        if now is not None:
            after: dict[str, list[Line]] = {}
            for line in reader.lines(now):
                after.setdefault(line.key, []).append(line)
            yield {key: left.pop(key) for key in after if key in left}, after
    if left:
        yield left, {}


def files_only(objects: Objects, fresh: ObjectSet, tree: str | None) -> str | None:
    """Return *tree* without its lines: experiments, models, format and what newer versions put there."""
    from ledgit.store.ledger.reader import SEGMENTS, Reader

    if tree is None:
        return None
    entries = Reader(objects, fresh).folder(tree)
    if SEGMENTS not in entries:
        return tree
    return fresh.tree(entry for name, entry in entries.items() if name != SEGMENTS)


def without_runs(objects: Objects, fresh: ObjectSet, tree: str, shared: str | None, runs: Collection[str]) -> str:
    """Return *tree* without the lines of *runs* that *shared*, a part of it, lacks."""
    from ledgit.store.ledger.choosing import add_chosen
    from ledgit.store.ledger.tree import union_trees

    base = union_trees(objects, fresh, shared, files_only(objects, fresh, tree)).tree
    ids = frozenset(runs)
    return add_chosen(objects, fresh, base, tree, shared, lambda line: line.id not in ids)
