"""The command of a trial: in a process group of its own, its output kept, ended when it must be.

Works in any thread, as workers run trials in threads. No command outlives its worker: a small shell beside it
waits on a pipe that closes with the worker's process, however that ends.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

__all__ = ["KILL", "Minded", "Outcome"]

MOST_KEPT = 256 << 20
"""Bytes of output that are kept; the rest is read and dropped."""
TIMEOUT = "timeout"
#: The answer that ends a command at once, also one that was asked to end and takes its time.
KILL = "kill"
_TICK = 0.2  # s between two looks
_LOOK_EVERY = 1.0  # s between two questions whether the trial is to go on
# Leads the group, so that it is there before the command is. The end of the file: the worker is gone.
_GUARD = "trap '' TERM; read -r word; kill -s TERM -- -$$; sleep $1; kill -s KILL -- -$$"


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
    ) -> None:
        self.command, self.environ, self.log, self.cwd = list(command), dict(environ), log, cwd
        self.timeout, self.grace, self.look, self.every = timeout, grace, look, every
        self.problem = ""
        self._kept = 0

    def run(self) -> Outcome:
        """Run it to its end; nothing of its group is left behind.

        Raises:
            OSError: It can't be started.
        """
        began = time.monotonic()
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
        try:
            asked = self._mind(process, group, began)
        finally:
            _kill(group, signal.SIGKILL)
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
            ended = process.poll() is not None
            if is_open:
                ready, _, _ = select.select([out], [], [], 0 if ended else _TICK)
                if ready:
                    data = os.read(out, 1 << 16)
                    is_open = bool(data)
                    self._keep(data)
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

    def _keep(self, data: bytes) -> None:
        left = MOST_KEPT - self._kept
        if not data or left <= 0 or self.problem:
            return
        self._kept += len(data)
        end = b"\n[ledgit: further output was not kept]\n" if self._kept >= MOST_KEPT else b""
        view = memoryview(data[:left] + end)
        try:
            while view:
                view = view[self.log.write(view) or 0 :]
        except OSError as error:  # a full disk must not stop the command
            self.problem = f"the output was not kept any further: {error.strerror}"


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _kill(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        pass


def _start_guard(grace: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(max(1, round(grace)))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath},
        process_group=0,
    )
