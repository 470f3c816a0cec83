"""The ledger's files read for an index that is made from nothing, by a process of its own where there are many.

What a hundred lines say becomes values of rows (`index_plain`) there while those before are
written here: half of the work, on the second processor. Where no such process can be had, or it
ends early, the rest is done here: it only ever makes things faster.

``python -m ledgit.store.index_ahead GIT_DIR`` is that process: ids of files on its input, what
:func:`digests` makes of them on its output.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha1
from typing import TYPE_CHECKING

from ledgit.store.index_lean import lean
from ledgit.store.index_lines import split_lines
from ledgit.store.index_plain import Group, Lean, Values

if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.git import Repo

__all__ = ["MANY", "Ahead", "Digest", "Missing", "digests", "sum_of"]

MANY = 1_000
"""Files from which on a process of their own is worth its start."""

_BATCH = 150_000  # bytes of lines: what a hundred of them say still is in the processor's cache when it becomes rows
_PIPE = 1 << 20  # bytes that it may be ahead
_HEAD = 8
_FORM = 2  # of marshal: references, which later ones have, take longer than they save

Digest = tuple[int, list[tuple[int, str, int]], list[Group], list[tuple[str, list[bytes]]], list[str]]
"""How many files; (file, run, sum) for each; plain lines; other runs with their lines; runs that came again."""


class Missing(Exception):
    """An object of the ledger is not in this clone: the ref has moved meanwhile, or the clone is damaged."""


def sum_of(lines: list[bytes]) -> int:
    """Return what tells some lines from others: eight bytes of their SHA-1."""
    return int.from_bytes(sha1(b"\n".join(lines), usedforsecurity=False).digest()[:8], "big", signed=True)


def digests(files: Iterable[tuple[str, bytes | None]]) -> Iterator[Digest]:
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


class Ahead:
    """The process: a context manager; iterating over it gives what :func:`digests` would of the files *oids*.

    It may end before all files are told of: then something went wrong there, whatever it was.

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
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=repo.common_dir,
            env=git_environment(None),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        widen_pipe(self._answers.fileno(), _PIPE)
        try:
            self._process.stdin.write("\n".join(oids).encode())
            self._process.stdin.close()
        except OSError:  # it has ended: noticed when its answers are read
            pass

    @staticmethod
    def is_worth_it(oids: Sequence[str]) -> bool:
        """Say whether there are enough files, and a processor to spare."""
        if len(oids) < MANY:
            return False
        own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        return len(own) > 1

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._answers.close()
        self._process.wait()

    def __iter__(self) -> Iterator[Digest]:
        while True:
            size = int.from_bytes(self._answers.read(_HEAD), "big")
            data = self._answers.read(size)
            if not size or len(data) < size:
                return
            digest: Digest = marshal.loads(data)  # noqa: S302 - of our own process
            yield digest


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
