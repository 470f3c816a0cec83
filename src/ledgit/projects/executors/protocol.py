"""What an executor of trials is beyond `concurrent.futures.Executor`, and what a worker has of it."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Protocol

from ledgit.error_roots import LedgitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledgit.projects.executors.orders import Code, TrialOrder, TrialReport
    from ledgit.projects.executors.terms import Settled, Terms
    from ledgit.projects.sweeps.site import Site

__all__ = ["PRUNE", "STOP", "Channel", "CodeWanted", "Point", "RemoteExecutor", "Ticket", "WorkerLost"]

#: What a trial can be asked for while it runs.
STOP, PRUNE = "stop", "prune"
#: (run, step, value) of the metric that pruning goes by.
Point = tuple[str, int, float]


class WorkerLost(LedgitError):
    """An attempt is gone with its worker: nobody knows how far it came. It may be repeated under another run id.

    *worker* is its address or name ("" if not known), *reason* what is known about it.
    """

    def __init__(self, worker: str, reason: str) -> None:
        Exception.__init__(self, worker, reason)
        self.worker, self.reason = worker, reason

    def __str__(self) -> str:
        which = f"worker {self.worker}" if self.worker else "a worker"
        return f"{which} was lost: {self.reason}"


class CodeWanted(LedgitError):
    """A worker has no clone of the code, and the order came without it."""

    def __init__(self, key: str) -> None:
        Exception.__init__(self, key)
        self.key = key

    def __str__(self) -> str:
        return f"the code {self.key} is not on this worker, and nobody sent it"


class Channel(Protocol):
    """What a trial can say to its coordinator, and hear from it, while it runs; on the worker."""

    def claim(self, run_id: str) -> bool:
        """Say that the attempt begins here; False: it began somewhere before, and must not run again."""

    def code(self, key: str) -> Code | None:
        """Return the code with all that belongs to it; None if nobody has it."""

    def tell(self, run_id: str, points: Sequence[tuple[int, float]]) -> None:
        """Send (step, value) of the metric that pruning goes by. Never raises: they are no result."""

    def asked(self, run_id: str) -> str:
        """Return what the attempt is asked for: "stop", "prune" or nothing (""). Never raises."""


class RemoteExecutor(Executor):
    """Runs trials on workers that have no clone of the user's.

    ``submit(run_trial, order)`` gives a future of a `TrialReport`. Its exception is `WorkerLost` where the attempt
    is gone with its worker, and whatever `run_trial` raised where the worker could not run it.

    Attributes:
        kind: ``dask``, ``slurm``, ``ray``.
        prunes: Whether trials can be heard and asked while they run; else there is no pruning.
        note: What people should know about this one; "" for nothing.
        terms: How code goes to the workers, and how runs come back.
    """

    kind = ""
    prunes = False
    note = ""
    terms: Terms | None = None
    _settled: Settled | None = None

    def open(self, site: Site) -> None:
        """Take in whose trials are run: settings of the sweep's repository hold for its orders.

        Raises:
            NoRemote: The terms name a remote that is none.
        """
        if self.terms is not None:
            self._settled = self.terms.settle(site.repository)

    def accept(self, trial: bool, args: tuple[object, ...], kwargs: object) -> TrialOrder:
        """Return the order that ``submit`` got, under the sweep's terms; *trial*: it is `run_trial` that is to run.

        Raises:
            UsageError: It got something else.
        """
        from ledgit.projects.executors.orders import TrialOrder

        if not trial or kwargs or len(args) != 1 or not isinstance(args[0], TrialOrder):
            raise UsageError("this executor runs trials: submit(run_trial, order)")
        return args[0] if self._settled is None else self._settled.apply(args[0])

    def slots(self) -> int:
        """Return how many trials can run at once, now; workers come and go. One at least: it waits for a worker."""
        return 1

    def points(self) -> list[Point]:
        """Return the points that trials told since the last call, in the order they came."""
        return []

    def ask(self, run_id: str, word: str) -> None:
        """Ask a running trial to stop ("stop", "prune"); it ends its command, records the run and reports.

        One that has not begun and is to stop is cancelled.
        """


class Ticket:
    """An order that is on its way, with its future, which no two threads end at once.

    Attributes:
        order: The order.
        future: Its future: waiting, until the trial is known to have begun.
    """

    def __init__(self, order: TrialOrder, on_cancel: Callable[[], object] = lambda: None) -> None:
        self.order, self._on_cancel = order, on_cancel
        self.future: Future[TrialReport] = Future()
        self.future.add_done_callback(self._cancelled)
        self._guard = threading.Lock()

    def begin(self) -> bool:
        """Note that it runs: from now on it can't be cancelled, only asked. Return False if it was."""
        with self._guard:
            if self.future.cancelled():
                return False
            return self.future.running() or self.future.done() or self.future.set_running_or_notify_cancel()

    def end(self, report: TrialReport | None, error: BaseException | None = None) -> None:
        """Give the future its end, unless it has one."""
        if not self.begin() or self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            assert report is not None
            self.future.set_result(report)

    def _cancelled(self, future: Future[TrialReport]) -> None:
        if future.cancelled():
            future.set_running_or_notify_cancel()  # else nobody who waits for several hears of it
            self._on_cancel()
