"""The artifacts of a run that is being written: what its journal says, without waiting for its end."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from ledgit.errors import LedgitError
from ledgit.records.artifacts import DVC, GIT, ArtifactRecord
from ledgit.store.artifacts.bundle import read_copy
from ledgit.store.artifacts.keeping import kept_contents, logged_contents
from ledgit.store.artifacts.overlay import Content, Layer, members, overlay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.store.folder import Folder
    from ledgit.store.journal import JournalState

__all__ = ["live_artifacts", "open_staged", "staged_artifacts"]


def staged_artifacts(folder: Folder, directory: str, state: JournalState) -> dict[str, str]:
    """Return what the journal in *directory* has: artifact path → where its content is, files in folders too.

    Files that share one copy (``bundle``) are not among them: :func:`open_staged` reads any.
    """
    found: dict[str, str] = {}
    for one in overlay(logged_contents(state)):
        for path, content in _files(folder, one.path, one.layers).items():
            where = _where(folder, directory, content)
            if where is not None:
                found[path] = where
    return found


def live_artifacts(
    folder: Folder, directory: str, state: JournalState, kept: Iterable[ArtifactRecord]
) -> list[ArtifactRecord]:
    """Return the artifacts that the run has by now, on top of what an earlier commit of it has.

    What nobody has hashed yet has no digest. Of a folder that is to be listed anew each file stands
    for itself.
    """
    before = {artifact.path: artifact for artifact in kept}
    found: dict[str, ArtifactRecord] = {}
    for one in overlay(logged_contents(state), kept_contents(before.values())):
        content = one.single
        if content is not None and content.kept:
            found[one.path] = before[one.path]
        elif content is not None and content.is_folder:
            found[one.path] = ArtifactRecord(one.path, content.size, f"md5:{content.oid}", DVC, nfiles=content.nfiles)
        else:
            for path, file in _files(folder, one.path, one.layers).items():
                record = _record(folder, directory, path, file, before)
                if record is not None:
                    found[path] = record
    return [found[path] for path in sorted(found)]


def _record(
    folder: Folder, directory: str, path: str, content: Content, before: dict[str, ArtifactRecord]
) -> ArtifactRecord | None:
    if content.kept:
        old = before[content.path]
        return ArtifactRecord(path, old.size, old.digest, old.stored, old.file or old.path)
    if content.offset is not None:
        return ArtifactRecord(path, content.size, "")
    where = _where(folder, directory, content)
    if where is None and not content.oid:
        return None
    size = os.path.getsize(where) if where is not None else max(content.size, 0)
    return ArtifactRecord(path, size, f"md5:{content.oid}" if content.oid else "", DVC if content.oid else GIT)


def _files(folder: Folder, path: str, layers: Sequence[Layer]) -> dict[str, Content]:
    """Return the files of one artifact: path → content; of a folder whose list is not here what else there is."""
    from ledgit.artifacts import Cache, decode_list

    if len(layers) == 1 and not layers[0].path and not layers[0].content.is_folder:
        return {path: layers[0].content}
    cache = Cache(folder.cache)
    lists: dict[str, list[tuple[str, str]]] = {}
    for layer in layers:
        if layer.content.is_folder:
            try:
                lists[layer.content.oid] = [(one.path, one.md5) for one in decode_list(cache.read(layer.content.oid))]
            except LedgitError:
                lists[layer.content.oid] = []
    return {f"{path}/{name}": content for name, content in members(layers, lists)[0].items()}


def open_staged(folder: Folder, directory: str, state: JournalState, path: str) -> BinaryIO | None:
    """Open what the journal in *directory* has at the artifact path *path*, or None if it has nothing there."""
    for one in overlay(logged_contents(state)):
        if path != one.path and not path.startswith(one.path + "/"):
            continue
        content = _files(folder, one.path, one.layers).get(path)
        if content is None:
            continue
        if content.offset is not None:
            data = read_copy(directory, content)
            return None if data is None else BytesIO(data)
        where = _where(folder, directory, content)
        if where is not None:
            return open(where, "rb")
    return None


def _where(folder: Folder, directory: str, content: Content) -> str | None:
    from ledgit.artifacts import Cache

    if content.offset is not None:
        return None
    if content.file:
        staged = os.path.join(directory, content.file)
        if os.path.exists(staged):
            return staged
    if not content.oid or content.kept:
        return None
    where = Cache(folder.cache).location(content.oid)
    return where if os.path.exists(where) else None
