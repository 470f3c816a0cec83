"""All that a review says, as values: the head, its baseline, what differs, and what the gates make of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice

from ledgit.compare import RunDiff, diff_runs, direction, view_of
from ledgit.errors import GitFailed, LedgitError, NotFound
from ledgit.review.baseline import Baseline, find_baseline
from ledgit.review.gates import Counts, GateResult, MetricComparison, compare_metric, count, judge_all
from ledgit.review.ranges import Range
from ledgit.review.sides import Side, find_side, linked_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.records import Points, RunRecord
    from ledgit.repository import Repository, Run
    from ledgit.review.foreign import ForeignLedger
    from ledgit.review.in_kind import KindDiff
    from ledgit.review.settings import ReviewSettings
    from ledgit.store.checkout import FileChange

__all__ = ["BranchRun", "Review", "review"]

#: Runs of the branch that a report lists.
MOST_RUNS = 200
#: Metrics whose histories are drawn, the ones that matter first.
MOST_CHARTS = 12
#: Lines of a hunk that are kept of the code's difference.
MOST_PATCH = 400


@dataclass(frozen=True, slots=True)
class BranchRun:
    """A run of the code between base and head."""

    run: Run
    commit: str
    by: str


@dataclass(slots=True)
class Review:
    """A finished comparison.

    Attributes:
        project: What it is about: the name of the repository's folder; reports of several projects go by it.
        range: What is reviewed.
        head: Its runs.
        baseline: What it is compared with.
        metrics: Of both sides; gated ones first, then what changed, by name.
        gates: What each gate says.
        counts: How many are in which state.
        diff: The newest run of each side, compared; None where one has none.
        whole: Whether *diff* has data, artifacts and environment: the run commits are in this clone.
        files: What differs of the code; None where one side's is not in this clone.
        patch: The lines that differ in the declared code paths; "" without any.
        contents: What differs within artifacts: lines, keys, cells; of those whose content is in this clone.
        branch: Runs of the code between base and head, newest first.
        charts: Metric → (baseline's points, head's points).
        notes: What a reader has to know: uncommitted changes, a merge commit, unfinished runs.
        made: When, milliseconds since the epoch.
        foreign: Address of another repository's ledger that the head's runs came from; "" for this one's.
    """

    project: str
    range: Range
    head: Side
    baseline: Baseline
    metrics: tuple[MetricComparison, ...] = ()
    gates: tuple[GateResult, ...] = ()
    counts: Counts = field(default_factory=Counts)
    diff: RunDiff | None = None
    whole: bool = True
    files: tuple[FileChange, ...] | None = None
    patch: str = ""
    contents: tuple[KindDiff, ...] = ()
    branch: tuple[BranchRun, ...] = ()
    charts: dict[str, tuple[Points | None, Points | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    made: int = 0
    foreign: str = ""

    @property
    def failed(self) -> bool:
        """Whether a required gate fails."""
        return any(result.failed for result in self.gates)

    @property
    def worth_telling(self) -> bool:
        """Whether something changed, or a gate does not pass: else nobody needs another message."""
        return any(one.changed for one in self.metrics) or any(one.state != "pass" for one in self.gates)

    def gate_of(self, metric: str) -> GateResult | None:
        """Return the result of the gate on *metric*, of several the worst; None if it has none."""
        found = (result for result in self.gates if result.metric == metric)
        return min(found, key=lambda result: (not result.failed, _URGENCY[result.state]), default=None)

    def to_dict(self) -> dict[str, object]:
        """Return the review for JSON."""
        shown = None if self.diff is None else self.diff.changed().to_dict()
        return {
            "project": self.project,
            "head": {"rev": self.range.head_rev, **self.head.to_dict()},
            "base": {"rev": self.range.base_rev, **self.baseline.to_dict()},
            "merge_commit": self.range.merged,
            "verdict": self.counts.verdict,
            "counts": self.counts.to_dict(),
            "gates": [result.to_dict() for result in self.gates],
            "metrics": [metric.to_dict() for metric in self.metrics],
            "diff": shown,
            "files": None
            if self.files is None
            else [
                {"path": one.path, "old_path": one.old_path, "added": one.added, "removed": one.removed}
                for one in self.files
            ],
            "contents": [one.to_dict() for one in self.contents],
            "branch": [
                {"id": one.run.id, "name": one.run.name, "status": one.run.status, "commit": one.commit, "by": one.by}
                for one in self.branch
            ],
            "notes": list(self.notes),
            "made": self.made,
            "foreign": self.foreign or None,
        }


def review(
    repository: Repository,
    reach: Range,
    settings: ReviewSettings,
    *,
    clean: bool = False,
    details: bool = True,
    project: str = "",
    code_paths: Sequence[str] = (),
    foreign: ForeignLedger | None = None,
    pictures: bool = False,
) -> Review:
    """Compare the head of *reach* with its baseline.

    Args:
        repository: Where the runs are.
        reach: What is reviewed.
        settings: Gates, directions, what is pinned.
        clean: Runs of the head with uncommitted changes don't count: for CI.
        details: Also what differs besides metrics: params, data, environment, code, the branch's runs, histories.
            Gates alone don't need it.
        project: What reports are told apart by; default: the name of the repository's folder.
        code_paths: The declared code paths, whose changes are shown line by line.
        foreign: The ledger that the head's runs are in, where that is another repository's.
        pictures: Keep small pictures among the artifacts that differ, for the HTML page.

    Raises:
        NotFound: What is pinned as the baseline is not there.
        MissingDependency: There are enough repeats for a test, and SciPy is not installed.
    """
    if foreign is None:
        head = find_side(repository, reach.head, settings, clean=clean)
    else:
        head = foreign.side(reach.head, settings, clean=clean)
    baseline = find_baseline(repository, reach, settings, head=head)
    metrics = _metrics(head, baseline.side, settings)
    results = judge_all(settings.gates, metrics, head_runs=len(head.runs))
    found = Review(
        project=project or repository.path.rstrip("/").rpartition("/")[2],
        range=reach,
        head=head,
        baseline=baseline,
        metrics=_sorted(metrics, results),
        gates=tuple(results),
        counts=count(results),
        notes=tuple(_notes(reach, head, baseline, clean=clean)),
        made=int(time.time() * 1000),
        foreign="" if foreign is None else foreign.address,
    )
    if details:
        theirs = foreign.repository if foreign is not None else repository
        _add_details(found, repository, theirs, settings, code_paths, pictures=pictures)
    return found


def _metrics(head: Side, base: Side, settings: ReviewSettings) -> list[MetricComparison]:
    names = dict.fromkeys(name for side in (head, base) for run in side.runs for name in run.metrics)
    confidence = {gate.metric: gate.confidence for gate in settings.gates}
    compared, ways = [], settings.ways
    for name in sorted(names):
        way = direction(name, ways)
        declared = any(name == known or fnmatchcase(name, known) for known in ways)
        level = confidence.get(name) or next((c for p, c in confidence.items() if fnmatchcase(name, p)), 0.95)
        compared.append(
            compare_metric(
                name,
                base.values(name),
                head.values(name),
                runs=(len(base.runs), len(head.runs)),
                direction=way,
                guessed=way is not None and not declared,
                confidence=level,
            )
        )
    return compared


_URGENCY = {"fail": 0, "no-run": 1, "warn": 2, "no-baseline": 3, "pass": 4}


def _sorted(metrics: Iterable[MetricComparison], results: Iterable[GateResult]) -> tuple[MetricComparison, ...]:
    """Return what fails first, then the rest of what is gated, then what changed; system metrics last."""
    urgency: dict[str, int] = {}
    for result in results:
        urgency[result.metric] = min(_URGENCY[result.state], urgency.get(result.metric, 5))
    return tuple(
        sorted(
            metrics,
            key=lambda one: (urgency.get(one.name, 5), not one.changed, one.name.startswith("system/"), one.name),
        )
    )


def _notes(reach: Range, head: Side, baseline: Baseline, *, clean: bool) -> Iterable[str]:
    if reach.merged:
        yield f"the checkout is a merge commit made by the host; {reach.head[:12]}, what it merges, is reviewed"
    if not head.runs:
        active = [run.name for run in head.others if run.active]
        failed = [run.name for run in head.others if run.status in ("FAILED", "KILLED")]
        dirty = [run.name for run in head.others if run.code.dirty]
        if active:
            yield f"runs of this code have not ended yet: {_some(active)}"
        if failed:
            yield f"runs of this code failed: {_some(failed)}"
        if clean and dirty:
            yield f"runs with uncommitted changes don't count here: {_some(dirty)}"
    if head.dirty:
        yield "a run of the head had uncommitted changes: its results can't be had from the commit alone"
    if baseline.side.dirty:
        yield "a run of the baseline had uncommitted changes"
    matched = {way for way in (head.how or {}).values() if way in ("tree", "subtree", "patch-id")}
    if matched and head.runs:
        yield f"runs were found by {' and '.join(sorted(matched))}, for the commit they were made from was rewritten"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _add_details(
    found: Review,
    repository: Repository,
    theirs: Repository,
    settings: ReviewSettings,
    code_paths: Sequence[str],
    *,
    pictures: bool,
) -> None:
    """Add what differs besides metrics; *theirs* is the repository that the head's runs are in."""
    reach, newest, base = found.range, found.head.newest, found.baseline.side.newest
    try:
        rows = linked_runs(theirs, reach.commits, MOST_RUNS)
        found.branch = tuple(BranchRun(run, commit, by) for run, commit, by in rows)
    except (NotFound, GitFailed):
        pass  # a shallow clone may lack the base
    pairs = [(run, where) for run, where in ((base, repository), (newest, theirs)) if run is not None]
    sides = [run for run, _ in pairs]
    records, found.whole = _records(pairs)
    if len(sides) == 2:
        views = [view_of(record, run.name, run.tags) for record, run in zip(records, sides, strict=True)]
        found.diff = diff_runs(views, settings.ways)
        if found.whole and any(row.differs for row in found.diff.artifacts):
            from ledgit.review.in_kind import compare_artifacts

            found.contents = tuple(compare_artifacts(found.diff.artifacts, *pairs, pictures=pictures))
    old = (base.head if base is not None else None) or reach.base
    new = (newest.head if newest is not None else None) or reach.head
    found.files, found.patch = _code(repository, old, new, code_paths)
    histories = {run.id: record.histories for run, record in zip(sides, records, strict=True)}
    drawn = [histories.get(run.id, {}) if run is not None else {} for run in (base, newest)]
    found.charts = dict(islice(_charts(found.metrics, *drawn), MOST_CHARTS))


