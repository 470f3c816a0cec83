"""Folders for what is not whole yet, and taking away those whose process is gone.

On a remote that is a plain file system: ``unfinished/<machine>-<pid>-<random>/``. A connection that broke leaves
one there; the next upload from the same machine removes it, and one from any machine after two days.
In the cache the same, for downloads.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.hashing import new_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FOLDER", "clear_local", "clear_remote", "clear_uploads", "new_name", "release", "remove_remote"]

FOLDER = "unfinished"
OLD = 2 * 86400  # seconds without a byte
_mine: set[str] = set()  # of this process, in use
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


def new_name() -> str:
    """Return a name for a folder of this process; it is in use until :func:`release`."""
    name = f"{_machine()}-{os.getpid()}-{os.urandom(4).hex()}"
    _mine.add(name)
    return name


def release(name: str) -> None:
    """Say that the folder is not needed any more."""
    _mine.discard(name)


def _machine() -> str:
    """Return what tells this machine, boot and container from others, and says nothing about them."""
    parts = [socket.gethostname(), str(os.getuid()) if hasattr(os, "getuid") else ""]
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        parts.append(file.read().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    digest = new_digest()
    digest.update("\n".join(parts).encode())
    return digest.hexdigest()[:12]


def _abandoned(name: str) -> bool | None:
    """Whether nobody writes to the folder *name* any more; None: this machine can't tell."""
    machine, _, rest = name.partition("-")
    pid = rest.partition("-")[0]
    if machine != _machine() or not pid.isdigit():
        return None
    if int(pid) == os.getpid():
        return name not in _mine
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def clear_local(top: str) -> None:
    """Remove what nobody writes to any more below the folder *top*, which need not exist."""
    import shutil

    with contextlib.suppress(OSError):
        for name in os.listdir(top):
            gone = _abandoned(name)
            if gone is None:
                gone = os.stat(os.path.join(top, name)).st_mtime < time.time() - OLD
            if gone:
                shutil.rmtree(os.path.join(top, name), ignore_errors=True)


def clear_remote(fs: Any, top: str) -> None:
    """As :func:`clear_local`, below the folder *top* of one of DVC's file systems.

    Raises:
        Exception: What the file system raises, but for what is not there.
    """
    fs.fs.invalidate_cache()
    for entry in _entries(fs, top):
        name = entry["name"].rstrip("/").rpartition("/")[2]
        gone = _abandoned(name)
        if gone is None:
            newest = max([_time(entry), *(_time(inside) for inside in _entries(fs, fs.join(top, name)))])
            gone = 0 < newest < time.time() - OLD
        if gone:
            remove_remote(fs, fs.join(top, name))


def clear_uploads(fs: Any, path: str) -> None:
    """End uploads in pieces below *path* on S3 that nobody has finished for two days: their pieces take room unseen.

    Raises:
        Exception: What the file system raises.
    """
    bucket, key, _ = fs.fs.split_path(path)
    listed = fs.fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/files/md5/")
    for upload in listed.get("Uploads", ()):
        if 0 < _time({"mtime": upload["Initiated"]}) < time.time() - OLD:
            fs.fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def remove_remote(fs: Any, folder: str) -> None:
    """Remove *folder* and the files in it; one that is not there is no trouble."""
    for inside in _entries(fs, folder):
        with contextlib.suppress(*_NOT_THERE):
            fs.fs.rm_file(inside["name"])
    with contextlib.suppress(*_NOT_THERE):
        fs.fs.rmdir(folder)


def _entries(fs: Any, folder: str) -> Iterator[dict[str, Any]]:
    try:
        yield from fs.fs.ls(folder, detail=True)
    except _NOT_THERE:
        return


def _time(entry: dict[str, Any]) -> float:
    """Return when it was changed, seconds since the epoch; 0 where the file system doesn't say."""
    value = entry.get("mtime") or entry.get("modified") or entry.get("LastModified") or 0
    return float(value.timestamp()) if hasattr(value, "timestamp") else float(value)
