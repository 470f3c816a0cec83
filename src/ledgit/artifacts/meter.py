"""How many bytes have gone, added up from several threads, told by one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Meter", "Part"]


class Meter:
    """Bytes of all objects together.

    Args:
        what: What is being done, for *progress*.
        total: Bytes in all; None if unknown.
        progress: Is told (what, done, total), by :meth:`tell` alone.
    """

    def __init__(self, what: str, total: int | None, progress: Progress | None) -> None:
        self._what, self._total, self._progress = what, total, progress
        self._guard = threading.Lock()
        self._done = 0

    def add(self, count: int) -> None:
        """Count bytes; negative when they go once more."""
        with self._guard:
            self._done += count

    def tell(self) -> None:
        """Tell how far it is."""
        if self._progress is not None:
            total = self._total
            self._progress(self._what, self._done if total is None else min(self._done, total), total)


class Part(Callback):  # type: ignore[misc]
    """One attempt at one object, as ``fsspec`` counts: it may tell what was added, or where it is."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self.at = 0  # bytes that have gone

    def relative_update(self, inc: int = 1) -> None:
        """Count *inc* more bytes."""
        self.at += inc
        self._meter.add(inc)

    def absolute_update(self, value: int) -> None:
        """Count up to *value* bytes."""
        self.relative_update(value - self.at)

    def finish(self, size: int) -> None:
        """Say that all *size* bytes have gone, whatever was counted; 0: that none have."""
        self.absolute_update(size)

    def call(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: who waits for the threads tells."""
