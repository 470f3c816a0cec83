"""Look into Git's index file for two things that ``git status`` doesn't tell.

Which entries are marked ``assume-unchanged``, and whether run files are tracked. For a small
index that takes a fraction of the process that ``git ls-files -v`` costs; format:
gitformat-index(5), versions 2 and 3.
"""

from __future__ import annotations

import os

from ledgit.records.values import Values

__all__ = ["Index", "IndexFacts", "index_facts", "read_index"]

_SMALL = 128 << 10  # bytes, about 1,300 entries, 1 ms
_RUN_FOLDER = b".ledgit/run/"
_ASSUME_UNCHANGED, _EXTENDED = 0x8000, 0x4000


class Index(Values):
    """An index file as read: content (``None``: there is none) and (mtime in ns, inode, size)."""

    __slots__ = ("data", "times")

    def __init__(self, data: bytes | None, times: tuple[int, ...] | None) -> None:
        self.data, self.times = data, times


class IndexFacts(Values):
    """Paths that are marked ``assume-unchanged``, and run files that are tracked."""

    __slots__ = ("flagged", "run_files")

    def __init__(self, flagged: tuple[bytes, ...], run_files: tuple[bytes, ...]) -> None:
        self.flagged, self.run_files = flagged, run_files


def read_index(path: str, *, data: bool = True) -> Index:
    """Read the index file *path*, or only its times."""
    try:
        with open(path, "rb") as file:
            info = os.fstat(file.fileno())
            return Index(file.read() if data else None, (info.st_mtime_ns, info.st_ino, info.st_size))
    except FileNotFoundError:
        return Index(None, None)


def index_facts(data: bytes | None) -> IndexFacts | None:
    """Return what we look for, or ``None`` when Git has to say (large, split or of another version)."""
    if data is None:
        return IndexFacts((), ())
    version = int.from_bytes(data[4:8], "big")
    if data[:4] != b"DIRC" or version not in (2, 3) or len(data) > _SMALL:
        return None
    flagged: list[bytes] = []
    run_files: list[bytes] = []
    at, end = 12, len(data) - 20
    for _ in range(int.from_bytes(data[8:12], "big")):
        flags = int.from_bytes(data[at + 60 : at + 62], "big")
        name_at = at + (64 if flags & _EXTENDED else 62)
        nul = data.find(b"\0", name_at)
        if nul < 0 or nul >= end:
            return None
        if flags & _ASSUME_UNCHANGED:
            flagged.append(data[name_at:nul])
        if data.startswith(_RUN_FOLDER, name_at):
            run_files.append(data[name_at:nul])
        at += (nul - at + 8) & ~7
    while at + 8 <= end:
        if data[at : at + 4] == b"link":
            return None  # split: most entries are in another file
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return IndexFacts(tuple(flagged), tuple(run_files))
