"""What the screen of branches shows: commits with their runs, and branches with theirs, as rows of tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.compare.direction import direction
from ledgit.records.harmless import clean
from ledgit.records.wording import age, number
from ledgit.tui.data.commits import (
    Best,
    CommitGraph,
    CommitRuns,
    Standing,
    best_metric,
    find_runs,
    standings,
)
from ledgit.tui.data.lanes import DOT, ascii_lanes

if TYPE_CHECKING:
    from ledgit.git import Tip
    from ledgit.tui.session import Session

__all__ = [
    "BranchView",
    "Runs",
    "commit_cells",
    "distances",
    "find_commit",
    "read_runs",
    "read_tips",
    "runs_at",
    "tip_cells",
]

_FIRST = 200
_MOST_RUNS = 10_000
_MOST_SEARCHED = 100_000
_PAGE = 1_000


class BranchView(NamedTuple):
    """What Git says.

    Attributes:
        tips: Branches and tags.
        branch: What is checked out, "" if no branch.
        head: Its commit, "" before the first.
        graph: The commits.
        named: Commit → what points to it.
    """

    tips: list[Tip]
    branch: str
    head: str
    graph: CommitGraph
    named: Mapping[str, list[Tip]]


class Runs(NamedTuple):
    """What the runs say.

    Attributes:
        metric: The chosen metric, "" where there is none.
        way: Which way is better, None where nothing says.
        at: Commit → its runs.
        standing: Commit → how it stands among those before.
        metrics: All metrics there are.
    """

    metric: str
    way: str | None
    at: Mapping[str, CommitRuns]
    standing: Mapping[str, Standing]
    metrics: Sequence[str]


def read_tips(session: Session) -> BranchView:
    """Read branches, tags and the first commits, in a thread. Close the graph."""
    from ledgit.git import head_of, list_tips

    repo = session.repository.repo
    hidden = [name for name in (repo.config().get("ledgit.ledgerRef"),) if name]
    tips = list_tips(repo, hidden)
    branch, head = head_of(repo)
    graph = CommitGraph(repo, tips, head)
    graph.read(_FIRST)
    # The registry's tags name commits of their own, which are no code.
    tips = [tip for tip in tips if tip.kind != "tag" or tip.oid in graph.places or not {"@", "#"} & set(tip.name)]
    named: dict[str, list[Tip]] = {}
    for tip in tips:
        if tip.kind == "remote" and tip.name.partition("/")[2] in [one.name for one in named.get(tip.oid, ())]:
            continue  # it stands where the branch of its name does
        named.setdefault(tip.oid, []).append(tip)
    return BranchView(tips, branch, head, graph, named)


def read_runs(session: Session, view: BranchView, metric: str) -> Runs:
    """Find out which commits have runs, and how they compare by *metric* ("": one is chosen). In a thread."""
    repository = session.repository
    repository.index.refresh()
    metrics = repository.index.keys("metrics")
    if metric not in metrics:
        metric = best_metric(metrics, session.directions)
    way = direction(metric, session.directions) if metric else None
    branches = [view.head, *(tip.oid for tip in view.tips if tip.kind != "tag")]
    at = find_runs(repository, view.graph, list(dict.fromkeys(filter(None, branches))), metric, way)
    return Runs(metric, way, at, standings(view.graph.rows, at, way), metrics)


def distances(session: Session, base: str, tips: Sequence[Tip]) -> dict[str, tuple[int, int] | None]:
    """Return for each tip's commit how far it is ahead of and behind *base*. In a thread: a git command for each."""
    from ledgit.git import ahead_behind

    repo = session.repository.repo
    return {tip.oid: (0, 0) if tip.oid == base else ahead_behind(repo, base, tip.oid) for tip in tips}


def runs_at(session: Session, runs: CommitRuns) -> list[str]:
    """Return the ids of the runs of a commit, newest first. In a thread."""
    repository = session.repository
    commits = list(dict.fromkeys(commit for commit, _ in runs.codes if commit))
    trees = [tree for commit, tree in runs.codes if not commit and tree]
    wanted = set(runs.codes)
    found = []
    for condition in [*(f"code.commit = '{one}'" for one in commits), *(f"code.tree = '{one}'" for one in trees)]:
        found += [
            run
            for run in repository.runs.filter(condition).limit(_MOST_RUNS)
            if (run.code.commit or "", run.code.tree or "") in wanted
        ]
    found.sort(key=lambda run: (-run.start, run.id))
    return list(dict.fromkeys(run.id for run in found))


