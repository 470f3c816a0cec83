"""No trial is lost or counted twice, whatever happens to the process that runs a sweep, here or in another clone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.sweeps.kit import begin, counted, left_behind, newest, processes, put, sweep, trial_runs, words

from ledgit.errors import Conflict
from ledgit.projects.executors import RemoteExecutor, WorkerLost
from ledgit.projects.sweeps import Sweep, SweepPlan
from ledgit.repository import open_repository

DIMENSIONS = ("-P", "lr=log(1e-4,1e-1)", "-P", "n=1,2,3")
SCRIPT = "time.sleep(0.05)\nlog('loss', float(args['lr']))\n"


@pytest.fixture(autouse=True)
def _journals(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNALS", str(repo / ".git" / "ledgit" / "active"))


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_coordinator_that_is_killed_again_and_again_loses_nothing(repo: Path, seed: int) -> None:
    """At random moments; in the end each trial is complete once, with the values of a sweep that nobody disturbed."""
    put(repo, SCRIPT)
    chance = random.Random(seed)
    options = ("--seed", "7", "--trials", "16", "-j", "2", "--metric", "loss", "--name", "shaken")
    process = begin(repo, *DIMENSIONS, *options, "--", *words("lr", "n"))
    for _ in range(4):
        while process.poll() is None and not open_repository(repo).runs.filter("tags.`ledgit.sweep` LIKE '%'").first():
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.6))
        kill(process)
        process = begin(repo, "resume")
    said = process.communicate(timeout=120)[0]
    if process.returncode == 2:
        assert "all 16 trials of this sweep have ended" in said
    else:
        assert process.returncode == 0, said

    found = newest(repo)
    assert counted(found) == [(number, "complete") for number in range(16)]
    complete = [run for run in trial_runs(repo) if run.status == "FINISHED"]
    assert sorted(int(run.tags["ledgit.sweep.trial"]) for run in complete) == list(range(16))
    sweep(repo, *DIMENSIONS, *options[:4], "-j", "2", "--metric", "loss", "--", *words("lr", "n"))
    assert [dict(trial.params) for trial in found.trials] == [dict(trial.params) for trial in newest(repo).trials]
    assert open_repository(repo).run("shaken").status == "FINISHED"
    assert left_behind(repo) == []


def test_what_a_dead_coordinator_left_running_is_ended_before_anybody_goes_on(repo: Path) -> None:
    """Also what took itself out of the trial's process group, and does not listen."""
    mark = f"{time.time_ns()}.5"
    put(
        repo,
        "import signal, subprocess\n"
        "ignore = \"trap '' TERM; exec sleep \" + os.environ['MARK']\n"
        "if not os.path.exists(os.environ['GO']):\n"
        "    subprocess.Popen(['sh', '-c', ignore], start_new_session=True)\n"
        "    subprocess.Popen(['sh', '-c', ignore]).wait()\n",
    )
    go = repo.parent / "go"
    process = begin(repo, "-P", "a=1", "--grace", "0.5", "--", *words("a"), MARK=mark, GO=str(go))
    while len(processes(f"sleep {mark}")) < 2 and process.poll() is None:
        time.sleep(0.05)
    kill(process)
    assert processes(f"sleep {mark}")
    go.touch()

    sweep(repo, "resume", MARK=mark, GO=str(go))

    assert processes(f"sleep {mark}") == []
    assert [(run.status, run.tags["ledgit.sweep.attempt"]) for run in trial_runs(repo)] == [
        ("KILLED", "0"),
        ("FINISHED", "1"),
    ]
    assert left_behind(repo) == []


def test_of_two_that_go_on_at_once_one_does(repo: Path) -> None:
    """The other says so; nothing runs twice."""
    put(repo, "while not os.path.exists(os.environ['GO']): time.sleep(0.02)")
    go = repo.parent / "go"
    process = begin(repo, "-P", "a=1,2,3", "--", *words("a"), GO=str(go))
    while not trial_runs(repo) and process.poll() is None:
        time.sleep(0.02)
    kill(process)

    both = [begin(repo, "resume", GO=str(go)) for _ in range(2)]
    while all(one.poll() is None for one in both):
        time.sleep(0.02)
    go.touch()
    said = [one.communicate(timeout=60)[0] for one in both]

    assert sorted(one.returncode for one in both) == [0, 4], said
    assert counted(newest(repo)) == [(number, "complete") for number in range(3)]
    assert len([run for run in trial_runs(repo) if run.status == "FINISHED"]) == 3


