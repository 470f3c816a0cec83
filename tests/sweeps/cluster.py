"""A Dask cluster of processes of its own on this machine: no home, cache or folder in common."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for a state, however long it takes on a loaded machine."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Cluster:
    """A scheduler and workers; use it in a ``with`` statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        self.start_scheduler()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)

    def _start(self, name: str, *words: str) -> None:
        home = self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        environ = {
            "PATH": os.defpath,
            "HOME": str(home),
            "LEDGIT_AUTO_COMPACT": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
        }
        with open(home / "log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=home, env=environ, stdout=log, stderr=log
            )

    def start_scheduler(self) -> None:
        """Start the scheduler, again if need be, at the same address."""
        self._start(
            "scheduler",
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dashboard-address",
            "127.0.0.1:0",
        )

        def listens() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False

        wait_until(listens, "the scheduler's start")

    def start_worker(self, name: str) -> None:
        """Start a worker that runs one trial at a time."""
        options = (
            "--nthreads",
            "1",
            "--no-nanny",
            "--dashboard-address",
            "127.0.0.1:0",
            "--host",
            "127.0.0.1",
            "--name",
            name,
        )
        self._start(name, "worker", self.address, *options, "--memory-limit", "0", "--local-directory", ".")

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a process and wait until it has gone."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait()
