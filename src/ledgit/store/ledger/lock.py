"""The lock for everything that moves the clone's ledger or drops loose runs."""

from __future__ import annotations

import errno
import os
import time
from _thread import get_ident

from ledgit.errors import Conflict, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.store.folder import Folder

__all__ = ["LedgerLock"]

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
_held: dict[tuple[str, int], LedgerLock] = {}


class LedgerLock:
    """Hold the clone's ledger, against all other processes and threads; a context manager.

    A thread that has it may take it again. The kernel frees it with the process.

    Args:
        folder: Ledgit's folder of the clone.
        wait: Seconds to wait for whoever has it; 0 to ask once.

    Raises:
        Conflict: (on entering) another process has it for longer than that.
        StorageError: (on entering) the folder can't be written.
    """

    #: What the others do, for the error.
    _busy = "another ledgit process is working on the ledger of this repository"

    def __init__(self, folder: Folder, wait: float = 10.0) -> None:
        self._folder = folder
        self._wait = wait
        self._path = os.path.join(folder.path, "ledger.lock")
        self._fd = -1
        self._depth = 0
        self._outer: LedgerLock | None = None

    def __enter__(self) -> LedgerLock:
        self._outer = _held.get((self._path, get_ident()))
        if self._outer is not None:
            self._outer._depth += 1
            return self
        self._open()
        return self

    def _open(self) -> None:
        self._folder.make(self._folder.path)
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(self._path, error.strerror or str(error)) from error
        try:
            self._take()
        except BaseException:
            os.close(self._fd)
            self._fd = -1
            raise
        self._depth = 1
        _held[self._path, get_ident()] = self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holder = self._outer or self
        self._outer = None
        holder._depth -= 1
        if holder._depth == 0 and holder._fd >= 0:
            holder._close()

    def _close(self) -> None:
        _held.pop((self._path, get_ident()), None)
        os.close(self._fd)
        self._fd = -1

    def pause(self) -> bool:
        """Let others have the lock; return whether they can: not where it was taken several times.

        What the caller knows of all that it guards may be wrong afterwards.
        """
        if self._outer is not None or self._depth != 1 or self._fd < 0:
            return False
        self._close()
        return True

    def resume(self) -> None:
        """Have it again after :meth:`pause`; waits for whoever has it.

        Raises:
            Conflict, StorageError: As on entering.
        """
        self._open()

    def _take(self) -> None:
        import fcntl

        began = time.monotonic()
        deadline = began + self._wait
        pause = 0.002
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    return  # the ref is moved by compare and swap all the same
                now = time.monotonic()
                if now >= deadline:
                    raise Conflict(f"{self._busy}; try again when it is done") from None
                self._waits(now - began)
                time.sleep(pause)
                pause = min(pause * 1.5, 0.1)
            else:
                return

    def _waits(self, seconds: float) -> None:
        """Say how long somebody else has had it, where somebody wants to know."""


def _after_fork() -> None:
    # The parent's locks are the parent's: closing the copies does not free them.
    for lock in _held.values():
        os.close(lock._fd)
        lock._fd, lock._depth = -1, 0
    _held.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
