"""The command of a trial: its output, its end, and what happens when its worker ends first."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledgit.projects.executors.minding import TIMEOUT, Minded

ENVIRON = {"PATH": os.defpath}


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 100
    while _is_there(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.02)


def _wait_for(path: Path) -> str:
    until = time.monotonic() + 100
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text()


def _minded(script: str, folder: Path, log: io.BytesIO, **options: object) -> Minded:
    return Minded(["/bin/sh", "-c", script], ENVIRON, log, str(folder), **options)  # type: ignore[arg-type]


def test_both_outputs_are_kept_and_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    """What a command prints is one log, and how it ended is told as a shell tells it."""
    log = io.BytesIO()

    outcome = _minded("echo out; echo err >&2; pwd; exit 3", tmp_path, log).run()

    assert (3, "") == (outcome.exit_code, outcome.asked)
    assert f"out\nerr\n{tmp_path}\n" == log.getvalue().decode()


def test_a_command_that_a_signal_ends_exits_with_128_and_its_number(tmp_path: Path) -> None:
    """As in a shell."""
    assert 128 + signal.SIGKILL == _minded("kill -9 $$", tmp_path, io.BytesIO()).run().exit_code


def test_what_a_command_leaves_running_goes_with_it(tmp_path: Path) -> None:
    """A background process holds the output open for ever, and is not waited for."""
    log = io.BytesIO()

    _minded("sleep 1000 & echo $! > pid; echo done", tmp_path, log).run()

    assert "done\n" == log.getvalue().decode()
    _wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_command_that_takes_too_long_is_asked_and_then_killed_with_all_its_children(tmp_path: Path) -> None:
    """One that does not listen to SIGTERM gets SIGKILL after the time of grace."""
    script = "trap 'echo asked' TERM; (trap '' TERM; echo $(sh -c 'echo $PPID') > pid; while :; do sleep 0.1; done) & "
    log = io.BytesIO()

    outcome = _minded(script + "while :; do sleep 0.05; done", tmp_path, log, timeout=1.0, grace=1.0).run()

    assert (128 + signal.SIGKILL, TIMEOUT) == (outcome.exit_code, outcome.asked)
    assert b"asked" in log.getvalue()
    _wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_command_is_asked_to_end_by_what_its_look_answers(tmp_path: Path) -> None:
    """The word that the look returned is what the outcome says."""
    outcome = _minded("exec sleep 1000", tmp_path, io.BytesIO(), look=lambda: "prune").run()

    assert (128 + signal.SIGTERM, "prune") == (outcome.exit_code, outcome.asked)


def test_a_program_that_is_not_there_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    """Nothing is left to clean up."""
    with pytest.raises(FileNotFoundError):
        Minded(["no-such-program"], ENVIRON, io.BytesIO(), str(tmp_path)).run()


def test_a_command_ends_when_its_worker_is_killed(tmp_path: Path) -> None:
    """Nobody would ever take in what it computes."""
    worker = (
        "import io, sys; from ledgit.projects.executors.minding import Minded; "
        "command = ['/bin/sh', '-c', 'echo $$ > pid; exec sleep 1000']; "
        "Minded(command, {'PATH': '/bin:/usr/bin'}, io.BytesIO(), sys.argv[1], grace=1.0).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", worker, str(tmp_path)])
    pid = int(_wait_for(tmp_path / "pid"))

    process.kill()
    process.wait()

    _wait_until_gone(pid)
