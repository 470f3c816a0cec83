"""Runs are stopped by a signal to their process, and to no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledgit
from ledgit.errors import RunStateError
from ledgit.tui.data.stopping import look_at, stop
from ledgit.tui.session import Session

TRAINING = """
import os, sys, time
import ledgit
os_pid = os.getpid
if len(sys.argv) > 1:
    os.getpid = lambda: int(sys.argv[1])  # whose number the journal gets
run = ledgit.start_run(run_name="training")
os.getpid = os_pid
ledgit.log_metric("loss", 1.0)
print(run.info.run_id, flush=True)
time.sleep(600)
"""


@pytest.fixture
def training() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for one in started:
        one.kill()
        one.communicate()


def begin(started: list[subprocess.Popen[str]], repo: Path, *words: str) -> str:
    (repo / "training.py").write_text(TRAINING)
    one = subprocess.Popen([sys.executable, "training.py", *words], cwd=repo, stdout=subprocess.PIPE, text=True)
    started.append(one)
    assert one.stdout is not None
    return one.stdout.readline().strip()


def test_the_process_of_a_run_ends_and_the_run_shows_as_killed(
    repo: Path, training: list[subprocess.Popen[str]]
) -> None:
    run_id = begin(training, repo)
    session = Session(ledgit.open(repo))
    plan = look_at(session, run_id)

    assert (plan.why, plan.pid, plan.host) == ("", training[0].pid, os.uname().nodename)
    assert "training.py" in plan.command
    stop(session, plan)

    training[0].wait()
    after = look_at(session, run_id)
    assert (session.repository.run(run_id).status, after.why) == ("KILLED", "training does not run: it is KILLED")
    with pytest.raises(RunStateError):
        stop(session, plan)


def test_a_process_that_only_has_the_number_of_the_runs_is_left_alone(
    repo: Path, training: list[subprocess.Popen[str]]
) -> None:
    """The number of a process that ended is another's soon."""
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    training.append(bystander)
    run_id = begin(training, repo, str(bystander.pid))
    session = Session(ledgit.open(repo))
    plan = look_at(session, run_id)

    assert plan.pid == bystander.pid
    assert "is gone" in plan.why
    with pytest.raises(RunStateError):
        stop(session, plan)
    assert bystander.poll() is None


def test_a_run_of_another_host_or_of_this_process_is_not_stopped_from_here(
    repo: Path, monkeypatch: pytest.MonkeyPatch, training: list[subprocess.Popen[str]]
) -> None:
    run_id = begin(training, repo)
    session = Session(ledgit.open(repo))
    with ledgit.start_run(run_name="own") as own:
        assert "this very process" in look_at(session, own.info.run_id).why

    name = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "elsewhere", *name[2:])))
    assert "another container" in look_at(session, run_id).why
    monkeypatch.setattr("ledgit.store.folder.boot_id", lambda: "another")
    assert f"stop it there: kill {training[0].pid}" in look_at(session, run_id).why
    assert training[0].poll() is None


def test_what_else_the_same_process_writes_is_said(repo: Path, training: list[subprocess.Popen[str]]) -> None:
    (repo / "nested.py").write_text(
        TRAINING.replace("print(", 'inner = ledgit.start_run(run_name="trial 7", nested=True)\nprint(')
    )
    one = subprocess.Popen([sys.executable, "nested.py"], cwd=repo, stdout=subprocess.PIPE, text=True)
    training.append(one)
    assert one.stdout is not None
    run_id = one.stdout.readline().strip()

    assert look_at(Session(ledgit.open(repo)), run_id).others == ("trial 7",)
