"""Objects come from the artifact remote into the cache, when somebody wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import ArtifactDamaged, ArtifactNotFound, ArtifactsMissing, LedgitError, StorageError
from ledgit.store.artifacts.known import Known
from ledgit.store.artifacts.naming import Need, is_list
from ledgit.store.artifacts.setting import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ledgit.artifacts import Cache, Member
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Fetched", "bring_objects", "fetch_objects", "lacking", "members_of"]


class Fetched(NamedTuple):
    """What came: how many objects, and their bytes together."""

    objects: int
    bytes: int


def members_of(cache: Cache, listed: str) -> list[Member]:
    """Return the files of the folder whose list is the object *listed*.

    Raises:
        ArtifactNotFound: The list is not here.
        ArtifactDamaged, RecordError: It is not what it should be.
    """
    from ledgit.artifacts import decode_list

    return decode_list(cache.read(listed), f"the list of a folder (md5:{listed})")


def lacking(cache: Cache, oids: Iterable[str]) -> list[str]:
    """Return those objects that are not in the cache, each once."""
    return [oid for oid in dict.fromkeys(oids) if not cache.has(oid)]


def fetch_objects(
    repo: Repo, folder: Folder, needs: Mapping[str, Need], progress: Progress | None = None, *, members: bool = True
) -> Fetched:
    """Bring the objects that are not here into the cache, each hashed before it gets its name.

    Can be interrupted and repeated: what has come is not asked for again.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        needs: Object id → who needs it.
        progress: Is told (what, done, total).
        members: Also what is in folders.

    Raises:
        ArtifactsMissing: The remote hasn't got them either, or there is none.
        RemoteError, MissingDependency: The remote can't be used.
        StorageError: The disk refused.
    """
    lists = {oid: needs[oid] for oid in needs if is_list(oid)}
    done, failed = _fetch(repo, folder, lists, progress)
    if not failed:
        wanted = _with_members(folder, needs, lists, failed) if members else needs
        more, failed = (Fetched(0, 0), failed) if failed else _fetch(repo, folder, wanted, progress)
        done = Fetched(done.objects + more.objects, done.bytes + more.bytes)
    if failed:
        raise next(iter(failed.values()))
    return done


def bring_objects(repo: Repo, folder: Folder, needs: Mapping[str, Need], progress: Progress | None = None) -> str:
    """Bring what can be had of *needs*, and of what is in folders, into the cache; return why not all: "" if it is all.

    Raises:
        StorageError: The disk refused.
    """
    lists = {oid: needs[oid] for oid in needs if is_list(oid)}
    failed: dict[str, LedgitError] = {}
    try:
        failed |= _fetch(repo, folder, lists, progress)[1]
        failed |= _fetch(repo, folder, _with_members(folder, needs, lists, failed), progress)[1]
    except StorageError:
        raise
    except LedgitError as error:  # there is no remote, or it can't be used
        return str(error)
    return str(next(iter(failed.values()))) if failed else ""


def _with_members(
    folder: Folder, needs: Mapping[str, Need], lists: Mapping[str, Need], failed: dict[str, LedgitError]
) -> dict[str, Need]:
    """Return *needs*, without those that *failed*, and what is in the folders *lists*; adds to *failed*."""
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    wanted = {oid: need for oid, need in needs.items() if oid not in failed}
    for listed, above in lists.items():
        if listed in failed:
            continue
        try:
            members = members_of(cache, listed)
        except LedgitError as error:
            failed[listed] = error
            wanted.pop(listed, None)
            continue
        for member in members:
            wanted.setdefault(member.md5, Need(above.runs, f"{above.path}/{member.path}", None))
    return wanted


def _fetch(
    repo: Repo, folder: Folder, needs: Mapping[str, Need], progress: Progress | None
) -> tuple[Fetched, dict[str, LedgitError]]:
    """Return what came, and what did not: all with the same error, which names them.

    Raises:
        ArtifactsMissing: There is no remote.
        RemoteError, MissingDependency: It can't be used.
        StorageError: The disk refused.
    """
    from ledgit.artifacts import Cache, open_remote

    cache = Cache(folder.cache)
    absent = lacking(cache, needs)
    if not absent:
        return Fetched(0, 0), {}

    place = place_of(repo)
    if place is None:
        raise ArtifactsMissing(
            _paths(needs, absent),
            _runs(needs, absent),
            "no artifact remote is set up here; 'ledgit artifacts remote URL' sets it",
        )
    with open_remote(place) as remote:
        moved = remote.download(cache, absent, progress)
    with Known(folder) as known:
        known.fetch(place.key, moved.done)
    failed = {oid: error for oid, error in moved.errors.items() if not cache.has(oid)}
    for error in failed.values():
        if not isinstance(error, (ArtifactNotFound, ArtifactDamaged)):
            raise error  # it can't be reached, or the disk is full
    came = Fetched(len(moved.done), moved.bytes)
    if not failed:
        return came, {}
    damaged = next((error for error in failed.values() if isinstance(error, ArtifactDamaged)), None)
    why = f"it is not on {place.shown} either" if damaged is None else str(damaged)
    return came, dict.fromkeys(failed, ArtifactsMissing(_paths(needs, failed), _runs(needs, failed), why))


def _paths(needs: Mapping[str, Need], oids: Iterable[str]) -> list[str]:
    return sorted(needs[oid].path for oid in oids)


def _runs(needs: Mapping[str, Need], oids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(run_id for oid in oids for run_id in needs[oid].runs))
