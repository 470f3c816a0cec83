"""What an active run logged since the last look: the points of a few metrics, reading only what was appended.

The screen that draws a run while it trains asks twice a second. :func:`~ledgit.store.reading.read_history` would read
the whole journal each time; this remembers how far each part was read. Nothing is written, no lock is tried: the
process that trains doesn't notice.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING
from zlib import crc32

from ledgit.records import Points
from ledgit.store.journal import part_names

if TYPE_CHECKING:
    from ledgit.store.folder import Folder

__all__ = ["Tail", "has_journal"]

_BLOCK = 1 << 20


def has_journal(folder: Folder, run_id: str) -> bool:
    """Whether a run is still a journal: being written, or waiting to be finalized."""
    return os.path.isdir(folder.active_dir(run_id))


class Tail:
    """How far the journal of one run was read.

    Args:
        folder: Ledgit's folder.
        run_id: The run.

    Attributes:
        metrics: The metrics whose points are wanted.
        bytes_read: How many bytes were read in all.
    """

    def __init__(self, folder: Folder, run_id: str) -> None:
        self._directory = folder.active_dir(run_id)
        self._offsets: dict[str, int] = {}
        self.metrics: frozenset[str] = frozenset()
        self.bytes_read = 0

    def read(self, metrics: Collection[str] = ()) -> dict[str, Points]:
        """Return the points that were appended since the last call, as they were logged.

        Args:
            metrics: Further metrics that are wanted from now on: all their points are returned, from the first.

        Returns:
            Points by metric; only those that have new ones. A record that is being written comes with a later call.

        Raises:
            FileNotFoundError: The run has no journal any more.
        """
        more = frozenset(metrics) - self.metrics
        found: dict[str, Points] = {}
        names = part_names(self._directory)
        if more:
            for name, offset in self._offsets.items():
                self._read(name, 0, offset, more, found)
        self.metrics |= more
        for name in names:
            offset = self._offsets.get(name, 0)
            self._offsets[name] = self._read(name, offset, None, self.metrics, found)
        return found

    def _read(self, name: str, offset: int, stop: int | None, metrics: frozenset[str], found: dict[str, Points]) -> int:
        """Add the points of *metrics* between two offsets to *found*; return where the next look begins."""
        wanted = {metric.encode(): metric for metric in metrics}
        try:
            file = open(os.path.join(self._directory, name), "rb", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError:
            return offset
        with file:
            if stop is None and os.fstat(file.fileno()).st_size <= offset:
                return offset
            file.seek(offset)
            rest = b""
            while True:
                room = _BLOCK if stop is None else min(_BLOCK, stop - offset - len(rest))
                data = file.read(room) if room > 0 else b""
                self.bytes_read += len(data)
                if not data:
                    break
                rest += data
                cut = rest.rfind(b"\n")  # what stands before a record's newline is complete
                if cut > 0:
                    _parse(rest[:cut], wanted, found)
                    offset += cut
                    rest = rest[cut:]
            # The last record has no newline behind it: its checksum tells whether all of it is here.
            if rest and _is_whole(rest[1:]):
                _parse(rest, wanted, found)
                offset += len(rest)
        return offset


def _is_whole(line: bytes) -> bool:
    if len(line) < 10:  # cut within its checksum, whose first digits may be those of no bytes: 0
        return False
    try:
        return int(line[:8], 16) == crc32(line[9:])
    except ValueError:
        return False


def _parse(data: bytes, wanted: dict[bytes, str], found: dict[str, Points]) -> None:
    for line in data.split(b"\n"):
        if line[9:11] != b"m\t":
            continue
        metric = wanted.get(line[11 : line.find(b"\t", 11)])
        if metric is None or not _is_whole(line):
            continue
        _, _, value, step, time = line.split(b"\t")
        points = found.get(metric)
        if points is None:
            points = found[metric] = Points()
        points.append(int(step), int(time), float(value))
