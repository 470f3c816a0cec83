"""Private copies of files that a run logs, taken at once because the caller may change them."""

from __future__ import annotations

import errno
import os

from ledgit.errors import ArtifactNotFound, StorageError

__all__ = ["Staged", "drop", "move_file", "stage_bytes", "stage_file", "sync_path"]

_PLAIN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class Staged:
    """A copy that was taken.

    Attributes:
        size: Bytes of the copy.
        stat: The file's stamp when it was read, if the copy is what it held then.
        read: When that was, ns since the epoch.
        changed: The file was written to each time it was copied: the copy may be of two versions.
    """

    __slots__ = ("changed", "read", "size", "stat")

    def __init__(self, size: int, stat: os.stat_result | None, read: int, *, changed: bool) -> None:
        self.size, self.stat, self.read, self.changed = size, stat, read, changed


def stage_file(source: str, target: str) -> Staged:
    """Copy the regular file *source* to the new file *target*, by reflink where the file system can.

    A link is followed. A file that is written to meanwhile is copied once more; one that still
    changes then (a log that somebody goes on writing) is kept as it was read, and the caller told.

    Raises:
        ArtifactNotFound: *source* does not exist.
        StorageError: It is no regular file, can't be read, or the disk refused; there is no *target* then.
    """
    import stat
    from time import time_ns

    from ledgit.artifacts import copy_data

    try:
        if not stat.S_ISREG(os.stat(source).st_mode):  # before it is opened: that alone can mean something to a device
            raise StorageError(f"artifact {source}", "it is not a regular file")
        with open(target, "xb", buffering=0) as writer:
            for again in (False, True):
                read = time_ns()
                reader = os.open(source, _PLAIN)
                try:
                    before = os.fstat(reader)
                    if not stat.S_ISREG(before.st_mode):
                        raise StorageError(f"artifact {source}", "it is not a regular file")
                    size = copy_data(reader, writer.fileno())
                    after = os.fstat(reader)
                finally:
                    os.close(reader)
                if size == before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
                    return Staged(size, before, read, changed=False)
                if not again:
                    writer.truncate(0)
                    writer.seek(0)
            return Staged(size, None, read, changed=True)
    except FileNotFoundError:
        drop(target)
        raise ArtifactNotFound(source) from None
    except StorageError:
        drop(target)
        raise
    except OSError as error:
        drop(target)
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or str(error)
        raise StorageError(f"artifact {source}", what) from error


def stage_bytes(data: bytes, target: str) -> Staged:
    """Write *data* to the new file *target*.

    Raises:
        StorageError: The disk refused; there is no *target* then.
    """
    try:
        with open(target, "xb") as writer:
            writer.write(data)
    except OSError as error:
        drop(target)
        raise StorageError("an artifact", error.strerror or str(error)) from error
    return Staged(len(data), None, 0, changed=False)


def move_file(source: str, target: str) -> Staged:
    """Move *source*, which nobody writes to any more, to the new file *target*; another disk's is copied.

    Raises:
        StorageError: The disk refused; there is no *target* then.
    """
    try:
        size = os.stat(source).st_size
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise StorageError(f"artifact {source}", error.strerror or str(error)) from error
        stage_file(source, target)
        drop(source)
    return Staged(size, None, 0, changed=False)


def drop(path: str) -> None:
    """Remove what is left of a copy, if anything is."""
    try:
        os.unlink(path)
    except OSError:
        pass


def sync_path(path: str) -> None:
    """Make a file or folder durable; one that is gone needs nothing.

    Raises:
        OSError: The disk refused.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
