"""Trials on Dask: a real scheduler and real workers, that come, go and are killed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.sweeps.cluster import Cluster, free_port, wait_until
from tests.sweeps.ordering import Coordinator

import ledgit
from ledgit.errors import Unreachable, UsageError
from ledgit.projects.executors import TrialReport, WorkerLost, make_executor, run_trial
from ledgit.projects.executors.dask import DaskExecutor
from ledgit.projects.sweeps.coordinator import Sweep
from ledgit.projects.sweeps.plan import SweepPlan
from ledgit.projects.sweeps.trials import fold

# Says where it runs, then waits until it may go on: no test depends on how long anything takes.
WAITING = """\
import os, sys, time
import ledgit

with ledgit.start_run():
    ledgit.log_metric("loss", 1.0, step=0)
    open(sys.argv[1], "a").write(f"{os.environ['HOME']} {os.getpid()}\\n")
    for step in range(1, 100_000):
        if os.path.exists(sys.argv[2]):
            break
        time.sleep(0.05)
        ledgit.log_metric("loss", 1.0 / step, step=step)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with Cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[DaskExecutor]:
    """An executor on it."""
    found = make_executor("dask", {"scheduler": cluster.address})
    assert isinstance(found, DaskExecutor)
    yield found
    found.shutdown(wait=False, cancel_futures=True)


