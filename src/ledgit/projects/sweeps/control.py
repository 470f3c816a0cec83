"""Who works on a sweep in this clone, and how others have it end: two small files in Ledgit's folder.

::

    <common Git directory>/ledgit/sweeps/
        <run>.lock      held by the coordinator for life; the kernel frees it
        <run>.stop      what it is asked for: stop, kill or finish
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from typing import TYPE_CHECKING

from ledgit.errors import Conflict, StorageError

if TYPE_CHECKING:
    from ledgit.store import Folder

__all__ = ["FINISH", "KILL_NOW", "MARK", "STOP_NOW", "Control", "end_leftovers"]

#: What a coordinator can be asked for: let the trials that run end, ask them to end, or kill them.
FINISH, STOP_NOW, KILL_NOW = "finish", "stop", "kill"
#: The variable by which a trial's processes are known: the sweep's run.
MARK = "LEDGIT_SWEEP"
_PAUSE = 0.05  # s between two looks whether a process has ended


class Control:
    """The files of one sweep.

    Args:
        folder: Ledgit's folder.
        run_id: The sweep's run.
    """

    def __init__(self, folder: Folder, run_id: str) -> None:
        self._folder = os.path.join(folder.path, "sweeps")
        self._lock_path = os.path.join(self._folder, f"{run_id}.lock")
        self._stop_path = os.path.join(self._folder, f"{run_id}.stop")
        self.run_id = run_id
        self._lock = -1

    def take(self) -> None:
        """Become the sweep's coordinator in this clone.

        Raises:
            Conflict: Another process is.
            StorageError: The file can't be written.
        """
        import fcntl

        try:
            os.makedirs(self._folder, exist_ok=True)
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(self._lock_path, error.strerror or str(error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Conflict(
                f"sweep {self.run_id[:8]} runs in another process here; 'ledgit sweep stop {self.run_id[:8]}' ends it"
            ) from None
        except OSError:
            pass  # a file system without locks: nobody can know
        self._lock = lock
        self.clear()

    def release(self) -> None:
        """Be its coordinator no more."""
        if self._lock >= 0:
            self.clear()
            # The file stays: were it removed, one who has it open and one who makes it anew would both hold a lock.
            os.close(self._lock)
            self._lock = -1

    def is_held(self) -> bool:
        """Whether some process is the sweep's coordinator in this clone, this one included."""
        import fcntl

        if self._lock >= 0:
            return True
        try:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            try:
                lock = os.open(self._lock_path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EACCES)
        finally:
            os.close(lock)
        return False

    def ask(self, word: str) -> None:
        """Leave the coordinator a word.

        Raises:
            StorageError: The file can't be written.
        """
        scratch = f"{self._stop_path}.{os.getpid()}"
        try:
            with open(scratch, "w", encoding="ascii") as file:
                file.write(word)
            os.replace(scratch, self._stop_path)
        except OSError as error:
            raise StorageError(self._stop_path, error.strerror or str(error)) from error

    def asked(self) -> str:
        """Return the word that was left, or ""."""
        try:
            with open(self._stop_path, encoding="ascii", errors="replace") as file:
                word = file.read(16).strip()
        except OSError:
            return ""
        return word if word in (FINISH, STOP_NOW, KILL_NOW) else ""

    def clear(self) -> None:
        """Take the word away."""
        with contextlib.suppress(OSError):
            os.unlink(self._stop_path)


def end_leftovers(run_id: str, grace: float) -> int:
    """End the processes of a sweep's trials that are nobody's any more; return how many there were.

    They are known by a mark in their environment, so it does not matter what they made of their process group.
    Where there is no ``/proc``, the guard beside each trial has ended those that stayed in it.

    Args:
        run_id: The sweep's run.
        grace: Seconds between asking and killing.
    """
    from ledgit.projects.descendants import marked

    mark = f"{MARK}={run_id}"
    left = set(marked(mark))
    found = set(left)
    for number, until in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + until
        while left and time.monotonic() < deadline:
            left = set(marked(mark))
            found |= left
            if left:
                time.sleep(_PAUSE)
    return len(found)
