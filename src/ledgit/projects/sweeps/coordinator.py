"""A sweep at work: gives trials their values, has them run, takes in what came of them, knows when to end.

Its state is its runs and nothing else, so that it can be killed at any moment: what has ended is in the
repository, and what has not is tried again by whoever goes on, here or in another clone.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError
from ledgit.projects.executors.protocol import PRUNE, STOP, RemoteExecutor
from ledgit.projects.executors.work import run_trial
from ledgit.projects.sweeps.control import FINISH, KILL_NOW, STOP_NOW, end_leftovers
from ledgit.projects.sweeps.local import LocalExecutor
from ledgit.projects.sweeps.opening import Opened, resume, start
from ledgit.projects.sweeps.outcomes import Event, Outcomes, Running, union
from ledgit.projects.sweeps.overview import points_of
from ledgit.projects.sweeps.rules import Rules
from ledgit.projects.sweeps.samplers import make_sampler
from ledgit.projects.sweeps.trials import RUNNING, Attempt, Trial
from ledgit.records.words import new_run_id
from ledgit.store.journal import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from ledgit.projects.sweeps.overview import SweepStatus
    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.projects.sweeps.samplers import Sampler
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Repository

__all__ = ["Event", "Sweep", "SweepResult"]

_TICK = 0.2  # s between two looks at what was asked for, and at what trials logged
_WORDS = (FINISH, STOP_NOW, KILL_NOW)  # each more urgent than the one before


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How a sweep ended.

    Attributes:
        status: What is known of it now.
        reason: Why it ended: ``done``, ``stopped``, or the rule that ended it.
    """

    status: SweepStatus
    reason: str


