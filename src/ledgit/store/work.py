"""Work folders and their locks: who works in one, and which are left over.

::

    <common Git directory>/ledgit/work/
        <id>/           a linked work tree (git/linked.py)
        <id>.lock       held by whoever works in it, the project's own processes among them

The lock is made before the folder and goes after it. A folder whose lock is free belongs to dead
processes; the next command that writes removes it.
"""

from __future__ import annotations

import os
import time

from ledgit.errors import StorageError
from ledgit.git import remove_worktree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["dead_work", "release_work", "remove_dead_work", "take_work"]

#: Seconds that a lock may be there before its folder.
_YOUNG = 10.0
_TRIES = 50


def take_work(path: str) -> int:
    """Make the lock of the folder *path*, which is not there yet, and return its descriptor.

    Raises:
        StorageError: It can't be made.
    """
    import fcntl

    from ledgit.git.shared import make_folders

    try:
        make_folders(os.path.dirname(path))
        lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    for _ in range(_TRIES):  # somebody may look this very moment whether it is free, and sees that it is new
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.002)
        except OSError:
            break  # a file system without locks
    return lock


def release_work(path: str, lock: int) -> None:
    """Remove the lock of a folder that is gone."""
    try:
        os.unlink(path + ".lock")
    except OSError:
        pass
    os.close(lock)


def dead_work(folder: Folder) -> list[str]:
    """Return the paths of the work folders that :func:`remove_dead_work` would remove; nothing is changed."""
    try:
        names = sorted({name.removesuffix(".lock") for name in os.listdir(folder.work)})
    except OSError:
        return []
    found = []
    for path in (os.path.join(folder.work, name) for name in names):
        try:
            os.close(_lock_dead(path))
        except FileNotFoundError:
            pass
        except OSError:
            continue
        found.append(path)
    return found


def remove_dead_work(repo: Repo, folder: Folder) -> int:
    """Remove the work folders whose processes are all dead; return how many. One that can't be looked at stays."""
    work = folder.work
    try:
        names = os.listdir(work)
    except OSError:
        return 0
    removed = 0
    for name in sorted({name.removesuffix(".lock") for name in names}):
        path = os.path.join(work, name)
        lock = -1
        try:
            lock = _lock_dead(path)
        except FileNotFoundError:
            # The lock is made before the folder and goes after it: an interrupted removal left this.
            pass
        except OSError:
            continue
        remove_worktree(repo, path)
        if lock >= 0:
            release_work(path, lock)
        removed += 1
    return removed


def _lock_dead(path: str) -> int:
    """Take the lock of a folder that nobody works in.

    Raises:
        FileNotFoundError: It has none.
        OSError: Somebody does, or nobody can know: the file system has no locks.
    """
    import fcntl

    lock = os.open(path + ".lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.stat(path + ".lock")
        if not os.path.samestat(there, os.fstat(lock)):
            raise BlockingIOError(path)
        if not os.path.isdir(path) and time.time() - there.st_mtime < _YOUNG:
            raise BlockingIOError(path)  # it is being made
    except BaseException as error:
        os.close(lock)
        if isinstance(error, FileNotFoundError):
            raise BlockingIOError(path) from error  # its owner was removing it meanwhile
        raise
    return lock
