"""Run a module of Python in a process that ends when the one that started it does, however that ends.

``python -m ledgit.tui.serving.tied FD MODULE ARGUMENT…``: *FD* is the read end of a pipe whose other end the starter
holds and never writes to. Once that is closed (also by SIGKILL, which leaves no time to tell anybody), this process
gets SIGTERM and, if it is still there *GRACE* seconds later, SIGKILL together with what it started.

Textual's driver for the browser doesn't end at the end of its input, so a UI would stay behind for good.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

__all__ = ["GRACE", "main", "tie"]

GRACE = 3.0


def tie(fd: int) -> None:
    """End this process when the other end of the pipe *fd* is closed."""
    threading.Thread(target=_wait, args=(fd,), name="tied", daemon=True).start()


def _wait(fd: int) -> None:
    while os.read(fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():  # a session of its own, as the server makes one
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Tie this process, and be the module that the command line names."""
    import runpy

    fd, module = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(fd, False)  # what the module starts must not hold it
    tie(fd)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
