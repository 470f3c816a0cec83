"""What the head is compared with: always with the reason why it is that, and how old it is."""

from __future__ import annotations

from dataclasses import dataclass

from ledgit.errors import GitFailed, NotFound, RunNotFound
from ledgit.git import has_files_of, try_git
from ledgit.review.sides import Side, choose, find_side, linked_runs, runs_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.repository import Repository, Run
    from ledgit.review.ranges import Range
    from ledgit.review.settings import ReviewSettings

__all__ = ["Baseline", "find_baseline"]

#: Commits of the base's history, by first parent, that are looked at for one with a run.
FAR = 1_000
# How many at a time: most baselines are near, and a look at many commits takes longer.
_STEPS = (1, 8, 64, 256, FAR)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is compared with.

    Attributes:
        side: Its commit and runs; without any, there is none.
        reason: Why it is that one, or why there is none.
        back: How many commits before the one that was looked for; 0 for that itself or a pinned run.
    """

    side: Side
    reason: str
    back: int = 0

    def __bool__(self) -> bool:
        return bool(self.side.runs)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON; the age is in milliseconds."""
        return {**self.side.to_dict(), "reason": self.reason, "back": self.back, "age_ms": self.side.age_ms()}


def find_baseline(
    repository: Repository, reach: Range, settings: ReviewSettings, *, head: Side | None = None
) -> Baseline:
    """Return the first of these that has runs: the pinned run or stage, where the histories part, its nearest ancestor.

    Args:
        repository: Where.
        reach: What is reviewed.
        settings: What is pinned.
        head: The other side. Runs of its newest run's setup go before others of the same commit. A run that was made
            on the base with changes that were committed afterwards is one of the head's, or of the branch's, never one
            of what these are compared with.

    Raises:
        NotFound: A pinned run, model or stage is not there.
    """
    if settings.baseline_run:
        run = repository.run(settings.baseline_run)
        return _pinned(repository, run, settings, f"pinned: run {run.name}")
    if settings.baseline_stage:
        run = _of_stage(repository, settings.baseline_stage)
        return _pinned(repository, run, settings, f"the run of {settings.baseline_stage}")
    if reach.base is None:
        return Baseline(Side(""), f"there is nothing before it: {reach.why}")
    like = head.newest if head is not None else None
    runs, how = runs_of(repository, reach.base)
    later = _made_later(repository, reach, runs, how, head)
    side = _choose(reach.base, runs, how, settings, like, later)
    if side.runs:
        return Baseline(side, reach.why)
    return _nearest(repository, reach, settings, like, later)


def _made_later(
    repository: Repository, reach: Range, runs: Sequence[Run], how: Mapping[str, str], head: Side | None
) -> frozenset[str]:
    """Return the ids of the runs whose code is what is reviewed, whatever commit was checked out when they were made.

    Train with changes, like it, commit: such a run names the base as its commit, and its files are the branch's.
    """
    later = {run.id for run in (*head.runs, *head.others)} if head is not None else set()
    dirty = [run for run in runs if run.code.dirty and how[run.id] == "commit" and run.id not in later]
    if not dirty or reach.base is None or reach.base == reach.head:
        return frozenset(later)
    try:
        later.update(run.id for run, _, _ in linked_runs(repository, reach.commits))
    except (NotFound, GitFailed):
        return frozenset(later)  # a shallow clone may lack what lies between
    args = ("rev-list", "--parents", "--end-of-options", reach.commits, "--")
    code, out, _ = try_git(repository.repo, *args)
    rows = [line.split() for line in out.decode("ascii").splitlines()] if code == 0 else []
    for child in [row[0] for row in rows if row[1:] == [reach.base]]:
        later.update(run.id for run in dirty if has_files_of(repository.repo, run.code.tree, child))
    return frozenset(later)


def _choose(
    commit: str,
    runs: Sequence[Run],
    how: Mapping[str, str],
    settings: ReviewSettings,
    like: Run | None,
    later: frozenset[str],
) -> Side:
    """Return the sample among *runs* but those of *later* code; dirty ones only if there are no others."""
    ours = [run for run in runs if run.id not in later]
    for clean in (True, False):
        side = choose(commit, ours, {run.id: how[run.id] for run in ours}, settings, like=like, clean=clean)
        if side.runs:
            return side
    return side


def _nearest(
    repository: Repository, reach: Range, settings: ReviewSettings, like: Run | None, later: frozenset[str]
) -> Baseline:
    """Look back from the base for a commit with a run, nearest first, in windows that grow."""
    assert reach.base is not None
    args = ("rev-list", "--first-parent", f"--max-count={FAR + 1}", "--end-of-options", reach.base)
    code, out, _ = try_git(repository.repo, *args)
    line = out.decode("ascii").split() if code == 0 else []
    place = {commit: back for back, commit in enumerate(line)}
    seen = 0
    for step in _STEPS:
        last = min(step, len(line) - 1)
        if last <= seen:
            continue
        window = f"{line[last + 1]}..{line[seen]}" if last + 1 < len(line) else line[seen]
        found: dict[str, list[tuple[Run, str]]] = {}
        for run, commit, by in linked_runs(repository, window):
            if commit in place:
                found.setdefault(commit, []).append((run, by))
        for commit in sorted(found, key=place.__getitem__):
            runs = [run for run, _ in found[commit]]
            side = _choose(commit, runs, {run.id: by for run, by in found[commit]}, settings, like, later)
            if side.runs:
                back = place[commit]
                of = "commit" if back == 1 else "commits"
                return Baseline(side, f"{back} {of} before {reach.why}: the nearest with a run", back)
        seen = last
    where = "in this shallow clone" if repository.repo.shallow else f"among {len(line)} commits"
    return Baseline(Side(reach.base), f"no run belongs to {reach.base[:12]} ({reach.why}) or what came before, {where}")


def _pinned(repository: Repository, run: Run, settings: ReviewSettings, reason: str) -> Baseline:
    """Return *run* with its repeats, if its code is here, as the baseline."""
    commit = run.code.commit
    if commit is not None and not run.code.dirty:
        try:
            side = find_side(repository, commit, settings, like=run)
        except NotFound:
            side = Side(commit)
        if any(one.id == run.id for one in side.runs):
            return Baseline(side, reason)
    return Baseline(Side(commit or "", (run,), (), {run.id: "commit"}), reason)


def _of_stage(repository: Repository, named: str) -> Run:
    from ledgit.registry.references import parse_reference

    reference = parse_reference(named)
    version = repository.registered().version(reference.model, reference.selector)
    if version.run is None:
        raise RunNotFound(f"{reference.model} {version.version}")
    return repository.run(version.run)