def test_another_clone_that_pulled_goes_on(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code that the sweep began with, uncommitted changes included; then both have all of it."""
    put(repo, SCRIPT)
    run_git(tmp_path, "init", "-q", "--bare", "remote.git")
    run_git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    run_git(repo, "push", "-q", "origin", "HEAD:main")
    (repo / "data.csv").write_text("uncommitted\n")
    (repo / "train.py").write_text((repo / "train.py").read_text() + "print(open('data.csv').read())\n")
    options = ("--seed", "3", "--trials", "6", "--metric", "loss", "--target", "1e9")
    sweep(repo, *DIMENSIONS, *options, "--", *words("lr", "n"))
    run_git(repo, "config", "ledgit.publish", "all")
    here = open_repository(repo)
    here.push()
    run_git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "remote.git"), "other")
    other = tmp_path / "other"
    run_git(other, "config", "ledgit.publish", "all")
    open_repository(other).pull()

    monkeypatch.setenv("JOURNALS", str(other / ".git" / "ledgit" / "active"))
    resumed = subprocess.run(
        [sys.executable, "-m", "ledgit", "sweep", "resume", "--target", "-1"],
        cwd=other, check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert counted(newest(other)) == [(number, "complete") for number in range(6)]
    assert {run.read_artifact("output.log") for run in trial_runs(other)} == {b"uncommitted\n\n"}
    open_repository(other).push()
    here.pull()
    assert newest(repo).to_dict() == newest(other).to_dict()
    assert newest(repo).state == "finished"
    assert len({trial.params["lr"] for trial in newest(repo).trials}) == 6


class Losing(RemoteExecutor):
    """Workers in threads, with clones of their own; loses attempts as it is told."""

    kind = "losing"

    def __init__(self, scratch: Path, lose: dict[int, int]) -> None:
        self.threads = ThreadPoolExecutor(2)
        self.scratch, self.lose = scratch, dict(lose)
        self.orders: list[tuple[int, int]] = []

    def slots(self) -> int:
        return 2

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        from dataclasses import replace

        order = replace(args[0], scratch=str(self.scratch))
        self.orders.append((order.number, order.attempt))
        return self.threads.submit(self.work, fn, order)

    def work(self, fn: Any, order: Any) -> Any:
        if self.lose.get(order.number, 0) > order.attempt:
            raise WorkerLost("far:1", "it was taken away")
        return fn(order)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.threads.shutdown(wait, cancel_futures=cancel_futures)


def test_a_trial_whose_worker_was_lost_is_tried_again_and_counts_once(repo: Path, tmp_path: Path) -> None:
    """A lost attempt is a killed run of its own; one too many and the trial has failed."""
    (repo / "train.py").write_text("import sys\nprint(sys.argv)\nsys.exit(int(sys.argv[1]) > 3)\n")
    repository = open_repository(repo)
    plan = SweepPlan({"a": "1,2,3,4"}, command=(sys.executable, "-S", "train.py", "{a}"), retries=2)
    executor = Losing(tmp_path / "workers", {1: 2, 2: 3})

    with executor:
        result = Sweep.start(repository, plan).run(executor)

    assert counted(result.status) == [(0, "complete"), (1, "complete"), (2, "failed"), (3, "failed")]
    assert counted(newest(repo)) == counted(result.status)
    assert sorted(executor.orders) == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0)]
    runs = [(run.tags["ledgit.sweep.trial"], run.status) for run in trial_runs(repo)]
    assert runs == [
        ("0", "FINISHED"), ("1", "KILLED"), ("1", "KILLED"), ("1", "FINISHED"),
        ("2", "KILLED"), ("2", "KILLED"), ("2", "FAILED"), ("3", "FAILED"),
    ]  # fmt: skip
    assert "worker far:1 was lost: it was taken away" in run_git(repo, "log", "-1", str(trial_runs(repo)[1].commit))
    assert all(run.parent_run == result.status.run for run in trial_runs(repo))


def test_any_executor_of_the_standard_library_will_do(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only has to have ``submit``: here threads that know nothing of trials."""
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    (repo / "train.py").write_text("import sys\nprint(sys.argv[1])\n")
    plan = SweepPlan({"a": "1,2,3"}, command=(sys.executable, "-S", "train.py", "{a}"), jobs=2)

    with ThreadPoolExecutor(2) as executor:
        result = Sweep.start(open_repository(repo), plan).run(executor)

    assert counted(result.status) == [(number, "complete") for number in range(3)]
    assert [run.read_artifact("output.log") for run in trial_runs(repo)] == [b"1\n", b"2\n", b"3\n"]


def test_a_worker_that_cannot_run_anything_ends_the_sweep(repo: Path) -> None:
    """Three errors one after the other are no bad luck; the error is raised, and nothing is lost."""

    class Broken(RemoteExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(OSError("no such scheduler"))
            return future

    plan = SweepPlan({"a": "range(1,9)"}, command=(sys.executable, "-c", "{a}"))
    sweep = Sweep.start(open_repository(repo), plan)

    with pytest.raises(Exception, match="trial 2 could not be run: OSError: no such scheduler"):
        sweep.run(Broken())

    assert counted(newest(repo)) == [(0, "failed"), (1, "failed")]
    assert newest(repo).state == "interrupted"
    hold = Sweep.resume(open_repository(repo), "")
    with pytest.raises(Conflict, match="runs in another process"):
        Sweep.resume(open_repository(repo), "")
    hold.close()
    assert os.listdir(repo / ".git" / "ledgit" / "work") == []
