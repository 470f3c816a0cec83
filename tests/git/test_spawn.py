"""Commands started without the subprocess module: fed, listened to, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledgit.errors import RepositoryError
from ledgit.git import Repo, try_git
from ledgit.git.command import spawn_git
from ledgit.git.spawn import spawn


def listened(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    out: list[bytes] = []
    err: list[bytes] = []
    with spawn(arguments, os.environ, feed=bool(stdin)) as process:
        code = process.listen(out.append, err.append, stdin)
    return code, b"".join(out), b"".join(err)


def test_output_error_and_exit_code_are_told_apart() -> None:
    assert listened("sh", "-c", "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_what_a_signal_ended_has_a_negative_code() -> None:
    assert listened("sh", "-c", "kill -KILL $$")[0] == -signal.SIGKILL


def test_much_is_fed_and_answered_at_the_same_time() -> None:
    """Neither side may wait for the other to empty its pipe."""
    data = bytes(range(256)) * 20_000

    assert listened("cat", stdin=data) == (0, data, b"")


def test_a_command_that_reads_nothing_of_what_it_is_fed_is_no_failure() -> None:
    assert listened("sh", "-c", "exec <&-; echo done", stdin=b"x" * 1_000_000) == (0, b"done\n", b"")


def test_a_command_that_is_not_fed_reads_the_end_at_once() -> None:
    assert listened("cat") == (0, b"", b"")


def test_broken_pipes_end_a_command_as_they_do_in_a_shell() -> None:
    """Python ignores SIGPIPE; a command that inherited it would go on and complain."""
    assert listened("sh", "-c", "(yes; echo $? >&2) | head -1")[2] == b"141\n"


def test_one_that_is_asked_to_end_may_clean_up() -> None:
    process = spawn(("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"), os.environ)
    with process:
        assert os.read(process._fds["out"], 10) == b"ready\n"
        process.end(10.0)

    assert process.returncode == 7


def test_one_that_does_not_listen_is_killed() -> None:
    process = spawn(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"), os.environ)
    with process:
        assert os.read(process._fds["out"], 10) == b"ready\n"
        process.end(0.05)

    assert process.returncode == -signal.SIGKILL


def test_a_missing_command_leaves_no_open_file() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        spawn(("no-such-command-anywhere",), os.environ, feed=True)

    assert os.listdir("/proc/self/fd") == before


def test_a_process_without_standard_streams_can_run_git(repo: Path) -> None:
    """A service may start us with all three closed; the pipes get their numbers then."""
    code = (
        "import os, sys\nresult = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "from ledgit.git import Repo, run_git\n"
        "os.write(result, run_git(Repo.discover(), 'hash-object', '--stdin', stdin=b'x\\n'))\n"
    )
    said = repo.parent / "said"
    subprocess.run([sys.executable, "-c", code, said], cwd=repo, check=True, timeout=60)

    assert said.read_bytes() == b"587be6b4c3f93f93c489c0111bba5596147a26cb\n"


def test_a_group_of_its_own_keeps_the_terminal_away(opened: Repo) -> None:
    with spawn_git(opened, "cat-file", "--batch", feed=True, isolate=True) as process:
        assert os.getpgid(process.pid) == process.pid != os.getpgrp()


def test_a_folder_that_is_gone_is_one_sentence(opened: Repo, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="is gone"):
        try_git(opened, "version", cwd=str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match="is not a folder"):
        try_git(opened, "version", cwd=str(tmp_path / "file"))


def test_a_child_that_is_forked_meanwhile_holds_none_of_the_pipes(opened: Repo) -> None:
    """Else the command would wait for the end of its input until that child ends."""
    with spawn_git(opened, "cat-file", "--batch", feed=True) as process:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        os.close(reader)
        try:
            assert process.listen(lambda _: None, lambda _: None, b"HEAD\n") == 0
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
        finally:
            os.close(writer)
            os.waitpid(child, 0)
