"""Reading a few objects without pygit2."""

from __future__ import annotations

import os
import sys
import zlib
from _thread import allocate_lock

from ledgit.errors import GitFailed, RepositoryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.git.batch import BatchReader
    from ledgit.git.repo import Repo

__all__ = ["LightReader", "read_loose"]

_FEW = 64
_SMALL = 1 << 16  # bytes of an object that is kept


class LightReader:
    """Reads the first few objects of a process that has not loaded pygit2.

    Its import takes 40-65 ms, a git process 3: ending the only run of a script, or showing one,
    needs a handful of objects. A push asks for the same dozen, the ledger's commit and tables, some
    seventy times: what was read stays in memory as long as the process runs.
    """

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._left = _FEW
        self._batch: BatchReader | None = None
        self._known: dict[str, tuple[str, bytes]] = {}
        self._pid = 0
        self._lock = allocate_lock()

    def serves(self) -> bool:
        """Whether the next read should come here."""
        if self._left > 0 and not self._repo.partial and "pygit2" not in sys.modules:
            return True
        self.rest()
        return False

    def read(self, oid: str, *, again: bool = False) -> tuple[str, bytes] | None:
        """Return (type, content); None if it is missing or damaged, which pygit2 tells apart.

        Args:
            oid: Full object id.
            again: Look whether it is still there, also if it was read before.
        """
        known = None if again else self._known.get(oid)
        if known is not None:
            return known
        loose = read_loose(self._repo, oid)
        if loose is not None:
            return loose
        with self._lock:
            self._left -= 1
            try:
                found = self._process().read(oid)
            except (GitFailed, RepositoryError):
                self._left = 0
                raise
        if found is None:
            return None
        if found[0] == oid and len(found[2]) <= _SMALL:  # at most _FEW of them
            self._known[oid] = (found[1], found[2])
        return found[1], found[2]

    def named(self, spec: str) -> tuple[str, str, bytes] | None:
        """Return (id, type, content) of what *spec* names; None if it is missing or damaged."""
        with self._lock:
            return self._process().read(spec)

    def sized(self, oids: Sequence[str], most: int) -> Iterator[tuple[int, bytes] | None]:
        """Yield (size, content) of each of some objects; of one larger than *most* bytes no content."""
        with self._lock:
            batch = self._process()
            for answer in batch.read_many(oids, most=most):
                yield None if answer is None else (batch.size, answer[2])

    def _process(self) -> BatchReader:
        if self._batch is None or self._pid != os.getpid():
            from ledgit.git.batch import BatchReader

            self._batch, self._pid = BatchReader(self._repo), os.getpid()
        return self._batch

    def __del__(self) -> None:
        self.rest()

    def rest(self) -> None:
        """End the process, if there is one and it is ours."""
        self._known = {}
        batch, self._batch = self._batch, None
        if batch is not None:
            self._left = 0  # whoever comes again is better off with pygit2
            if self._pid == os.getpid():
                batch.close()

    def renew_lock(self) -> None:
        """Have a lock that nobody holds: in a forked child, where the thread that may hold it is the parent's."""
        self._lock = allocate_lock()


def read_loose(repo: Repo, oid: str) -> tuple[str, bytes] | None:
    """Return (type, content) of an object that has a file of its own, else ``None``.

    Costs 0.05 ms, no process and no pygit2: enough for a small object that was just written.
    """
    try:
        with open(os.path.join(repo.objects_dir, oid[:2], oid[2:]), "rb") as file:
            head, _, data = zlib.decompress(file.read()).partition(b"\0")
    except (OSError, zlib.error):
        return None
    return head.split(b" ")[0].decode("ascii", "replace"), data
