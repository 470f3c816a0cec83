"""Every test here starts with a process that has logged nothing yet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ledgit
from ledgit.tracking import experiments, session, system_metrics

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _fresh_session() -> Iterator[None]:
    """Forget what the test before logged to, and end what this one leaves open."""
    _forget()
    handler = signal.getsignal(signal.SIGTERM)
    yield
    for run in reversed(list(session.open_runs.values())):
        run.finish("KILLED")
    signal.signal(signal.SIGTERM, handler)
    _forget()


def _forget() -> None:
    session.open_runs.clear()
    session.local.stack.clear()
    session.local.__dict__.pop("log_metric", None)
    session.local.last = session.Local.last_ended = None
    session._explicit = session._found = session._opened = None
    session._told.clear()
    experiments._chosen.clear()
    system_metrics._enabled = system_metrics._interval = system_metrics._samples = system_metrics._node = None


@pytest.fixture
def script(repo: Path) -> Script:
    """Run Python code as a script of its own in the repository."""

    def run(code: str, *, env: dict[str, str] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        (repo / ".git" / "script.py").write_text(textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, ".git/script.py"],
            cwd=repo,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def only_run(repo: Path) -> Callable[[], ledgit.Run]:
    """Return the one run there is."""

    def find() -> ledgit.Run:
        runs = list(ledgit.open(repo).runs)
        assert len(runs) == 1, runs
        return runs[0]

    return find
