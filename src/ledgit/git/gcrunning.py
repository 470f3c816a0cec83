"""Whether Git's own housekeeping is at work in a repository."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["gc_is_running"]

_GC_LIMIT = 12 * 3600.0  # as Git: an older gc.pid was left by a killed gc


def gc_is_running(repo: Repo) -> bool:
    """Whether a ``git gc`` or ``git maintenance`` seems to be at work.

    Packs must not be taken from under it. Nor may a ref go whose commits another ref took over a
    moment ago: Git reads refs one after the other, and can have read the one too early and look
    for the other too late. One that begins after this was asked sees what was written before.
    """
    return _runs(os.path.join(repo.common_dir, "gc.pid")) or _runs(os.path.join(repo.objects_dir, "maintenance.lock"))


def _runs(lock: str) -> bool:
    """Whether the process that wrote the file *lock* may live."""
    try:
        with open(lock, "rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime >= _GC_LIMIT:
                return False
            words = file.read(300).decode("utf-8", "replace").split()
    except OSError:
        return False
    if len(words) == 2 and words[0].isascii() and words[0].isdigit() and words[1] == os.uname().nodename:
        try:
            os.kill(int(words[0]), 0)
        except (ProcessLookupError, OverflowError):
            return False  # as Git has it
        except OSError:
            pass
    return True
