"""Are the runs of a ledger what it says, and does it carry them? Checked as its lines are read."""

from __future__ import annotations

from ledgit.errors import RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledgit.git import Objects
    from ledgit.records.table import Line as TableLine
    from ledgit.store.sync.line import Line, Progress

__all__ = ["Days", "RunCheck", "check_root"]

_AT_ONCE = 5_000
_FAR = 100_000  # ledger commits that are walked back to find the root


class RunCheck:
    """Check that lines say what their commits do, and that the ledger carries these commits.

    A ledger that lists what it doesn't carry would let runs be lost: a clone drops its own copy of
    what the ledger has.

    Args:
        line: Where the ledger and its runs are.
        progress: Is told how many runs were looked at.
    """

    def __init__(self, line: Line, progress: Progress | None) -> None:
        self._line, self._progress = line, progress
        self._heads: list[str] = []
        self._waiting: list[TableLine] = []

    def take(self, lines: Iterable[TableLine], *, check: bool = True) -> None:
        """Look at some of the ledger's lines, if not at once; where not to *check*, at none of them.

        Raises:
            RecordError: One says what its commit doesn't.
        """
        for line in lines:
            if check and line.head and not line.purged:
                self._waiting.append(line)
                if len(self._waiting) == _AT_ONCE:
                    self._flush()

    def _flush(self) -> None:
        from ledgit.store.ledger import check_heads

        check_heads(self._line.objects, self._waiting)
        self._heads += (line.head for line in self._waiting)
        self._waiting = []
        if self._progress is not None:
            self._progress("Checking runs", len(self._heads), None)

    def carry(self, lines: Iterable[TableLine]) -> None:
        """Take note of lines that need not be checked, and whose commits the ledger must carry all the same."""
        self._heads += (line.head for line in lines if line.head and not line.purged)

    def end(self, tip: str) -> None:
        """Look at the rest, and at the history of the ledger *tip*.

        Raises:
            RecordError: A line says what its commit doesn't, or names a commit that *tip* doesn't reach.
        """
        from ledgit.git import LEAN, try_git

        self._flush()
        if not self._heads:
            return
        asked = "\n".join([*self._heads, f"^{tip}", ""]).encode("ascii")
        code, out, err = try_git(self._line.where, *LEAN, "rev-list", "--max-count=1", "--stdin", stdin=asked)
        if code != 0 or out.strip():
            detail = out.decode("ascii", "replace")[:12] if out else (err.strip().splitlines() or ["?"])[0]
            raise RecordError("the ledger", f"lists runs whose commits it does not carry ({detail})")


class Days:
    """On which days runs stand: a run has one, but for its tombstones, of which there may be one for each twin."""

    def __init__(self) -> None:
        self._days: dict[str, str] = {}
        self._stones: set[str] = set()

    def take(self, lines: Iterable[TableLine]) -> Iterator[TableLine]:
        """Take note of *lines* while they are read."""
        for line in lines:
            if line.id and line.day:
                self._days[line.id] = line.day
                if line.purged:
                    self._stones.add(line.id)
            yield line

    def check(self, line: Line, tree: str | None, others: Days | None = None) -> None:
        """Refuse runs that stand under another day in the table *tree*, or in *others*.

        Reads the files of the table that the index has not read.

        Raises:
            RecordError: One does.
        """
        from ledgit.store.index_places import known_places
        from ledgit.store.ledger.tree import on_other_days

        twins = [] if others is None else [run_id for run_id in self._days if self._differs(run_id, others)]
        found: dict[str, list[TableLine]] = {}
        if tree is not None and self._days:
            places = known_places(line.folder, self._days)
            found = on_other_days(line.objects, tree, self._days, places=places)
        for run_id, lines in found.items():
            if run_id not in self._stones or not all(item.purged for item in lines):
                twins.append(run_id)
        if twins:
            raise RecordError("the ledger", f"has run {twins[0][:12]}, which stands under another day too")

    def _differs(self, run_id: str, others: Days) -> bool:
        day = self._days[run_id]
        return others._days.get(run_id, day) != day and not (run_id in self._stones and run_id in others._stones)

    def add(self, others: Days) -> None:
        """Take note of all that *others* have."""
        self._days |= others._days
        self._stones |= others._stones


def check_root(objects: Objects, tip: str, before: str | None) -> None:
    """Refuse a ledger that names another root than its line of ledgers has: it could hide that a purge is owed.

    Only what is new is walked: from *tip* to *before*, which was checked, else to the root itself.

    Raises:
        RecordError: It does.
        NotFound: A ledger commit is not here.
    """
    from ledgit.store.ledger import root_of

    root, here = root_of(objects, tip), tip
    for _ in range(_FAR):
        parents = objects.commit(here).parents
        if root_of(objects, here) != root or (here != root and not parents):
            what = f"says that it began with {root[:12]}, which its history does not bear out"
            raise RecordError("the ledger", what)
        if here in (before, root):
            return
        here = parents[0]
