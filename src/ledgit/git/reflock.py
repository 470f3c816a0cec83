"""Lock files of refs, as Git has them (``<ref>.lock``), and what killed processes left of them.

A process that was killed while it held ``<ref>.lock`` leaves the file behind, and Git then
refuses to touch that ref until somebody removes it. A lock of ours is held by ``flock`` too, so
that a dead one is told from a slow one: below ``refs/ledgit/``, where Git itself has next to
nothing to do, one that nobody holds goes after a second, elsewhere after a minute, by the file
system's own clock. Cleaners hold another ``flock``, so that two of them can't take each other's
fresh lock for the stale one.
"""

from __future__ import annotations

import errno
import os
import time

from ledgit.errors import Conflict
from ledgit.git.shared import make_folders, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = [
    "OURS",
    "PATIENCE",
    "lock_ref",
    "no_cleaning",
    "remove_if_stale",
    "remove_left_lock",
    "unlink",
    "write_all",
]

PATIENCE = 2.0  # seconds to wait for somebody else's lock
_STALE = 60.0  # seconds after which a lock file was left by a killed process
# The same for refs that only Ledgit writes, whose lock files live processes of ours hold by flock.
_STALE_OWN = 1.0
OURS = b"ledgit: looks into packed-refs\n"


def remove_left_lock(repo: Repo) -> None:
    """Remove the lock on ``packed-refs`` if a killed process of ours left it: Git would wait for ever."""
    lock = os.path.join(repo.common_dir, "packed-refs.lock")
    if os.path.exists(lock):
        _remove_stale(repo, lock)


class no_cleaning:  # noqa: N801 (reads as the statement it is used in)
    """While a git command of ours holds locks, which Git doesn't do by ``flock``, nobody takes them for stale."""

    def __init__(self, repo: Repo) -> None:
        self._folder = os.path.join(repo.common_dir, "ledgit")
        self._fd = -1

    def __enter__(self) -> None:
        import fcntl

        try:
            make_folders(self._folder)
            self._fd = os.open(os.path.join(self._folder, "refs.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._fd, fcntl.LOCK_SH)
        except OSError:
            pass  # no locks here, so nobody cleans either

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def remove_if_stale(repo: Repo, lock: str) -> bool:
    """Remove the lock file *lock* if a killed process left it; return whether there was one to remove."""
    return os.path.exists(lock) and _remove_stale(repo, lock)


def lock_ref(repo: Repo, path: str, content: bytes = b"") -> int:
    """Create ``<path>.lock``, with *content* in it, and return it open for writing.

    Keep it open as long as it is held: our own processes see by its flock that somebody lives.
    """
    import fcntl

    deadline = 0.0
    while True:
        try:
            fd = _create(path + ".lock", content)
            share(fd, os.path.dirname(path))
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pass  # no locks here, or somebody looks whether we live: that we are young tells them
            return fd
        except FileNotFoundError:
            # The folder is missing, or was removed as empty by another process just now.
            make_folders(os.path.dirname(path))
        except NotADirectoryError:
            raise Conflict(f"{path} can't be made: a ref has the name of one of its folders") from None
        except FileExistsError:
            now = time.monotonic()
            deadline = deadline or now + PATIENCE
            if now >= deadline:
                raise Conflict(
                    f"{path}.lock is held by another process; if no git command is running, remove that file"
                ) from None
            if not _remove_stale(repo, path + ".lock"):
                time.sleep(0.001 + int.from_bytes(os.urandom(2), "big") / 65536 * 0.02)


def _create(lock: str, content: bytes) -> int:
    """Create a lock file, on Linux with its content from the first moment.

    A process that is killed before it wrote what says whose the lock is would leave one that looks
    like Git's, and stands in the user's way for a minute.
    """
    if content and hasattr(os, "O_TMPFILE"):
        try:
            fd = os.open(os.path.dirname(lock), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        except OSError:
            pass  # not on this file system
        else:
            try:
                write_all(fd, content)
                # Any descriptor will do: without one Python would link the link in /proc.
                os.link(f"/proc/self/fd/{fd}", lock, src_dir_fd=fd, follow_symlinks=True)
                return fd
            except FileExistsError:
                os.close(fd)
                raise
            except OSError:
                os.close(fd)
    fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, content)
    except OSError:
        os.close(fd)
        unlink(lock)
        raise
    return fd


def _remove_stale(repo: Repo, lock: str) -> bool:
    """Remove *lock* if a killed process left it; return whether it is worth to try again at once."""
    import fcntl

    held = -1
    try:
        if not _abandoned(repo, lock, time.time()):
            return False
        folder = os.path.join(repo.common_dir, "ledgit")
        make_folders(folder)
        fd = os.open(os.path.join(folder, "refs.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.utime(fd)  # the file system's idea of now, which a network server may have of its own
        held = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _abandoned(repo, lock, os.fstat(fd).st_mtime):
            return False
        os.unlink(lock)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        return False  # a process of ours lives, however slow it is
    except OSError as err:
        if err.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        return False  # no flock here: the user is told which file it is
    finally:
        if held >= 0:
            os.close(held)
        os.close(fd)
    return True


def _abandoned(repo: Repo, lock: str, now: float) -> bool:
    """Whether the age and content of *lock* say that nobody waits for it any more."""
    age = now - os.stat(lock).st_mtime
    if lock.startswith(os.path.join(repo.common_dir, "refs", "ledgit", "")):
        return age >= _STALE_OWN
    if age >= _STALE:
        return True
    with open(lock, "rb") as file:
        return file.read(len(OURS) + 1) == OURS


def write_all(fd: int, data: bytes) -> None:
    """Write *data*, however many calls it takes."""
    while data:
        data = data[os.write(fd, data) :]


def unlink(path: str) -> None:
    """Remove a file that may be gone already, or be a folder."""
    try:
        os.unlink(path)
    except (FileNotFoundError, IsADirectoryError):
        pass
