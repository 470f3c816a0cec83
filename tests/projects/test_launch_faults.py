"""Commands that hang, are interrupted, leave children behind; a ledgit that is killed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.projects.kit import ledgit, newest, users_own
from tests.projects.kit import project as project  # noqa: PLC0414 - a fixture

from ledgit.projects.child import MARK
from ledgit.projects.descendants import marked
from ledgit.projects.launching import Launch, launch
from ledgit.projects.workfolder import WorkFolder
from ledgit.repository import open_repository
from ledgit.store import take_facts

PATIENCE = 30.0
END = rb"(?s).*\Z"


def alive(pid: int) -> bool:
    """Whether it runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(path: Path) -> str:
    """Wait until *path* has a whole line."""
    until = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.01)
    return path.read_text()


def wait_until_dead(pids: list[int]) -> None:
    until = time.monotonic() + PATIENCE
    while [pid for pid in pids if alive(pid)] and time.monotonic() < until:
        time.sleep(0.01)
    assert [] == [pid for pid in pids if alive(pid)]


# A child in the group, one that left it, and one that also hides what it ignores.
LEAVE = "sleep 600 & echo $! >> {pids}; setsid sleep 600 & echo $! >> {pids}; "


def nothing_left(project: Path) -> None:
    assert [] == os.listdir(project / ".git/ledgit/work")
    assert not (project / ".git/worktrees").exists()


@pytest.mark.parametrize("ending", ["true", "exit 3", "sleep 600"])
def test_nothing_is_left_behind(project: Path, tmp_path: Path, ending: str) -> None:
    """Background processes end with the command, also those that left its group, and the folder goes."""
    pids = tmp_path / "pids"
    repository = open_repository(str(project))
    with take_facts(repository.repo) as facts, WorkFolder.make(repository, str(facts.tree), facts.commit) as work:
        order = Launch(
            ("sh", "-c", LEAVE.format(pids=pids) + ending),
            work=work,
            facts=facts,
            timeout=1.0,
            stdin=subprocess.DEVNULL,
        )
        done = launch(repository, order)

    expected = {"true": ("FINISHED", 0), "exit 3": ("FAILED", 3), "sleep 600": ("KILLED", 124)}[ending]
    assert expected == (done.status, done.exit_code)
    wait_until_dead([int(word) for word in pids.read_text().split()])
    nothing_left(project)


def test_one_that_does_not_listen_is_killed(project: Path) -> None:
    """Asked with SIGTERM first; the run says why it ended."""
    code = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    repository = open_repository(str(project))
    with take_facts(repository.repo) as facts, WorkFolder.make(repository, str(facts.tree), facts.commit) as work:
        order = Launch(("sh", "-c", code), work=work, facts=facts, timeout=0.3, grace=0.3, stdin=subprocess.DEVNULL)
        done = launch(repository, order)

    assert ("KILLED", 124) == (done.status, done.exit_code)
    assert any("more than 0.3 s" in problem for problem in done.problems)


