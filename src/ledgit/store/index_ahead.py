"""The ledger's files read for an index that is made from nothing, with a process beside where there are many.

What a hundred lines say becomes values of rows (`index_plain`), and these are written. The first is
more than half of the work and needs no database, so a process of its own does it on the second
processor, from the last file on, while who writes begins with the first one and takes over what
is ready there. Where no such process can be had, or it is slow or ends early, that is done here:
it only ever makes things faster.

``python -m ledgit.store.index_ahead GIT_DIR`` is that process: ids of files on its input, what
:func:`digests` makes of them on its output.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from hashlib import sha1
from typing import TYPE_CHECKING

from ledgit.store.index_lean import lean
from ledgit.store.index_lines import split_lines
from ledgit.store.index_plain import Group, Lean, Values

if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.git import Repo

__all__ = ["MANY", "Ahead", "Digest", "Missing", "digests", "in_turns", "sum_of"]

MANY = 1_000
"""Files from which on a process of their own is worth its start."""

_BATCH = 150_000  # bytes of lines: what a hundred of them say still is in the processor's cache when it becomes rows
_PIPE = 1 << 20  # bytes that it may be ahead
_HEAD = 8
_FORM = 2  # of marshal: references, which later ones have, take longer than they save

Digest = tuple[int, list[tuple[int, str, int]], list[Group], list[tuple[str, list[bytes]]], list[str]]
"""How many files; (file, run, sum) for each; plain lines; other runs with their lines; runs that came again."""

Read = Callable[[Sequence[str]], Generator[tuple[str, "bytes | None"], None, None]]


class Missing(Exception):
    """An object of the ledger is not in this clone: the ref has moved meanwhile, or the clone is damaged."""


def sum_of(lines: list[bytes]) -> int:
    """Return what tells some lines from others: eight bytes of their SHA-1."""
    return int.from_bytes(sha1(b"\n".join(lines), usedforsecurity=False).digest()[:8], "big", signed=True)


def digests(files: Iterable[tuple[str, bytes | None]]) -> Generator[Digest, None, None]:
    """Yield what some files at a time say, given by their ids and contents.

    Raises:
        Missing: One is not here.
    """
    values = Values()
    count = size = 0
    places: list[tuple[int, str, int]] = []
    plain: list[Lean] = []
    other: dict[str, list[bytes]] = {}
    again: list[str] = []
    seen: set[str] = set()
    for oid, data in files:
        if data is None:
            raise Missing(oid)
        for run, lines in split_lines(data).items():
            places.append((count, run, sum_of(lines)))
            if run in seen:
                again.append(run)
            elif len(lines) == 1 and (said := lean(lines[0], run)) is not None:
                plain.append((lines[0], said))
            else:
                other[run] = lines
            seen.add(run)
        count += 1
        size += len(data)
        if size >= _BATCH:
            yield count, places, values.groups(plain), list(other.items()), again
            count = size = 0
            places, plain, other, again, seen = [], [], {}, [], set()
    if count:
        yield count, places, values.groups(plain), list(other.items()), again


def in_turns(oids: Sequence[str], read: Read, repo: Repo | None) -> Generator[tuple[Sequence[int], Digest], None, None]:
    """Yield what some files at a time say, and which ones, by their places in *oids*.

    Args:
        oids: Ids of the files.
        read: Yields ids and contents of those it is given.
        repo: Where a process beside finds them; it tells of the last ones, as many as it comes to. None: without.

    Raises:
        Missing: One is not here.
    """
    begin, end = 0, len(oids)  # of what is yet to be told

    def here() -> Generator[tuple[str, bytes | None], None, None]:
        with closing(read(oids)) as files:
            for place, file in enumerate(files):
                if place >= end:
                    return
                yield file

    with ExitStack() as stack:
        own = stack.enter_context(closing(digests(here())))
        ahead: Ahead | None = None
        if repo is not None and Ahead.is_worth_it(oids):
            with suppress(OSError):
                ahead = stack.enter_context(Ahead(repo, oids[::-1]))
        while begin < end:
            digest = ahead.take() if ahead is not None else None
            if digest is not None and begin <= end - digest[0]:
                yield range(end - 1, end - 1 - digest[0], -1), digest
                end -= digest[0]
                continue
            if digest is not None:  # of files that were told here: what is between is all that is left
                ahead = None
            digest = next(own)
            yield range(begin, begin + digest[0]), digest
            begin += digest[0]


class Ahead:
    """The process, which makes of the files *oids* what :func:`digests` would: a context manager.

    Raises:
        OSError: It can't be started.
    """

    def __init__(self, repo: Repo, oids: Sequence[str]) -> None:
        import subprocess

        from ledgit.git import git_environment
        from ledgit.git.background import python_command
        from ledgit.git.batch import widen_pipe

        command = python_command("ledgit.store.index_ahead", repo.common_dir)
        if command is None:
            raise OSError
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=repo.common_dir,
            env=git_environment(None),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._answers = self._process.stdout.fileno()
        widen_pipe(self._answers, _PIPE)
        try:
            left = memoryview("\n".join(oids).encode())
            while left:
                left = left[os.write(self._process.stdin.fileno(), left) :]
        except OSError:  # it has ended: noticed when its answers are read
            pass
        self._process.stdin.close()

    @staticmethod
    def is_worth_it(oids: Sequence[str]) -> bool:
        """Say whether there are enough files, and a processor to spare."""
        if len(oids) < MANY or os.name != "posix":  # elsewhere a pipe does not tell whether there is something in it
            return False
        own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        try:
            busy = os.getloadavg()[0]
        except OSError:
            busy = 0.0
        return len(own) > 1 and busy < len(own)  # both together take a fifth more of a processor's time than one alone

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()

    def take(self) -> Digest | None:
        """Return what it says of its next files; None if that is not ready, or it has ended."""
        from select import select

        if not select([self._answers], [], [], 0)[0]:
            return None
        data = self._read(int.from_bytes(self._read(_HEAD), "big"))
        return marshal.loads(data) if data else None  # noqa: S302 - of our own process

    def _read(self, size: int) -> bytes:
        """Return the next *size* bytes, nothing if it ends before."""
        parts = []
        while size:
            part = os.read(self._answers, size)
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _work(git_dir: str) -> None:
    import gc

    from ledgit.git import BatchReader, Repo

    gc.disable()  # thousands of objects and none in a cycle
    oids = sys.stdin.read().split()
    out = sys.stdout.buffer
    with BatchReader(Repo.discover(git_dir)) as reader:
        reader.work_ahead()
        found = reader.read_many(oids)
        try:
            for digest in digests((oid, one and one[2]) for oid, one in zip(oids, found, strict=True)):
                data = marshal.dumps(digest, _FORM)
                out.write(len(data).to_bytes(_HEAD, "big"))
                out.write(data)
            out.flush()
        except (Missing, BrokenPipeError):
            os._exit(1)  # who started it will find out itself, or wants no more


if __name__ == "__main__":
    _work(sys.argv[1])
