"""What dead processes left behind becomes commits; called by commands that write."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import orjson

from ledgit.errors import LedgitError
from ledgit.store.finalizing import finalize
from ledgit.store.live import active_ids, summarize
from ledgit.store.lock import ALIVE, DEAD, liveness
from ledgit.store.recovered import Recovered
from ledgit.store.settle import settle_leftovers

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["Recovered", "recover"]

#: Seconds after which a folder that never got a start record is taken for a dead one's.
_UNBORN_AGE = 60.0
#: Seconds after which a snapshot's copy of the index is taken for a dead process's.
_SNAPSHOT_AGE = 24 * 3600.0


def recover(repo: Repo, folder: Folder, *, force: tuple[str, ...] = ()) -> Recovered:
    """Finalize every journal whose writer is dead.

    A run is only touched when the kernel says that nobody holds its lock. Runs of another
    host, or on a file system without locks, and detached runs are left alone unless named.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        force: Ids of runs to finalize although the kernel can't know whether they live.
    """
    from ledgit.git import release_leftovers, remove_left_lock

    done = Recovered()
    torn = settle_leftovers(repo, folder)
    _settle_tags(repo, folder)
    for run_id in active_ids(folder):
        directory = folder.active_dir(run_id)
        if run_id not in force and run_id not in torn and not _dead(directory):
            continue
        try:
            commit = finalize(repo, folder, run_id)
        except (LedgitError, OSError) as error:
            done.failed[run_id] = str(error)
            continue
        if commit is not None:
            done.commits[run_id] = commit
    _sweep(folder)
    folder.empty_trash()
    release_leftovers(repo)
    remove_left_lock(repo)
    return done


def _settle_tags(repo: Repo, folder: Folder) -> None:
    """Look after tags whose process died before they were on the disk."""
    with contextlib.suppress(OSError, LedgitError):
        if os.stat(os.path.join(folder.path, "tagging")).st_size:
            from ledgit.store.registry.settling import settle_tags

            settle_tags(repo, folder)


def _dead(directory: str) -> bool:
    if liveness(directory, "", "") == ALIVE:
        return False  # without reading its journal, which may be long
    state, summary = summarize(directory)
    if state is None or state.status == "RUNNING":
        return False
    start = orjson.loads(summary)["start"]
    return liveness(directory, str(start.get("host", "")), str(start.get("boot", ""))) == DEAD


def _sweep(folder: Folder) -> None:
    """Remove folders of runs that were killed before they had a first record, and half-made snapshots."""
    for name in _names(folder.active):
        path = os.path.join(folder.active, name)
        if name.startswith(".new-") and _age(path) > _UNBORN_AGE and liveness(path, "", "") == DEAD:
            folder.discard(path)
    for name in _names(folder.path):
        path = os.path.join(folder.path, name)
        if name.startswith("index-") and _age(path) > _SNAPSHOT_AGE:
            with contextlib.suppress(FileNotFoundError):
                if os.path.isdir(path):
                    folder.discard(path)
                else:
                    os.unlink(path)


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _age(path: str) -> float:
    """Return the seconds since *path* changed; 0 if it is gone."""
    try:
        return time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