def test_a_timeout_on_the_command_line(project: Path) -> None:
    """Of a project and of a plain command; 124 as of timeout(1)."""
    for words in (
        ["run", "--timeout", "0.5", "--", "sleep", "600"],
        ["run", ".", "--timeout", "0.5s", "--", "sleep", "600"],
    ):
        ledgit(project, *words, code=124)
        run = newest(project)
        assert ("KILLED", "124") == (run["status"], run["tags"]["ledgit.exit_code"])
    nothing_left(project)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_asks_the_whole_group(project: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Without a terminal; the run is KILLED, and nothing is left."""
    pids = tmp_path / "pids"
    process = subprocess.Popen(
        [sys.executable, "-m", "ledgit", "run", ".", "--", "sh", "-c", f"sleep 600 & echo $$ $! > {pids}; wait"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    found = [int(word) for word in wait_for(pids).split()]
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) in (128 + number, 1)

    wait_until_dead(found)
    assert newest(project)["status"] in ("KILLED", "FAILED")
    nothing_left(project)


def on_terminal(cwd: Path, *words: str) -> tuple[int, int]:
    """Start ledgit on a terminal of its own; return its id, and our end of the terminal."""
    pid, ours = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execv(sys.executable, [sys.executable, "-m", "ledgit", *words])
    return pid, ours


def read_until(ours: int, pattern: bytes) -> re.Match[bytes]:
    """Read what the terminal shows until *pattern* is in it; ``\\Z`` waits for its end."""
    shown = b""
    until = time.monotonic() + PATIENCE
    while True:
        found = re.search(pattern, shown)
        if found is not None and pattern != END:
            return found
        assert time.monotonic() < until, shown
        if not select.select([ours], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(ours, 4096)
        except OSError:
            data = b""
        if not data:
            match = re.search(pattern, shown)
            assert match is not None, shown
            return match
        shown += data


DEAF = """
import signal, subprocess, sys, time
asked = []
signal.signal(signal.SIGINT, lambda *_: (asked.append(1), print("asked", len(asked), flush=True)))
child = subprocess.Popen(["sleep", "600"], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
print("ready", child.pid, flush=True)
while True:
    time.sleep(0.05)
"""


def test_ctrl_c_once_asks_and_twice_kills(project: Path) -> None:
    """One that does not listen, and its child that does not hear it at all."""
    (project / "deaf.py").write_text(DEAF)
    pid, ours = on_terminal(project, "run", ".", "-e", "deaf.py")
    child = int(read_until(ours, rb"ready (\d+)\r?\n")[1])
    os.write(ours, b"\x03")
    read_until(ours, b"asked 1")
    assert alive(child)
    os.write(ours, b"\x03")
    read_until(ours, END)
    _, status = os.waitpid(pid, 0)
    os.close(ours)

    assert 137 == os.waitstatus_to_exitcode(status)
    wait_until_dead([child])
    assert "KILLED" == newest(project)["status"]
    nothing_left(project)


def test_a_question_is_asked_on_the_terminal(project: Path) -> None:
    """The command owns the terminal, as it would without us."""
    (project / "ask.py").write_text("import sys\nprint(sys.stdin.isatty(), input('name? ')[::-1])\n")
    pid, ours = on_terminal(project, "run", ".", "-e", "ask.py")
    read_until(ours, rb"name\? ")
    os.write(ours, b"abc\n")
    shown = read_until(ours, END)[0]
    _, status = os.waitpid(pid, 0)
    os.close(ours)

    assert 0 == os.waitstatus_to_exitcode(status)
    assert b"True cba" in shown


def test_ledgit_itself_killed_is_made_good_by_the_next_command(project: Path, tmp_path: Path) -> None:
    """The run is finalized with its code and output, the folder goes, and the user's things are as they were."""
    pids = tmp_path / "pids"
    (project / "new.txt").write_text("not committed")
    before = users_own(project)
    script = f"echo said; echo $$ > {pids}; sleep 600"
    process = subprocess.Popen(
        [sys.executable, "-m", "ledgit", "run", ".", "--name", "doomed", "--", "sh", "-c", script],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    child = int(wait_for(pids))
    folder = os.readlink(f"/proc/{child}/cwd")
    log = next((project / ".git/ledgit/active").iterdir())
    until = time.monotonic() + PATIENCE
    while not any(b"said" in path.read_bytes() for path in log.rglob("*") if path.is_file()):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.wait()
    ledgit(project, "init")
    assert os.path.exists(folder), "its command still works in it"
    os.killpg(child, signal.SIGKILL)
    wait_until_dead([child])
    ledgit(project, "init")

    run = newest(project)
    assert ("doomed", "KILLED") == (run["name"], run["status"])
    assert b"said\n" == open_repository(str(project)).run("doomed").read_artifact("output.log")
    assert "not committed" == subprocess.check_output(
        ["git", "show", f"{run['commit']}:new.txt"], cwd=project, text=True
    )
    assert not os.path.exists(folder)
    nothing_left(project)
    assert {**before, "config": None} == {**users_own(project), "config": None}  # init sets up what it is for
    assert not list((project / ".git/objects/pack").glob("*.keep"))


def test_a_program_that_cannot_be_started_records_nothing(project: Path) -> None:
    (project / "tool").write_text("#!/bin/sh\n")
    ledgit(project, "run", ".", "--", "./tool", code=2)
    assert "chmod +x" in ledgit(project, "run", ".", "--", "./tool", code=2).err
    assert [] == ledgit(project, "ls", "--json").json


def test_a_hooks_environment_does_not_lead_the_project_astray(project: Path) -> None:
    """Started by a Git hook, GIT_DIR and GIT_INDEX_FILE name the user's repository."""
    env = {
        "GIT_DIR": str(project / ".git"),
        "GIT_INDEX_FILE": str(project / ".git/index"),
        "GIT_WORK_TREE": str(project),
    }
    before = users_own(project)
    done = ledgit(
        project, "run", ".", "--", "sh", "-c", "rm train.py; git add -A; git rev-parse --show-toplevel", env=env
    )

    assert "/.git/ledgit/work/" in done.out
    assert before == users_own(project)


def test_the_mark_is_found_in_descendants_alone() -> None:
    """A process is known by its environment, wherever it went."""
    mark = os.urandom(8).hex()
    command = ["sh", "-c", "setsid sleep 600 > /dev/null & echo $!"]
    env = {**os.environ, MARK: f"outer:{mark}"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
    try:
        assert [pid] == marked(mark)
        assert [] == marked(os.urandom(8).hex())
    finally:
        os.kill(pid, signal.SIGKILL)
