"""Automatic compaction: when enough runs are loose, in a process of its own that nobody waits for."""

from __future__ import annotations

import os
import time

from ledgit.errors import LedgitError

# Every short script comes here at its end: what compacting needs is imported when it is time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["DUE", "compact_if_due", "compact_quietly", "shrink_later"]

DUE = 256
"""Loose runs from which on they are compacted."""

_RUNS = "refs/ledgit/runs/"
_LEFT = "compacted"  # file: how many runs the last automatic compaction had to leave loose
_STARTED = "compacting"  # file, empty: when the last one was started
_PAUSE = 10.0  # seconds between two


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
            return _start(repo, folder)
        compact_quietly(repo, folder)
    except (LedgitError, OSError):
        return False
    return True


def shrink_later(repo: Repo, folder: Folder) -> bool:
    """Make the packs of many runs that were stored at once small, in the background. Never raises.

    Returns:
        Whether a process was started for it.
    """
    try:
        return _wanted(repo) and _start(repo, folder)
    except (LedgitError, OSError):
        return False


def compact_quietly(repo: Repo, folder: Folder) -> None:
    """Compact unless another process does, and note how many runs had to stay loose.

    Those that could go in a moment don't count: their commits are being synced, or a ``git gc`` is
    at work. On a slow disk that may be hundreds, and the next compaction would wait for as many more.

    Where enough runs ended meanwhile they go too, as whoever came for them found the ledger taken.
    """
    while _compact(repo, folder) >= DUE:
        pass  # each time so many runs are gone, so it ends


def _compact(repo: Repo, folder: Folder) -> int:
    """Compact once; return how many runs are no longer loose."""
    from ledgit.store.ledger.compaction import BUSY, STAYS, compact
    from ledgit.store.ledger.lock import LedgerLock
    from ledgit.store.sync.held import read_held

    if _count(repo) - _left(folder) < DUE:
        return 0
    with LedgerLock(folder, wait=0.0):
        if _count(repo) - _left(folder) < DUE:
            return 0  # another process was quicker
        done = compact(repo, folder, hold=set(read_held(folder)))
        stay = sum(
            why != STAYS and (why != BUSY or os.path.isdir(folder.active_dir(run_id)))
            for run_id, why in done.left.items()
        )
        path = os.path.join(folder.path, _LEFT)
        with open(path + ".tmp", "w", encoding="ascii") as file:
            file.write(f"{stay}\n")
        os.replace(path + ".tmp", path)
    return len(done.runs)


def _count(repo: Repo) -> int:
    """Return how many loose runs there are, without opening a file a run."""
    try:
        with os.scandir(os.path.join(repo.common_dir, _RUNS)) as entries:
            found = sum(not entry.name.endswith(".lock") for entry in entries)
    except OSError:
        found = 0
    try:
        with open(os.path.join(repo.common_dir, "packed-refs"), "rb") as file:
            found += file.read().count(b" " + _RUNS.encode("ascii"))
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


def _start(repo: Repo, folder: Folder) -> bool:
    from ledgit.git.background import start_quietly

    mark = os.path.join(folder.path, _STARTED)
    try:
        if abs(time.time() - os.stat(mark).st_mtime) < _PAUSE:
            return False  # it is at work, or failed a moment ago
        os.utime(mark)
    except FileNotFoundError:
        folder.make(folder.path)
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    return start_quietly(repo, "ledgit.store.ledger")
