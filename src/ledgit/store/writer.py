"""One process's part of a run's journal: an ``O_APPEND`` file and what could not be written yet."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque

from ledgit.store.journal import PART_SUFFIX
from ledgit.store.staging import sync_path

__all__ = ["PartWriter"]

#: Bytes kept in memory while the disk refuses them.
UNSENT_LIMIT = 64 << 20

# A descriptor must not be closed while another thread may be inside write() with its number,
# or that write could land in a file opened since. Closed ones wait here for a while.
_retired: deque[tuple[float, int]] = deque()
_RETIRE_AFTER = 2.0
_RETIRED_MOST = 64  # a process that makes runs in milliseconds must not run out of descriptors


def _retire(fd: int) -> None:
    now = time.monotonic()
    _retired.append((now, fd))
    try:
        while now - _retired[0][0] > _RETIRE_AFTER or len(_retired) > _RETIRED_MOST:
            os.close(_retired.popleft()[1])
    except IndexError:
        pass  # another thread took the last one


def _shut(fd: int) -> int:
    """Make writes to the number *fd* fail and return another descriptor of its file.

    A thread may have read the number and be about to write: milliseconds, while another one has
    the interpreter.
    """
    if fd < 0:
        return fd
    try:
        moved = os.dup(fd)
        unwritable = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no more descriptors
        return fd
    os.dup2(unwritable, fd, inheritable=False)
    os.close(unwritable)
    _retire(fd)
    return moved


class PartWriter:
    """Appends records to a part of its own in *directory*.

    :attr:`fd` is public because the metric hot path writes to it directly; everything that is
    not a full-length write goes through :meth:`rewrite`.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.fd = -1
        self._sealed = -1
        self.dirty = False
        self.closed = False  #: takes nothing more
        self.lost = 0  #: bytes given up because the disk stayed full
        self._lock = threading.Lock()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._path = ""
        self._placed = False

    def open(self) -> None:
        """Open a new part; its name sorts after those opened earlier."""
        name = f"{time.time_ns():019d}-{os.getpid()}-{os.urandom(2).hex()}{PART_SUFFIX}"
        path = os.path.join(self.directory, name)
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._path = path
        self._placed = False

    def append(self, record: bytes) -> bool:
        """Write *record* whole, or keep it until the disk takes it again; False if the part is sealed.

        Behind what is kept already: of two values of a tag the later one counts.
        """
        if self._unsent:
            return self.rewrite(record, None)
        try:
            if os.write(self.fd, record) == len(record):
                self.dirty = True
                return True
        except OSError as error:
            return self.rewrite(record, error)
        return self.rewrite(record, None)

    def rewrite(self, record: bytes, error: OSError | None) -> bool:
        """Take over a record that was not written whole: first try again, then keep it.

        The torn half stays where it is: records lead with their newline, so the next one is
        not harmed by it. False if the part is sealed: nobody would read the record any more.
        """
        with self._lock:
            if self.closed:
                return False
            self.dirty = True
            if error is not None and error.errno in (errno.EFBIG, errno.EBADF):
                # The file reached its limit (RLIMIT_FSIZE), or this is a forked child that has
                # no part yet: a new part has its own limit.
                self._reopen()
            self._unsent.append(record)
            self._unsent_bytes += len(record)
            self._flush()
            while self._unsent_bytes > UNSENT_LIMIT:
                dropped = self._unsent.popleft()
                self._unsent_bytes -= len(dropped)
                self.lost += len(dropped)
            return True

    def seal(self) -> int:
        """Write what was kept and take nothing more, unless the disk still refuses it.

        Before a journal is read for the last time: what another thread logs from now on is
        refused, where it would else be written behind the reader's back. :meth:`sync` still works.

        Returns:
            How many bytes are still waiting; the part is open as long as there are any.
        """
        with self._lock:
            self._flush()
            if not self._unsent:
                self.closed = True
                fd, self.fd = self.fd, -1
                self._sealed = _shut(fd)
            return self._unsent_bytes

    def flush(self) -> int:
        """Write what was kept; return how many bytes are still waiting."""
        with self._lock:
            self._flush()
            return self._unsent_bytes

    def _flush(self) -> None:
        while self._unsent:
            record = self._unsent[0]
            try:
                if os.write(self.fd, record) != len(record):
                    return
            except OSError as error:
                if error.errno not in (errno.EFBIG, errno.EBADF) or self.closed or not self._reopen():
                    return
                continue
            self._unsent.popleft()
            self._unsent_bytes -= len(record)

    def _reopen(self) -> bool:
        old = self.fd
        try:
            empty = old >= 0 and os.fstat(old).st_size == 0
            if empty:  # a fresh part took nothing either: another one would not help
                return False
            self.open()
        except OSError:
            return False
        if old >= 0:
            _retire(old)
        return True

    @property
    def waiting(self) -> int:
        """Bytes that the disk refused and that wait in memory."""
        return self._unsent_bytes

    def linked(self) -> bool:
        """Whether the part can still be found under its name."""
        if self.fd < 0:
            return True
        try:
            return os.fstat(self.fd).st_nlink > 0
        except OSError:
            return False

    def sync(self) -> None:
        """Make what was written durable, if there is anything new.

        Raises:
            OSError: The disk refused.
        """
        if self._unsent:
            self.flush()
        fd = max(self.fd, self._sealed)
        if self.dirty and fd >= 0:
            self.dirty = False
            try:
                os.fdatasync(fd)
                if not self._placed:
                    self._place()
            except OSError:
                self.dirty = True
                raise

    def _place(self) -> None:
        """Make the part's name durable, and its folder's: once, and cheap after the file's own sync."""
        for folder in (self.directory, os.path.dirname(self.directory)):
            sync_path(folder)
        self._placed = True

    def close(self) -> None:
        """Stop writing. The descriptor itself is closed a little later."""
        with self._lock:
            self.closed = True
            fd, self.fd, self._sealed = max(self.fd, self._sealed), -1, -1
        if fd >= 0:
            _retire(fd)

    def forget(self) -> None:
        """In a forked child: drop the parent's part; the next record opens one of our own."""
        self._lock = threading.Lock()
        fd, self.fd = self.fd, -1
        self._unsent.clear()
        self._unsent_bytes = 0
        self.dirty = False
        if fd >= 0:
            os.close(fd)
