"""Waiting for processes that Ledgit starts in the background: for what they do, however long that takes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import run_git

#: Seconds after which something won't happen any more, on however slow a machine.
PATIENCE = 200.0


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until *what* is true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def background_ends(repo: Path) -> None:
    """Wait until no background process works on *repo* any more; nobody may be starting one."""
    common_dir = os.fsencode(run_git(repo, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    wait_for(lambda: not any(b"ledgit.store." in words and common_dir in words for words in _commands()))


def _commands() -> list[bytes]:
    """Return the command lines of all processes."""
    if not os.path.isdir("/proc/self"):
        return subprocess.run(["ps", "-axo", "command="], capture_output=True, check=True).stdout.splitlines()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(Path("/proc", name, "cmdline").read_bytes())
            except OSError:
                continue  # it has ended
    return found
