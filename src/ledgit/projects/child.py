"""A child process whose output goes to the terminal and into a file, and that gets our signals.

With ``group=True`` nothing of it is left behind: it leads a process group of its own, unless it may
need the terminal; what left the group is known by a mark in its environment.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time

from ledgit.projects.descendants import marked
from ledgit.projects.outputs import MOST_KEPT, KeptOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Any

__all__ = ["KILLED_BY_TIMEOUT", "MARK", "MOST_KEPT", "Child", "find"]

KILLED_BY_TIMEOUT = 124
"""Exit code of a command that ran into its timeout, as ``timeout(1)`` has it."""
MARK = "LEDGIT_LAUNCH"
"""Variable by which processes are known whose forebear was started with ``group=True``."""

_LONGEST_LINE = 1 << 16
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")
_GRACE = 10.0  # s between asking and killing one that ran too long
_LEFT = 1.0  # s that a process which was left behind has to end when it is asked
_LOOK = 0.2


def find(program: str, path: str | None = None, cwd: str | None = None) -> str | None:
    """Return where *program* is, as the shell would find it; None if it can't be run.

    Args:
        program: Name or path.
        path: Where to look, as ``PATH``; the process's own by default.
        cwd: What a relative path starts from.
    """
    import shutil

    if cwd is not None and os.path.dirname(program):
        program = os.path.join(cwd, program)
    return shutil.which(program, path=path)


class Child:
    """Runs a command; each of its output streams stays the kind it was: terminal or pipe.

    Args:
        command: Program and arguments.
        environ: Its environment.
        log: What it prints is kept there; None: nowhere.
        cwd: Where it runs; default: here.
        group: Leave nothing of it behind: processes that it started, and that are there when it has ended, end too.
        timeout: Seconds after which it is asked to end (SIGTERM), and *grace* seconds later killed.
        grace: See *timeout*.
        stdin: What it reads from (as `subprocess.Popen` has it); default: what we do.
        show: Pass on what it prints; off in sweeps.
        keep_open: Descriptors that it inherits.
        asked: Called when the first Ctrl-C was passed on with *group*; a second one kills.

    Attributes:
        problem: Why the log is not whole; mostly empty.
        timed_out: It ran into its timeout.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        log: IO[bytes] | None,
        *,
        cwd: str | None = None,
        group: bool = False,
        timeout: float | None = None,
        grace: float = _GRACE,
        stdin: int | IO[bytes] | None = None,
        show: bool = True,
        keep_open: Sequence[int] = (),
        asked: Any = None,
    ) -> None:
        self.command, self.environ, self.log = list(command), dict(environ), log
        self._output = KeptOutput(log, MOST_KEPT)
        self.timed_out = False
        self._cwd, self._group, self._timeout, self._grace = cwd, group, timeout, grace
        self._stdin, self._show, self._keep_open, self._asked = stdin, show, tuple(keep_open), asked
        self._mark = os.urandom(8).hex()
        self._own = False
        self._held: dict[int, bytes] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._terminal: int | None = None
        self._interrupts = 0
        self._deadline: float | None = None
        self._killing = False
        if group:
            above = self.environ.get(MARK)
            self.environ[MARK] = f"{above}:{self._mark}" if above else self._mark

    # ------------------------------------------------------------------ the course of it

    def run(self) -> int:
        """Run to the end and return the exit code: 128 and the signal's number if one killed it, 124 on timeout.

        Raises:
            OSError: It can't be started.
        """
        sources: dict[int, int] = {}
        theirs: list[int | None] = [None, None]
        if self.log is not None:
            for target in (1, 2):
                ours, theirs[target - 1] = self._channel(target)
                if ours is not None:
                    sources[ours] = target
        elif not self._show:
            theirs = [subprocess.DEVNULL, subprocess.DEVNULL]
        handlers = self._take_signals()
        try:
            try:
                self._start(theirs[0], theirs[1])
            finally:
                for descriptor in {end for end in theirs if end is not None and end >= 0}:
                    os.close(descriptor)
            self._mind(sources)
            for held in self._held.values():
                self._output.write(held)
            return self._end()
        finally:
            _give_back(handlers)
            for descriptor in sources:
                os.close(descriptor)

    def ask(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to it, and to all of its group; from any thread."""
        process = self._process
        if process is None:
            self._early.append(number)
            return
        try:
            if self._own:
                os.killpg(process.pid, number)
            elif process.poll() is None:
                process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            return

    def kill(self) -> None:
        """Kill it, with *group* all that it started; from any thread."""
        self._killing = True
        self.ask(signal.SIGKILL)
        if self._group:
            for pid in marked(self._mark):
                _send(pid, signal.SIGKILL)

    def _channel(self, target: int) -> tuple[int | None, int]:
        """Return our end and the child's end for the output stream *target* (1 or 2)."""
        if not self._show or not os.isatty(target):
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
        # Where Ctrl-C, or a question for a password, may come from a terminal, it stays in our group:
        # a terminal talks to one group alone.
        self._own = self._group and (self._stdin is not None or not _in_foreground())
        self._process = subprocess.Popen(
            self.command,
            env=self.environ,
            stdin=self._stdin,
            stdout=out,
            stderr=err,
            cwd=self._cwd,
            pass_fds=self._keep_open,
            process_group=0 if self._own else None,
        )
        if self._timeout is not None:
            self._deadline = time.monotonic() + self._timeout
        for number in self._early:
            self.ask(number)

    def _mind(self, sources: Mapping[int, int]) -> None:
        """Copy until the child has ended and its output is drained.

        A background process it left behind may hold the output open for ever; when the child
        has ended, what is there already is still read, no more.
        """
        assert self._process is not None
        open_ones = set(sources)
        notice = _notice(self._process.pid)
        try:
            while True:
                ended = self._process.poll() is not None
                if ended and not open_ones:
                    return
                wait = 0.0 if ended else self._look_at_clock()
                watched = [*open_ones, *([notice] if notice >= 0 and not ended else ())]
                if not watched:
                    try:
                        self._process.wait(wait)
                    except subprocess.TimeoutExpired:
                        pass
                    continue
                if notice < 0 and not ended:
                    wait = _LOOK if wait is None else min(wait, _LOOK)
                ready, _, _ = select.select(watched, [], [], wait)
                if ended and not ready:
                    return
                for descriptor in ready:
                    if descriptor == notice:
                        continue
                    try:
                        data = os.read(descriptor, 1 << 16)
                    except OSError:  # EIO: the last process on the pseudo-terminal is gone
                        data = b""
                    if data:
                        self._write(sources[descriptor], data)
                    else:
                        open_ones.discard(descriptor)
        finally:
            if notice >= 0:
                os.close(notice)

    def _look_at_clock(self) -> float | None:
        """Ask or kill when it is time; return the seconds until something is to be done, None for never."""
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left > 0:
            return left
        if self._killing:  # that takes no time, unless it hangs in the kernel
            return _LOOK
        if self.timed_out:
            self.kill()
            return _LOOK
        self.timed_out = True
        self._deadline = time.monotonic() + self._grace
        self.ask(signal.SIGTERM)
        return self._grace

    def _end(self) -> int:
        assert self._process is not None
        code = self._process.wait()
        if self._group:
            self._end_others(self._process.pid)
        if self.timed_out:
            return KILLED_BY_TIMEOUT
        return 128 - code if code < 0 else code

    def _end_others(self, leader: int) -> None:
        """End what the command left behind: first it is asked, then killed."""
        number: int = signal.SIGKILL if self._killing else signal.SIGTERM
        until = time.monotonic() + _LEFT
        while True:
            found = self._others(leader)
            if not found:
                return
            late = time.monotonic() > until
            if late and number == signal.SIGKILL:
                return  # hanging in the kernel: it gets the signal when it comes back
            if late:
                number, until = signal.SIGKILL, time.monotonic() + _LEFT
            for pid in found:
                _send(pid, number)
            time.sleep(0.01)

    def _others(self, leader: int) -> list[int]:
        """Return whom to send a signal: the group as its negative number, and who left it."""
        found = []
        if self._own and _has_members(leader):
            found.append(-leader)
        return [*found, *marked(self._mark)]

    # ------------------------------------------------------------------ what it prints

    def _write(self, target: int, data: bytes) -> None:
        """Keep *data*, then show it: what somebody has seen is in the log."""
        self._keep(target, data)
        if not self._show:
            return
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
        self._output.write(held[:end])

    @property
    def problem(self) -> str:
        """Why the log is not whole; mostly empty."""
        return self._output.problem

    # ------------------------------------------------------------------ signals

    def _take_signals(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}  # whoever runs several at once has them, and calls ask() and kill()
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        return {number: signal.signal(number, self._pass_on) for number in numbers}

    def _pass_on(self, number: int, _frame: object) -> None:
        if number == getattr(signal, "SIGWINCH", None):
            self._resize()
            return
        if number == signal.SIGINT and self._group:
            self._interrupts += 1
            if self._interrupts > 1:
                self.kill()
                return
            if self._asked is not None:
                self._asked()
        if self._process is None:
            self._early.append(number)
        elif number in (signal.SIGINT, signal.SIGQUIT) and not self._own and _from_terminal():
            return  # the terminal sent it to the child as well
        else:
            self.ask(number)

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


def _has_members(group: int) -> bool:
    """Whether a process of the group lives; the dead that nobody buries, as in many containers, don't count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        names = os.listdir("/proc")
    except OSError:
        return True
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    said = file.read()
            except OSError:
                continue
            state, _, its_group = said[said.rfind(b")") + 2 :].split(b" ", 3)[:3]
            if int(its_group) == group and state not in (b"Z", b"X"):
                return True
    return False


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _notice(pid: int) -> int:
    """Return a descriptor that becomes readable when the process ends; -1 where there are none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def _in_foreground() -> bool:
    """Whether a terminal is ours to talk to, through whatever descriptor."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _from_terminal() -> bool:
    """Whether Ctrl-C reaches the child without us: we are the terminal's foreground group."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return False


def _give_back(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