def find_commit(view: BranchView, text: str, row: int, by: int) -> int | None:
    """Return where the next commit (*by* 1) or the one before (-1) says *text*; older ones are read. In a thread.

    It is looked for in messages, authors, names of branches and tags, and at the beginning of ids.
    """
    word, rows = text.lower(), view.graph.rows
    place = row + by
    while 0 <= place < _MOST_SEARCHED:
        if place >= len(rows) and not view.graph.read(_PAGE):
            return None
        commit = rows[place].commit
        names = " ".join(tip.name for tip in view.named.get(commit.oid, ()))
        if word in f"{commit.subject}\n{commit.author}\n{names}".lower() or commit.oid.startswith(word):
            return place
        place += by
    return None


# ---------------------------------------------------------------------- cells


def commit_cells(
    session: Session, view: BranchView, runs: Runs | None, position: int, marked: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Return (text, style) of a commit's graph, subject, runs, value, change, age, author and id."""
    commit, graph = view.graph.rows[position]
    unicode = session.unicode
    here = runs.at.get(commit.oid) if runs is not None else None
    dots = ("●", "○") if unicode else ("*", "o")
    line = graph if unicode else ascii_lanes(graph)
    names = " ".join(_named(tip, view, unicode=unicode) for tip in view.named.get(commit.oid, ())[:6])
    subject = clean(commit.subject) or "(no message)"
    value, change = _value(session, runs, commit.oid, here)
    count = "" if here is None else f"{here.runs}{'~' if here.rewritten else ''}"
    style = "" if here is not None else "dim"
    return [
        (line.replace(DOT, dots[here is None]), "dim"),
        (f"{names} {subject}" if names else subject, "mark" if commit.oid in marked else "head" if names else style),
        (count, style),
        (value, ""),
        change,
        (age(commit.when, session.now() / 1000).removesuffix(" ago"), "dim"),
        (clean(commit.author), "dim"),
        (commit.oid[:8], "dim"),
    ]


def _named(tip: Tip, view: BranchView, *, unicode: bool) -> str:
    if tip.kind == "tag":
        return f"{'◈' if unicode else '#'}{clean(tip.name)}"
    star = "*" if tip.kind == "branch" and tip.name == view.branch else ""
    return f"[{star}{clean(tip.name)}]"


def _value(session: Session, runs: Runs | None, oid: str, here: CommitRuns | None) -> tuple[str, tuple[str, str]]:
    if runs is None or here is None or here.best.value is None:
        return "", ("", "")
    value = here.best.value
    standing = runs.standing.get(oid)
    before = standing.before.value if standing is not None and standing.before is not None else None
    if before is None:
        return number(value), ("first", "dim")
    delta = value - before
    if not delta or delta != delta:  # noqa: PLR0124 - NaN
        return number(value), ("=", "dim")
    if runs.way is None:
        return number(value), (f"{delta:+.3g}", "dim")
    good = (delta > 0) is (runs.way == "maximize")
    mark = session.glyph("better" if good else "worse")
    return number(value), (f"{mark} {delta:+.3g}", "good" if good else "bad")


def tip_cells(
    session: Session, view: BranchView, runs: Runs | None, tip: Tip, distance: tuple[int, int] | None
) -> list[tuple[str, str]]:
    """Return (text, style) of a branch's or tag's name, distance and best value."""
    up, down = session.glyph("up"), session.glyph("down")
    far = ""
    if distance is not None:
        far = " ".join(f"{mark}{count}" for mark, count in zip((up, down), distance, strict=True) if count) or "="
    best = best_of(runs, tip.oid)
    mark = "*" if tip.kind == "branch" and tip.name == view.branch else " "
    if tip.kind == "tag":
        mark = session.glyph("tag")
    value = "" if best is None or best.value is None else number(best.value)
    style = "head" if mark == "*" else "" if tip.kind == "branch" else "dim"
    return [(f"{mark} {clean(tip.name)}", style), (far, "dim"), (value, "")]


def best_of(runs: Runs | None, oid: str) -> Best | None:
    """Return the best run of a commit and of those it stands on."""
    standing = runs.standing.get(oid) if runs is not None else None
    return None if standing is None else standing.best
