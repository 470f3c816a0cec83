"""A child process whose output goes to the terminal and into a file, and that gets our signals."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

# Output beyond this is still shown, but no longer kept.
MOST_KEPT = 256 << 20
_LONGEST_LINE = 1 << 16
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")


def find(program: str) -> str | None:
    """Return where *program* is, as the shell would find it; None if it can't be run."""
    import shutil

    return shutil.which(program)


class Child:
    """Runs a command; each of its output streams stays the kind it was: terminal or pipe.

    Attributes:
        problem: Why the log is not whole; mostly empty.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: IO[bytes] | None) -> None:
        self.command, self.environ, self.log = list(command), dict(environ), log
        self.problem = ""
        self._kept = 0
        self._held: dict[int, bytes] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._terminal: int | None = None

    def run(self) -> int:
        """Run to the end and return the exit code: 128 and the signal's number if one killed it."""
        if self.log is None:
            handlers = self._take_signals()
            try:
                self._start(None, None)
                return self._wait()
            finally:
                _give_back(handlers)
        sources: dict[int, int] = {}
        theirs: list[int] = []
        for target in (1, 2):
            ours, other = self._channel(target)
            if ours is not None:
                sources[ours] = target
            theirs.append(other)
        handlers = self._take_signals()
        try:
            self._start(theirs[0], theirs[1])
            for descriptor in set(theirs):
                os.close(descriptor)
            self._copy(sources)
            for held in self._held.values():
                self._log(held)
            return self._wait()
        finally:
            _give_back(handlers)
            for descriptor in sources:
                os.close(descriptor)

    def _channel(self, target: int) -> tuple[int | None, int]:
        """Return our end and the child's end for the output stream *target* (1 or 2)."""
        if not os.isatty(target):
            return os.pipe()
        if self._terminal is not None:  # both are the terminal: one pseudo-terminal keeps their order
            return None, self._terminal
        import pty
        import termios

        ours, other = pty.openpty()
        # The real terminal turns line ends into CR LF; done twice, the log would have them.
        attributes = termios.tcgetattr(other)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(other, termios.TCSANOW, attributes)
        self._terminal = other
        self._pty = ours
        self._resize()
        return ours, other

    def _start(self, out: int | None, err: int | None) -> None:
        self._process = subprocess.Popen(self.command, env=self.environ, stdout=out, stderr=err)
        for number in self._early:
            self._process.send_signal(number)

    def _wait(self) -> int:
        assert self._process is not None
        code = self._process.wait()
        return 128 - code if code < 0 else code

    def _copy(self, sources: Mapping[int, int]) -> None:
        """Copy until the child has ended and its output is drained.

        A background process it left behind may hold the output open for ever; when the child
        has ended, what is there already is still read, no more.
        """
        assert self._process is not None
        open_ones = set(sources)
        while open_ones:
            ended = self._process.poll() is not None
            ready, _, _ = select.select(list(open_ones), [], [], 0 if ended else 0.2)
            if ended and not ready:
                return
            for descriptor in ready:
                try:
                    data = os.read(descriptor, 1 << 16)
                except OSError:  # EIO: the last process on the pseudo-terminal is gone
                    data = b""
                if data:
                    self._write(sources[descriptor], data)
                else:
                    open_ones.discard(descriptor)

    def _write(self, target: int, data: bytes) -> None:
        """Keep *data*, then show it: what somebody has seen is in the log."""
        self._keep(target, data)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(target, view) :]
        except BrokenPipeError:
            pass  # our reader left; the child goes on, and the log with it

    def _keep(self, target: int, data: bytes) -> None:
        """Write whole lines into the log, so that the two streams don't meet within one."""
        held = self._held.get(target, b"") + data
        end = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        if len(held) - end > _LONGEST_LINE:
            end = len(held)
        self._held[target] = held[end:]
        self._log(held[:end])

    def _log(self, data: bytes) -> None:
        left = MOST_KEPT - self._kept
        if self.log is None or not data or left <= 0 or self.problem:
            return
        self._kept += len(data)
        end = b"\n[ledgit: further output was not kept]\n" if self._kept >= MOST_KEPT else b""
        view = memoryview(data[:left] + end)
        try:
            while view:
                view = view[self.log.write(view) or 0 :]
        except OSError as error:  # a full disk must not stop the command
            self.problem = f"the output was not kept any further: {error.strerror}"

    def _take_signals(self) -> dict[int, Any]:
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        return {number: signal.signal(number, self._pass_on) for number in numbers}

    def _pass_on(self, number: int, _frame: object) -> None:
        if number == getattr(signal, "SIGWINCH", None):
            self._resize()
            return
        if self._process is None:
            self._early.append(number)
        elif number in (signal.SIGINT, signal.SIGQUIT) and _from_terminal():
            return  # the terminal sent it to the child as well
        elif self._process.poll() is None:
            self._process.send_signal(number)

    def _resize(self) -> None:
        if self._terminal is None:
            return
        import fcntl
        import termios

        try:
            size = fcntl.ioctl(1 if os.isatty(1) else 2, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self._pty, termios.TIOCSWINSZ, size)
        except OSError:
            pass  # a window without a size


def _from_terminal() -> bool:
    """Whether Ctrl-C reaches the child without us: we are the terminal's foreground group."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return False


def _give_back(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
