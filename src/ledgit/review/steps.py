"""A metric along a branch: which commit has which runs, and what came with each step of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ledgit.compare import SampleComparison, compare_samples, direction
from ledgit.errors import GitFailed, RevisionNotFound
from ledgit.git import has_files_of, run_git, try_git
from ledgit.review.sides import Side, choose, linked_runs, setup_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.repository import Repository, Run
    from ledgit.review.settings import ReviewSettings

__all__ = ["Step", "blame", "measured", "walk"]


@dataclass(frozen=True, slots=True)
class Step:
    """A commit at which the metric is another than at the one before that has runs.

    Attributes:
        commit: Its id.
        subject: The first line of its message.
        author: Who made it.
        date: When, in ms since the epoch.
        side: Its runs.
        before: The value before; None at the first commit with runs.
        value: The mean of its runs.
        samples: Both as samples; None at the first.
        better: Whether it is better; None where that is not decided.
        params: Params that differ: name → (before, now), as texts; "" where one is missing.
        files: Files of code that differ.
        data: Whether the runs saw other data; None where that can't be told.
        between: Commits without a run since the one before: what changed may be in any of them.
    """

    commit: str
    subject: str
    author: str
    date: int
    side: Side
    before: float | None
    value: float
    samples: SampleComparison | None
    better: bool | None
    params: Mapping[str, tuple[str, str]]
    files: tuple[str, ...]
    data: bool | None
    between: int

    def to_dict(self) -> dict[str, object]:
        """Return the step for JSON."""
        return {
            "commit": self.commit,
            "subject": self.subject,
            "author": self.author,
            "date": self.date,
            "runs": [run.id for run in self.side.runs],
            "before": self.before,
            "value": self.value,
            "samples": None if self.samples is None else self.samples.to_dict(),
            "better": self.better,
            "params": {name: list(pair) for name, pair in self.params.items()},
            "files": list(self.files),
            "same_data": self.data,
            "between": self.between,
        }


def walk(repository: Repository, revs: str) -> list[str]:
    """Return the commits of *revs* (a revision or a range ``A..B``) by first parent, the oldest first.

    Raises:
        RevisionNotFound: There is no such revision.
    """
    args = ("rev-list", "--first-parent", "--reverse", "--end-of-options", revs, "--")
    code, out, _ = try_git(repository.repo, *args)
    if code != 0:
        raise RevisionNotFound(revs)
    return out.decode("ascii").split()


def measured(
    repository: Repository, commits: list[str], revs: str, metric: str, settings: ReviewSettings
) -> dict[str, Side]:
    """Return of the *commits* of *revs* those with runs that have *metric*, and these."""
    place = set(commits)
    found: dict[str, list[tuple[Run, str]]] = {}
    for run, commit, by in linked_runs(repository, revs, None):
        if commit in place and metric in run.metrics:
            found.setdefault(commit, []).append((run, by))
    # What was run before it was committed belongs to the commit after, where that has all of it.
    for commit, follower in pairwise(commits):
        here = found.get(commit, [])
        later = [
            run
            for run, by in here
            if by == "commit" and run.code.dirty and has_files_of(repository.repo, run.code.tree, follower)
        ]
        if later:
            found[commit] = [row for row in here if row[0] not in later]
            found.setdefault(follower, []).extend((run, "files") for run in later)
    sides = {}
    for commit, rows in found.items():
        rows.sort(key=lambda row: (row[0].start, row[0].id), reverse=True)
        side = choose(commit, [run for run, _ in rows], {run.id: by for run, by in rows}, settings)
        if side.values(metric):
            sides[commit] = side
    return sides


def blame(repository: Repository, metric: str, revs: str, settings: ReviewSettings) -> list[Step]:
    """Return the steps of *metric* along *revs*, the oldest first: the first value, and every commit that changed it.

    A change that repeats can't tell from chance is none.

    Raises:
        RevisionNotFound: There is no such revision.
        MissingDependency: There are enough repeats for a test, and SciPy is not installed.
    """
    commits = walk(repository, revs)
    sides = measured(repository, commits, revs, metric, settings)
    way = direction(metric, settings.ways)
    steps: list[Step] = []
    last: Side | None = None
    gap = 0
    for commit in commits:
        side = sides.get(commit)
        if side is None:
            gap += last is not None
            continue
        step = _step(repository, metric, commit, last, side, gap, way, settings)
        if step is not None:
            steps.append(step)
        last, gap = side, 0
    return steps


def _step(
    repository: Repository,
    metric: str,
    commit: str,
    last: Side | None,
    side: Side,
    gap: int,
    way: str | None,
    settings: ReviewSettings,
) -> Step | None:
    values = side.values(metric)
    value = sum(values) / len(values)
    samples = None
    if last is not None:
        samples = compare_samples(last.values(metric), values)
        if not samples.difference or samples.significant is False:
            return None
    subject, author, date = _about(repository, commit)
    difference = samples.difference if samples is not None else None
    return Step(
        commit=commit,
        subject=subject,
        author=author,
        date=date,
        side=side,
        before=None if samples is None else samples.mean_base,
        value=value,
        samples=samples,
        better=None if not difference or way is None else (difference > 0) is (way == "maximize"),
        params=dict(_params(last, side, settings)),
        files=_files(repository, last, side),
        data=_same_data(last, side),
        between=gap,
    )


def _about(repository: Repository, commit: str) -> tuple[str, str, int]:
    args = ("log", "-1", "--format=%s%x00%an%x00%at", "--no-show-signature", "--end-of-options", commit, "--")
    out = run_git(repository.repo, *args).decode("utf-8", "replace").rstrip("\n").split("\0")
    return out[0], out[1], int(out[2]) * 1000


def _params(last: Side | None, side: Side, settings: ReviewSettings) -> Iterator[tuple[str, tuple[str, str]]]:
    if last is None or last.newest is None or side.newest is None:
        return
    old, new = (setup_of(run.params, settings.seeds) for run in (last.newest, side.newest))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield name, (old.get(name, ""), new.get(name, ""))


def _files(repository: Repository, last: Side | None, side: Side) -> tuple[str, ...]:
    from ledgit.store.checkout import code_changes, has_tree

    if last is None or last.newest is None or side.newest is None:
        return ()
    old, new = last.newest.code.tree, side.newest.code.tree
    if not old or not new or not has_tree(repository.repo, old) or not has_tree(repository.repo, new):
        return ()
    try:
        return tuple(change.path for change in code_changes(repository.repo, old, new))
    except GitFailed:
        return ()


def _same_data(last: Side | None, side: Side) -> bool | None:
    """Whether both newest runs saw the same data, by the digests in their lines."""
    if last is None or last.newest is None or side.newest is None:
        return None
    old, new = ({one[:2] for one in run.state.inputs} for run in (last.newest, side.newest))
    return old == new if old and new else None
