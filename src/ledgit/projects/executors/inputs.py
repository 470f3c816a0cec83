"""Data that DVC tracks, where nobody has pulled them: fetched once from DVC's remote into a clone of ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.artifacts import Cache, ObjectRemote
    from ledgit.projects.workfolder import WorkFolder

__all__ = ["fetch_data"]


def fetch_data(work: WorkFolder, store: str) -> None:
    """Put the data that DVC's files in a work folder name where they belong, as far as they can be had.

    The folder's ``problems`` say afterwards what could not, and why; a command that needs it fails by itself.

    Args:
        work: The folder. What its clone has is there already.
        store: Where the clone keeps what was fetched, laid out as DVC's cache is.
    """
    from ledgit.projects.tracked import fill_tracked, tracked_files

    wanted: dict[str, dict[str, str]] = {}
    for root in _roots(work.path):
        for tracked in tracked_files(root):
            # What a stage of the pipeline makes is made, or was shared as well.
            if not os.path.lexists(tracked.output):
                wanted.setdefault(root, {}).setdefault(tracked.md5, tracked.remote)
    if not wanted:
        return
    problems = []
    for root, objects in wanted.items():
        for name in sorted(set(objects.values())):
            problems += _fetch(root, name, [md5 for md5, remote in objects.items() if remote == name], store)
    before = set(fill_tracked(None, work.path, ()))
    after = fill_tracked(None, work.path, (store,))
    work.problems[:] = [problem for problem in work.problems if problem not in before] + after + problems


def _roots(top: str) -> list[str]:
    found = [top, *(entry.path for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False))]
    return [root for root in found if os.path.isfile(os.path.join(root, ".dvc", "config"))]


def _fetch(root: str, name: str, oids: list[str], store: str) -> list[str]:
    """Bring objects of the remote *name* ("" for the project's) here; return why some did not come."""
    from ledgit.artifacts import Cache, data_place, open_remote

    try:
        place = data_place(root, name)
        if place is None:
            return ["the project's DVC has no remote to fetch data from"]
        cache = Cache(store)
        with open_remote(place) as remote:
            failed = remote.download(cache, [oid for oid in oids if not cache.has(oid)]).failed
            failed |= _members(cache, remote, [oid for oid in oids if oid.endswith(".dir") and cache.has(oid)])
    except LedgitError as error:
        return [f"data could not be fetched: {error}"]
    return [f"data could not be fetched: {why}" for why in dict.fromkeys(failed.values())]


def _members(cache: Cache, remote: ObjectRemote, lists: list[str]) -> dict[str, str]:
    from ledgit.artifacts import decode_list

    inner = {member.md5 for listed in lists for member in decode_list(cache.read(listed), listed)}
    return remote.download(cache, [oid for oid in sorted(inner) if not cache.has(oid)]).failed
