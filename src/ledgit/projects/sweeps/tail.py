"""The points of one metric, read from the journal of a run while it is written."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from ledgit.store.journal import parse_lines, part_names, read_blocks

if TYPE_CHECKING:
    from ledgit.records.history import Points

__all__ = ["Tail"]


class Tail:
    """Reads what was appended since the last look, in every process's part.

    Args:
        directory: The active run's folder.
        metric: The metric.
    """

    def __init__(self, directory: str, metric: str) -> None:
        self.directory, self.metric = directory, metric
        self._offsets: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._guard = threading.Lock()

    def read(self) -> list[tuple[int, float]]:
        """Return (step, value) of the points that came since; none where the run has ended meanwhile."""
        with self._guard:
            return self._read()

    def _read(self) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        try:
            names = part_names(self.directory)
        except OSError:
            return found
        for name in names:
            offset = self._offsets.get(name, 0)
            try:
                with open(os.path.join(self.directory, name), "rb") as file:
                    file.seek(offset)
                    found += self._fold(name, offset, list(read_blocks(file)))
            except OSError:
                continue
        return found

    def _fold(self, name: str, offset: int, blocks: list[bytes]) -> list[tuple[int, float]]:
        if not blocks:
            return []
        *whole, last = blocks
        self._offsets[name] = offset + sum(map(len, whole))
        # The last record may still be on its way: it is read again next time, and told only once.
        told = self._points(whole)
        ahead = self._points([last])
        seen = self._seen.get(name, 0)
        self._seen[name] = len(ahead)
        return [*told, *ahead][seen:]

    def _points(self, blocks: list[bytes]) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        for block in blocks:
            histories: dict[str, Points] = {}
            parse_lines(block, histories)
            points = histories.get(self.metric)
            if points is not None:
                found += [(step, value) for step, _, value in points]
        return found
