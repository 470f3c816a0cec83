"""Read many objects through one git process, without pygit2."""

from __future__ import annotations

import os

from ledgit.errors import GitFailed
from ledgit.git.command import LEAN, spawn_git, start_git
from ledgit.git.helper import reading_environment
from ledgit.git.spawn import can_spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from subprocess import Popen
    from types import TracebackType
    from typing import IO

    from ledgit.git.repo import Repo
    from ledgit.git.spawn import Spawned

__all__ = ["BatchReader", "widen_pipe"]

_PIECE = 1 << 20  # bytes of an unwanted content that are in memory at once


class BatchReader:
    """Read objects through one ``git cat-file --batch`` process (2-3 ms to start, no pygit2).

    A context manager; not for use by several threads at once. A *spec* is what ``git rev-parse``
    takes: an id, a ref, ``<commit>:<path>``, ``<commit>^{tree}``. What Ledgit fetched beside the
    repository is read as well.

    Attributes:
        size: Bytes of the object that was answered last, also where its content was left out.
    """

    # Requests that may be on their way while nobody reads answers: what a pipe holds on every
    # system, so that neither side waits for the other for ever.
    _WINDOW = 4000

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self.size = 0
        self._most: int | None = None
        self._process: _Talk | None = None
        self._busy = False  # answers are on their way that somebody is waiting for
        self._pipe = 0  # bytes of answers that Git may be ahead; 0: what the system gives

    def __enter__(self) -> BatchReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next read starts another."""
        process, self._process = self._process, None
        self._busy = False
        if process is not None:
            process.end()

    def work_ahead(self) -> None:
        """Let Git unpack up to 1 MB while what it gave is being worked on, where the system allows it."""
        self._pipe = 1 << 20
        self._widen()

    def _widen(self) -> None:
        if self._process is not None:
            widen_pipe(self._process.answers.fileno(), self._pipe)

    def read(self, spec: str) -> tuple[str, str, bytes] | None:
        """Return (id, type, content) of what *spec* names, or ``None``."""
        return next(self.read_many((spec,)))

    def read_many(
        self, specs: Iterable[str], *, most: int | None = None
    ) -> Generator[tuple[str, str, bytes] | None, None, None]:
        """Yield an answer for each of *specs*, in order, asking ahead while answers come in.

        One question at a time: who reads something else before the last answer gets an error, since it
        would be given another's answer. Who leaves before the end ends the process.

        Args:
            specs: What is wanted.
            most: Bytes of an object whose content is wanted; of a larger one it is empty, and `size` tells.
        """
        if self._busy:
            raise RuntimeError("the answers to another question are still on their way")
        self._most = most
        waiting: list[bytes] = []
        ahead = 0
        pending = iter(specs)
        more = True
        try:
            while more or waiting:
                while more and (ahead < self._WINDOW or not waiting):
                    spec = next(pending, None)
                    if spec is None:
                        more = False
                        break
                    request = spec.encode("utf-8", "surrogateescape")
                    if b"\n" in request or len(request) > self._WINDOW:
                        request = b"?"  # no name in Git: answered as missing
                    waiting.append(request)
                    ahead += len(request) + 1
                    self._send(request)
                if waiting:
                    stream = self._flush()
                    request = waiting.pop(0)
                    ahead -= len(request) + 1
                    answer, alive = self._receive(stream)
                    if not alive:
                        # A partial clone that may not fetch ends Git at the first object that is
                        # elsewhere (Git before 2.45): that one is missing, ask again for the rest.
                        self.close()
                        for again in waiting:
                            self._send(again)
                    self._busy = bool(waiting)
                    yield answer
        finally:
            if waiting:
                self.close()

    def _send(self, request: bytes) -> None:
        if self._process is None:
            env = reading_environment(self._repo)
            if self._repo.partial:
                env["GIT_ALLOW_PROTOCOL"] = "none"
            self._process = _Talk(self._repo, env)
            if self._pipe:
                self._widen()
        self._process.waiting.append(request + b"\n")

    def _flush(self) -> IO[bytes]:
        assert self._process is not None
        self._process.send()
        return self._process.answers

    def _receive(self, stream: IO[bytes]) -> tuple[tuple[str, str, bytes] | None, bool]:
        head = stream.readline()
        if not head.endswith(b"\n"):
            if self._repo.partial:
                return None, False
            assert self._process is not None
            process, self._process = self._process, None
            raise GitFailed(("cat-file", "--batch"), *process.failed())
        words = head.rstrip(b"\n").rsplit(b" ", 2)
        if len(words) != 3 or not words[2].isdigit() or len(words[0]) != 40:
            return None, True  # "<spec> missing", "<spec> ambiguous"
        self.size = left = int(words[2])
        if self._most is not None and left > self._most:
            while left > 0:
                left -= len(stream.read(min(left, _PIECE))) or left  # at its end: the next read tells
            data = b""
        else:
            data = stream.read(left)
        stream.read(1)
        return (words[0].decode("ascii"), words[1].decode("ascii"), data), True


def widen_pipe(pipe: int, size: int) -> None:
    """Let a pipe hold *size* bytes, where the system allows it."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)
    except (ImportError, AttributeError, OSError):  # the last: the user has much in other pipes
        pass


class _Talk:
    """The process, and the pipes to it.

    Attributes:
        waiting: Requests that :meth:`send` sends.
        answers: Where it answers.
    """

    def __init__(self, repo: Repo, env: dict[str, str]) -> None:
        self.waiting: list[bytes] = []
        args = (*LEAN, "cat-file", "--batch")
        self._spawned: Spawned | None = None
        self._popen: Popen[bytes] | None = None
        if can_spawn():  # 5 ms sooner than by subprocess, where nothing else imported that
            self._spawned = spawn_git(repo, *args, env=env, feed=True)
            self._into = self._spawned.fd("in")
            self.answers: IO[bytes] = open(self._spawned.fd("out"), "rb", closefd=False)  # noqa: SIM115
        else:
            self._popen = start_git(repo, *args, env=env)
            assert self._popen.stdin is not None
            assert self._popen.stdout is not None
            self._into, self.answers = self._popen.stdin.fileno(), self._popen.stdout

    def send(self) -> None:
        """Send what waits."""
        left = memoryview(b"".join(self.waiting))
        self.waiting.clear()
        try:
            while left:
                left = left[os.write(self._into, left) :]
        except BrokenPipeError:
            pass  # noticed when the answer is read

    def end(self) -> None:
        """End it at once."""
        if self._spawned is not None:
            with self._spawned as process:
                process.kill()
        if self._popen is not None:
            self._popen.kill()
            self._popen.communicate()

    def failed(self) -> tuple[int, str]:
        """Return the exit code and the last words of a process that ended by itself."""
        if self._popen is not None:
            _, err = self._popen.communicate()
            return self._popen.returncode, err.decode("utf-8", "replace")
        assert self._spawned is not None
        words: list[bytes] = []
        with self._spawned as process:
            return process.listen(words.append, words.append), b"".join(words).decode("utf-8", "replace")
