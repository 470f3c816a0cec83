"""What came of the attempts that a sweep ordered: counted, tried again, or written down as lost."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, StorageError
from ledgit.projects.executors.protocol import WorkerLost
from ledgit.projects.sweeps.local import LocalExecutor, LocalReport
from ledgit.projects.sweeps.overview import points_of
from ledgit.projects.sweeps.trials import ATTEMPT, ENDED, FAILED, KILLED, STATE, TRIAL, WORKER, Attempt, Trial
from ledgit.store import ActiveRun, RunStart
from ledgit.store.journal import now_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from ledgit.projects.executors.orders import TrialReport
    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.projects.sweeps.rules import Rules
    from ledgit.projects.sweeps.samplers import Sampler
    from ledgit.projects.sweeps.site import Site
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Repository

__all__ = ["Event", "Outcomes", "Running", "union"]

_UNEXPECTED = 3  # errors one after the other that say that trials can't be run at all


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: ``begun``, ``started`` and ``ended`` (of a trial), ``lost`` (an attempt), ``stopping``, ``ended all``;
            ``tick`` between them, for who draws.
        at: When, ms since the epoch.
        trial: The trial as it is now; None for what is the sweep's.
        text: A sentence for people; mostly empty.
    """

    kind: str
    at: int
    trial: Trial | None = None
    text: str = ""


@dataclass(slots=True)
class Running:
    """An attempt that was ordered."""

    run_id: str
    number: int
    attempt: int
    params: Mapping[str, Scalar]
    began: int


class Outcomes:
    """The part of a sweep that takes in what its attempts came to."""

    repository: Repository
    plan: SweepPlan
    run_id: str
    name: str
    trials: dict[int, Trial]
    _parent: ActiveRun
    _site: Site
    _rules: Rules
    _sampler: Sampler | None
    _again: list[int]
    _lost: dict[int, int]
    _errors: int
    _error: LedgitError | None
    _reason: str

    @property
    def _prunes(self) -> bool:
        return self.plan.pruner not in ("", "none")

    def _take(self, executor: Executor, running: Running, future: Future[Any]) -> Event:
        try:
            report = future.result()
        except CancelledError:
            return self._gone(running, KILLED, "it was cancelled")
        except WorkerLost as lost:
            return self._retry(running, lost)
        except LedgitError as error:
            return self._failed(executor, running, error)
        except Exception as error:  # an executor's own: its scheduler is gone, its workers can't import Ledgit
            cause = LedgitError(f"trial {running.number} could not be run: {type(error).__name__}: {error}")
            return self._failed(executor, running, cause)
        self._errors = 0
        return self._counted(running, report)

    def _counted(self, running: Running, report: TrialReport) -> Event:
        state, metrics, text, said = report.state, {}, "", ""
        points: Sequence[tuple[int, float]] = ()
        if isinstance(report, LocalReport):
            metrics, points, said = dict(report.metrics), report.points, report.said
        else:
            from ledgit.projects.executors.taking import take_in

            taken = take_in(self.repository, report)
            text = "; ".join([*report.problems, *taken.missing, *taken.refused.values()])
            metrics = self._metrics(report)
            if self._prunes:
                points = points_of(self.repository, running.run_id, self.plan.metric)
        if points and self._sampler is not None:
            self._sampler.report(running.number, points)  # what came after the last look
            known = self.trials[running.number]
            self.trials[running.number] = replace(known, points=union(known.points, points))
        value = metrics.get(self.plan.metric) if self.plan.metric else None
        if state == "complete" and self.plan.metric and value is None:
            state, text = FAILED, text or f"it logged no metric {self.plan.metric!r}"
        this = Attempt(running.run_id, running.attempt, state, running.began, now_ms(), report.worker)
        trial = self._settle(running, this, value)
        if not text and state == FAILED:
            text = f"exit code {report.exit_code}" + (f": {said}" if said else "")
        return Event("ended", now_ms(), trial, text)

    def _metrics(self, report: TrialReport) -> dict[str, float]:
        from ledgit.git import Objects
        from ledgit.store.chain import read_entry

        commit = report.runs.get(report.run_id)
        return dict(read_entry(Objects.of(self.repository.repo), commit).metrics) if commit else {}

    def _settle(self, running: Running, this: Attempt, value: float | None) -> Trial:
        before = self.trials[running.number]
        others = tuple(one for one in before.attempts if one.run != running.run_id)
        trial = Trial(running.number, running.params, this.state, value, (this, *others), before.points)
        self.trials[running.number] = trial
        if this.state in ENDED:
            assert self._sampler is not None
            self._sampler.tell(trial)
            self._rules.tell(trial)
        return trial

    def _retry(self, running: Running, lost: WorkerLost) -> Event:
        """Record that an attempt is gone, and order another one as long as that makes sense."""
        self._lost[running.number] = self._lost.get(running.number, 0) + 1
        if self._lost[running.number] > self.plan.retries:
            reason = f"{lost}, for the {self._lost[running.number]}th time"
            self._record(running, FAILED, reason, lost.worker)
            return self._gone(running, FAILED, reason)
        self._record(running, "", str(lost), lost.worker)
        if not self._reason:
            self._again.insert(0, running.number)
        event = self._gone(running, KILLED, str(lost))
        return replace(event, kind="lost")

    def _failed(self, executor: Executor, running: Running, error: LedgitError) -> Event:
        """An attempt that never began. If the disk is full, or it happens to one after the other, that is the end."""
        self._errors += 1
        if isinstance(executor, LocalExecutor) or isinstance(error, StorageError) or self._errors >= _UNEXPECTED:
            self._error = self._error or error
            self._reason = self._reason or "error"
            return self._gone(running, KILLED, str(error))
        self._record(running, FAILED, str(error), "")
        return self._gone(running, FAILED, str(error))

    def _gone(self, running: Running, state: str, text: str) -> Event:
        this = Attempt(running.run_id, running.attempt, state, running.began, now_ms())
        return Event("ended", now_ms(), self._settle(running, this, None), text)

    def _record(self, running: Running, state: str, reason: str, worker: str) -> None:
        """Write down an attempt that no worker will.

        Under an id of its own: should the worker come back, the run that it brings is another one.
        """
        tags = {TRIAL: str(running.number), ATTEMPT: str(running.attempt), **self.plan.tags}
        tags |= ({WORKER: worker} if worker else {}) | ({STATE: state} if state else {})
        order = self._site.order(
            running.run_id, self.run_id, running.number, running.attempt, running.params, "", here=True
        )
        try:
            run = ActiveRun.create(
                self.repository.repo,
                RunStart(
                    experiment=self.plan.experiment,
                    name=f"{self.name}-{running.number}-{running.attempt}-lost",
                    parent_run=self.run_id,
                    command=order.command,
                    entry_point=order.entry_point,
                    tags=tags,
                    start=running.began,
                    facts=self._site.facts,
                    directory=order.directory,
                    source=order.source,
                    source_type=self._site.source_type,
                ),
            )
            run.log_params(dict(order.params or running.params))
            run.note_problem(reason)
            run.finish("FAILED" if state else "KILLED")
        except LedgitError as error:  # the trial is tried again all the same
            self._parent.note_problem(f"attempt {running.attempt} of trial {running.number}: {reason}; {error}")


def union(known: Sequence[tuple[int, float]], fresh: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Return all points, those of a step that is known already left out."""
    return tuple(sorted({**dict(fresh), **dict(known)}.items()))
