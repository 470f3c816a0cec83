"""Objects of runs that somebody else purged leave this clone's cache as it hears of that.

What the cache has of them is noted with the runs before anything moves: `store.ledger.going`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.artifacts.owed import forget_purged, note_purged, purged_objects
from ledgit.store.artifacts.removing import latest_time, names_in, put_back, remove_object

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["drop_objects", "named_objects", "objects_here"]

#: Called with the name of each point between two steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


def named_objects(repo: Repo, folder: Folder, runs: Collection[str]) -> dict[str, int | None]:
    """Return what all commits of *runs* (ids) name, as far as they are here → bytes, where a pointer says.

    With what their sessions took into the cache and logged over.
    """
    from ledgit.git import Objects
    from ledgit.store.artifacts.naming import objects_of
    from ledgit.store.chain import run_commits
    from ledgit.store.gc.facts import heads_of

    if not runs:
        return {}
    over = _superseded(folder, runs)
    objects = Objects.of(repo)
    heads = heads_of(repo, objects)
    commits = {
        run_id: [commit.oid for commit in run_commits(objects, heads[run_id], run_id)]
        for run_id in runs
        if run_id in heads
    }
    return dict.fromkeys(over) | {oid: need.size for oid, need in objects_of(repo, folder, commits).items()}


def _superseded(folder: Folder, runs: Collection[str]) -> set[str]:
    """Return what sessions of *runs* logged over, and what is in the folders among it."""
    from ledgit.artifacts import Cache, decode_list
    from ledgit.store.artifacts.superseded import superseded_objects

    found = superseded_objects(folder, runs)
    cache = Cache(folder.cache) if found else None
    for oid in [oid for oid in found if oid.endswith(".dir")]:
        assert cache is not None
        with contextlib.suppress(LedgitError):  # swept, or damaged: nobody can say what was in it
            found |= {member.md5 for member in decode_list(cache.read(oid), oid)}
    return found


def objects_here(repo: Repo, folder: Folder, runs: Collection[str]) -> set[str]:
    """Return what this clone's cache has of *runs* (ids), which somebody purged and which are about to go here.

    Whether another run needs it is not looked at. What can't be read is passed over: it stays.
    """
    from ledgit.artifacts import Cache

    if not os.path.isdir(folder.cache):
        return set()
    found: Collection[str]
    try:
        found = named_objects(repo, folder, runs)
    except LedgitError:
        found = _superseded(folder, runs)
    cache = Cache(folder.cache)
    damaged = {oid for oid, _ in _damaged(folder)}
    return {oid for oid in found if oid in damaged or cache.has(oid)}


def drop_objects(repo: Repo, folder: Folder, oids: Collection[str]) -> None:
    """Remove *oids* of purged runs from the cache, but for those that some run needs. Hold the `SyncLock`.

    Never asks a remote: whoever purged the runs does that. What nobody can judge now, or somebody is
    just using, is owed from then on, as after a purge of this clone. A clone of the ledger's tip alone, where
    nobody can purge, comes back to it with the next objects.

    Raises:
        StorageError: What is owed can't be written.
    """
    from ledgit.store.artifacts.needed import is_tip_alone

    if not oids or not os.path.isdir(folder.cache):
        return
    left = set(oids)
    alone = is_tip_alone(repo)
    if alone:
        left |= purged_objects(folder)
    owed = set(left)
    try:
        _drop(repo, folder, left)
    except LedgitError:
        pass
    note_purged(folder, left)
    if alone:
        forget_purged(folder, owed - left)


def _drop(repo: Repo, folder: Folder, left: set[str]) -> None:
    """Remove from the cache, and from *left*, what can go; from *left* alone what some run needs."""
    from ledgit.artifacts import Cache
    from ledgit.errors import ArtifactNotFound
    from ledgit.store.artifacts.needed import needed_here

    cache = Cache(folder.cache)
    put_back(cache)
    times: dict[str, float] = {}
    for oid in left:  # before anybody is asked: who uses one from now on sets its time
        try:
            times[oid] = os.stat(cache.location(oid)).st_mtime
        except (OSError, ArtifactNotFound):
            continue
    needed = needed_here(repo, folder)
    latest = latest_time(cache, folder)
    left -= needed
    for oid, path in _damaged(folder):
        if oid in left:
            with contextlib.suppress(OSError):
                os.unlink(path)
    for oid in sorted(left, key=lambda oid: (oid.endswith(".dir"), oid)):  # a list tells what is in a folder: last
        if oid not in times or remove_object(cache, oid, times[oid], latest, checkpoint) is not False:
            left.discard(oid)


def _damaged(folder: Folder) -> list[tuple[str, str]]:
    """Return (object, path) of the copies that were set aside as damaged."""
    place = os.path.join(folder.cache, "damaged")
    return [(name.rpartition("-")[0], os.path.join(place, name)) for name in names_in(place)]
