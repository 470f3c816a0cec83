"""A bar on standard error for what takes longer than a second."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_PATIENCE = 1.0  # seconds before anything is shown
_EVERY = 0.1  # seconds between two pictures
_BAR = 24
_IN_BYTES = frozenset({"sending artifacts", "fetching artifacts", "verifying"})  # what is counted in bytes


class Progress:
    """A progress callback that draws; a context manager, so that the bar is gone afterwards.

    Nothing is drawn where standard error is no terminal.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + _PATIENCE
        self._shown = False
        self._tty = bool(getattr(sys.stderr, "isatty", lambda: False)())

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show how far *what* is, if it is time."""
        now = time.monotonic()
        if not self._tty or now < self._next:
            return
        self._next = now + _EVERY
        sys.stderr.write("\r\x1b[K" + picture(what, done, total))
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        """Take the bar away: something else is about to be printed, or the user has answered at last."""
        self._next = time.monotonic() + _PATIENCE
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def picture(what: str, done: int, total: int | None) -> str:
    """Return the line that shows how far *what* is, as wide as the terminal at most."""
    from ledgit.cli.terminal import columns
    from ledgit.cli.text import clean, fit, size

    count = size if what in _IN_BYTES else "{:,}".format
    if not total:
        return fit(f"{clean(what)} {count(done)}", columns() - 1)
    share = min(max(done / total, 0.0), 1.0)
    filled = int(share * _BAR)
    bar = "#" * filled + "." * (_BAR - filled)
    return fit(f"{clean(what):<22} [{bar}] {int(share * 100):>3}%  {count(done)}/{count(total)}", columns() - 1)
