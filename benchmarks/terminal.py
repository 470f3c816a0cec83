"""A program in a pseudo-terminal: when something is on its screen, what that cost, how fast a key is answered."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Timing

_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 60.0


class Program:
    """A running program with a terminal of its own.

    Args:
        line: The command line.
        cwd: Where it runs.
        environment: Added to the environment.
        size: Columns and rows.
    """

    def __init__(
        self,
        line: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        size: tuple[int, int] = (160, 45),
    ) -> None:
        self.started = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            given = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
            environ = {**os.environ, **given, **(environment or {})}
            environ.pop("PYTHONDONTWRITEBYTECODE", None)
            os.execve(line[0], list(line), environ)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.seen = b""

    def cpu(self) -> float:
        """Seconds of CPU it took so far, with the processes that it has waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS

    def memory(self) -> int:
        """Bytes of memory that it has at this moment."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        message = "the program has ended"
        raise RuntimeError(message)

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return False
        try:
            self.seen += os.read(self.terminal, 1 << 16)
        except OSError as error:
            message = f"the program ended: {self.seen[-2000:].decode(errors='replace')}"
            raise RuntimeError(message) from error
        return True

    def wait_for(self, text: str, since: float | None = None) -> Timing:
        """Read until *text* was drawn after what was last waited for; return the time since its start or *since*."""
        wanted = text.encode()
        deadline = time.perf_counter() + _PATIENCE
        while wanted not in self.seen:
            if not self._more(0.05) and time.perf_counter() > deadline:
                message = f"{text!r} was never drawn: {self.seen[-3000:].decode(errors='replace')}"
                raise RuntimeError(message)
        return Timing(time.perf_counter() - (self.started if since is None else since), self.cpu())

    def settle(self, quiet: float = 0.3) -> None:
        """Read until nothing is drawn for *quiet* seconds (or for long: a cursor blinks), and forget what was."""
        deadline = time.perf_counter() + quiet + 1.0
        while self._more(quiet) and time.perf_counter() < deadline:
            pass
        self.seen = b""

    def press(self, key: str) -> float:
        """Press a key; return when."""
        self.seen = b""
        now = time.perf_counter()
        os.write(self.terminal, key.encode())
        return now

    def answer(self, key: str) -> float:
        """Press a key and return the seconds until the first bytes of what it changes have come."""
        pressed = self.press(key)
        while not self._more(_PATIENCE):
            pass
        return time.perf_counter() - pressed

    def close(self) -> None:
        """End it."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def slowest(seconds: Sequence[float], share: float = 0.95) -> Timing:
    """Return the time that a *share* of them stay below."""
    ordered = sorted(seconds)
    return Timing(ordered[min(int(len(ordered) * share), len(ordered) - 1)])
