"""What a push would add to the remote's ledger, and the table that makes."""

from __future__ import annotations

from ledgit.store.ledger.choosing import add_chosen
from ledgit.store.ledger.tree import add_lines, lines_of, on_other_days, union_trees
from ledgit.store.sync.table import files_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder
    from ledgit.store.ledger.tree import Union

__all__ = ["Mine", "compose", "compose_inbox", "find_mine", "loose_lines", "united"]


class Mine:
    """What this clone has to say to a remote.

    Its lines are read again whenever they are wanted: those of 100,000 runs would be 200 MB.

    Attributes:
        heads: Runs with lines that the remote and its inboxes lack → the heads of these lines. Tombstones and what
            does not decode are in none.
        odd: Ids of lines that don't decode.
        loose: The lines of loose runs, whether the remote has them or not.
        known: Table of all that the remote, its inboxes and the line to be restored have.
        local: Table of the clone's own ledger.
        whole: Table of all that is known and what is this clone's.
        fresh: What `known` and `whole` may be in.
        unreadable: Runs that are left out, as their commit does not read or the remote has them elsewhere: id → why.
        absent: Ids of runs that are no candidates: the remote has them on another day, or their commits are not in
            this clone: it had the tip alone, and the remote lost them since. Somebody else may bring them back.
    """

    __slots__ = ("_union", "absent", "fresh", "heads", "known", "local", "loose", "odd", "unreadable", "whole")

    def __init__(
        self,
        union: Union | None,
        known: str | None,
        local: str | None,
        loose: list[Line],
        unreadable: dict[str, str],
        whole: str | None,
        fresh: ObjectSet,
    ) -> None:
        self._union, self.known, self.local, self.loose, self.unreadable = union, known, local, loose, unreadable
        self.whole, self.fresh = whole, fresh
        self.absent: set[str] = set()
        self.heads: dict[str, tuple[str, ...]] = {}
        self.odd: set[str] = set()
        for line in self.each():
            if line.head and not line.purged:
                self.heads[line.id] = (*self.heads.get(line.id, ()), line.head)
            elif not line.purged:
                self.odd.add(line.id)

    def each(self) -> Iterator[Line]:
        """Yield the lines that the remote and its inboxes lack, tombstones included."""
        return iter(()) if self._union is None else self._union.each_added()

    def runs(self) -> dict[str, tuple[str, ...]]:
        """Return the candidates to be published: run → the heads of its lines."""
        if not self.absent:
            return self.heads
        return {run_id: heads for run_id, heads in self.heads.items() if run_id not in self.absent}


def loose_lines(repo: Repo, folder: Folder, objects: Objects | None = None) -> tuple[list[Line], dict[str, str]]:
    """Return the lines of loose runs that are not being written, and those whose commit does not read."""
    from ledgit.store.ledger.loose import busy, loose_runs, read_loose

    runs = loose_runs(repo)
    if not runs:
        return [], {}
    is_busy = busy(folder)
    found, unreadable = [], {}
    for run in read_loose(repo, {run_id: head for run_id, head in runs.items() if not is_busy(run_id)}, objects):
        if run.line is None:
            unreadable[run.id] = run.problem
        else:
            found.append(run.line)
    return found, unreadable


def find_mine(
    objects: Objects,
    fresh: ObjectSet,
    theirs: Sequence[str | None],
    local: str | None,
    loose: tuple[list[Line], dict[str, str]],
) -> Mine:
    """Return what the tables *theirs* lack of the clone's ledger and its loose runs."""
    known: str | None = None
    for tree in theirs:
        known = united(objects, fresh, known, tree)
    everything = united(objects, fresh, known, local)
    if loose[0]:
        everything = add_lines(objects, fresh, everything, loose[0]).tree
    union = None if everything == known else union_trees(objects, fresh, known, everything)
    mine = Mine(union, known, local, loose[0], dict(loose[1]), everything, fresh)
    if known is not None and mine.heads:
        _leave_twins(objects, fresh, known, mine)
    return mine


def _leave_twins(objects: Objects, fresh: ObjectSet, known: str, mine: Mine) -> None:
    """Leave out runs that the remote has with another start: nobody new could pull a ledger with both."""
    loose = {line.id for line in mine.loose}
    new: dict[str, str] = {}
    for line in mine.each():
        run_id = line.id
        if run_id in new or line.head not in mine.heads.get(run_id, ())[:1]:
            continue  # one of its lines tells the day
        day = type(line)(line.raw).day  # of a line that is forgotten: what is parsed stays with it
        if (
            day
            # What was imported stands in the ledger at once; a run that is loose alone was made here, under a new id.
            and (run_id not in loose or lines_of(objects, mine.local, run_id, day, fresh))
            and not lines_of(objects, known, run_id, day, fresh)  # an edit
        ):
            new[run_id] = day
    for run_id, lines in on_other_days(objects, known, new, fresh).items():
        there = (lines[0].day or "?").replace("/", "-")
        mine.unreadable[run_id] = f"it is there with another start, on {there}: imported twice; the one here stays here"
        mine.absent.add(run_id)


def compose(
    objects: Objects,
    fresh: ObjectSet,
    base: str | None,
    mine: Mine,
    left_out: Collection[str],
    only: Collection[str] | None = None,
) -> str:
    """Return the table *base* with what is this clone's.

    Args:
        objects: Where the tables are.
        fresh: Takes what is new.
        base: What the remote has.
        mine: What it lacks.
        left_out: Ids of runs that stay here.
        only: Ids of the runs that go; None: all others. Tombstones always go.
    """
    if not all(_goes(run_id, left_out, only) for ids in (mine.heads, mine.odd) for run_id in ids):
        return _with_lines(objects, fresh, base, mine, left_out, only)
    tree = union_trees(objects, fresh, base, mine.local).tree
    return add_lines(objects, fresh, tree, mine.loose).tree if mine.loose else tree


def compose_inbox(
    objects: Objects, fresh: ObjectSet, mine: Mine, left_out: Collection[str], only: Collection[str] | None = None
) -> str:
    """Return a table of nothing but what is this clone's; the arguments are those of :func:`compose`."""
    return _with_lines(objects, fresh, None, mine, left_out, only)


def _goes(run_id: str, left_out: Collection[str], only: Collection[str] | None) -> bool:
    return run_id not in left_out and (only is None or run_id in only)


def _with_lines(
    objects: Objects,
    fresh: ObjectSet,
    base: str | None,
    mine: Mine,
    left_out: Collection[str],
    only: Collection[str] | None,
) -> str:
    tree = union_trees(objects, fresh, base, files_only(objects, fresh, mine.local)).tree

    def goes(line: Line) -> bool:
        # A line that says no day can't be placed by itself: it goes with a push that leaves nothing out.
        return (line.purged or _goes(line.id, left_out, only)) and line.day is not None

    return add_chosen(objects, fresh, tree, mine.whole, mine.known, goes, mine.fresh)


def united(objects: Objects, fresh: ObjectSet, a: str | None, b: str | None) -> str | None:
    """Unite two tables, either of which may be none."""
    if a is None or b is None or a == b:
        return b if a is None else a
    return union_trees(objects, fresh, a, b).tree
