"""Content addresses: MD5, as DVC has them, of files that are read once and in large pieces.

The interpreter's lock is free while a piece is hashed, read or copied, so a training that goes on
beside it is held up for microseconds.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from zlib import crc32

TYPE_CHECKING = False  # a training that logs its first file comes by here: each import counts
if TYPE_CHECKING:
    import sqlite3
    from hashlib import _Hash
    from typing import TypeVar

    T = TypeVar("T")
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Hashes", "Stamp", "clone", "copy_and_digest", "copy_data", "digest_file", "in_threads", "new_digest"]

PIECE = 1 << 20
"""Bytes that are hashed at once: beyond this nothing gets faster, and memory is somebody's."""
_FICLONE = 0x40049409
_NO_CLONES = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.ENOSYS)
_YOUNG = 2_000_000_000  # ns; file systems exist that count time by two seconds
_MOST_KNOWN = 100_000


def new_digest(data: bytes = b"") -> _Hash:
    """Return the hash by which objects are named, of *data* so far; not for security, so FIPS systems let it pass."""
    from hashlib import md5

    return md5(data, usedforsecurity=False)


def digest_file(path: str) -> str:
    """Return the MD5 of the file at *path* as 32 hex digits: DVC's content address.

    Raises:
        OSError: It can't be read.
    """
    digest = new_digest()
    buffer = memoryview(bytearray(PIECE))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def copy_and_digest(source: int, target: int, *, settled: bool = False) -> tuple[str, int]:
    """Copy what the file *source* holds to the empty file *target*, both open descriptors, hashing it on the way.

    Args:
        source: Stands at its beginning.
        target: Stands at its beginning.
        settled: Nobody writes to *source*, an object for instance: its blocks are shared where the file system can.

    Returns:
        The MD5 and the number of bytes.

    Raises:
        OSError: One can't be read, or the other not be written.
    """
    cloned = settled and clone(source, target)
    digest = new_digest()
    buffer = memoryview(bytearray(PIECE))
    size = 0
    while count := os.readv(source, [buffer]):
        digest.update(buffer[:count])
        size += count
        if cloned:
            continue
        done = 0
        while done < count:
            done += os.write(target, buffer[done:count])
    return digest.hexdigest(), size


def clone(source: int, target: int) -> bool:
    """Make the empty file *target* share the blocks of *source* (a reflink); say whether the file system did.

    *target* is as empty as it was if it did not: a copy, which says what is wrong, can be tried then. So it is when the
    disk is called full, too: file systems say that of one part of theirs that has no room for sharing.

    Raises:
        OSError: What was begun can't be undone.
    """
    try:
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)
    except ImportError:
        return False
    except OSError as error:
        if error.errno not in _NO_CLONES:  # it may have stopped half way
            os.ftruncate(target, 0)
        return False
    return True


def copy_data(source: int, target: int) -> int:
    """Copy what the file *source* holds to the empty file *target*, both open descriptors, and return the bytes.

    By reflink where the file system can, else inside the kernel, else piece by piece.

    Raises:
        OSError: One can't be read, or the other not be written.
    """
    if clone(source, target):
        return os.fstat(target).st_size
    size = 0
    if hasattr(os, "copy_file_range"):  # Linux
        try:
            while count := os.copy_file_range(source, target, 16 * PIECE):
                size += count
        except OSError as error:
            # Across file systems, or one of them can't: what follows goes on where this stopped.
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
                raise
    # What the kernel takes for the end of a file in /proc or on some network file systems is none.
    return size + _copy_pieces(source, target)


def _copy_pieces(source: int, target: int) -> int:
    buffer = memoryview(bytearray(PIECE))
    size = 0
    while count := os.readv(source, [buffer]):
        done = 0
        while done < count:
            done += os.write(target, buffer[done:count])
        size += count
    return size


def in_threads(work: Callable[[T], None], items: Iterable[T], most: int = 4) -> None:
    """Call ``work(item)`` for each of *items*, by several threads where the machine has several processors.

    Raises:
        BaseException: The first that *work* raised; what was not begun then is left.
    """
    todo = iter(list(items))
    guard = threading.Lock()
    failed: list[BaseException] = []

    def go_on() -> None:
        while not failed:
            with guard:
                item = next(todo, guard)
            if item is guard:
                return
            try:
                work(item)  # type: ignore[arg-type]  # the guard only says that there is nothing left
            except BaseException as error:
                failed.append(error)

    threads = [
        threading.Thread(target=go_on, name="ledgit-hash", daemon=True)
        for _ in range(min(most, os.cpu_count() or 1) - 1)
    ]
    started = []
    for thread in threads:
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending, or there are too many: this one does it all
            break
        started.append(thread)
    go_on()
    for thread in started:
        thread.join()
    if failed:
        raise failed[0]


