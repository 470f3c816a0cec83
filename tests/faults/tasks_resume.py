"""Tasks of the fault tests about runs that are only in the ledger."""

from __future__ import annotations

import os
import signal

from tests.faults.tasks import Say

from ledgit.repository import open_repository
from ledgit.store import ActiveRun


def leave_resumed(say: Say, run_id: str) -> None:
    """Resume a run on all its heads, log, and die without a word."""
    repository = open_repository()
    session = ActiveRun.resume(repository.repo, run_id, repository.run(run_id).heads)
    session.log_metric("loss", 0.5, 9, timestamp=3000)
    session.set_tags({"again": "yes"})
    session.add_artifact_bytes("late.txt", b"late")
    assert session._facts is not None
    session._facts.join()
    say(run_id)
    os.kill(os.getpid(), signal.SIGKILL)
