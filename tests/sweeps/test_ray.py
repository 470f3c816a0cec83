"""Trials on Ray: a real cluster of processes of this machine. Where Ray is not installed there is nothing to test."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sweeps.cluster import free_port, wait_until
from tests.sweeps.ordering import TRAIN, Coordinator

from ledgit.errors import ProjectError, Unreachable
from ledgit.projects.executors import WorkerLost, make_executor, run_trial, take_in
from ledgit.projects.executors.ray import RayExecutor

pytest.importorskip("ray", reason="the extra 'ray' is not installed")

WAITING = """\
import os, sys, time
import ledgit

with ledgit.start_run():
    ledgit.log_metric("loss", 1.0, step=0)
    open(sys.argv[1], "w").write(str(os.getppid()))
    time.sleep(1000)
"""


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayExecutor]:
    """An executor with a cluster of its own, for as long as it is there."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    found = make_executor("ray", {"address": "local", "cpus": "0.25"})
    assert isinstance(found, RayExecutor)
    yield found
    found.shutdown(wait=False, cancel_futures=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_trials_on_ray_come_back_are_heard_asked_lost_and_explained(
    repo: Path, tmp_path: Path, executor: RayExecutor
) -> None:
    """A worker that is killed loses its attempt, which is not started again by itself."""
    (repo / "train.py").write_text(TRAIN)
    (repo / "wait.py").write_text(WAITING)
    coordinator = Coordinator(repo)
    scratch = str(tmp_path / "node")
    done = [executor.submit(run_trial, coordinator.order(number, scratch=scratch)) for number in range(3)]
    asked, lost = (
        coordinator.order(
            number, command=(sys.executable, "wait.py", str(tmp_path / str(number))), metric="loss", scratch=scratch
        )
        for number in (3, 4)
    )
    wrong = coordinator.order(5, directory="nowhere", scratch=scratch)
    futures = {order.run_id: executor.submit(run_trial, order) for order in (asked, lost, wrong)}

    for future in done:
        take_in(coordinator.repository, future.result(timeout=240))
    heard: list[tuple[str, int, float]] = []

    def hears() -> bool:
        heard.extend(executor.points())
        return {(asked.run_id, 0, 1.0), (lost.run_id, 0, 1.0)} <= set(heard)

    wait_until(hears, "a point of each")
    executor.ask(asked.run_id, "prune")
    assert "pruned" == futures[asked.run_id].result(timeout=240).state
    os.kill(int((tmp_path / "4").read_text()), signal.SIGKILL)

    with pytest.raises(WorkerLost):
        futures[lost.run_id].result(timeout=240)
    with pytest.raises(ProjectError, match="nowhere"):
        futures[wrong.run_id].result(timeout=240)
    assert [0.1, 0.2, 0.3] == sorted(run.params["lr"] for run in coordinator.repository.runs)
    assert executor.slots() >= 4


def test_a_cluster_that_nobody_started_is_named() -> None:
    """In one sentence, with its address."""
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(Unreachable, match=address):
        RayExecutor(address)