@pytest.mark.slow
def test_a_sweep_with_a_killed_worker_has_every_trial_once(
    repo: Path, git: GitFunction, tmp_path: Path, cluster: Cluster, executor: DaskExecutor
) -> None:
    """The lost attempt is another run of its trial; what it had recorded is not taken for a result."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    (repo / "MLproject").write_text(
        "name: search\nentry_points:\n  main:\n    parameters:\n      lr: float\n"
        f"    command: {sys.executable} train.py {begun} {go} {{lr}}\n"
    )
    (repo / "train.py").write_text(WAITING)
    for name in ("first", "second"):
        cluster.start_worker(name)
    wait_until(lambda: executor.slots() == 2, "both workers' coming")
    repository = ledgit.open(repo)
    values = (0.0, 0.1, 0.2, 0.3, 0.4)
    plan = SweepPlan({"lr": ",".join(map(str, values))}, entry_point="main", metric="loss", executor="dask")

    def kill_one() -> None:
        wait_until(lambda: begun.exists() and len(begun.read_text().splitlines()) >= 2, "the start of two trials")
        cluster.kill("first")
        go.touch()

    killing = threading.Thread(target=kill_one)
    killing.start()
    result = Sweep.start(repository, plan).run(executor)
    killing.join()

    complete = list(repository.runs.filter("tags.`ledgit.sweep.state` = 'complete'"))
    assert [0, 1, 2, 3, 4] == sorted(int(run.tags["ledgit.sweep.trial"]) for run in complete)
    assert [*values] == sorted(run.params["lr"] for run in complete)
    assert (5, "done") == (len(complete), result.reason)
    trials = fold(repository.runs, "loss")
    assert dict.fromkeys(range(5), "complete") == {number: trial.state for number, trial in trials.items()}
    assert [1] == [max(one.number for one in trial.attempts) for trial in trials.values() if len(trial.attempts) > 1]
    assert {str(tmp_path / "cluster" / name) for name in ("first", "second")} == {
        line.split()[0] for line in begun.read_text().splitlines()
    }
    assert "" == git(repo, "fsck", "--strict", "--no-dangling", "--no-progress")


@pytest.mark.slow
def test_a_trial_is_heard_pruned_stopped_cancelled_and_given_up(
    repo: Path, tmp_path: Path, cluster: Cluster, executor: DaskExecutor
) -> None:
    """Its points come while it runs; what has not begun never does; without a coordinator it ends by itself."""
    (repo / "train.py").write_text(WAITING)
    coordinator = Coordinator(repo)
    begun = tmp_path / "begun"
    command = (sys.executable, "train.py", str(begun), str(tmp_path / "never"))
    cluster.start_worker("only")
    pruned, stopped, queued = (coordinator.order(n, command=command, metric="loss") for n in range(3))
    futures: list[Future[TrialReport]] = [executor.submit(run_trial, order) for order in (pruned, stopped, queued)]

    heard: list[tuple[str, int, float]] = []

    def hears(run_id: str) -> bool:
        heard.extend(executor.points())
        return any(point[0] == run_id for point in heard)

    wait_until(lambda: hears(pruned.run_id) or hears(stopped.run_id) or hears(queued.run_id), "the first point")
    first = next(i for i, order in enumerate((pruned, stopped, queued)) if any(p[0] == order.run_id for p in heard))
    others = [i for i in range(3) if i != first]
    assert futures[others[1]].cancel()
    assert not futures[first].cancel()
    orders = (pruned, stopped, queued)
    executor.ask(orders[first].run_id, "prune")
    assert "pruned" == futures[first].result(timeout=120).state
    wait_until(lambda: hears(orders[others[0]].run_id), "a point of the second trial")
    executor.ask(orders[others[0]].run_id, "stop")
    report = futures[others[0]].result(timeout=120)

    assert ("KILLED", "killed") == (report.status, report.state)
    assert [(step, value) for run, step, value in heard if run == orders[first].run_id][:2] == [(0, 1.0), (1, 1.0)]
    assert 2 == len(begun.read_text().splitlines())

    executor.submit(run_trial, coordinator.order(3, command=command))
    wait_until(lambda: len(begun.read_text().splitlines()) == 3, "the start of another trial")
    executor._client.close()  # as when its coordinator is killed
    pid = begun.read_text().split()[-1]
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of a trial that nobody waits for")


@pytest.mark.slow
def test_a_scheduler_that_is_started_again_takes_trials_again(
    repo: Path, tmp_path: Path, cluster: Cluster, executor: DaskExecutor
) -> None:
    """What ran is lost with the connection, and said so; the code is sent to the new scheduler."""
    (repo / "train.py").write_text(WAITING)
    coordinator = Coordinator(repo)
    begun, go = tmp_path / "begun", tmp_path / "go"
    command = (sys.executable, "train.py", str(begun), str(go))
    cluster.start_worker("first")
    lost = executor.submit(run_trial, coordinator.order(0, command=command))
    wait_until(begun.exists, "the start of the trial")

    cluster.kill("scheduler")
    with pytest.raises(WorkerLost):
        lost.result(timeout=120)
    cluster.start_scheduler()
    wait_until(lambda: cluster.processes["first"].poll() is not None, "the end of a worker without a scheduler")
    cluster.start_worker("second")
    go.touch()
    again = executor.submit(run_trial, coordinator.order(0, command=command, attempt=1))

    assert "complete" == again.result(timeout=120).state


def test_a_scheduler_that_nobody_started_is_named() -> None:
    """In one sentence, with its address."""
    address = f"tcp://127.0.0.1:{free_port()}"

    with pytest.raises(Unreachable, match=address):
        DaskExecutor(address)
    for wrong in ("nonsense", "tcp://host", "tcp://host:x", "host:99999"):
        with pytest.raises(UsageError, match="tcp://host:8786"):
            DaskExecutor(wrong)


def test_options_that_dask_does_not_take_are_named() -> None:
    """With those that it does."""
    with pytest.raises(UsageError, match="resources, scheduler"):
        make_executor("dask", {"schedular": "tcp://x"})
    with pytest.raises(UsageError, match="--scheduler"):
        make_executor("dask", {})
    with pytest.raises(UsageError, match="GPU=1"):
        make_executor("dask", {"scheduler": "tcp://127.0.0.1:1", "resources": "GPU"})
    with pytest.raises(UsageError, match="local, dask, slurm, ray"):
        make_executor("kubernetes", {})
