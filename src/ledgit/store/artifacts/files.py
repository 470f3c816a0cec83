"""Large artifacts as plain files: written out of the cache, and taken back."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, ArtifactNotFound, RecordError, UnsafePath

if TYPE_CHECKING:
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.store.folder import Folder

__all__ = ["copy_artifact", "take_back", "take_back_folder"]


def copy_artifact(folder: Folder, artifact: ArtifactRecord, target: str) -> None:
    """Write a large artifact; a folder with all that is in it.

    Raises:
        ArtifactNotFound, ArtifactDamaged: It is not here, or of a folder something is not. All that is damaged
            has been set aside, so that it can be fetched again.
    """
    from ledgit.artifacts import Cache, decode_list

    cache = Cache(folder.cache)
    oid = artifact.digest.removeprefix("md5:")
    if artifact.nfiles is None:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        cache.copy_out(oid, target)
        return
    os.makedirs(target)
    members = decode_list(cache.read(oid), artifact.path)
    for number, member in enumerate(members):
        path = os.path.join(target, *member.path.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            cache.copy_out(member.md5, path)
        except ArtifactDamaged:
            for other in members[number + 1 :]:
                with suppress(ArtifactNotFound, ArtifactDamaged):
                    cache.open(other.md5).close()
            raise


def take_back(folder: Folder, source: str, md5: str) -> None:
    """Put a copy of *source*, which is the user's, into the cache."""
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    cache.put(source, md5, link=False)
    cache.sync([md5])


def take_back_folder(folder: Folder, source: str, artifact: ArtifactRecord) -> None:
    """Put a folder into the cache, and its list; it has to be the one that was logged."""
    from ledgit.artifacts import Cache, scan_folder, take_folder
    from ledgit.store.artifacts.hasher import hashes_of

    cache = Cache(folder.cache)
    scan = scan_folder(source)
    for path, why in [*scan.left_out, *((path, "is a link that leaves the folder") for path in scan.leaving)]:
        raise UnsafePath(path, why)
    taken = take_folder(cache, hashes_of(folder), scan.files)
    if f"md5:{taken.oid}" != artifact.digest:
        raise RecordError(source, f"has the digest md5:{taken.oid}, expected {artifact.digest}")
    cache.sync((), everything=True)
