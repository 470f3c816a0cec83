"""The terminal: Textual's driver for Linux and macOS, which here also bears that the terminal goes away.

When a terminal hangs up, the kernel sends SIGHUP and SIGCONT. Textual's driver takes SIGCONT for the return from a
suspension and starts a second time, and the thread that writes dies of its first error: the queue in front of it
fills up, and whoever draws then waits for ever, with the process left behind.
"""

from __future__ import annotations

import termios
from typing import IO, TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TerminalDriver"]


class TerminalDriver(LinuxDriver):
    """Draws on standard error; ends the app as SIGHUP does once nothing can be drawn there any more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        assert self._file is not None  # the command has checked that it is a terminal
        self._file = _Screen(self._file, self._lost)  # type: ignore[assignment]

    def _lost(self) -> None:
        self._app.call_later(self._app.exit, 129)

    def _sigcont_application(self, *_: object) -> None:
        """Come back from Ctrl-Z, or from a SIGSTOP, which gave no time to leave the terminal as it was."""
        if self._writer_thread is None:
            return
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return  # SIGHUP came with it
        if not self._must_signal_resume and self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True  # so that everything is drawn again
        super()._sigcont_application()


class _Screen:
    """The file that is drawn on; an error is told once, and what comes after is dropped."""

    def __init__(self, file: IO[str], lost: Callable[[], None]) -> None:
        self._file, self._tell, self._gone = file, lost, False
        self.fileno = file.fileno

    def write(self, text: str) -> None:
        if not self._gone:
            try:
                self._file.write(text)
            except (OSError, ValueError):
                self._end()

    def flush(self) -> None:
        if not self._gone:
            try:
                self._file.flush()
            except (OSError, ValueError):
                self._end()

    def _end(self) -> None:
        self._gone = True
        self._tell()
