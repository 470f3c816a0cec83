"""Files of the cache: written, linked, removed, and put on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from functools import cache
from typing import TYPE_CHECKING

from ledgit.artifacts.hashing import copy_and_digest, copy_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FEW", "fill", "names_in", "remove", "rename_new", "sync_all", "sync_path", "synced_meanwhile", "write_new"]

FEW = 64
"""Files that are synced one by one: a sync of the whole file system waits for everybody's, but once."""
_HERE = -100  # AT_FDCWD: relative names start from the working directory
_NOREPLACE = 1
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


def rename_new(source: str, target: str) -> bool:
    """Give *source* the name *target* unless something has it; whether it has it now.

    One call where the system and the file system know how (Linux: ``renameat2`` with ``RENAME_NOREPLACE``), else a
    look first.

    Raises:
        OSError: It can't be renamed.
    """
    rename = _rename_noreplace()
    if rename is not None:
        code = rename(os.fsencode(source), os.fsencode(target))
        if code == 0:
            return True
        if code == errno.EEXIST:
            return False
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EPERM):  # a file system or a sandbox that has no such call
            raise OSError(code, os.strerror(code), source, None, target)
    if os.path.lexists(target):
        return False
    os.rename(source, target)
    return True


@cache
def _rename_noreplace() -> Callable[[bytes, bytes], int] | None:
    """Return what renames and gives an error's number (0: none), or None where the C library has no such call."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)

    def rename(source: bytes, target: bytes) -> int:
        return ctypes.get_errno() if call(_HERE, source, _HERE, target, _NOREPLACE) else 0

    return rename


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


@contextlib.contextmanager
def synced_meanwhile(path: str, refused: list[OSError]) -> Iterator[None]:
    """Sync the file system that *path* is on while something else is done; *refused* gets the disk's error."""

    def sync() -> None:
        try:
            sync_all(path)
        except OSError as error:
            refused.append(error)

    thread = threading.Thread(target=sync, name="ledgit-sync", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is ending, or there are too many
        yield
        return
    try:
        yield
    finally:
        thread.join()
