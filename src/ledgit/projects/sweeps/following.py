"""Watching a sweep that goes on: each look reads what is new, however many trials have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.projects.sweeps.control import Control
from ledgit.projects.sweeps.overview import REASON, SweepStatus, find_sweep, make_status, read_plan
from ledgit.projects.sweeps.trials import STATE, TRIAL, Trial, fold
from ledgit.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.records.state import RunState
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["SweepFollower"]

_LATE = 120_000  # ms after which nobody says any more what became of a trial that ended
_WORKING = ("RUNNING", "SCHEDULED")


class SweepFollower:
    """One sweep, looked at again and again.

    A look asks the index for the trials that had not ended, and for those that began since. What has ended is
    read once; only where the number of trials does not add up (one was deleted, a pull brought older ones) is
    everything read again.

    Args:
        repository: Where its runs are.
        ref: What names its run, or one of its trials; "": the newest sweep.

    Attributes:
        run_id: Id of its run.
        status: What the last look found; None before the first.

    Raises:
        NotFound: There is no such sweep.
    """

    def __init__(self, repository: Repository, ref: str = "") -> None:
        self._repository = repository
        self.run_id = find_sweep(repository, ref).id
        self.status: SweepStatus | None = None
        self._plan: SweepPlan | None = None
        self._planned: object = None
        self._trials: dict[int, Trial] = {}
        self._known: set[str] = set()
        self._open: set[str] = set()
        self._newest = 0
        self._said: tuple[object, ...] = ()

    def look(self, *, whole: bool = False) -> SweepStatus | None:
        """Return what is known of the sweep now, None if that is what the last look found.

        Args:
            whole: Read every trial again.

        Raises:
            NotFound: Its run is gone.
            RecordError: It has no plan that could be read.
        """
        repository = self._repository
        run = repository.run(self.run_id)
        alive = Control(repository.folder, run.id).is_held()
        before = self._plan
        plan = self._read_plan(run)
        touched = whole or before is None or plan.metric != before.metric or plan.space != before.space
        if touched:
            self._read_all(plan)
        else:
            touched = self._read_new(plan)
        said = (plan, alive, run.status, run.name, run.tags.get(REASON, ""))
        if not touched and said == self._said:
            return None
        self._said = said
        self.status = make_status(
            run.id,
            run.name,
            plan,
            self._trials.values(),
            began=run.start,
            alive=alive,
            killed=run.status in ("KILLED", "RUNNING", "FAILED"),
            reason=run.tags.get(REASON, ""),
        )
        return self.status

    def _read_plan(self, run: Run) -> SweepPlan:
        """Return the plan; it changes only when somebody goes on with the sweep, who writes it as an artifact."""
        key = None if run.status in _WORKING or run.active else run.heads
        if self._plan is None or key is None or key != self._planned:
            self._plan, self._planned = read_plan(run), key
        return self._plan

    def _read_all(self, plan: SweepPlan) -> None:
        runs = self._repository.index.search(Query(parent_run=self.run_id)).runs
        self._known, self._open, self._newest = set(), set(), 0
        self._trials = fold(runs, plan.metric or None, plan.points())
        self._note(runs)

    def _read_new(self, plan: SweepPlan) -> bool:
        """Read what has changed; return whether anything has."""
        index = self._repository.index
        runs = {
            state.id: state
            for query in (
                Query(parent_run=self.run_id, ids=tuple(sorted(self._open))),
                Query(parent_run=self.run_id, since=self._newest),
            )
            for state in index.search(query).runs
        }
        expected = len(self._known | runs.keys())
        if index.count(Query(parent_run=self.run_id)) != expected or not self._open <= runs.keys():
            self._read_all(plan)
            return True
        # The attempt that counts is chosen among all of a trial's.
        numbers = {
            int(text) for text in (state.tags.get(TRIAL, "")[:11] for state in runs.values()) if text.isdecimal()
        }
        known = [self._trials[number] for number in numbers if number in self._trials]
        others = {one.run for trial in known for one in trial.attempts} - runs.keys()
        more = index.search(Query(parent_run=self.run_id, ids=tuple(sorted(others)))).runs if others else ()
        found = fold([*runs.values(), *more], plan.metric or None, plan.points())
        changed = any(self._trials.get(number) != trial for number, trial in found.items())
        self._trials.update(found)
        self._note(runs.values())
        return changed

    def _note(self, runs: Iterable[RunState]) -> None:
        """Remember which runs are to be looked at again."""
        runs = list(runs)
        self._newest = max([self._newest, *(state.start for state in runs)])
        latest = max((state.end or 0 for state in runs), default=0)
        for state in runs:
            self._known.add(state.id)
            late = STATE not in state.tags and (state.end or 0) > latest - _LATE
            if state.status in _WORKING or not state.heads or late:
                self._open.add(state.id)
            else:
                self._open.discard(state.id)
