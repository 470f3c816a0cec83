"""Purge in a process of its own, and be killed at a point: ``python tasks.py POINT RUN``."""

from __future__ import annotations

import os
import signal
import sys

from ledgit.repository import open_repository
from ledgit.store.gc import Selection
from ledgit.store.ledger import local, purging
from ledgit.store.sync import purging as there


def main(point: str, run_id: str) -> None:
    """Purge the run; die where *point* says."""

    def checkpoint(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    local.checkpoint = purging.checkpoint = there.checkpoint = checkpoint
    repository = open_repository()
    repository.purge(repository.plan_purge(Selection(runs=(run_id,))))


main(*sys.argv[1:])
