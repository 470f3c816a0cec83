"""Start a command that is fed at once and listened to until its end, without the ``subprocess`` module.

That module takes 4 ms to import, as long as a small git command runs: too much for commands that
are one connection and little else. Talking back and forth is still `subprocess`'s: see `command.start_git`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Spawned", "can_spawn", "spawn"]

_ROOM = 1 << 16  # bytes that are read at once
_PIPE = 1 << 12  # bytes that a pipe which says it has room takes without blocking
_STEP = 0.005  # seconds between two looks for the end of a process that was asked to end


def can_spawn() -> bool:
    """Whether this system has what it takes; Windows has not."""
    return hasattr(os, "posix_spawnp")


class Spawned:
    """A running command with pipes on its output and error; a context manager that waits for its end.

    Attributes:
        pid: Its process id.
        returncode: Its exit code, negative for a signal; None while nobody has waited for its end.
    """

    __slots__ = ("__weakref__", "_fds", "pid", "returncode")

    def __init__(self, pid: int, fds: dict[str, int]) -> None:
        self.pid, self._fds = pid, fds
        self.returncode: int | None = None

    def __enter__(self) -> Spawned:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.wait()

    def listen(
        self,
        out: Callable[[bytes], object],
        err: Callable[[bytes], object],
        stdin: bytes = b"",
    ) -> int:
        """Feed it *stdin*, hand what it says to *out* and *err* until it ends, and return its exit code."""
        from select import POLLIN, POLLOUT, poll

        takers = {self._fds["out"]: out, self._fds["err"]: err}
        feeding, poller = self._fds.get("in", -1), poll()
        for fd in takers:
            poller.register(fd, POLLIN)
        if feeding >= 0:
            poller.register(feeding, POLLOUT)
        rest = memoryview(stdin)
        while takers or feeding >= 0:
            for fd, _ in poller.poll():
                if fd == feeding:
                    try:
                        rest = rest[os.write(fd, rest[:_PIPE]) :]
                    except BrokenPipeError:  # it wants no more
                        rest = rest[:0]
                    if not rest:
                        poller.unregister(fd)
                        self.close_one("in")
                        feeding = -1
                    continue
                data = os.read(fd, _ROOM)
                if data:
                    takers[fd](data)
                else:
                    poller.unregister(fd)
                    del takers[fd]
        return self.wait()

    def fd(self, name: str) -> int:
        """Return the descriptor of the pipe ``in``, ``out`` or ``err``, for talking back and forth; don't close it."""
        return self._fds[name]

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        if self.returncode is None:
            self._ended(os.waitpid(self.pid, 0)[1])
        assert self.returncode is not None
        return self.returncode

    def end(self, patience: float) -> None:
        """Ask it to end, and kill it if it hasn't after *patience* seconds."""
        import time
        from signal import SIGTERM

        self._send(SIGTERM)
        last = time.monotonic() + patience
        while self.returncode is None and time.monotonic() < last:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._ended(status)
            else:
                time.sleep(_STEP)
        self.kill()

    def kill(self) -> None:
        """End it at once; its end is still to be waited for."""
        self._send(9)  # by its number: nothing can be imported any more when the interpreter ends

    def _send(self, number: int) -> None:
        if self.returncode is None:  # else the id may be another process's by now
            os.kill(self.pid, number)

    def _ended(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Close the pipes."""
        for name in list(self._fds):
            self.close_one(name)

    def close_one(self, name: str) -> None:
        """Close one pipe: ``in``, ``out`` or ``err``."""
        fd = self._fds.pop(name, -1)
        if fd >= 0:
            os.close(fd)


def spawn(
    arguments: tuple[str, ...],
    env: Mapping[str, str],
    *,
    feed: bool = False,
    source: int | None = None,
    isolate: bool = False,
) -> Spawned:
    """Start the command *arguments*, which is looked for in ``PATH``.

    Args:
        arguments: The command's name and its arguments.
        env: Its whole environment.
        feed: It gets something to read; otherwise it reads nothing.
        source: A descriptor that it reads from instead, such as another command's output; it stays the caller's.
        isolate: Run in a process group of its own, so that Ctrl-C at a terminal doesn't reach it.

    Raises:
        FileNotFoundError, PermissionError: There is no such command.
    """
    # signal without its enumerations, which take as long to make as all else here
    from _signal import SIGPIPE, SIGXFSZ  # type: ignore[import-not-found]

    ours: dict[str, int] = {}
    theirs: list[int] = []
    try:
        if feed:
            fd, ours["in"] = os.pipe()
        elif source is not None:
            fd = os.dup(source)
        else:
            fd = os.open(os.devnull, os.O_RDONLY)
        theirs.append(_above(fd))
        for stream in ("out", "err"):
            ours[stream], fd = os.pipe()
            theirs.append(_above(fd))
        # Python leaves these two ignored, and the command would inherit it.
        signals = (SIGPIPE, SIGXFSZ)
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)]
        name = arguments[0]
        if isolate:
            pid = os.posix_spawnp(name, arguments, env, file_actions=actions, setsigdef=signals, setpgroup=0)
        else:
            pid = os.posix_spawnp(name, arguments, env, file_actions=actions, setsigdef=signals)
    except BaseException:
        for fd in ours.values():
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    return Spawned(pid, ours)


def _above(fd: int) -> int:
    """Return *fd*, or its copy above the standard streams, which it takes the place of where they are closed."""
    if fd > 2:
        return fd
    copy = _above(os.dup(fd))
    os.close(fd)
    return copy
