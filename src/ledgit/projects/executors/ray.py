"""Trials as Ray tasks: each runs once, on any node; what is said meanwhile goes through an actor."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, MissingDependency, Unreachable, UsageError
from ledgit.projects.executors.listening import check_listens
from ledgit.projects.executors.orders import Code, TrialOrder, TrialReport
from ledgit.projects.executors.protocol import STOP, Point, RemoteExecutor, Ticket, WorkerLost
from ledgit.projects.executors.work import run_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RayExecutor"]


class RayExecutor(RemoteExecutor):
    """Runs trials on the nodes of a Ray cluster.

    Args:
        address: ``auto``: the cluster that runs on this machine, or that ``RAY_ADDRESS`` names; ``local``: one is
            started here, for as long as this executor is; else ``host:port`` or ``ray://host:port``.
        jobs: Trials at once; 0: as many as there is room for.
        cpus: What a trial takes of them.
        gpus: The same.

    Raises:
        MissingDependency: Ray is not installed.
        Unreachable: Nobody answers there.
    """

    kind = "ray"
    prunes = True

    def __init__(self, address: str = "auto", jobs: int = 0, cpus: float = 1.0, gpus: float = 0.0) -> None:
        try:
            import ray
        except ImportError:
            raise MissingDependency("a sweep on Ray", "ledgit[ray]") from None
        self._ray: Any = ray
        self._jobs, self._cpus, self._gpus = jobs, cpus, gpus
        self._started = not ray.is_initialized()
        if self._started:
            if address not in ("auto", "local"):
                check_listens(address, "a Ray cluster", "host:6379 or ray://host:10001")
            try:
                here = {"include_dashboard": False} if address == "local" else {}
                self._ray.init(address=address, log_to_driver=False, configure_logging=False, **here)
            except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                first = str(error).strip().splitlines()[0]
                raise Unreachable(
                    address, f"no Ray cluster answers there ('ray start --head' makes one): {first}"
                ) from None
        self._post: Any = ray.remote(num_cpus=0, max_concurrency=1)(_Post).remote()
        # An attempt must not run twice under one run id: Ray would start one again whose worker was lost.
        self._task: Any = ray.remote(max_retries=0, num_cpus=cpus, num_gpus=gpus)(_run)
        self._codes: dict[str, Any] = {}
        self._trials: dict[str, tuple[Ticket, Any]] = {}
        self._guard = threading.Lock()

    # ------------------------------------------------------------------ of concurrent.futures

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a trial: ``submit(run_trial, order)``.

        Raises:
            UsageError: It is something else.
        """
        from dataclasses import replace

        order = self.accept(fn is run_trial, args, kwargs)
        if order.code.pack and order.code.key not in self._codes:
            self._codes[order.code.key] = self._ray.put(order.code)  # here, and so lost with nobody but us
        code = self._codes.get(order.code.key)
        task = self._task.remote(replace(order, code=order.code.bare()), [code] if code else [], self._post)
        trial = Ticket(order, lambda: self._ray.cancel(task, force=False, recursive=False))
        with self._guard:
            self._trials[order.run_id] = (trial, task)
        threading.Thread(target=self._wait, args=(trial, task), name="ledgit-ray", daemon=True).start()
        return trial.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster. Trials that still run are waited for, or asked to stop."""
        from concurrent.futures import wait as wait_for

        with self._guard:
            trials = [trial for trial, _ in self._trials.values()]
        if cancel_futures:
            for trial in trials:
                self.ask(trial.order.run_id, STOP)
        if wait:
            wait_for([trial.future for trial in trials])
        if self._started:
            self._started = False
            self._ray.shutdown()

    # ------------------------------------------------------------------ beyond it

    def slots(self) -> int:
        """Return how many trials can run at once."""
        there = self._ray.cluster_resources()
        room = [int(there.get(name, 0) // each) for name, each in (("CPU", self._cpus), ("GPU", self._gpus)) if each]
        most = min(room, default=1)
        return max(min(most, self._jobs) if self._jobs else most, 1)

    def points(self) -> list[Point]:
        """Return what trials told since the last call."""
        points, begun = self._ray.get(self._post.take.remote())
        with self._guard:
            trials = [self._trials[run_id][0] for run_id in begun if run_id in self._trials]
        for trial in trials:
            if not trial.begin():
                self._post.ask.remote(trial.order.run_id, STOP)  # it was cancelled a moment ago
        return [(str(run_id), int(step), float(value)) for run_id, step, value in points]

    def ask(self, run_id: str, word: str) -> None:
        """Ask a running trial to stop or to be pruned; one that waits is cancelled."""
        with self._guard:
            trial, _ = self._trials.get(run_id, (None, None))
        if trial is not None and word == STOP:
            trial.future.cancel()
        self._post.ask.remote(run_id, word)  # also then: it may have begun a moment ago

    # ------------------------------------------------------------------ inside

    def _wait(self, trial: Ticket, task: Any) -> None:
        """Hand the end of a task on to the trial's future; in a thread of its own."""
        report: TrialReport | None = None
        error: BaseException | None = None
        try:
            result = self._ray.get(task)
            report, error = (None, result) if isinstance(result, BaseException) else (result, None)
        except self._ray.exceptions.RayTaskError as raised:
            error = UsageError(f"a trial failed on its Ray worker: {str(raised).strip().splitlines()[-1]}")
        except Exception as raised:
            # The worker or its node is gone, or the cluster; in Ray's words, of which the first say what.
            lines = [line for line in str(raised).splitlines() if line.strip()]
            error = WorkerLost("", lines[0] if lines else type(raised).__name__)
        with self._guard:
            self._trials.pop(trial.order.run_id, None)
        trial.end(report, error)


class _Post:
    """The actor: what trials say, and what they are asked for."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._begun: list[str] = []
        self._claimed: set[str] = set()
        self._asked: dict[str, str] = {}

    def claim(self, run_id: str) -> bool:
        if run_id in self._claimed:
            return False
        self._claimed.add(run_id)
        self._begun.append(run_id)
        return True

    def tell(self, run_id: str, points: list[tuple[int, float]]) -> None:
        self._points += [(run_id, step, value) for step, value in points]

    def take(self) -> tuple[list[Point], list[str]]:
        points, begun = self._points, self._begun
        self._points, self._begun = [], []
        return points, begun

    def ask(self, run_id: str, word: str) -> None:
        self._asked[run_id] = word

    def asked(self, run_id: str) -> str:
        return self._asked.get(run_id, "")


# ---------------------------------------------------------------------- on the worker


def _run(order: TrialOrder, codes: list[Any], post: Any) -> TrialReport | LedgitError:
    try:
        return run_trial(order, _RayChannel(codes, post))
    except LedgitError as error:  # Ray would wrap it
        return error


class _RayChannel:
    """The worker's end."""

    def __init__(self, codes: list[Any], post: Any) -> None:
        import ray

        self._ray: Any = ray
        self._codes, self._post = codes, post

    def claim(self, run_id: str) -> bool:
        return bool(self._ray.get(self._post.claim.remote(run_id)))

    def code(self, key: str) -> Code | None:
        found: Code | None = self._ray.get(self._codes[0]) if self._codes else None
        return found if found is not None and found.key == key else None

    def tell(self, run_id: str, points: Sequence[tuple[int, float]]) -> None:
        self._post.tell.remote(run_id, list(points))

    def asked(self, run_id: str) -> str:
        try:
            return str(self._ray.get(self._post.asked.remote(run_id), timeout=10))
        except Exception:
            return STOP  # whoever ordered it is gone, and the actor with it
