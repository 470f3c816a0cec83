"""Noticing what other processes do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.tui.conftest import log_runs

from ledgit.repository import open_repository
from ledgit.store import RunStart
from ledgit.tui.data.watching import Watch
from ledgit.tui.session import Session


@pytest.fixture
def session(repo: Path) -> Session:
    log_runs(repo, 1)
    return Session(open_repository(repo))


def test_nothing_is_said_where_nothing_happened(session: Session) -> None:
    """What is there at the start counts as seen."""
    watch = Watch(session)

    assert [None] * 3 == [watch.look() for _ in range(3)]


def test_a_run_is_noticed_from_its_start_to_its_end(session: Session) -> None:
    """Start, points, end; only the end moves refs."""
    watch = Watch(session)
    active = session.repository.start_run(RunStart(name="new", snapshot=False))
    started = watch.look()
    active.log_metric("loss", 1.0, 1)
    grown, nothing = watch.look(), watch.look()
    active.finish()
    ended = watch.look()

    assert started is not None
    assert active.id in started.ids & started.live
    assert (grown is not None and grown.ids, nothing) == ({active.id}, None)
    assert ended is not None
    assert ended.everything
    assert active.id in ended.ids - ended.live


def test_a_killed_process_is_noticed(session: Session, repo: Path) -> None:
    """Nothing is written when a process is killed: its lock is free, that is all."""
    code = (
        "import ledgit, time; ledgit.start_run(); ledgit.log_metric('a', 1); print('on', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=repo, stdout=subprocess.PIPE) as training:
        assert training.stdout is not None
        assert b"on" in training.stdout.readline()
        watch = Watch(session)
        [run_id] = watch.live
        training.kill()
        training.wait()

        change = watch.look()

    assert change is not None
    assert run_id in change.ids - change.live


@pytest.mark.parametrize("command", [["tag", "model@v1.0.0"], ["checkout", "-q", "-b", "other"], ["branch", "a/b/c"]])
def test_git_commands_of_others_are_noticed(session: Session, repo: Path, command: list[str]) -> None:
    """Models are tags, and branches are what runs are filtered by."""
    watch = Watch(session)
    run_git(repo, *command)

    change = watch.look()

    assert change is not None
    assert change.everything


def test_a_look_costs_next_to_nothing(session: Session) -> None:
    """Twice a second it may take half a percent of a core: 2.5 ms each."""
    watch = Watch(session)
    for _ in range(20):
        watch.look()
    start = time.thread_time()
    for _ in range(200):
        watch.look()

    assert (time.thread_time() - start) / 200 < 0.0025
