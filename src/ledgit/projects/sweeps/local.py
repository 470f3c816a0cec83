"""Trials on this machine: a thread and a work folder a slot, runs recorded in the user's own clone."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError
from ledgit.projects.executors.minding import KILL, Guard, Minded, Outcome
from ledgit.projects.executors.orders import KILLED, TrialOrder, TrialReport
from ledgit.projects.executors.protocol import RemoteExecutor
from ledgit.projects.executors.work import OUTPUT, judge
from ledgit.projects.sweeps.tail import Tail
from ledgit.projects.sweeps.trials import STATE
from ledgit.store import ActiveRun, RunStart, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledgit.projects.executors.protocol import Point
    from ledgit.projects.sweeps.site import Place, Site

__all__ = ["LocalExecutor", "LocalReport"]

_LONGEST_LINE = 300  # bytes of the last line that are told
_LOOK_EVERY = 0.2  # s between two looks whether a trial is asked to end


@dataclass(frozen=True, slots=True)
class LocalReport(TrialReport):
    """What became of an attempt whose run is in the user's clone already.

    Attributes:
        metrics: The newest value of each metric of the run.
        points: (step, value) of the metric that pruning goes by, which nobody was told yet.
        said: The last line that the command printed.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    points: tuple[tuple[int, float], ...] = ()
    said: str = ""


class LocalExecutor(RemoteExecutor):
    """Runs trials as processes of this machine.

    A sweep opens it for what it runs; then ``submit(run_trial, order)`` records each trial in the user's clone.
    Not opened, it runs any function in a thread.

    Args:
        jobs: Trials at once.
    """

    kind = "local"
    prunes = True

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="ledgit-trial")
        self._site: Site | None = None
        self._places: SimpleQueue[Place] = SimpleQueue()
        self._asked: dict[str, str] = {}
        self._tails: dict[str, Tail] = {}
        self._guard = threading.Lock()
        self._minder: Guard | None = None

    def open(self, site: Site) -> None:
        """Take in what the trials run, and where; its place is the first one, and more are made when needed."""
        self._site = site
        self._places.put(site.place)
        self._minder = Guard(site.plan.grace)

    def slots(self) -> int:
        """Return the number of jobs."""
        return self.jobs

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)`` in a thread; of a trial's order what it means on this machine."""
        if self._site is not None and len(args) == 1 and isinstance(args[0], TrialOrder):
            return self._threads.submit(self._run, self._site, args[0])
        return self._threads.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the trials that run; remove the work folders."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if self._minder is not None:
            self._minder.close()
            self._minder = None
        while True:
            try:
                place = self._places.get_nowait()
            except Empty:
                return
            if self._site is None or place is not self._site.place:  # that one is the site's to remove
                place.remove()

    def points(self) -> list[Point]:
        """Return what running trials have logged since the last call."""
        with self._guard:
            tails = list(self._tails.items())
        return [(run_id, step, value) for run_id, tail in tails for step, value in tail.read()]

    def ask(self, run_id: str, word: str) -> None:
        """Have a trial end; it hears of it within a fifth of a second."""
        self._asked[run_id] = word

    # ------------------------------------------------------------------ in a slot's thread

    def _run(self, site: Site, order: TrialOrder) -> LocalReport:
        try:
            place = self._places.get_nowait()
        except Empty:
            place = site.another()
        try:
            place.prepare()
            return self._trial(site, place, order)
        finally:
            self._places.put(place)

    def _trial(self, site: Site, place: Place, order: TrialOrder) -> LocalReport:
        command = site.words(order, place)
        active = ActiveRun.create(
            site.repository.repo,
            RunStart(
                experiment=order.experiment,
                name=order.name,
                run_id=order.run_id,
                parent_run=order.parent_run,
                command=tuple(command),
                entry_point=order.entry_point,
                tags=order.tags,
                facts=site.facts,
                directory=order.directory,
                source=order.source,
                source_type=site.source_type,
            ),
        )
        outcome, status, state = Outcome(1, 0.0), "FAILED", "failed"
        log = _Output(active)
        metrics: dict[str, float] = {}
        points: list[tuple[int, float]] = []
        try:
            for problem in place.problems:
                active.note_problem(problem)
            if order.params:
                active.log_params(dict(order.params))
            outcome = self._command(site, place, order, command, active, log)
            status, state = judge(outcome)
            tags = {"ledgit.exit_code": str(outcome.exit_code)}
            active.set_tags(tags if state == KILLED else {**tags, STATE: state})
            found, _ = summarize(active.directory)
            metrics = dict(found.metrics) if found is not None else {}
        finally:
            with self._guard:
                tail = self._tails.pop(order.run_id, None)
                self._asked.pop(order.run_id, None)
            if tail is not None:
                points = tail.read()
            # A trial that a power cut takes is tried again; waiting for the disk would take longer than many trials.
            commit = active.finish(status, durable=False)
        return LocalReport(
            order.run_id, order.number, order.attempt, status, state, outcome.exit_code, outcome.seconds,
            worker="", runs={order.run_id: commit or ""}, tree=order.code.tree,
            problems=tuple(active.problems), metrics=metrics, points=tuple(points), said=log.last_line(),
        )  # fmt: skip

    def _command(
        self, site: Site, place: Place, order: TrialOrder, command: list[str], active: ActiveRun, log: _Output
    ) -> Outcome:
        if order.metric:
            with self._guard:
                self._tails[order.run_id] = Tail(active.directory, order.metric)
        minded = Minded(
            command,
            site.environ(active.id, order.parent_run or "", place),
            log,  # type: ignore[arg-type]  # only written to
            place.folder,
            timeout=order.timeout,
            grace=order.grace,
            look=lambda: self._asked.get(order.run_id, ""),
            every=_LOOK_EVERY,
            guard=self._minder,
        )
        try:
            outcome = minded.run()
        except OSError as error:
            text = f"{command[0]!r} can't be run: {error.strerror}"
            active.note_problem(text)
            log.write(f"{text}\n".encode("utf-8", "replace"))
            outcome = Outcome(127 if isinstance(error, FileNotFoundError) else 126, 0.0)
        finally:
            log.close()
        if minded.problem:
            active.note_problem(minded.problem)
        return Outcome(outcome.exit_code, outcome.seconds, "stop" if outcome.asked == KILL else outcome.asked)


class _Output:
    """The file that a command's output is kept in; there is none as long as there is no output."""

    def __init__(self, active: ActiveRun) -> None:
        self._active = active
        self._file: Any = None
        self._end = b""

    def write(self, data: bytes | memoryview) -> int:
        """Append; make the artifact with the first byte."""
        if self._file is None:
            try:
                self._file = self._active.open_artifact(OUTPUT)
            except LedgitError as error:
                raise OSError(28, str(error)) from error
        self._end = (self._end + bytes(data[-_LONGEST_LINE:]))[-_LONGEST_LINE:]
        written: int = self._file.write(data)
        return written

    def last_line(self) -> str:
        """Return the last line that has something in it, or its end."""
        return self._end.decode("utf-8", "replace").strip().rpartition("\n")[2].strip()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
