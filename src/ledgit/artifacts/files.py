"""Files of the cache: written, linked, removed, and put on the disk."""

from __future__ import annotations

import contextlib
import os

from ledgit.artifacts.hashing import copy_and_digest, copy_data

__all__ = ["FEW", "fill", "names_in", "remove", "sync_all", "sync_path", "write_new"]

FEW = 64
"""Files that are synced one by one: a sync of the whole file system waits for everybody's, but once."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def write_new(path: str, data: bytes) -> None:
    """Write *data* to the new, read-only file *path*."""
    fd = os.open(path, _NEW, 0o444)
    try:
        done = os.write(fd, data)
        while done < len(data):
            done += os.write(fd, memoryview(data)[done:])
    finally:
        os.close(fd)


def fill(source: str, target: str, oid: str, *, link: bool) -> None:
    """Make the read-only file *target* of *source*, the object *oid*.

    A link if it may be one, else a copy; one of a file that somebody may write to (*link* is not set) is hashed.

    Raises:
        OSError: The disk refused, or *source* has changed.
    """
    if not (link and _linked(source, target)):
        with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
            if link:
                copy_data(reader.fileno(), writer.fileno())
            elif copy_and_digest(reader.fileno(), writer.fileno())[0] != oid.removesuffix(".dir"):
                raise OSError(f"{source} changed while it was copied")
    os.chmod(target, 0o444)


def _linked(source: str, target: str) -> bool:
    try:
        os.link(source, target)
    except OSError:  # across file systems, too many links, or one that has none
        return False
    return True


def remove(path: str) -> None:
    """Delete a file, if it is there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def names_in(path: str) -> list[str]:
    """Return the names in a folder, in order; none if there is no such folder."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def sync_path(path: str) -> None:
    """Sync a file or folder, if it is there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_all(path: str) -> None:
    """Sync the file system that *path* is on; all of them where the C library doesn't say how.

    Raises:
        OSError: The disk refused, or there is no *path*.
    """
    import ctypes

    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "syncfs"):
            os.sync()
        elif library.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(fd)
