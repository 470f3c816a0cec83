"""The command of a trial: in a process group of its own, its output kept, ended when it must be.

Works in any thread, as workers run trials in threads. No command outlives its worker: a small shell beside it
waits on a pipe that closes with the worker's process, however that ends.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from ledgit.projects.outputs import KeptOutput

__all__ = ["KILL", "Guard", "Minded", "Outcome"]

TIMEOUT = "timeout"
#: The answer that ends a command at once, also one that was asked to end and takes its time.
KILL = "kill"
_TICK = 0.2  # s between two looks
_LOOK_EVERY = 1.0  # s between two questions whether the trial is to go on
# Leads the group, so that it is there before the command is. The end of the file: the worker is gone.
_GUARD = "trap '' TERM; read -r word; kill -s TERM -- -$$; sleep $1; kill -s KILL -- -$$"
# The same for many groups, which it is told of; in a group of its own.
_GUARD_OF_MANY = """trap '' TERM INT HUP
all=
while read -r word group; do
  left=
  for one in $all; do [ "$one" = "$group" ] || left="$left $one"; done
  all=$left
  if [ "$word" = + ]; then all="$all $group"; fi
done
[ "$all" ] || exit 0
for one in $all; do kill -s TERM -- -"$one"; done
sleep "$1"
for one in $all; do kill -s KILL -- -"$one"; done
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        exit_code: Its exit code; 128 and the signal's number if one ended it.
        seconds: How long it ran.
        asked: Why it was asked to end: what the question was answered with, ``timeout``, or "".
    """

    exit_code: int
    seconds: float
    asked: str = ""


class Minded:
    """A command that runs beside this thread.

    Args:
        command: Program and arguments.
        environ: Its environment.
        log: What it prints goes there.
        cwd: Where it runs.
        timeout: Seconds after which it is asked to end; None: never.
        grace: Seconds between asking (SIGTERM to the whole group) and killing.
        look: Called every now and then; what it returns, other than "", asks the command to end.
        every: Seconds between two such calls.
        guard: Ends commands when this process dies; by default one of its own, which is there before the command.

    Attributes:
        problem: Why the log is not whole; mostly empty.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        log: IO[bytes],
        cwd: str,
        *,
        timeout: float | None = None,
        grace: float = 10.0,
        look: Callable[[], str] = lambda: "",
        every: float = _LOOK_EVERY,
        guard: Guard | None = None,
    ) -> None:
        self.command, self.environ, self.log, self.cwd = list(command), dict(environ), log, cwd
        self.timeout, self.grace, self.look, self.every = timeout, grace, look, every
        self._output = KeptOutput(log)
        self._guard = guard

    def run(self) -> Outcome:
        """Run it to its end; nothing of its group is left behind.

        Raises:
            OSError: It can't be started.
        """
        began = time.monotonic()
        if self._guard is not None:
            return self._run(0, began)
        guard = _start_guard(self.grace)
        try:
            return self._run(guard.pid, began)
        finally:
            _kill(guard.pid, signal.SIGKILL)  # with what the command left, or all of it if we were interrupted
            guard.communicate()

    def _run(self, group: int, began: float) -> Outcome:
        process = subprocess.Popen(
            self.command,
            env=self.environ,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=group,
        )
        group = group or process.pid
        try:
            if self._guard is not None:
                self._guard.add(group)
            asked = self._mind(process, group, began)
        finally:
            _kill(group, signal.SIGKILL)  # before it is waited for: its number can't be another's yet
            if self._guard is not None:
                self._guard.drop(group)
            code = process.wait()
            assert process.stdout is not None
            process.stdout.close()
        return Outcome(128 - code if code < 0 else code, time.monotonic() - began, asked)

    def _mind(self, process: subprocess.Popen[bytes], group: int, began: float) -> str:
        """Keep its output until it has ended; return why it was asked to."""
        assert process.stdout is not None
        out, asked = process.stdout.fileno(), ""
        looked, kill_at = began, 0.0
        is_open = True
        while True:
            ended = _has_ended(process)
            if is_open:
                ready, _, _ = select.select([out], [], [], 0 if ended else _TICK)
                if ready:
                    data = os.read(out, 1 << 16)
                    is_open = bool(data)
                    self._output.write(data)
                    if data and ended:
                        continue
                if ended:  # a process that it left may hold the output open for ever
                    return asked
            elif ended:
                return asked
            else:
                _wait(process, _TICK)
            now = time.monotonic()
            said = ""
            if not asked and self.timeout is not None and now - began > self.timeout:
                said = TIMEOUT
            elif now - looked >= self.every:
                looked = now
                said = self.look()
            if said == KILL or (asked and now >= kill_at):
                asked = asked or KILL
                _kill(group, signal.SIGKILL)
            elif said and not asked:
                asked, kill_at = said, now + self.grace
                _kill(group, signal.SIGTERM)

    @property
    def problem(self) -> str:
        """Why the log is not whole; mostly empty."""
        return self._output.problem


class Guard:
    """A small shell beside this process that ends the commands of many trials when this process is gone.

    A command is in its care a moment after it was started; who needs no such moment has a guard for each.

    Args:
        grace: Seconds between asking and killing.
    """

    def __init__(self, grace: float) -> None:
        self._lock = threading.Lock()
        self._shell = _start_shell(_GUARD_OF_MANY, grace)

    def add(self, group: int) -> None:
        """Take a process group into care."""
        self._say(f"+ {group}\n")

    def drop(self, group: int) -> None:
        """Leave it alone from now on."""
        self._say(f"- {group}\n")

    def _say(self, line: str) -> None:
        assert self._shell.stdin is not None
        try:
            with self._lock:
                os.write(self._shell.stdin.fileno(), line.encode("ascii"))
        except OSError:
            pass  # somebody killed it: trials run on without

    def close(self) -> None:
        """End it; what is still in its care is ended by it."""
        self._shell.communicate()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; it stays there, so that its number is no other's."""
    if not hasattr(os, "waitid"):  # macOS
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until it has ended, or for so long."""
    until, pause = time.monotonic() + seconds, 0.0005
    while not _has_ended(process) and time.monotonic() < until:
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _kill(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        pass


def _start_guard(grace: float) -> subprocess.Popen[bytes]:
    return _start_shell(_GUARD, grace)


def _start_shell(script: str, grace: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", str(max(1, round(grace)))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath},
        process_group=0,
    )
