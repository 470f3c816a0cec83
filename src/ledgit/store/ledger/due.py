"""Automatic compaction: when enough runs are loose, in a process of its own that nobody waits for."""

from __future__ import annotations

import os

from ledgit.errors import LedgitError
from ledgit.store.ledger.loose import RUNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["DUE", "compact_if_due", "compact_quietly"]

DUE = 256
"""Loose runs from which on they are compacted."""

_LEFT = "compacted"  # file: how many runs the last automatic compaction had to leave loose


def compact_if_due(repo: Repo, folder: Folder, *, background: bool = True) -> bool:
    """Compact when there are 256 loose runs more than the last time had to leave.

    Called where runs become commits. It counts names and reads none; ``ledgit.autoCompact`` (or
    ``LEDGIT_AUTO_COMPACT=0``) turns it off. Never raises: the next push compacts as well.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        background: In a process of its own; otherwise it is done when this returns.

    Returns:
        Whether it was time.
    """
    try:
        if _count(repo) - _left(folder) < DUE or not _wanted(repo):
            return False
        if background:
            return _start(repo)
        compact_quietly(repo, folder)
    except (LedgitError, OSError):
        return False
    return True


def compact_quietly(repo: Repo, folder: Folder) -> None:
    """Compact unless another process does, and note how many runs had to stay loose."""
    from ledgit.store.ledger.compaction import compact
    from ledgit.store.ledger.lock import LedgerLock

    with LedgerLock(folder, wait=0.0):
        if _count(repo) - _left(folder) < DUE:
            return  # another process was quicker
        compact(repo, folder)
        path = os.path.join(folder.path, _LEFT)
        with open(path + ".tmp", "w", encoding="ascii") as file:
            file.write(f"{_count(repo)}\n")
        os.replace(path + ".tmp", path)


def _count(repo: Repo) -> int:
    """Return how many loose runs there are, without opening a file a run."""
    try:
        with os.scandir(os.path.join(repo.common_dir, RUNS)) as entries:
            found = sum(not entry.name.endswith(".lock") for entry in entries)
    except OSError:
        found = 0
    try:
        with open(os.path.join(repo.common_dir, "packed-refs"), "rb") as file:
            found += file.read().count(b" " + RUNS.encode("ascii"))
    except OSError:
        pass
    return found


def _left(folder: Folder) -> int:
    try:
        with open(os.path.join(folder.path, _LEFT), encoding="ascii") as file:
            text = file.read(20).strip()
    except OSError:
        return 0
    return int(text) if text.isascii() and text.isdigit() else 0


def _wanted(repo: Repo) -> bool:
    from ledgit.git.background import is_switched_off

    return not is_switched_off("LEDGIT_AUTO_COMPACT") and repo.config().get_bool("ledgit.autoCompact", True)


def _start(repo: Repo) -> bool:
    from ledgit.git.background import start_quietly

    return start_quietly(repo, "ledgit.store.ledger")
