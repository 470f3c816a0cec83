"""How runs end that nobody ended: the interpreter's exit, an uncaught exception, SIGTERM.

* at exit FINISHED; FAILED if an uncaught exception ends the script; KILLED in a notebook,
  where leaving the kernel with a run open means that it was restarted or shut down;
* on SIGTERM KILLED, unless the script handles the signal itself;
* a process that dies without all this (SIGKILL, power) leaves its journal, which every
  reader shows as KILLED and the next writing command finalizes.
"""

from __future__ import annotations

import os
import sys
import threading

from ledgit.tracking import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["end_all", "exit_status", "install"]

#: Seconds that the SIGTERM handler gives finalizing; what is not done by then is recovered later.
GRACE = 10.0

_installed = False


def install() -> None:
    """Register the exit handlers; called when a process opens its first run."""
    global _installed  # noqa: PLW0603 - once a process
    if _installed:
        _install_signal()
        return
    _installed = True
    import atexit

    atexit.register(_at_exit)
    _install_signal()
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=_after_fork)


def _install_signal() -> None:
    """Handle SIGTERM if that is possible here and nobody else does."""
    if threading.current_thread() is not threading.main_thread():
        return
    # What the module ``signal`` wraps in enums: importing those takes 2 ms, and every start comes here.
    import _signal  # type: ignore[import-not-found]  # no stub

    if _signal.getsignal(_signal.SIGTERM) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGTERM, _on_sigterm)


def _after_fork() -> None:
    """Let a forked child die of SIGTERM: the runs are its parent's, and what it logged is in the journal.

    The locks that ending them needs may be held by threads that the child doesn't have; a pool that ends its
    workers would wait for them. A child that starts a run of its own gets the handler again.
    """
    import _signal

    if _signal.getsignal(_signal.SIGTERM) is _on_sigterm:
        _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)


def exit_status() -> str:
    """Return the status of a run that is open when the interpreter exits."""
    if "ipykernel" in sys.modules and hasattr(sys, "ps1"):
        return "KILLED"
    # The interpreter sets last_value when an exception ends the script, before any hook runs;
    # at a prompt every exception sets it, and none of them ends anything.
    if hasattr(sys, "last_value") and not hasattr(sys, "ps1"):
        return "FAILED"
    return "FINISHED"


def end_all(status: str) -> None:
    """End every run that this process has open, innermost first."""
    with session.lock:
        runs = list(session.open_runs.values())
    for run in reversed(runs):
        run.finish(status)


def _end_for_good(status: str) -> None:
    """End every run and see that it is on disk: this process has no later."""
    end_all(status)
    if settle := sys.modules.get("ledgit.store.settle"):  # loaded by who finishes runs here
        settle.settle_at_exit()


def _at_exit() -> None:
    try:
        _end_for_good(exit_status())
    except KeyboardInterrupt:
        pass  # Ctrl-C once more: the journal has everything, and the next command that writes ends the run


def _on_sigterm(number: int, frame: Any) -> None:  # noqa: ARG001
    """End the runs as KILLED, then die of the signal as if it had not been handled.

    The runs are ended by a thread, because the code this handler interrupted may hold a lock
    that ending needs; then the wait runs out, and the journal tells the rest.
    """
    import signal

    ender = threading.Thread(target=_end_for_good, args=("KILLED",), name="ledgit-sigterm", daemon=True)
    ender.start()
    ender.join(GRACE)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
