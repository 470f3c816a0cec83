"""The commits of all branches with their runs: which has how many, and how good the best one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.compare.direction import direction
from ledgit.tui.data.lanes import Lanes

if TYPE_CHECKING:
    from ledgit.git import HistoryCommit, Repo, Tip
    from ledgit.repository import Repository
    from ledgit.store.index_commits import CodeRuns

__all__ = ["Best", "CommitGraph", "CommitRow", "CommitRuns", "Standing", "best_metric", "find_runs", "standings"]

#: Branches whose history is looked through for the code of runs that no branch has any more as it was.
_MOST_SEARCHED = 6
_PAGE = 500
#: Commits that are read without being asked for, to find those that have runs.
READ_AHEAD = 5_000


class CommitRow(NamedTuple):
    """A commit and its line in the graph."""

    commit: HistoryCommit
    graph: str


class Best(NamedTuple):
    """A value of the chosen metric, and which run has it."""

    value: float | None
    run: str
    newest: int = 0


class CommitRuns(NamedTuple):
    """The runs of a commit.

    Attributes:
        runs: How many.
        best: Of the chosen metric; without a value the newest run.
        rewritten: Whether some of them were made from another commit with the same code.
        codes: What they were made from, to ask for them again.
    """

    runs: int
    best: Best
    rewritten: bool = False
    codes: tuple[tuple[str, str], ...] = ()


class Standing(NamedTuple):
    """A commit among those it stands on.

    Attributes:
        before: The best of all commits it stands on; None where none has a value.
        best: The best of these and its own.
    """

    before: Best | None
    best: Best | None


class CommitGraph:
    """The commits of some tips, read by pages; one thread at a time reads, others may look at `rows`.

    Attributes:
        rows: What has been read.
        ended: Whether that is all.
        problem: Why there is no more, "" where there simply isn't.
    """

    def __init__(self, repo: Repo, tips: Sequence[Tip], head: str = "") -> None:
        from ledgit.git import History

        wanted = [*([head] if head else []), *(tip.oid for tip in tips if tip.kind != "tag")]
        self._history = History(repo, wanted)
        self._lanes = Lanes()
        self._reading = threading.Lock()
        self._closed = False
        self.rows: list[CommitRow] = []
        self.places: dict[str, int] = {}
        self.ended = self._history.ended
        self.problem = ""
        self._shallow = repo.shallow

    def read(self, count: int = _PAGE) -> int:
        """Read up to *count* more commits and return how many there were."""
        with self._reading:
            if self._closed:
                return 0
            found = self._history.read(count)
            for commit in found:
                # Places first: who sees the row finds it.
                self.places[commit.oid] = len(self.rows)
                self.rows.append(CommitRow(commit, self._lanes.draw(commit.oid, commit.parents)))
            self.ended = self._history.ended
            if self.ended and not self.problem:
                lacking = "this clone is shallow: 'git fetch --unshallow' gets older commits"
                self.problem = self._history.problem or (lacking if self._shallow else "")
            return len(found)

    def read_until(self, wanted: Iterable[str], most: int = READ_AHEAD) -> None:
        """Read on until all commits *wanted* are there, at most *most* in all."""
        lacking = set(wanted) - self.places.keys()
        while lacking and not self.ended and len(self.rows) < most:
            if not self.read():
                return
            lacking -= self.places.keys()

    def close(self) -> None:
        """Stop Git."""
        self._closed = True
        with self._reading:
            self._history.close()


def best_metric(keys: Sequence[str], configured: Mapping[str, str]) -> str:
    """Return the metric that says most about runs: what the configuration names, else the first with a direction."""
    own = [key for key in keys if not key.startswith("system/")]
    named = [key for key in own if configured.get(key) in ("maximize", "minimize")]
    return next(iter(named), "") or next((key for key in own if direction(key, configured)), own[0] if own else "")


def find_runs(
    repository: Repository,
    graph: CommitGraph,
    branches: Sequence[str],
    metric: str,
    way: str | None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, CommitRuns]:
    """Return the runs of each commit; those of rewritten commits at the commits that have their code now.

    Args:
        repository: Where.
        graph: Commits; more of it is read where runs are from further back.
        branches: Tips, the most important first, that runs' codes are looked for in.
        metric: The chosen metric, "" for none.
        way: Its direction; without one, more is taken for better.
        stopped: Whether nobody waits for the answer any more.
    """
    from ledgit.query import Query

    index = repository.index
    index.refresh()
    codes = index.by_code(Query(), metric, least=way == "minimize")
    graph.read_until({code.facts.commit for code in codes if code.facts.commit})
    found: dict[str, list[tuple[CodeRuns, bool]]] = {}
    lost: dict[int, CodeRuns] = {}
    for number, code in enumerate(codes):
        if code.facts.commit in graph.places:
            found.setdefault(str(code.facts.commit), []).append((code, False))
        else:
            lost[number] = code
    for number, commit in _rewritten(repository, branches, lost, stopped).items():
        found.setdefault(commit, []).append((lost[number], commit != lost[number].facts.commit))
    return {commit: _together(some, way) for commit, some in found.items()}


def _rewritten(
    repository: Repository, branches: Sequence[str], lost: Mapping[int, CodeRuns], stopped: Callable[[], bool]
) -> dict[int, str]:
    from ledgit.errors import LedgitError
    from ledgit.git import resolve_links

    found: dict[int, str] = {}
    for branch in branches[:_MOST_SEARCHED]:
        rest = {number: code.facts for number, code in lost.items() if number not in found}
        if not rest or stopped():
            break
        try:
            links = resolve_links(repository.repo, branch, rest)
        except LedgitError:  # gone, or parts of its history are not in this clone
            continue
        found |= {number: link.commit for number, link in links.items()}
    return found


def _together(codes: Sequence[tuple[CodeRuns, bool]], way: str | None) -> CommitRuns:
    bests = [Best(code.value, code.best_run or code.newest_run, code.newest) for code, _ in codes]
    best = bests[0]
    for other in bests[1:]:
        best = better(best, other, way)
    return CommitRuns(
        sum(code.runs for code, _ in codes),
        best,
        any(moved for _, moved in codes),
        tuple([(code.facts.commit or "", code.facts.tree or "") for code, _ in codes]),
    )


def better(one: Best, other: Best, way: str | None) -> Best:
    """Return the better of two, the first of equals; a value goes before none, and of two without the newer."""
    if one.value is None or other.value is None:
        if one.value is None and other.value is None:
            return other if other.newest > one.newest else one
        return other if one.value is None else one
    return other if (other.value < one.value if way == "minimize" else other.value > one.value) else one


def standings(rows: Sequence[CommitRow], runs: Mapping[str, CommitRuns], way: str | None) -> dict[str, Standing]:
    """Return, for each commit that has runs or stands on one that has, how it compares with those it stands on."""
    found: dict[str, Standing] = {}
    if not runs:
        return found
    for row in reversed(rows):  # parents first
        before: Best | None = None
        for parent in row.commit.parents:
            standing = found.get(parent)
            if standing is not None and standing.best is not None:
                before = standing.best if before is None else better(before, standing.best, way)
        own = runs.get(row.commit.oid)
        if own is None:
            if before is not None:
                found[row.commit.oid] = Standing(before, before)
        else:
            best = own.best if before is None else better(before, own.best, way)
            found[row.commit.oid] = Standing(before, best)
    return found
