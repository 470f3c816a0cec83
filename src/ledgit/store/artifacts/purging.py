"""Objects of purged runs: deleted at once, here and on the artifact remote, unless something else needs them.

Which they are is noted before the runs go, since afterwards nobody could tell; the note stays until
all is done. On the remote it takes the same steps as any sweep, without the grace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, NoRemote
from ledgit.store.artifacts.dropping import named_objects
from ledgit.store.artifacts.owed import forget_purged, note_purged, purged_objects

if TYPE_CHECKING:
    from ledgit.artifacts import Place
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.remote import Remote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["PurgedObjects", "note_objects", "objects_of_purged", "purge_objects"]


@dataclass(slots=True)
class PurgedObjects:
    """What became of the objects of purged runs.

    Attributes:
        here: Objects that were removed from this clone's cache.
        there: Objects that were deleted on the artifact remote.
        kept: Objects that other runs need.
        remote: The artifact remote, for people; "" where there is none.
        owed: Objects that may still be somewhere.
        why: What kept them there.
    """

    here: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    remote: str = ""
    owed: set[str] = field(default_factory=set)
    why: str = ""


def objects_of_purged(repo: Repo, folder: Folder, runs: Collection[str]) -> dict[str, int | None]:
    """Return the objects that *runs* (ids) need and no other run does → their bytes, where they are known.

    Reads all runs, if these have any large artifact.
    """
    from ledgit.artifacts import Cache
    from ledgit.errors import ArtifactNotFound
    from ledgit.store.artifacts.naming import Unread
    from ledgit.store.artifacts.needed import every_object

    own = named_objects(repo, folder, runs)
    if not own:
        return {}
    wanted = set(runs)
    others = {oid for oid, run_id in every_object(repo, folder, Unread()) if run_id not in wanted}
    cache = Cache(folder.cache)
    found: dict[str, int | None] = {}
    for oid, size in own.items():
        if oid in others:
            continue
        try:
            found[oid] = cache.size(oid)
        except ArtifactNotFound:
            found[oid] = size
    return found


def note_objects(repo: Repo, folder: Folder, runs: Collection[str]) -> set[str]:
    """Note what *runs* (ids), which are about to be purged, have as objects; return what was not noted before.

    Raises:
        StorageError: It can't be written.
    """
    found = named_objects(repo, folder, runs).keys() - purged_objects(folder)
    note_purged(folder, found)
    return found


def purge_objects(
    repo: Repo,
    folder: Folder,
    remote: Remote | None = None,
    *,
    local: bool = False,
    prompt: bool = False,
    progress: Progress | None = None,
) -> PurgedObjects:
    """Delete the objects that were noted, and that no run needs. Can be interrupted and repeated.

    Never fails for a remote: what it keeps us from is owed, and the next call goes on with it.

    Args:
        repo: The clone, where the runs have tombstones by now.
        folder: Ledgit's folder.
        remote: Where the ledger is that announces it; the usual one if None.
        local: Only here; the remote's half is owed.
        prompt: Git may ask for a password.
        progress: Is told (what, done, total or None).

    Raises:
        StorageError: The disk refused.
    """
    from ledgit.store.artifacts.setting import place_of
    from ledgit.store.artifacts.tidying import TidyOptions, tidy_cache

    done = PurgedObjects()
    if not purged_objects(folder):
        return done
    try:
        place = place_of(repo)
        done.remote = place.shown if place is not None else ""
        if local and place is not None:
            done.why = "it was only to be done here"
        _list_members(folder, None if local else place, progress)
        noted = purged_objects(folder)
        tidied = tidy_cache(repo, folder, TidyOptions(act=True, only=noted), progress)
        done.here, done.kept = tidied.removed, tidied.needed
        forget_purged(folder, done.kept)
        left = noted - done.kept
        done.owed = set(left)
        if place is not None and not local:
            left -= _on_remote(repo, folder, remote, place, left, done, prompt=prompt, progress=progress)
        elif place is None:
            left = set()
        if tidied.used:
            done.why = "a run is being written that may use them; 'ledgit gc --purge' when it has ended"
            left |= set(tidied.unneeded) - set(tidied.removed)
        forget_purged(folder, noted - left)
        done.owed = left
    except LedgitError as error:
        done.why = str(error)
        done.owed = purged_objects(folder)
    return done


def _on_remote(
    repo: Repo,
    folder: Folder,
    remote: Remote | None,
    place: Place,
    oids: set[str],
    done: PurgedObjects,
    *,
    prompt: bool,
    progress: Progress | None,
) -> set[str]:
    """Delete objects on the remote; return those that are not there any more."""
    from ledgit.git import read_ref
    from ledgit.store.artifacts.sweeping import SweepOptions, sweep_remote
    from ledgit.store.sync import find_remote

    try:
        ledger = remote if remote is not None else find_remote(repo)
    except NoRemote:
        return oids
    if read_ref(repo, ledger.tracking) is None:
        return oids  # nothing was ever pushed
    swept = sweep_remote(repo, folder, ledger, place, SweepOptions(act=True, only=oids, prompt=prompt), progress)
    done.there = swept.deleted
    left = swept.due.keys() - set(swept.deleted)
    if left:
        done.why = next(iter(swept.failed.values()), "there was no time left")
    return oids - left


def _list_members(folder: Folder, place: Place | None, progress: Progress | None) -> None:
    """Note what is in folders, as long as their lists can be had.

    Raises:
        RemoteError: The lists are not here, and the remote can't be asked.
    """
    from ledgit.artifacts import Cache, decode_list, open_remote

    cache = Cache(folder.cache)
    lists = [oid for oid in purged_objects(folder) if oid.endswith(".dir")]
    absent = [oid for oid in lists if not cache.has(oid)]
    if absent and place is not None:
        with open_remote(place) as remote:
            remote.download(cache, absent, progress)
    for oid in lists:
        try:
            note_purged(folder, {member.md5 for member in decode_list(cache.read(oid), oid)})
        except LedgitError:
            continue  # neither here nor there: nobody can say what was in it