def _records(runs: Sequence[tuple[Run, Repository]]) -> tuple[list[RunRecord], bool]:
    """Return what is known of *runs*: from their commits, fetched where that is possible, else from their lines."""
    from ledgit.store.outline import outline

    try:
        for run, where in runs:
            where.fetch_runs([run])
        return [run.record() for run, _ in runs], True
    except LedgitError:
        return [outline(run.state) for run, _ in runs], False


def _code(
    repository: Repository, old: str | None, new: str | None, paths: Sequence[str]
) -> tuple[tuple[FileChange, ...] | None, str]:
    from ledgit.store.checkout import code_changes, code_patch, has_tree

    repo = repository.repo
    if old is None or new is None or not has_tree(repo, old) or not has_tree(repo, new):
        return None, ""
    try:
        files = tuple(code_changes(repo, old, new))
        touched = [one.path for one in files if any(_below(one.path, path) for path in paths)]
        patch = code_patch(repo, old, new, touched) if touched else ""
    except GitFailed:
        return None, ""
    lines = patch.splitlines(keepends=True)
    left = len(lines) - MOST_PATCH
    return files, "".join(lines[:MOST_PATCH]) + (f"… {left} more lines\n" if left > 0 else "")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _charts(
    metrics: Sequence[MetricComparison], base: Mapping[str, Points], head: Mapping[str, Points]
) -> Iterable[tuple[str, tuple[Points | None, Points | None]]]:
    """Yield of the metrics that have a history on either side both, in the order of *metrics*."""
    for one in metrics:
        pair = base.get(one.name), head.get(one.name)
        if not one.name.startswith("system/") and any(points is not None and len(points) > 1 for points in pair):
            yield one.name, pair