class Stamp:
    """What tells whether a file is the same as it was: a part of :class:`os.stat_result`."""

    __slots__ = ("st_ctime_ns", "st_dev", "st_ino", "st_mtime_ns", "st_size")

    def __init__(self, device: int, inode: int, size: int, mtime: int, ctime: int) -> None:
        self.st_dev, self.st_ino, self.st_size = device, inode, size
        self.st_mtime_ns, self.st_ctime_ns = mtime, ctime


class Hashes:
    """What was hashed before, by device, inode, size, mtime and ctime: ``hashes.sqlite3``, disposable.

    A stamp that was younger than two seconds when it was read is not trusted: the file may have
    been written again without its stamp telling. Trouble with the database is no trouble: nothing
    is known then.

    Args:
        folder: Where the database is.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "hashes.sqlite3")
        self._database: sqlite3.Connection | None = None
        self._guard = threading.Lock()

    def known(self, stat: os.stat_result | Stamp) -> str | None:
        """Return the MD5 of the file with this stamp, or None if it is not known."""
        from sqlite3 import Error

        with self._guard:
            try:
                database = self._open()
                row = database.execute("SELECT stamp, md5, sum FROM hashes WHERE place = ?", (_place(stat),)).fetchone()
            except (Error, OSError):
                return None
        if row is None or row[0] != _stamp(stat) or row[2] != _sum(stat, row[1]):
            return None
        return str(row[1])

    def note(self, stat: os.stat_result | Stamp, md5: str, read: int | None = None) -> None:
        """Remember that the file with this stamp has this MD5.

        Args:
            stat: The file's, as it was before it was read.
            md5: Of the content, 32 hex digits.
            read: When the stamp was taken, ns since the epoch; now if None.
        """
        self.note_all([(stat, md5)], read)

    def note_all(self, found: Sequence[tuple[os.stat_result | Stamp, str]], read: int | None = None) -> None:
        """Remember many at once; see :meth:`note`."""
        from sqlite3 import Error

        now = time.time_ns() if read is None else read
        rows = [
            (_place(stat), _stamp(stat), md5, _sum(stat, md5))
            for stat, md5 in found
            # A stamp of tomorrow says that the clocks differ.
            if max(stat.st_mtime_ns, stat.st_ctime_ns) < now - _YOUNG
        ]
        if not rows:
            return
        with self._guard:
            try:
                database = self._open()
                with database:
                    database.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", rows)
                    database.execute(
                        "DELETE FROM hashes WHERE rowid <= (SELECT max(rowid) FROM hashes) - ?", (_MOST_KNOWN,)
                    )
            except (Error, OSError):
                pass

    def close(self) -> None:
        """Close the database; it is opened again when it is needed."""
        with self._guard:
            if self._database is not None:
                self._database.close()
                self._database = None

    def forget(self) -> None:
        """In a forked child: what is open is the parent's, and closing it could undo what that is writing."""
        self._guard = threading.Lock()
        _parents.append(self._database)
        self._database = None

    def _open(self) -> sqlite3.Connection:
        if self._database is not None:
            return self._database
        import sqlite3

        try:
            self._database = self._connect()
        except sqlite3.OperationalError:
            raise  # busy, no room, no rights: somebody else may use what is there
        except sqlite3.DatabaseError:  # damaged: it is disposable
            if os.path.exists(self.path):
                os.unlink(self.path)
            self._database = self._connect()
        return self._database

    def _connect(self) -> sqlite3.Connection:
        import sqlite3

        database = sqlite3.connect(self.path, timeout=1, check_same_thread=False)
        # What a power cut takes from it is hashed once more.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE IF NOT EXISTS hashes (place TEXT UNIQUE, stamp TEXT, md5 TEXT, sum INT)")
        return database


def _place(stat: os.stat_result | Stamp) -> str:
    return f"{stat.st_dev}:{stat.st_ino}"


def _stamp(stat: os.stat_result | Stamp) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


def _sum(stat: os.stat_result | Stamp, md5: str) -> int:
    """Return what tells a row that a power cut mixed up: a wrong digest would name another file's content."""
    return crc32(f"{_place(stat)} {_stamp(stat)} {md5}".encode())


_parents: list[sqlite3.Connection | None] = []
