"""Trials as Slurm jobs, by submitit: a job a trial, and a folder that the nodes share for all that is said.

::

    <folder>/
        code/<key>          the code, once
        claimed/<run>       made by the job when it begins; one that Slurm starts again finds it
        told/<run>          points of the metric, a line each, while it runs
        asked/<run>         what the trial is asked for
        <job>_*             submitit's own files: the order, the result, the job's output
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, MissingDependency, StorageError, UsageError
from ledgit.projects.executors.orders import Code, TrialOrder, TrialReport
from ledgit.projects.executors.protocol import STOP, Point, RemoteExecutor, Ticket, WorkerLost
from ledgit.projects.executors.work import run_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FileChannel", "SlurmExecutor"]

_EVERY = {"slurm": 2.0, "local": 0.1}  # s between two looks at the jobs
_PATIENCE = {"slurm": 20.0, "local": 1.0}  # s that a result may take to be seen here, after Slurm says that all is over
_PARTS = ("code", "claimed", "told", "asked")


class SlurmExecutor(RemoteExecutor):
    """Runs trials as jobs of a Slurm cluster.

    Args:
        jobs: Jobs that are submitted at once; those that wait in Slurm's queue count.
        folder: A folder that this machine and the nodes share, for this user alone; default: ``slurm`` in Ledgit's
            cache folder, as homes mostly are shared.
        cluster: ``slurm``; ``local`` runs the jobs on this machine, to try things out.
        **parameters: Of the jobs, as submitit has them: ``timeout_min``, ``mem_gb``, ``cpus_per_task``,
            ``gpus_per_node``, ``slurm_partition``, …. ``partition``, ``account``, ``qos``, ``constraint`` and others
            of Slurm's alone do without the ``slurm_``.

    Raises:
        MissingDependency: submitit is not installed.
        UsageError: There is no Slurm here, or it takes no such parameter.
        StorageError: The folder can't be made.
    """

    kind = "slurm"
    prunes = True

    def __init__(self, jobs: int | str = 10, folder: str = "", cluster: str = "slurm", **parameters: Any) -> None:
        try:
            import submitit
        except ImportError:
            raise MissingDependency("a sweep on Slurm", "ledgit[slurm]") from None
        from ledgit.tracking.launching import cache_folder

        if cluster not in _EVERY:
            raise UsageError(f"option 'cluster' of executor 'slurm' is {cluster!r}, expected slurm or local")
        try:
            self.jobs = int(jobs)
        except ValueError:
            raise UsageError(f"option 'jobs' of executor 'slurm' is {jobs!r}, expected a number") from None
        self.folder = os.path.abspath(folder or os.path.join(cache_folder(), "slurm"))
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)  # what is read from it is unpickled
            for part in _PARTS:
                os.makedirs(os.path.join(self.folder, part), exist_ok=True)
        except OSError as error:
            raise StorageError(self.folder, error.strerror or str(error)) from error
        try:
            self._submitit: Any = submitit.AutoExecutor(folder=self.folder, cluster=cluster)
            self._submitit.update_parameters(name="ledgit", **_parameters(parameters))
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UsageError(f"submitit can't use {cluster!r} like this: {first}") from None
        self._every, self._patience = _EVERY[cluster], _PATIENCE[cluster]
        self._guard = threading.Lock()
        self._changed = threading.Event()
        self._jobs: dict[str, _Job] = {}
        self._ended = False
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ of concurrent.futures

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a job for a trial: ``submit(run_trial, order)``.

        Raises:
            UsageError: It is something else, or Slurm refuses the job.
            StorageError: The folder can't be written.
        """
        from dataclasses import replace

        order = self.accept(fn is run_trial, args, kwargs)
        job = _Job(order)
        try:
            self._write_code(order.code)
            job.job = self._submitit.submit(_run, replace(order, code=order.code.bare()), self.folder)
        except OSError as error:
            raise StorageError(self.folder, error.strerror or str(error)) from error
        except Exception as error:  # submitit's own, of whatever kind: what sbatch said
            if isinstance(error, LedgitError):
                raise
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise UsageError(f"Slurm did not take the job: {lines[-1] if lines else type(error).__name__}") from None
        with self._guard:
            self._jobs[order.run_id] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="ledgit-slurm", daemon=True)
                self._thread.start()
        self._changed.set()
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop looking after jobs. Those that run are waited for, or asked to stop; those that wait are cancelled."""
        from concurrent.futures import wait as wait_for

        with self._guard:
            jobs = list(self._jobs.values())
        if cancel_futures:
            for job in jobs:
                self.ask(job.order.run_id, STOP)
        if wait:
            wait_for([job.future for job in jobs])
        self._ended = True
        self._changed.set()
        if self._thread is not None:
            self._thread.join()

    # ------------------------------------------------------------------ beyond it

    def slots(self) -> int:
        """Return how many jobs may be submitted at once."""
        return self.jobs

    def points(self) -> list[Point]:
        """Return what trials told since the last call."""
        with self._guard:
            jobs = list(self._jobs.values())
        return [(job.order.run_id, step, value) for job in jobs for step, value in job.told(self.folder)]

    def ask(self, run_id: str, word: str) -> None:
        """Ask a running trial to stop or to be pruned; one that waits is cancelled."""
        with self._guard:
            job = self._jobs.get(run_id)
        if word != STOP or job is None or not job.future.cancel():
            self._write_word(run_id, word)
        self._changed.set()

    # ------------------------------------------------------------------ inside

    def _write_word(self, run_id: str, word: str) -> None:
        path = os.path.join(self.folder, "asked", run_id)
        try:
            with open(f"{path}.new", "w", encoding="ascii") as file:
                file.write(word)
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error

    def _write_code(self, code: Code) -> None:
        path = os.path.join(self.folder, "code", code.key)
        if not code.pack:
            return
        try:
            os.utime(path)
            return
        except FileNotFoundError:
            _remove_old(os.path.dirname(path))
        head = json.dumps([code.tree, code.commit, code.address]).encode("utf-8")
        with open(f"{path}.{os.urandom(4).hex()}", "xb") as file:
            file.write(head + b"\n" + code.pack)
        os.replace(file.name, path)

    def _watch(self) -> None:
        """Look at the jobs again and again until all have ended and nobody wants more."""
        while True:
            self._changed.clear()  # before the look: what comes during it is seen in the next one
            if self._ended:
                return
            with self._guard:
                jobs = list(self._jobs.values())
            for job in jobs:
                if self._look(job):
                    with self._guard:
                        self._jobs.pop(job.order.run_id, None)
            self._changed.wait(self._every if self._jobs else None)

    def _look(self, job: _Job) -> bool:
        """Take in what became of a job; return whether it has ended."""
        run_id = job.order.run_id
        if job.future.cancelled():
            job.job.cancel(check=False)
            job.clean(self.folder, everything=True)
            return True
        if os.path.exists(os.path.join(self.folder, "claimed", run_id)) and not job.begin():
            self._write_word(run_id, STOP)  # it was cancelled a moment ago
        try:
            if not job.job.done() or not job.has_result(self._patience):
                return False
            job.finish()
        except Exception as error:  # a file system that hiccups, a command of Slurm's that fails: look again
            job.failures += 1
            if job.failures < _MOST_FAILURES:
                return False
            job.end(None, WorkerLost(job.name, f"nobody can tell what became of it: {error}"))
        job.clean(self.folder, everything=job.well)
        return True


_MOST_FAILURES = 30
_OLD = 14 * 24 * 3600.0  # s that code is kept which no sweep used


def _remove_old(folder: str) -> None:
    import time

    for entry in os.scandir(folder):
        try:
            if time.time() - entry.stat().st_mtime > _OLD:
                os.unlink(entry.path)
        except OSError:
            continue


class _Job(Ticket):
    """An order that is on its way, and its job."""

    def __init__(self, order: TrialOrder) -> None:
        super().__init__(order)
        self.job: Any = None
        self.failures = 0
        self.well = False
        self._read = 0
        self._over = 0.0

    @property
    def name(self) -> str:
        return f"job {self.job.job_id}"

    def told(self, folder: str) -> list[tuple[int, float]]:
        """Return the points that came since the last call."""
        try:
            with open(os.path.join(folder, "told", self.order.run_id), "rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        found = []
        for line in whole.splitlines():
            step, _, value = line.partition(b" ")
            found.append((int(step), float(value)))
        return found

    def has_result(self, patience: float) -> bool:
        """Whether there is a result, or *patience* seconds long was none: file systems of clusters are slow."""
        import time

        self._over = self._over or time.monotonic()
        self.job._results_timeout_s = 0  # else submitit waits, and all other jobs with it
        return self.job.paths.result_pickle.exists() or time.monotonic() - self._over > patience

    def finish(self) -> None:
        """Hand the job's end on to the future."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            result = self.job.result()
        except UncompletedJobError as error:
            said = str(error).splitlines()[0]
            text = f"Slurm ended it ({self.job.state}), see {self.job.paths.stderr}: {said}"
            self.end(None, WorkerLost(self.name, text))
            return
        except FailedJobError as error:
            lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("---")]
            trace = next((line for line in reversed(lines) if "Error" in line), lines[0])
            self.end(None, UsageError(f"{self.name} failed: {trace.strip()}; see {self.job.paths.stderr}"))
            return
        if isinstance(result, WorkerLost):
            self.end(None, WorkerLost(self.name, result.reason))
        elif isinstance(result, BaseException):
            self.end(None, result)
        else:
            self.well = True
            self.end(result)

    def clean(self, folder: str, *, everything: bool) -> None:
        """Remove the trial's files; submitit's too if all went well."""
        paths = [os.path.join(folder, part, self.order.run_id) for part in ("told", "asked")]
        if everything:
            names = self.job.paths
            paths += [
                os.path.join(folder, "claimed", self.order.run_id),
                *map(str, (names.submitted_pickle, names.result_pickle, names.stdout, names.stderr)),
            ]
        for path in paths:
            try:
                os.unlink(path)
            except OSError:
                continue


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Return submitit's parameters: numbers as such, and Slurm's own with their prefix."""
    general = {"timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "nodes", "tasks_per_node", "stderr_to_stdout"}
    found = {}
    for name, value in given.items():
        full = name if name in general or name.startswith(("slurm_", "local_")) else f"slurm_{name}"
        if isinstance(value, str):
            try:
                value = int(value)
            except ValueError:
                pass  # text, then
        found[full] = value
    return found


# ---------------------------------------------------------------------- in the job


def _run(order: TrialOrder, folder: str) -> TrialReport | LedgitError:
    try:
        return run_trial(order, FileChannel(folder))
    except LedgitError as error:  # submitit would keep its text alone
        return error


class FileChannel:
    """What a trial says and hears by a shared folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def claim(self, run_id: str) -> bool:  # noqa: D102 - see Channel
        path = os.path.join(self._folder, "claimed", run_id)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def code(self, key: str) -> Code | None:  # noqa: D102
        try:
            with open(os.path.join(self._folder, "code", key), "rb") as file:
                tree, commit, address = json.loads(file.readline())
                return Code(tree, commit, file.read(), address)
        except (FileNotFoundError, ValueError):
            return None

    def tell(self, run_id: str, points: Sequence[tuple[int, float]]) -> None:  # noqa: D102
        try:
            with open(os.path.join(self._folder, "told", run_id), "ab") as file:
                file.write("".join(f"{step} {value!r}\n" for step, value in points).encode("ascii"))
        except OSError:
            pass  # they are no result

    def asked(self, run_id: str) -> str:  # noqa: D102
        try:
            with open(os.path.join(self._folder, "asked", run_id), encoding="ascii") as file:
                return file.read(16)
        except OSError:
            return ""
