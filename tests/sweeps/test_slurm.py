"""Trials as Slurm jobs, with submitit's local executor: its jobs are processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.sweeps.cluster import wait_until
from tests.sweeps.kit import put, sweep, trial_runs
from tests.sweeps.ordering import TRAIN, Coordinator

from ledgit.errors import ProjectError, UsageError
from ledgit.projects.executors import WorkerLost, make_executor, run_trial, take_in
from ledgit.projects.executors.slurm import FileChannel, SlurmExecutor

WAITING = """\
import os, sys, time
import ledgit

with ledgit.start_run():
    ledgit.log_metric("loss", 1.0, step=0)
    open(sys.argv[1], "a").write("begun")
    time.sleep(1000)
"""


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[SlurmExecutor]:
    """An executor whose jobs run here."""
    options = {"cluster": "local", "folder": str(tmp_path / "shared"), "scratch": str(tmp_path / "node"), "jobs": "2"}
    found = make_executor("slurm", options)
    assert isinstance(found, SlurmExecutor)
    yield found
    found.shutdown(wait=False, cancel_futures=True)


@pytest.mark.slow
def test_trials_are_jobs_whose_runs_come_back(repo: Path, git: GitFunction, executor: SlurmExecutor) -> None:
    """And nothing of those that went well stays in the shared folder but the code."""
    (repo / "train.py").write_text(TRAIN)
    coordinator = Coordinator(repo)
    orders = [coordinator.order(number) for number in range(3)]

    for report in [executor.submit(run_trial, order) for order in orders]:
        take_in(coordinator.repository, report.result(timeout=240))

    runs = {run.id: run for run in coordinator.repository.runs}
    assert [0.1, 0.2, 0.3] == [runs[order.run_id].params["lr"] for order in orders]
    assert 2 == executor.slots()
    wait_until(
        lambda: (
            [f"code/{coordinator.code.key}"]
            == [os.path.relpath(path, executor.folder) for path in Path(executor.folder).rglob("*") if path.is_file()]
        ),
        "the removal of the jobs' files",
    )
    assert 0o700 == Path(executor.folder).stat().st_mode & 0o777


@pytest.mark.slow
def test_a_job_is_heard_asked_lost_and_explained(repo: Path, tmp_path: Path, executor: SlurmExecutor) -> None:
    """What Slurm kills may be repeated under another run; what can't be run says why, with its own error."""
    (repo / "train.py").write_text(WAITING)
    coordinator = Coordinator(repo)
    asked, lost, wrong = (
        coordinator.order(
            number, command=(sys.executable, "train.py", str(tmp_path / str(number))), directory=place, metric="loss"
        )
        for number, place in enumerate(("", "", "nowhere"))
    )
    futures = {order.run_id: executor.submit(run_trial, order) for order in (asked, lost, wrong)}
    heard: list[tuple[str, int, float]] = []

    def hears() -> bool:
        heard.extend(executor.points())
        return {(asked.run_id, 0, 1.0), (lost.run_id, 0, 1.0)} <= set(heard)

    wait_until(hears, "a point of each")
    executor.ask(asked.run_id, "prune")
    controller = executor._jobs[lost.run_id].job._process.pid
    [job] = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(job), signal.SIGKILL)

    assert "pruned" == futures[asked.run_id].result(timeout=240).state
    with pytest.raises(WorkerLost, match="job"):
        futures[lost.run_id].result(timeout=240)
    with pytest.raises(ProjectError, match="nowhere"):
        futures[wrong.run_id].result(timeout=240)


def test_a_job_that_is_started_again_finds_that_it_was_before(tmp_path: Path) -> None:
    """As Slurm does with those it put back into its queue."""
    (tmp_path / "claimed").mkdir()
    channel = FileChannel(str(tmp_path))

    assert [True, False] == [channel.claim("run") for _ in range(2)]


def test_what_no_worker_gets_is_said_when_a_sweep_starts_and_goes_on(
    repo: Path, git: GitFunction, tmp_path: Path
) -> None:
    """A file of LFS is its pointer there and a submodule an empty folder; on this machine both are what they are."""
    put(repo, 'print(open("weights.bin").read())')
    (repo / "weights.bin").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n")
    (repo / ".gitattributes").write_text("weights.bin filter=lfs\n")
    git(repo, "config", "filter.lfs.clean", "cat")
    git(repo, "config", "filter.lfs.smudge", "cat")
    git(repo, "add", ".")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD')},vendor/lib")
    git(repo, "commit", "-q", "-m", "more")
    (repo / "vendor/lib").mkdir(parents=True)
    options = [f"-o{key}={tmp_path / key}" for key in ("folder", "scratch")]
    command = [sys.executable, "-S", "-c", "pass"]

    slurm = ("--executor", "slurm", "-o", "cluster=local", *options)
    far = sweep(repo, "-P", "a=1,2", "--trials", "1", *slurm, "--", *command, "{a}")
    more = sweep(repo, "resume", "--trials", "2", "-o", "cluster=local", *options)
    near = sweep(repo, "-P", "a=1", "--", *command, "{a}")

    for said in (far, more):
        assert "warning: files that Git LFS keeps do not go along, their pointers do: weights.bin" in said
        assert "warning: submodules do not go along, their folders are empty there: vendor/lib" in said
    assert "do not go along" not in near
    assert ["FINISHED"] * 3 == [run.status for run in trial_runs(repo)]


def test_parameters_that_nobody_takes_are_named(tmp_path: Path) -> None:
    """Also where there is no Slurm."""
    for options, words in (
        ({"cluster": "moon"}, "slurm or local"),
        ({"jobs": "many"}, "a number"),
        ({"cluster": "local", "timeout_mni": 3}, "timeout_mni"),
        ({}, "slurm"),
    ):
        with pytest.raises(UsageError, match=words):
            make_executor("slurm", {"folder": str(tmp_path), **options})
