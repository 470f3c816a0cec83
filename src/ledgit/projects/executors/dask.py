"""Trials on Dask's workers: an executor of `distributed`, and what a trial says and hears by its scheduler.

- The code is sent once, to the scheduler, where each worker gets it once; not through a task's data, which are
  lost with the worker that has them.
- Dask starts a task again whose worker was lost. An attempt must not run twice under one run id: each start claims
  it, and the second one reports the first as lost.
- What a trial says while it runs are events of a topic; what it is asked for stands in the scheduler's metadata,
  where the trial looks once a second.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, MissingDependency, Unreachable, UsageError
from ledgit.projects.executors.listening import check_listens
from ledgit.projects.executors.orders import Code, TrialOrder, TrialReport
from ledgit.projects.executors.protocol import STOP, CodeWanted, Point, RemoteExecutor, Ticket, WorkerLost
from ledgit.projects.executors.work import run_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["DaskExecutor"]

_PLACE = "ledgit"
_CONNECT = 30.0  # s to wait for the scheduler


class DaskExecutor(RemoteExecutor):
    """Runs trials on the workers of a Dask cluster.

    Args:
        scheduler: Address of the scheduler (``tcp://host:8786``), or the path of the file it wrote
            (``--scheduler-file``).
        resources: What a trial takes of a worker's ``--resources``, such as ``{"GPU": 1}``.
        timeout: Seconds to wait for the scheduler, now and after its connection was lost.

    Raises:
        MissingDependency: `distributed` is not installed.
        Unreachable: Nobody answers there.
    """

    kind = "dask"
    prunes = True

    def __init__(self, scheduler: str, *, resources: Mapping[str, float] | None = None, timeout: float = _CONNECT):
        import os

        try:
            import distributed
        except ImportError:
            raise MissingDependency("a sweep on Dask", "ledgit[dask]") from None
        if not scheduler:
            raise UsageError("sweeps on Dask need the scheduler's address: --scheduler tcp://host:8786")
        if not os.path.isfile(scheduler) and scheduler.partition("://")[0] in (scheduler, "tcp", "tls"):
            check_listens(scheduler, "a Dask scheduler", "tcp://host:8786")  # others, as ucx, are Dask's to know
        where = {"scheduler_file": scheduler} if os.path.isfile(scheduler) else {"address": scheduler}
        try:
            library: Any = distributed  # half of its methods are without types
            self._client: Any = library.Client(**where, timeout=timeout, set_as_default=False, name="ledgit")
        except (OSError, ValueError) as error:
            raise Unreachable(scheduler, f"no Dask scheduler answers there: {error}") from None
        self.address = scheduler
        self._resources = dict(resources or {})
        self._topic = f"{_PLACE}-{os.urandom(6).hex()}"
        self._guard = threading.Lock()
        self._points: list[Point] = []
        self._trials: dict[str, _Trial] = {}
        self._codes: dict[str, Code] = {}
        self._sent: set[tuple[str, str]] = set()
        self._client.subscribe_topic(self._topic, self._heard)
        if not self._room():
            how = f"--scheduler-file {scheduler}" if "scheduler_file" in where else scheduler
            self.note = f"no worker has come to the scheduler yet; trials wait for one ('dask worker {how}')"

    # ------------------------------------------------------------------ of concurrent.futures

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a trial: ``submit(run_trial, order)``.

        Raises:
            UsageError: It is something else.
            Unreachable: The scheduler is gone.
        """
        order = self.accept(fn is run_trial, args, kwargs)
        if order.code.pack:
            self._codes[order.code.key] = order.code
        trial = _Trial(order)
        with self._guard:
            self._trials[order.run_id] = trial
        self._start(trial)
        return trial.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the scheduler. Trials that still run are waited for, or asked to stop."""
        from concurrent.futures import wait as wait_for

        with self._guard:
            trials = list(self._trials.values())
        if cancel_futures:
            for trial in trials:
                self.ask(trial.order.run_id, STOP)
        if wait:
            wait_for([trial.future for trial in trials])
        if self._client.status == "running":
            try:
                self._client.set_metadata([_PLACE, self._topic], None)
            except (OSError, RuntimeError):
                pass  # the scheduler has gone meanwhile, and its memory with it
        self._client.close()

    # ------------------------------------------------------------------ beyond it

    def slots(self) -> int:
        """Return how many trials can run at once: the threads of all workers, or what they have of a resource.

        One at least, which waits for a worker.
        """
        return max(self._room(), 1)

    def _room(self) -> int:
        try:
            workers = self._client.scheduler_info()["workers"].values()
        except (OSError, RuntimeError):
            return 0
        if not self._resources:
            return sum(int(worker["nthreads"]) for worker in workers)
        return sum(
            min(int(worker["nthreads"]), *(int(worker["resources"].get(k, 0) // n) for k, n in self._resources.items()))
            for worker in workers
        )

    def points(self) -> list[Point]:
        """Return what trials told since the last call."""
        with self._guard:
            points, self._points = self._points, []
        return points

    def ask(self, run_id: str, word: str) -> None:
        """Ask a running trial to stop or to be pruned; one that waits is cancelled."""
        with self._guard:
            trial = self._trials.get(run_id)
        if word != STOP or trial is None or not trial.future.cancel():
            self._write_word(run_id, word)

    # ------------------------------------------------------------------ inside

    def _write_word(self, run_id: str, word: str) -> None:
        try:
            self._client.set_metadata([_PLACE, self._topic, "asked", run_id], word)
        except (OSError, RuntimeError):
            pass  # without a scheduler its workers end, and the trial with them

    def _heard(self, event: tuple[float, Any]) -> None:
        """Take in what a trial told; in the client's own thread."""
        _, message = event
        run_id = str(message.get("run"))
        with self._guard:
            trial = self._trials.get(run_id)
            self._points += [(run_id, int(step), float(value)) for step, value in message.get("points", ())]
        if trial is not None and "begun" in message:
            trial.worker = str(message["begun"])
            if not trial.begin():  # it was cancelled a moment ago. This is the thread that would send it
                threading.Thread(target=self._write_word, args=(run_id, STOP), daemon=True).start()

    def _start(self, trial: _Trial) -> None:
        order = trial.order
        try:
            self._send_code(order.code.key)
            options: dict[str, Any] = {"resources": self._resources} if self._resources else {}
            trial.task = self._client.submit(
                _run, order.code.key, _bare(order), self._topic, key=_key(order.run_id), pure=False, **options
            )
        except (OSError, RuntimeError, ValueError):
            self._forget(trial)
            raise Unreachable(
                self.address, "the Dask scheduler is gone; start it again, and its workers, then 'ledgit sweep resume'"
            ) from None
        trial.task.add_done_callback(lambda task: self._ended(trial, task))

    def _send_code(self, key: str) -> None:
        """Give the code to the scheduler, unless it has it: one that was started again has nothing."""
        code = self._codes.get(key)
        if code is None:
            return
        # Not the cached value: after a lost connection it is that of the scheduler before.
        identity = str(self._client.scheduler_info(n_workers=1).get("id"))
        if (identity, key) not in self._sent:
            self._client.set_metadata([_PLACE, "code", key], [code.tree, code.commit, code.pack, code.address])
            self._sent.add((identity, key))

    def _forget(self, trial: _Trial) -> None:
        with self._guard:
            self._trials.pop(trial.order.run_id, None)

    def _ended(self, trial: _Trial, task: Any) -> None:
        """Hand the end of a task on to the trial's future; in a thread of Dask's for that."""
        if trial.future.cancelled():
            self._forget(trial)
            return
        report: TrialReport | None = None
        error: BaseException | None = None
        try:
            report = task.result() if task.status == "finished" else None
            if report is None:
                error = self._translate(trial, task)
        except BaseException as raised:
            # The result was on a worker that is gone, and its task does not run again.
            error = raised if isinstance(raised, WorkerLost) else WorkerLost(trial.worker, str(raised))
        if isinstance(error, CodeWanted) and error.key in self._codes and not trial.again:
            trial.again = True  # the scheduler was started again, or forgot
            self._sent.clear()
            try:
                self._start(trial)
            except LedgitError as gone:
                trial.end(None, gone)
            return
        self._forget(trial)
        trial.end(report, error)
        task.release()

    def _translate(self, trial: _Trial, task: Any) -> BaseException:
        if task.status in ("cancelled", "lost"):
            return WorkerLost(trial.worker, "the connection to the Dask scheduler was lost")
        error: BaseException = task.exception()
        if type(error).__name__ == "KilledWorker":
            return WorkerLost(trial.worker, "Dask gave the trial up because its worker ended")
        if isinstance(error, WorkerLost) and not error.worker:
            return WorkerLost(trial.worker, "it ended, or the scheduler can't reach it")
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "ledgit":
            return MissingDependency("a trial on this Dask worker", "ledgit")
        return error


class _Trial(Ticket):
    """An order that is on its way, and its task."""

    def __init__(self, order: TrialOrder) -> None:
        super().__init__(order, self._drop)
        self.worker = ""
        self.again = False
        self.task: Any = None

    def _drop(self) -> None:
        if self.task is not None:
            # Not by its own method, which waits: this may be the thread that would do it.
            self.task.client.loop.add_callback(self.task.client._cancel, [self.task], force=True)


def _key(run_id: str) -> str:
    return f"{_PLACE}-{run_id}"


def _bare(order: TrialOrder) -> TrialOrder:
    from dataclasses import replace

    return replace(order, code=order.code.bare())


# ---------------------------------------------------------------------- on the worker


def _run(_key: str, order: TrialOrder, topic: str) -> TrialReport:
    return run_trial(order, _DaskChannel(topic))


class _DaskChannel:
    """The worker's end."""

    def __init__(self, topic: str) -> None:
        import distributed

        library: Any = distributed
        self._topic = topic
        self._worker = library.get_worker()
        self._client = library.get_client()

    def claim(self, run_id: str) -> bool:
        place = [_PLACE, self._topic, "claimed", run_id]
        if self._client.get_metadata(place, None) is not None:
            return False
        self._client.set_metadata(place, self._worker.address)
        self._worker.log_event(self._topic, {"run": run_id, "begun": self._worker.address})
        return True

    def code(self, key: str) -> Code | None:
        found = self._client.get_metadata([_PLACE, "code", key], None)
        if found is None:
            return None
        tree, commit, pack, address = found
        return Code(tree, commit, pack, address)

    def tell(self, run_id: str, points: Sequence[tuple[int, float]]) -> None:
        try:
            self._worker.log_event(self._topic, {"run": run_id, "points": [list(point) for point in points]})
        except Exception:  # noqa: S110 - they are no result, and whatever fails here fails again where it counts
            pass

    def asked(self, run_id: str) -> str:
        if self._worker.status.name not in ("running", "paused", "closing_gracefully"):
            return STOP  # nobody could take the report
        task = self._worker.state.tasks.get(_key(run_id))
        if task is None or task.state in ("cancelled", "released", "forgotten"):
            return STOP  # nobody wants it: its coordinator is gone, or gave it up
        try:
            return str(self._client.get_metadata([_PLACE, self._topic, "asked", run_id], "") or "")
        except Exception:
            return ""
