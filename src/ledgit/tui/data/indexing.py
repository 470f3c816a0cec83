"""How far the index is while much is read into it, now and then and in a few words."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import get_ident

__all__ = ["Indexing"]

#: Seconds after which it is said how far the index is, and then between two words about it.
_PATIENCE, _EVERY = 0.3, 0.1


class Indexing:
    """Takes what the index says of its progress.

    Args:
        news: Called when there is something new to say, by the thread that reads.

    Attributes:
        text: What to say: ``indexing 1,024 of 1,600 files``; "" when nothing has been read for long.
    """

    def __init__(self, news: Callable[[], object]) -> None:
        self.text = ""
        self._news = news
        self._reader: int | None = None
        self._next = 0.0

    def read(self, what: str, done: int, total: int | None) -> None:
        """Take in how far it is; called by the thread that reads."""
        now = time.monotonic()
        if self._reader is None:
            self._reader, self._next = get_ident(), now + _PATIENCE
        if now >= self._next:
            self._next = now + _EVERY
            unit = "files" if what == "reading the ledger" else "runs"
            self.text = f"indexing {done:,} of {total or 0:,} {unit}"
            self._news()

    def end(self) -> None:
        """Say no more: the thread that calls has the answer to its question. Nothing happens if another one reads."""
        if self._reader == get_ident():
            self._reader = None
            if self.text:
                self.text = ""
                self._news()
