"""Is a run alive? The file lock on ``active/<id>/lock``, held for life, decides.

Every process that writes into a run holds the lock *shared*; whoever wants to finalize it
takes it *exclusively*. The kernel frees a lock with the process, so it tells the truth after
SIGKILL, across containers and pid namespaces, where process numbers lie. Only where the
kernel can't know (the run was started under another kernel on another host, or the file
system has no locks) the heartbeat decides, and then a run is only *shown* as lost.
"""

from __future__ import annotations

import errno
import os
import time

from ledgit.store.folder import boot_id

__all__ = ["ALIVE", "DEAD", "LOST", "REMOTE", "RunLock", "beat", "liveness"]

ALIVE = "alive"  #: somebody holds the lock
DEAD = "dead"  #: nobody does, and the kernel would know
REMOTE = "remote"  #: the kernel can't know; the heartbeat is fresh
LOST = "lost"  #: the kernel can't know; the heartbeat stopped

#: Seconds without a heartbeat after which a run that the kernel can't judge is shown as lost.
HEARTBEAT_LIMIT = 120.0

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


class RunLock:
    """The lock of one run, as one process holds it."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "lock")
        self._fd = -1

    def share(self, *, create: bool = False, attempts: int = 25) -> bool:
        """Hold the lock for life, as every writer does. False while a finalizer has it.

        A reader that probes holds it for microseconds: no reason to refuse a writer, hence the
        *attempts*, two milliseconds apart.
        """
        import fcntl

        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        fd = os.open(self.path, flags, 0o644)
        if not _take(fd, fcntl.LOCK_SH, attempts):
            os.close(fd)
            return False
        if not self._is_at_path(fd):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "the run was finalized", self.path)
        self._fd = fd
        return True

    def exclusive(self, attempts: int = 1) -> bool:
        """Take the lock alone; False if another writer is alive.

        A reader that probes holds it for microseconds, so a finishing writer passes several
        *attempts*, two milliseconds apart.
        """
        import fcntl

        opened = self._fd
        if opened < 0:
            try:
                opened = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        if not _take(opened, fcntl.LOCK_EX, attempts):
            os.close(opened)
            self._fd = -1
            return False
        if not self._is_at_path(opened):
            os.close(opened)
            self._fd = -1
            return False
        self._fd = opened
        return True

    def _is_at_path(self, fd: int) -> bool:
        """Whether *fd* is still the run's lock file.

        Between open and lock the finalizer may have moved the folder away, and a process that
        resumes the run may have made a new one: its lock is another.
        """
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(fd))

    def forget(self) -> None:
        """Drop the descriptor without unlocking: the parent of a forked process still holds it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    release = forget

    @property
    def held(self) -> bool:
        """Whether this process has the lock, shared or alone."""
        return self._fd >= 0


def _take(fd: int, how: int, attempts: int) -> bool:
    """Lock *fd*, trying two milliseconds apart; True also where the file system has no locks."""
    import fcntl

    for attempt in range(attempts):
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return True
            if attempt + 1 < attempts:
                time.sleep(0.002)
        else:
            return True
    return False


def beat(directory: str) -> None:
    """Leave a heartbeat: the lock file's modification time."""
    os.utime(os.path.join(directory, "lock"))


def _open(path: str) -> int:
    """Open a lock file; for writing where that is allowed, because NFS locks no other alone."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:  # a read-only clone, or somebody else's
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def liveness(directory: str, host: str, boot: str, now: float | None = None) -> str:
    """Say whether the run in *directory*, started on *host* under *boot*, is still written.

    Args:
        directory: The run's journal folder.
        host: Host name in its start record.
        boot: Boot id in its start record ('' if unknown).
        now: Seconds since the epoch, for tests.

    Returns:
        ALIVE, DEAD, REMOTE or LOST. Only DEAD may be finalized without being asked.
    """
    import fcntl

    path = os.path.join(directory, "lock")
    try:
        fd = _open(path)
    except FileNotFoundError:
        return DEAD
    except OSError:
        return REMOTE
    foreign = bool(boot) and boot != boot_id() and host != os.uname().nodename
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ALIVE
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            return ALIVE
        foreign = True
    finally:
        age = (time.time() if now is None else now) - os.fstat(fd).st_mtime
        os.close(fd)
    if not foreign:
        return DEAD
    return LOST if age > HEARTBEAT_LIMIT else REMOTE
