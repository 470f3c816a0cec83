"""A project's run that was started from Python: MLflow's ``SubmittedRun``."""

from __future__ import annotations

import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.projects.child import Child
    from ledgit.projects.launching import Launched
    from ledgit.store import ActiveRun

__all__ = ["SubmittedRun"]


class SubmittedRun:
    """A run that may still be going on.

    Attributes:
        run_id: The run.
    """

    def __init__(self) -> None:
        self.run_id = ""
        self._child: Child | None = None
        self._launched: Launched | None = None
        self._error: BaseException | None = None
        self._began, self._ended = threading.Event(), threading.Event()
        self._cancelled = False

    def __repr__(self) -> str:
        return f"<SubmittedRun {self.run_id[:8]} {self.get_status()}>"

    def wait(self) -> bool:
        """Wait until it has ended, and return whether it succeeded."""
        self._ended.wait()
        return self._launched is not None and self._launched.status == "FINISHED"

    def get_status(self) -> str:
        """Return ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED``."""
        if not self._ended.is_set():
            return "RUNNING"
        return "FAILED" if self._launched is None else self._launched.status

    def cancel(self) -> None:
        """Ask it, and all that it started, to end, and wait until it has: after 10 seconds it is killed."""
        self._cancelled = True
        if self._child is not None:
            self._child.ask(signal.SIGTERM)
            if not self._ended.wait(_GRACE):
                self._child.kill()
        self._ended.wait()

    @property
    def exit_code(self) -> int | None:
        """Exit code of its command; None while it runs, or if it did not start."""
        return None if self._launched is None else self._launched.exit_code

    def _do(self, work: Callable[[SubmittedRun], Launched]) -> None:
        """Do *work* in this thread, where Ctrl-C is passed on to the command."""
        try:
            self._launched = work(self)
        finally:
            self._ended.set()

    def _start(self, work: Callable[[SubmittedRun], Launched]) -> None:
        """Do *work* in a thread; return when the command is about to start, or raise what kept it from that."""

        def run() -> None:
            try:
                self._launched = work(self)
            except BaseException as error:
                self._error = error
            finally:
                self._ended.set()
                self._began.set()

        threading.Thread(target=run, name="ledgit-project").start()
        self._began.wait()
        if self._error is not None:
            raise self._error

    def _started(self, run: ActiveRun, child: Child) -> None:
        self.run_id, self._child = run.id, child
        if self._cancelled:
            child.ask(signal.SIGTERM)
        self._began.set()


_GRACE = 10.0
