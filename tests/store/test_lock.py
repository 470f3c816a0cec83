"""The lock of a run, when the run's folder moves away under who waits for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.store.lock import RunLock


def descriptors(path: Path) -> int:
    """Return how often this process has the file open."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}") == str(path)
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("act", [RunLock.share, RunLock.exclusive])
def test_nobody_gets_a_resumed_run_by_the_lock_of_the_session_before(tmp_path: Path, act: Callable[..., bool]) -> None:
    """Who waits has the old file open; meanwhile the run is finalized and resumed."""
    place = tmp_path / "run"
    place.mkdir()
    finalizer, waiting, resumed = (RunLock(str(place)) for _ in range(3))
    assert finalizer.share(create=True)
    assert finalizer.exclusive()
    outcome: list[object] = []

    def wait() -> None:
        try:
            outcome.append(act(waiting, attempts=10_000))
        except FileNotFoundError:
            outcome.append(False)

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + 20
    while descriptors(place / "lock") < 2 and time.monotonic() < deadline:
        time.sleep(0.001)

    place.rename(tmp_path / "settling")
    place.mkdir()
    assert resumed.share(create=True)
    finalizer.release()
    thread.join()

    assert [False] == outcome
    assert not waiting.held
    assert resumed.held
