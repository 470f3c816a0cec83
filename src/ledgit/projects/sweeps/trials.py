"""What the runs of a sweep say together: each trial once, however often it was attempted. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ledgit.records.scalars import Scalar

if TYPE_CHECKING:
    from ledgit.projects.sweeps.space import Space

__all__ = [
    "ATTEMPT",
    "COMPLETE",
    "ENDED",
    "FAILED",
    "KILLED",
    "PRUNED",
    "RUNNING",
    "STATE",
    "TRIAL",
    "WORKER",
    "Attempt",
    "Trial",
    "best_trial",
    "fold",
    "importance",
]

TRIAL, ATTEMPT = "ledgit.sweep.trial", "ledgit.sweep.attempt"
STATE, WORKER = "ledgit.sweep.state", "ledgit.sweep.worker"

COMPLETE, PRUNED, FAILED, KILLED, RUNNING = "complete", "pruned", "failed", "killed", "running"
#: The states of trials that count; one that was killed, or still runs, is to be tried again.
ENDED = frozenset({COMPLETE, PRUNED, FAILED})
_RANK = {COMPLETE: 0, PRUNED: 1, FAILED: 2, KILLED: 3, RUNNING: 4}
_LARGEST = 10**9  # trial numbers above are nobody's: a repository may say anything
_FEWEST_TOLD = 8  # trials from which on the importance of a parameter is worth telling
_BINS = 5


class RunLike(Protocol):
    """What is read of a run: attributes that ``Run`` and ``RunState`` have."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int | None: ...
    @property
    def params(self) -> Mapping[str, Scalar]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def deleted(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a trial.

    Attributes:
        run: Id of the run.
        number: Which attempt it is, from 0.
        state: ``complete``, ``pruned``, ``failed``, ``killed`` or ``running``.
        start: Start, ms since the epoch.
        end: End, or None while it runs.
        worker: Where it ran, if not here.
    """

    run: str
    number: int
    state: str
    start: int
    end: int | None
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of the space, and what came of it.

    Attributes:
        number: From 0.
        params: The values of the sweep's parameters.
        state: That of the attempt that counts: ``complete``, ``pruned``, ``failed``, ``killed`` or ``running``.
        value: The metric of that attempt, None without one.
        attempts: All attempts, the one that counts first.
        points: What it logged of the metric on its way, as (step, value), where that was asked for.
    """

    number: int
    params: Mapping[str, Scalar]
    state: str
    value: float | None
    attempts: tuple[Attempt, ...] = ()
    points: tuple[tuple[int, float], ...] = field(default=(), compare=False)

    @property
    def run(self) -> str:
        """Id of the run that counts; "" before the first attempt."""
        return self.attempts[0].run if self.attempts else ""

    @property
    def ended(self) -> bool:
        """Whether it counts as done: complete, pruned or failed."""
        return self.state in ENDED

    @property
    def next_attempt(self) -> int:
        """The number of the attempt after the last one."""
        return max((attempt.number for attempt in self.attempts), default=-1) + 1

    @property
    def milliseconds(self) -> int | None:
        """How long the attempt that counts took; None while it runs."""
        if not self.attempts or self.attempts[0].end is None:
            return None
        return max(self.attempts[0].end - self.attempts[0].start, 0)


def fold(runs: Iterable[RunLike], metric: str | None = None, space: Space | None = None) -> dict[int, Trial]:
    """Return the trials that *runs* are attempts of, by number in order.

    The attempt that counts is chosen from the runs alone, so that every clone chooses the same:
    complete before pruned before failed before killed before running, then the earlier start,
    then the smaller id. Deleted runs are none, nor are those without a trial's number.

    Args:
        runs: The children of the sweep's run, in any order.
        metric: What the sweep looks for; a run that finished without it is a failed attempt.
        space: What is tried: values become its own, and other params are left out. Those of a run that are not
            of this space are as they were logged. None: all of them are.
    """
    found: dict[int, list[tuple[tuple[int, int, str], Attempt, RunLike]]] = {}
    for run in runs:
        number = _number(run.tags.get(TRIAL))
        if number is None or run.deleted:
            continue
        state = state_of(run, metric)
        attempt = Attempt(
            run.id,
            _number(run.tags.get(ATTEMPT)) or 0,
            state,
            run.start,
            run.end if state != RUNNING else None,
            run.tags.get(WORKER, ""),
        )
        found.setdefault(number, []).append(((_RANK[state], run.start, run.id), attempt, run))
    trials: dict[int, Trial] = {}
    for number in sorted(found):
        several = sorted(found[number], key=lambda one: one[0])
        [_, first, run] = several[0]
        point = None if space is None else space.read(run.params)
        names = run.params if space is None else space.names
        params = {key: run.params[key] for key in names if key in run.params} if point is None else point
        value = run.metrics.get(metric) if metric is not None else None
        trials[number] = Trial(number, params, first.state, value, tuple(attempt for _, attempt, _ in several))
    return trials


def state_of(run: RunLike, metric: str | None) -> str:
    """Return the state of one attempt."""
    said = run.tags.get(STATE)
    if run.status in ("RUNNING", "SCHEDULED"):
        return RUNNING
    if said in (PRUNED, FAILED):
        return said
    if run.status == "FINISHED":
        # Also one whose coordinator died meanwhile: it ran to its end, and said so itself.
        return COMPLETE if metric is None or metric in run.metrics else FAILED
    return FAILED if run.status == "FAILED" else KILLED


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if number < _LARGEST else None


def best_trial(trials: Iterable[Trial], direction: str) -> Trial | None:
    """Return the complete trial with the best value, the first of equals; None if there is none."""
    sign = -1.0 if direction == "maximize" else 1.0
    rated = [
        (sign * trial.value, trial.number, trial)
        for trial in trials
        if trial.state == COMPLETE and trial.value is not None and not math.isnan(trial.value)
    ]
    return min(rated, key=lambda one: one[:2])[2] if rated else None


def importance(trials: Iterable[Trial]) -> dict[str, float]:
    """Return how much of the metric's variance each parameter alone explains, greatest first.

    The correlation ratio: values are put into groups (numbers into five of the same size), and
    the variance of the groups' means is divided by that of all. A rough guide, from 0 to 1, which
    sees no interplay; empty for fewer than eight trials or a metric that never changes.
    """
    rated = [
        (trial.params, trial.value)
        for trial in trials
        if trial.state == COMPLETE and trial.value is not None and math.isfinite(trial.value)
    ]
    values = [value for _, value in rated]
    if len(values) < _FEWEST_TOLD:
        return {}
    mean = math.fsum(values) / len(values)
    total = math.fsum((value - mean) ** 2 for value in values)
    if not total or not math.isfinite(total):
        return {}
    found: dict[str, float] = {}
    for name in sorted({name for params, _ in rated for name in params}):
        groups = _groups([params.get(name) for params, _ in rated])
        if len(set(groups)) < 2:
            continue
        sums: dict[object, list[float]] = {}
        for group, value in zip(groups, values, strict=True):
            sums.setdefault(group, []).append(value)
        between = math.fsum(len(part) * (math.fsum(part) / len(part) - mean) ** 2 for part in sums.values())
        # What chance alone explains is taken off: many groups of few trials each look important else.
        chance = (len(sums) - 1) / (len(values) - 1)
        found[name] = max((between / total - chance) / (1 - chance), 0.0) if chance < 1 else 0.0
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _groups(values: Sequence[Scalar]) -> list[object]:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(set(numbers)) <= _BINS:
        return [repr(value) for value in values]
    ordered = sorted(numbers)
    edges = [ordered[len(ordered) * place // _BINS] for place in range(1, _BINS)]
    return [sum(value >= edge for edge in edges) for value in numbers]
