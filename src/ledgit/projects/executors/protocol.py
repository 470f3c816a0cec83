"""What an executor of trials is beyond `concurrent.futures.Executor`, and what a worker has of it."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Protocol

from ledgit.error_roots import LedgitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.projects.executors.orders import Code

__all__ = ["PRUNE", "STOP", "Channel", "CodeWanted", "Point", "RemoteExecutor", "WorkerLost"]

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
    """

    kind = ""
    prunes = False
    note = ""

    def slots(self) -> int:
        """Return how many trials can run at once, now; workers come and go."""
        return 1

    def points(self) -> list[Point]:
        """Return the points that trials told since the last call, in the order they came."""
        return []

    def ask(self, run_id: str, word: str) -> None:
        """Ask a running trial to stop ("stop", "prune"); it ends its command, records the run and reports.

        One that has not begun is cancelled by its future.
        """
