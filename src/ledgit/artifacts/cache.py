"""Ledgit's cache of large artifacts, laid out as DVC 3 lays out its own.

``<cache>/files/md5/ab/cdef…`` so that DVC reads it when it is configured as a remote or a
cache (https://dvc.org/doc/user-guide/project-structure/internal-files).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import BinaryIO

from ledgit.errors import ArtifactNotFound, StorageError, UnsafePath

_HEX = frozenset("0123456789abcdef")

__all__ = ["cache_path", "digest_file", "open_cached", "put_file"]


def cache_path(cache: str, md5: str) -> str:
    """Return where the content with this MD5 (32 hex digits, ``.dir`` for a folder's list) stands in *cache*.

    Raises:
        UnsafePath: It is something else; pointers come from repositories that nobody checked.
    """
    digits = md5.removesuffix(".dir")
    if len(digits) != 32 or not set(digits) <= _HEX:
        raise UnsafePath("an artifact's digest", f"{md5[:40]!r} is no MD5 in hex digits")
    return os.path.join(cache, "files", "md5", md5[:2], md5[2:])


def digest_file(path: str) -> str:
    """Return the MD5 of the file at *path* as 32 hex digits: DVC's content address."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def put_file(cache: str, source: str) -> str:
    """Take the staged file *source* into *cache* and return its MD5.

    A hard link where the file system allows it: the staged name goes away with the journal.
    Content that is there already is not written again.

    Raises:
        StorageError: The disk refused.
    """
    md5 = digest_file(source)
    target = cache_path(cache, md5)
    if os.path.exists(target):
        return md5
    scratch = f"{target}.{os.urandom(4).hex()}.tmp"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, scratch)
        except OSError:
            shutil.copyfile(source, scratch)
        os.chmod(scratch, 0o444)
        with open(scratch, "rb") as file:
            os.fsync(file.fileno())
        os.replace(scratch, target)
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(f"artifact {source}", error.strerror or str(error)) from error
    return md5


def open_cached(cache: str, md5: str) -> BinaryIO:
    """Open the content with this MD5 for reading.

    Raises:
        ArtifactNotFound: It is not in this clone's cache.
    """
    try:
        return open(cache_path(cache, md5), "rb")
    except FileNotFoundError:
        raise ArtifactNotFound(f"md5:{md5}") from None
