"""The UI in a real terminal: tmux types and reads the screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tui.conftest import log_runs
from tests.tui.terminal import HAS_TMUX, Terminal

pytestmark = pytest.mark.skipif(not HAS_TMUX, reason="tmux is not installed, and a real terminal is what is tested")

UI = [sys.executable, "-m", "ledgit", "ui"]
TRAINING = """
import ledgit, sys
with ledgit.start_run(run_name="live-one"):
    for step, line in enumerate(sys.stdin):
        ledgit.log_metric("loss", float(line), step)
"""


def gone(pid: int) -> bool:
    """Whether the process has ended; in some containers nobody reaps what lost its parent."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_a_walk_with_real_keys(repo: Path) -> None:
    """Start, filter, mark, diff, follow a run that another process writes, another size, quit."""
    log_runs(repo, 3)
    with Terminal(UI, 100, 30, cwd=repo) as terminal:
        terminal.wait_for("run-0", "run-2", "help")
        terminal.keys("/")
        terminal.wait_for("filter")
        terminal.type("metrics.accuracy > 0.825")
        terminal.keys("Enter")
        terminal.wait_gone("run-0")
        terminal.keys("Escape")
        terminal.wait_for("run-0")
        terminal.keys("Space", "j", "Space", "d")
        terminal.wait_for("lr", "0.01")
        terminal.keys("Escape")
        terminal.wait_for("run-0", "help")

        with subprocess.Popen([sys.executable, "-c", TRAINING], cwd=repo, stdin=subprocess.PIPE) as training:
            assert training.stdin is not None
            training.stdin.write(b"0.75\n")
            training.stdin.flush()
            terminal.wait_for("live-one", "0.75")
            training.stdin.write(b"0.5\n0.25\n")
            training.stdin.flush()
            terminal.wait_for("0.25")
            training.kill()
            training.wait()

        terminal.resize(10, 3)
        terminal.resize(80, 24)
        terminal.wait_for("live-one", "help")
        terminal.keys("C-c")
        terminal.wait_for("ended with 0")


def test_stopping_and_going_on(repo: Path) -> None:
    """Ctrl-Z gives the shell back, fg the screen as it was."""
    log_runs(repo, 2)
    with Terminal(["sh", "-i"], 90, 24, cwd=repo, environ={"PS1": "shell> "}) as terminal:
        terminal.wait_for("shell>")
        terminal.type(" ".join(UI) + "\n")
        terminal.wait_for("run-1", "help")
        terminal.keys("C-z")
        terminal.wait_gone("help")
        terminal.wait_for("shell>")
        terminal.type("fg\n")
        terminal.wait_for("run-1", "help")
        terminal.keys("q")
        terminal.wait_for("shell>")
        terminal.type("stty -a | grep -c ' icanon'\n")
        terminal.wait_for("1\n")


def test_a_stop_and_a_continue_from_elsewhere(repo: Path) -> None:
    """As a shell's Ctrl-Z and fg do it, but without a chance to leave the screen in order before."""
    log_runs(repo, 1)
    with Terminal(UI, 90, 24, cwd=repo) as terminal:
        terminal.wait_for("run-0", "help")
        [pid] = terminal.children()
        before = len(os.listdir(f"/proc/{pid}/task"))
        for number in (signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT):
            os.kill(pid, number)
            time.sleep(0.3)
        terminal.keys("?")
        terminal.wait_for("What the keys do here")
        assert before == len(os.listdir(f"/proc/{pid}/task"))
        terminal.keys("Escape")
        terminal.wait_for("run-0", "help")
        terminal.keys("q")
        terminal.wait_for("ended with 0")


@pytest.mark.parametrize("how", ["hang up", "SIGTERM"])
def test_it_ends_when_its_terminal_goes(repo: Path, how: str) -> None:
    """No process is left behind when SSH is cut."""
    log_runs(repo, 1)
    with Terminal(UI, 90, 24, cwd=repo) as terminal:
        terminal.wait_for("run-0", "help")
        [pid] = terminal.children()
        if how == "SIGTERM":
            os.kill(pid, signal.SIGTERM)
            terminal.wait_for("ended with 143")
        else:
            terminal.hang_up()
        deadline = time.monotonic() + 30
        while not gone(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