class Sweep(Outcomes):
    """A sweep of which this process is the coordinator; :meth:`run` it, or go through its :meth:`events`.

    Attributes:
        repository: Where its runs are.
        plan: What it does.
        run_id: Id of its run.
        name: Name of its run.
        trials: What is known of each trial, by number.
    """

    def __init__(self, repository: Repository, opened: Opened) -> None:
        plan, parent, known = opened.plan, opened.parent, opened.known
        self.repository, self.plan = repository, plan
        self.run_id, self.name = parent.id, parent.name
        self.trials: dict[int, Trial] = dict(known)
        self._parent, self._control, self._site = parent, opened.control, opened.site
        self._rules = Rules(plan, (trial for trial in known.values() if trial.ended))
        self._running: dict[str, Running] = {}
        self._ended: SimpleQueue[tuple[str, Future[Any]]] = SimpleQueue()
        self._next = 0
        self._again: list[int] = sorted(number for number, trial in known.items() if not trial.ended)
        self._lost: dict[int, int] = {}
        self._word = self._reason = ""
        self._errors = 0
        self._error: LedgitError | None = None
        self._sampler: Sampler | None = None
        self._began = now_ms()

    @classmethod
    def start(cls, repository: Repository, plan: SweepPlan, *, base: str = "", **more: Any) -> Sweep:
        """Begin a sweep: its run is there, its code is in a folder, and nothing has been tried yet.

        Args:
            repository: Where its runs are recorded.
            plan: What it does.
            base: The folder that given paths are relative to; default: the current one.
            **more: ``progress``, told in a sentence what takes long; ``parent_run``.

        Raises:
            UsageError: The plan is impossible.
            NotFound, ProjectError, EntryPointNotFound, ParameterError, EnvironmentFailed: It can't be run so.
            StorageError, GitFailed: The repository or the disk refuse.
        """
        return cls(repository, start(repository, plan, base or os.getcwd(), **more))

    @classmethod
    def resume(cls, repository: Repository, ref: str, **more: Any) -> Sweep:
        """Go on with a sweep that ended, was stopped or killed, here or in another clone.

        Args:
            repository: Where its runs are.
            ref: What names its run.
            **more: ``progress``; ``changes``, fields of the plan that are others from now on.

        Raises:
            Conflict: Another process is at it.
            NotFound: No such sweep, or its code is not in this clone.
        """
        return cls(repository, resume(repository, ref, **more))

    # ------------------------------------------------------------------ at work

    def run(
        self, executor: Executor | None = None, on_event: Callable[[Event], object] = lambda _: None
    ) -> SweepResult:
        """Go on until everything is tried, or something ends it.

        Args:
            executor: Where trials run; by default this machine, with the plan's number of jobs.
            on_event: Told what happens.

        Raises:
            LedgitError: Trials can't be run at all: the disk is full, the scheduler is gone. Those that ended count.
        """
        for event in self.events(executor):
            on_event(event)
        return self.result()

    def result(self) -> SweepResult:
        """Return how it ended."""
        return SweepResult(self.status(), self._reason or "done")

    def events(self, executor: Executor | None = None) -> Iterator[Event]:
        """Do what :meth:`run` does, and yield what happens; a ``tick`` five times a second at least."""
        chosen = executor if executor is not None else LocalExecutor(self.plan.jobs)
        try:
            self._sampler = self._make_sampler()
            if isinstance(chosen, RemoteExecutor):
                chosen.open(self._site)
            yield Event("begun", now_ms(), text=getattr(chosen, "note", ""))
            while True:
                yield from self._order(chosen)
                if not self._running:
                    break
                yield from self._wait(chosen)
        finally:
            self._close(chosen, own=executor is None)
        yield Event("ended all", now_ms(), text=self._reason)
        if self._error is not None:
            raise self._error

    def left_beside(self) -> list[str]:
        """Return sentences about what of the code no worker of another machine gets."""
        from ledgit.projects.beside import left_beside

        tree = self._site.facts.tree
        return left_beside(self.repository.repo, tree) if tree else []

    def stop(self, word: str = STOP_NOW) -> None:
        """End it: ``finish`` lets the trials that run end, ``stop`` asks them to, ``kill`` kills them.

        May be called from another thread or a signal's handler; returns at once. A trial that was asked to end
        is tried again when the sweep goes on.
        """
        if word in _WORDS and (not self._word or _WORDS.index(word) > _WORDS.index(self._word)):
            self._word = word
            self._reason = self._reason or "stopped"

    def close(self) -> None:
        """Give up a sweep that was never run: its run ends, and nothing is left behind."""
        self._reason = self._reason or "stopped"
        self._close(None, own=False)

    def status(self) -> SweepStatus:
        """Return what is known of it now."""
        from ledgit.projects.sweeps.overview import make_status

        ended = self._parent.ended
        return make_status(
            self.run_id,
            self.name,
            self.plan,
            self.trials.values(),
            began=self._parent.start,
            alive=not ended,
            killed=ended and self._parent.status == "KILLED",
            reason=self._reason,
        )

    # ------------------------------------------------------------------ ordering

    def _make_sampler(self) -> Sampler:
        plan = self.plan
        done = [trial for _, trial in sorted(self.trials.items()) if trial.ended]
        if self._prunes:
            done = [replace(one, points=points_of(self.repository, one.run, plan.metric)) for one in done]
        return make_sampler(
            plan.sampler, plan.points(), plan.seed, direction=plan.direction, pruner=plan.pruner, warm=done
        )

    def _order(self, executor: Executor) -> Iterator[Event]:
        slots = executor.slots() if isinstance(executor, RemoteExecutor) else self.plan.jobs
        while len(self._running) < slots and not self._reason:
            reason = self._rules.broken()
            if reason:
                self._end(reason)
                return
            number = self._choose()
            if number is None:
                return
            yield self._submit(executor, number)

    def _choose(self) -> int | None:
        if self._again:
            return self._again.pop(0)
        while self._next in self.trials:
            self._next += 1
        return self._next if self._next < self.plan.trials else None

    def _submit(self, executor: Executor, number: int) -> Event:
        assert self._sampler is not None
        before = self.trials.get(number)
        attempt = 0 if before is None else before.next_attempt
        attempts = () if before is None else before.attempts
        params: Mapping[str, Scalar]
        if before is None or len(before.params) < len(self.plan.space):  # or killed before they were recorded
            params = self._sampler.ask(number)
        else:  # the values of a trial never change
            params = before.params
            self._sampler.again(number, params)
        width = len(str(self.plan.trials - 1))
        name = f"{self.name}-{number:0{width}d}" + (f"-{attempt}" if attempt else "")
        here = isinstance(executor, LocalExecutor)
        running = Running(new_run_id(), number, attempt, params, now_ms())
        order = self._site.order(running.run_id, self.run_id, number, attempt, params, name, here=here)
        future = executor.submit(run_trial, order)
        self._running[running.run_id] = running
        ended = self._ended
        future.add_done_callback(lambda done: ended.put((running.run_id, done)))
        this = Attempt(running.run_id, attempt, RUNNING, running.began, None)
        self.trials[number] = Trial(number, params, RUNNING, None, (this, *attempts))
        return Event("started", running.began, self.trials[number])

    # ------------------------------------------------------------------ waiting

    def _wait(self, executor: Executor) -> Iterator[Event]:
        """Take in what has ended; after a fifth of a second at most, look around."""
        try:
            run_id, future = self._ended.get(timeout=_TICK)
        except Empty:
            pass
        else:
            yield self._take(executor, self._running.pop(run_id), future)
            if not self._ended.empty():
                return
        word = self._control.asked()
        if word:
            self.stop(word)
        reason = self._rules.broken() if not self._reason else ""
        if reason:
            self._end(reason)
        if self._word in (STOP_NOW, KILL_NOW):
            for running_id in self._running:
                self._ask(executor, running_id, KILL_NOW if self._word == KILL_NOW else STOP)
        if isinstance(executor, RemoteExecutor):
            self._listen(executor)
        yield Event("tick", now_ms())

    def _ask(self, executor: Executor, run_id: str, word: str) -> None:
        if isinstance(executor, LocalExecutor) or (isinstance(executor, RemoteExecutor) and executor.prunes):
            executor.ask(run_id, word if isinstance(executor, LocalExecutor) else STOP)

    def _end(self, reason: str) -> None:
        """A rule ended it: what runs is asked to end if the sweep took too long, else it may end by itself."""
        self._reason = reason
        self._word = self._word or (STOP_NOW if reason == "max time" else FINISH)

    def _listen(self, executor: RemoteExecutor) -> None:
        """Hand what trials logged to the pruner, and have those end that it gives up."""
        points: dict[str, list[tuple[int, float]]] = {}
        for run_id, step, value in executor.points():
            points.setdefault(run_id, []).append((step, value))
        for run_id, several in points.items():
            running = self._running.get(run_id)
            if running is None or self._sampler is None:
                continue
            trial = self.trials[running.number]
            self.trials[running.number] = replace(
                trial, value=max(several, key=lambda one: one[0])[1], points=union(trial.points, several)
            )
            if executor.prunes and self._sampler.report(running.number, several) and not self._word:
                executor.ask(run_id, PRUNE)

    # ------------------------------------------------------------------ ending

    def _close(self, executor: Executor | None, *, own: bool) -> None:
        """Leave nothing running and nothing behind; the sweep's run says how it ended."""
        if (
            executor is not None and self._running
        ):  # interrupted by an exception, or whoever went through the events went away
            self._reason = self._reason or "stopped"
            self._drain(executor)
        try:
            if executor is not None and (own or isinstance(executor, LocalExecutor)):
                executor.shutdown(wait=True, cancel_futures=True)
        finally:
            if isinstance(executor, LocalExecutor):
                end_leftovers(self.run_id, self.plan.grace)  # what took itself out of its trial's process group
            self.repository.recover()  # runs that a process which is only gone now kept from ending
            self._finish_parent()
            self._site.close()
            self._control.release()

    def _drain(self, executor: Executor) -> None:
        deadline = time.monotonic() + self.plan.grace + 10.0
        for run_id in self._running:
            self._ask(executor, run_id, STOP)
        while self._running and time.monotonic() < deadline:
            try:
                run_id, future = self._ended.get(timeout=_TICK)
            except Empty:
                continue
            self._take(executor, self._running.pop(run_id), future)

    def _finish_parent(self) -> None:
        from ledgit.projects.sweeps.overview import BEST, REASON

        status = self.status()
        done = all(number in self.trials and self.trials[number].ended for number in range(self.plan.trials))
        reason = "" if done else self._reason or "stopped"
        tags = {REASON: reason} if reason else {}
        if status.best is not None:
            tags[BEST] = status.best.run
        if tags:
            self._parent.set_tags(tags)
        if not reason and REASON in self._parent.tags:
            self._parent.delete_tag(REASON)
        self._parent.finish("KILLED" if reason in ("stopped", "error") else "FINISHED")
