"""Metric histories as binary columns: a cache beside the index, one file a history blob.

The text of 100,000 points takes 50 ms to parse; its columns are read in under one. A file is
named by the blob it was made from, so it is never stale, and can go at any time.
"""

from __future__ import annotations

import os
import sys
from array import array
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ledgit.records import Points

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.store.folder import Folder

__all__ = ["MAX_BYTES", "Batch", "read_points"]

MAX_BYTES = 256 << 20
"""The cache's size; beyond it the files unused for longest go."""

_MAGIC = b"ledgit-columns-1"
_HEADER = len(_MAGIC) + 8 + 4  # magic, number of points, checksum; then steps, times, values
_WORTH = 2_000
"""Points from which on a file is read faster than the text is parsed."""


def read_points(folder: Folder, blob_oid: str, loader: Callable[[], Points]) -> Points:
    """Return the points of the history blob *blob_oid*.

    Args:
        folder: Ledgit's folder.
        blob_oid: The blob's id.
        loader: Reads the points from the blob; called when there is no whole file of them.
    """
    path = os.path.join(folder.columns, f"{blob_oid}.bin")
    points = _read(path)
    if points is None:
        points = loader()
        if len(points) >= _WORTH:
            _write(folder, path, points)
    return points


class Batch:
    """Columns of many histories that were read at once: a reader sees all of them or none.

    Takes no more than half of the cache's room; what a full or read-only disk refuses is no error.

    Args:
        folder: Ledgit's folder.
        key: Says under which name a metric's columns are looked for.
    """

    def __init__(self, folder: Folder, key: Callable[[str], str]) -> None:
        self._folder, self._key = folder, key
        self._room = MAX_BYTES // 2
        self._written: list[tuple[str, str]] = []  # half-made file, file

    def __bool__(self) -> bool:
        """Whether there is room for more."""
        return self._room > 0

    def add(self, metric: str, points: Points) -> None:
        """Take the points of *metric*, if there is room."""
        self._room -= _HEADER + 24 * len(points)
        if self._room <= 0:
            return
        path = os.path.join(self._folder.columns, f"{self._key(metric)}.bin")
        scratch = _fill(self._folder, path, points.sorted_unique())
        if scratch is None:
            self._room = 0
        else:
            self._written.append((scratch, path))

    def commit(self) -> None:
        """Make what was taken visible."""
        for scratch, path in self._written:
            try:
                os.replace(scratch, path)
            except OSError:
                _unlink(scratch)
        self._written.clear()

    def drop(self) -> None:
        """Forget what was taken."""
        for scratch, _ in self._written:
            _unlink(scratch)
        self._written.clear()
        self._room = 0


def _read(path: str) -> Points | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
            _touch(path, os.fstat(file.fileno()).st_mtime)
    except OSError:
        return None
    count = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 8], "little")
    if data[: len(_MAGIC)] != _MAGIC or len(data) != _HEADER + 24 * count:
        return None
    body = memoryview(data)[_HEADER:]
    if crc32(body) != int.from_bytes(data[_HEADER - 4 : _HEADER], "little"):
        return None
    steps, times, values = array("q"), array("q"), array("d")
    columns: tuple[array[Any], ...] = (steps, times, values)
    for number, column in enumerate(columns):
        column.frombytes(body[8 * count * number : 8 * count * (number + 1)])
        if sys.byteorder == "big":
            column.byteswap()
    return Points(steps, times, values)


def _write(folder: Folder, path: str, points: Points) -> None:
    """Write *points* so that a reader sees all or nothing; a full or read-only disk is no error."""
    scratch = _fill(folder, path, points)
    if scratch is not None:
        try:
            os.replace(scratch, path)
        except OSError:
            _unlink(scratch)


def _fill(folder: Folder, path: str, points: Points) -> str | None:
    """Write *points* to a file beside *path* and return its name; None if the disk refuses."""
    columns: list[array[Any]] = [points.steps, points.times, points.values]
    if sys.byteorder == "big":
        columns = [column[:] for column in columns]
        for column in columns:
            column.byteswap()
    body = b"".join(column.tobytes() for column in columns)
    head = _MAGIC + len(points).to_bytes(8, "little") + crc32(body).to_bytes(4, "little")
    scratch = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        os.makedirs(folder.columns, exist_ok=True)
        _evict(folder.columns, MAX_BYTES - len(head) - len(body))
        with open(scratch, "wb") as file:
            file.write(head)
            file.write(body)
    except OSError:
        _unlink(scratch)
        return None
    return scratch


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _touch(path: str, modified: float) -> None:
    """Note that the file was used, at most once an hour: eviction goes by it."""
    from time import time

    if time() - modified > 3600:
        try:
            os.utime(path)
        except OSError:
            pass


def _evict(path: str, room: int) -> None:
    """Remove the files unused for longest until the rest has at most *room* bytes."""
    files = []
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                info = entry.stat()
            except FileNotFoundError:
                continue
            files.append((info.st_mtime, info.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, name in sorted(files):
        if total <= room:
            return
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass
        total -= size
