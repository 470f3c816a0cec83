"""What is known of a sweep: from its runs alone, by whoever has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import NotFound, RecordError
from ledgit.projects.sweeps.control import Control
from ledgit.projects.sweeps.plan import PLAN_FILE, SweepPlan
from ledgit.projects.sweeps.trials import (
    COMPLETE,
    ENDED,
    FAILED,
    PRUNED,
    RUNNING,
    Trial,
    best_trial,
    fold,
    importance,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = [
    "BEST",
    "REASON",
    "SWEEP",
    "SweepStatus",
    "find_sweep",
    "list_sweeps",
    "make_status",
    "points_of",
    "read_plan",
    "status",
]

#: Tags of a sweep's run: what it is, why it ended before its end, and the run of the best trial.
SWEEP, REASON, BEST = "ledgit.sweep", "ledgit.sweep.reason", "ledgit.sweep.best"


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """A sweep as it is now.

    Attributes:
        run: Id of its run.
        name: Name of its run.
        state: ``running``; ``finished``: every trial has ended, or a rule ended it; ``stopped`` by somebody;
            ``interrupted``: its coordinator died, or is another clone's.
        reason: The rule that ended it before its end, or "".
        plan: What it does.
        trials: Every trial there is, by number.
        best: The best complete trial, if there is a metric.
        began: Start of its first session, ms since the epoch.
    """

    run: str
    name: str
    state: str
    reason: str
    plan: SweepPlan
    trials: tuple[Trial, ...]
    best: Trial | None
    began: int

    def count(self, state: str) -> int:
        """Return how many trials are in *state*."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def ended(self) -> int:
        """How many trials are complete, pruned or failed."""
        return sum(trial.state in ENDED for trial in self.trials)

    def importance(self) -> dict[str, float]:
        """Return how much of the metric each parameter alone explains; see :func:`.trials.importance`."""
        return importance(self.trials)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        from ledgit.records.run import iso

        best = self.best
        return {
            "id": self.run,
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "began": iso(self.began),
            "entry_point": self.plan.entry_point,
            "command": list(self.plan.command),
            "space": dict(self.plan.space),
            "sampler": self.plan.sampler,
            "metric": self.plan.metric,
            "direction": self.plan.direction,
            "trials": self.plan.trials,
            "counts": {state: self.count(state) for state in (COMPLETE, PRUNED, FAILED, RUNNING)},
            "best": None if best is None else best.number,
            "importance": self.importance(),
            "runs": [_trial_dict(trial) for trial in self.trials],
        }


def _trial_dict(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": trial.value,
        "params": dict(trial.params),
        "run": trial.run,
        "attempts": len(trial.attempts),
        "milliseconds": trial.milliseconds,
    }


def make_status(
    run_id: str,
    name: str,
    plan: SweepPlan,
    trials: Iterable[Trial],
    *,
    began: int,
    alive: bool,
    killed: bool = False,
    reason: str = "",
) -> SweepStatus:
    """Return the status of a sweep.

    Args:
        run_id: Its run.
        name: The run's name.
        plan: What it does.
        trials: What is known of its trials.
        began: Its start.
        alive: A coordinator works on it here.
        killed: Its run was killed, or never ended.
        reason: Why it ended before its end.
    """
    known = tuple(sorted(trials, key=lambda trial: trial.number))
    done = sum(trial.number < plan.trials and trial.ended for trial in known) >= plan.trials
    state = "running" if alive else "finished" if done or (reason and not killed) else "interrupted"
    if state == "interrupted" and reason == "stopped":
        state = "stopped"
    best = best_trial(known, plan.direction) if plan.metric else None
    return SweepStatus(run_id, name, state, "" if done else reason, plan, known, best, began)


def find_sweep(repository: Repository, ref: str = "") -> Run:
    """Return the run of the sweep that *ref* names; the newest one if it names none.

    Raises:
        NotFound: There is no such sweep.
    """
    if ref:
        run = repository.run(ref)
        if run.parent_run and SWEEP not in run.tags and "ledgit.sweep.trial" in run.tags:
            return repository.run(run.parent_run)  # one of its trials
        if SWEEP not in run.tags:
            raise SweepNotFound(ref)
        return run
    newest = list_sweeps(repository, 1)
    if not newest:
        raise SweepNotFound("")
    return newest[0]


class SweepNotFound(NotFound):
    """A run is no sweep, or there is none at all."""

    kind = "sweep"

    def __str__(self) -> str:
        if not self.ref:
            return "there is no sweep here yet; 'ledgit sweep ENTRY -P name=…' starts one"
        return f"run {self.ref!r} is no sweep; 'ledgit sweep ls' lists them"


def list_sweeps(repository: Repository, limit: int = 100) -> list[Run]:
    """Return the runs of sweeps, newest first."""
    from ledgit.query import Query

    return repository.search(Query(filter=f"tags.`{SWEEP}` LIKE '%'", limit=limit))


def read_plan(run: Run) -> SweepPlan:
    """Return the plan that a sweep's run has.

    Raises:
        RecordError: It is none.
        NotHere: The run's commit is not in this clone.
    """
    try:
        return SweepPlan.from_json(run.read_artifact(PLAN_FILE))
    except NotFound as error:
        if type(error).__name__ == "NotHere":
            raise
        raise RecordError(f"run {run.id[:8]}", f"has no {PLAN_FILE}: {error}") from error


def read_trials(repository: Repository, run: Run, plan: SweepPlan) -> dict[int, Trial]:
    """Return what the sweep's children say."""
    from ledgit.query import Query

    children = repository.search(Query(parent_run=run.id))
    return fold(children, plan.metric or None, plan.points())


def points_of(repository: Repository, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
    """Return what a run logged of *metric*, as (step, value), by step; nothing where that is not in this clone."""
    try:
        history = repository.run(run_id).history(metric)
    except NotFound:
        return ()
    return tuple(sorted({step: value for step, _, value in history}.items()))


def status(repository: Repository, ref: str = "") -> SweepStatus:
    """Return what is known of a sweep in this clone.

    Args:
        repository: Where its runs are.
        ref: What names its run, or one of its trials; "": the newest.

    Raises:
        NotFound: There is no such sweep.
        RecordError: It has no plan.
    """
    run = find_sweep(repository, ref)
    plan = read_plan(run)
    alive = Control(repository.folder, run.id).is_held()
    return make_status(
        run.id,
        run.name,
        plan,
        read_trials(repository, run, plan).values(),
        began=run.start,
        alive=alive,
        killed=run.status in ("KILLED", "RUNNING", "FAILED"),
        reason=run.tags.get(REASON, ""),
    )
