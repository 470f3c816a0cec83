"""Putting a run's artifacts where they belong: small ones into its tree, large ones and folders into the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, ArtifactNotFound
from ledgit.records.artifacts import DVC, GIT, ArtifactRecord, dvc_pointer
from ledgit.records.names import stored_paths
from ledgit.records.record import ARTIFACT_CLOCK
from ledgit.store.artifacts.bundle import bundle_size, read_copy
from ledgit.store.artifacts.overlay import Content, Layer, Placed, members, overlay
from ledgit.store.contents import keep_artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ledgit.artifacts import Cache
    from ledgit.git import Objects
    from ledgit.store.build import Built
    from ledgit.store.chain import Base
    from ledgit.store.folder import Folder
    from ledgit.store.journal import JournalState

__all__ = ["keep_artifacts", "kept_contents", "logged_contents"]

_MOST_IN_TREE = 256
"""Small files of a run stay in its tree up to this many times the threshold in all; then the largest are objects."""


def logged_contents(state: JournalState) -> list[Content]:
    """Return what the journal says was logged, in its order."""
    hashed = {str(item["file"]): str(item["md5"]) for kind, item in state.events if kind == "hashed"}
    found = []
    for kind, item in state.events:
        if kind == "file":
            file = str(item["file"])
            size, threshold = int(item["size"]), item.get("threshold")
            md5, stamp = hashed.get(file, ""), item.get("stamp")
            found.append(Content(str(item["path"]), size, md5, file=file, threshold=threshold, stamp=stamp))
        elif kind == "bundle":
            file, threshold = str(item["file"]), item.get("threshold")
            found += [
                Content(str(path), int(size), file=file, threshold=threshold, offset=int(offset))
                for path, offset, size in item["members"]
            ]
        elif kind == "object":
            found.append(Content(str(item["path"]), int(item["size"]), str(item["md5"])))
        elif kind == "tree":
            found.append(Content(str(item["path"]), int(item["size"]), str(item["oid"]), int(item["nfiles"])))
    return found


def kept_contents(artifacts: Iterable[ArtifactRecord]) -> list[Content]:
    """Return what an earlier commit of the run has."""
    return [
        Content(one.path, one.size, one.digest.removeprefix("md5:"), one.nfiles, kept=True)
        for one in sorted(artifacts, key=lambda one: one.path)
    ]


def keep_artifacts(
    folder: Folder, built: Built, state: JournalState, base: Base | None, objects: Objects, *, final: bool = True
) -> dict[str, bytes | str]:
    """Fill ``record.artifacts`` of *built*; make everything new in the cache durable.

    What could not be kept is among ``built.problems``; what is in the cache for nothing is noted (`superseded`).

    Args:
        folder: Ledgit's folder, with the run's journal and the cache.
        built: What the journal says.
        state: The journal.
        base: What the session goes on from.
        objects: Reads *base*.
        final: The session has ended: what it logged over is in the cache for nothing.

    Returns:
        Path below the run's folder → content, or its id where *base* has it.

    Raises:
        StorageError: The disk refused. Everything is still where it was; this can be repeated.
    """
    from ledgit.artifacts import Cache
    from ledgit.store.artifacts.superseded import note_superseded

    kept, run_id = built.record.artifacts, built.record.info.id
    logged = logged_contents(state)
    placed = overlay(logged, kept_contents(kept))
    keeping = _Keeping(folder, Cache(folder.cache), folder.active_dir(run_id), built, base, objects)
    files = keeping.keep(placed, {artifact.path: artifact for artifact in kept})
    if final:
        note_superseded(folder, run_id, keeping.superseded(logged))
    return files


class _Keeping:
    def __init__(
        self, folder: Folder, cache: Cache, directory: str, built: Built, base: Base | None, objects: Objects
    ) -> None:
        self.folder = folder
        self.cache, self.directory, self.built, self.base, self.objects = cache, directory, built, base, objects
        self.named: set[str] = set()  # objects that the commit names, or a list that it names
        self.hashed: dict[tuple[str, int | None], tuple[str, int]] = {}  # copy -> (object, size)
        self.fresh: set[str] = set()  # objects to sync
        self.bundles: dict[str, int] = {}  # name -> size
        self.folders = False

    def keep(self, placed: Sequence[Placed], kept: Mapping[str, ArtifactRecord]) -> dict[str, bytes | str]:
        """Place everything; see :func:`keep_artifacts`."""
        placed, lists = self._readable(placed)
        small = self._small(placed)
        self._hash(placed, small)
        made: dict[str, tuple[Content, bytes | None]] = {}
        for one in placed:
            for path in one.gone:
                self._say(f"artifact {path} gave way to {one.path}, which was logged later")
            content = one.single
            if content is None:
                made[one.path] = self._folder(one, lists), None
            elif content.kept or content.is_folder or not content.file:
                self._check(content)
                made[one.path] = content, None
            elif one.path in small:
                data = self._read(content)
                if data is not None:
                    made[one.path] = content, data
            elif content.copy in self.hashed:
                oid, size = self.hashed[content.copy]
                made[one.path] = Content(one.path, size, oid), None
        self.cache.sync(self.fresh, everything=self.folders)
        self.named |= {content.oid for content, data in made.values() if data is None}
        return self._list(made, kept)

    def superseded(self, logged: Iterable[Content]) -> set[str]:
        """Return the objects of this session, which *logged* all of that, that its commit does not name.

        Of a folder the list alone, which says what else.
        """
        from ledgit.artifacts import digest_file

        taken = {oid for oid, _ in self.hashed.values()}
        for content in logged:
            if content.oid:
                taken.add(content.oid)
            elif content.offset is None and content.copy not in self.hashed and self._is_linked(content):
                # The cache has it: whoever hashed it was killed before it could say so.
                taken.add(digest_file(self._where(content)))
        return taken - self.named

    def _is_linked(self, content: Content) -> bool:
        try:
            return os.stat(self._where(content)).st_nlink > 1
        except FileNotFoundError:
            return False

    def _list(
        self, made: Mapping[str, tuple[Content, bytes | None]], kept: Mapping[str, ArtifactRecord]
    ) -> dict[str, bytes | str]:
        record, blobs = self.built.record, self.base.blobs if self.base else {}
        names = stored_paths(made)
        files: dict[str, bytes | str] = {}
        artifacts = []
        for path in sorted(made):
            content, data = made[path]
            if content.kept:
                artifact, old = keep_artifact(kept[path], names[path], blobs)
                artifacts.append(artifact)
                if old is not None:
                    files[f"artifacts/{artifact.tree_path}"] = old
                continue
            stored = GIT if data is not None else DVC
            if data is None:
                data = dvc_pointer(os.path.basename(names[path]), content.oid, content.size, content.nfiles)
                artifact = ArtifactRecord(path, content.size, f"md5:{content.oid}", stored, names[path], content.nfiles)
            else:
                artifact = ArtifactRecord(path, len(data), f"md5:{_md5(data)}", stored, names[path])
            artifacts.append(artifact)
            files[f"artifacts/{artifact.tree_path}"] = data
            if self.base is not None:  # the session's clock, by which it wins over what another machine logged
                record.clocks.set(ARTIFACT_CLOCK + path, record.clocks.get("status"))
        record.artifacts[:] = artifacts
        return files

    # ------------------------------------------------------------------ files

    def _small(self, placed: Iterable[Placed]) -> set[str]:
        """Return the paths of the files that go into the tree."""
        sizes: dict[str, int] = {}
        for one in placed:
            content = one.single
            if content is None or content.kept or not content.file:
                continue
            size = self._size(content)
            if size is not None and size <= self._threshold(content):
                sizes[one.path] = size
        room = self.built.threshold * _MOST_IN_TREE
        total = sum(sizes.values())
        for path in sorted(sizes, key=lambda path: (-sizes[path], path)) if total > room else ():
            if total <= room:
                break
            total -= sizes.pop(path)
        return set(sizes)

    def _threshold(self, content: Content) -> int:
        return self.built.threshold if content.threshold is None else content.threshold

    def _where(self, content: Content) -> str:
        return os.path.join(self.directory, content.file)

    def _size(self, content: Content) -> int | None:
        if content.offset is not None:
            end = content.offset + content.size
            return content.size if end <= bundle_size(self.directory, content.file, self.bundles) else None
        try:
            return os.stat(self._where(content)).st_size
        except FileNotFoundError:
            return None

    def _read(self, content: Content) -> bytes | None:
        return read_copy(self.directory, content)

    def _hash(self, placed: Iterable[Placed], small: set[str]) -> None:
        """Put into the cache what the thread beside the run didn't get to."""
        from ledgit.artifacts import in_threads

        todo: dict[tuple[str, int | None], Content] = {}
        for one in placed:
            if one.single is None or one.path not in small:
                for layer in one.layers:
                    if layer.content.file:
                        todo[layer.content.copy] = layer.content
        waiting = []
        for content in todo.values():
            if content.oid and self.cache.has(content.oid):
                self._note(content, content.oid, self.cache.size(content.oid))
            elif self._size(content) is not None:  # else a power cut took it: `lost_files` says so
                waiting.append(content)
        if len(waiting) > 1:
            in_threads(self._put, waiting)
        else:
            for content in waiting:
                self._put(content)

    def _put(self, content: Content) -> None:
        from ledgit.artifacts import digest_file
        from ledgit.store.artifacts.hasher import note_stamped

        path = self._where(content)
        if content.offset is not None:
            data = self._read(content) or b""
            oid, size = self.cache.put_bytes(data), len(data)
        elif content.size < 0:  # whoever writes it may go on: this is a copy of what is there now
            with open(path, "rb", buffering=0) as file:
                oid, size, _ = self.cache.take(file.fileno())
        else:
            oid, size = digest_file(path), os.stat(path).st_size
            self.cache.put(path, oid)
            note_stamped(self.folder, content.stamp, oid)
        self._note(content, oid, size)

    def _note(self, content: Content, oid: str, size: int) -> None:
        self.hashed[content.copy] = oid, size
        self.fresh.add(oid)

    def _check(self, content: Content) -> None:
        """Note what is in the cache already, to be synced; say so if it is not any more."""
        if content.kept:
            return
        self.folders |= content.is_folder
        self.fresh.add(content.oid)
        if not self.cache.has(content.oid):
            self._say(f"the content of artifact {content.path} is gone from the cache (md5:{content.oid})")

    def _say(self, text: str) -> None:
        if text not in self.built.problems:
            self.built.problems.append(text)

    # ------------------------------------------------------------------ folders

    def _readable(self, placed: Iterable[Placed]) -> tuple[list[Placed], dict[str, list[tuple[str, str]]]]:
        """Return *placed*, and the lists of the folders that are to be listed anew.

        Where such a list is not here (the folder was logged on another machine) the folder stays as
        it is, and what was logged into it stands beside it.
        """
        lists: dict[str, list[tuple[str, str]]] = {}
        found: dict[str, Placed] = {}
        for one in placed:
            missing = [layer for layer in one.layers if one.single is None and not self._listed(layer, lists)]
            if not missing:
                found[one.path] = one
                continue
            self._say(
                f"the list of folder {one.path} is not in this clone: what was logged into it stands beside it"
                f" (md5:{missing[0].content.oid})"
            )
            for layer in one.layers:
                found.update(self._beside(one.path, layer, lists, missing))
        return [found[path] for path in sorted(found)], lists

    def _listed(self, layer: Layer, lists: dict[str, list[tuple[str, str]]]) -> bool:
        from ledgit.artifacts import decode_list

        oid = layer.content.oid
        if not layer.content.is_folder or oid in lists:
            return True
        try:
            lists[oid] = [(member.path, member.md5) for member in decode_list(self.cache.read(oid))]
        except (ArtifactNotFound, ArtifactDamaged):
            return False
        return True

    def _beside(
        self, folder: str, layer: Layer, lists: Mapping[str, list[tuple[str, str]]], missing: Sequence[Layer]
    ) -> dict[str, Placed]:
        path = f"{folder}/{layer.path}" if layer.path else folder
        if layer in missing or not layer.content.is_folder:
            return {path: Placed(path, (Layer("", layer.content),))}
        found = {}
        for name, md5 in lists[layer.content.oid]:
            size = self.cache.size(md5) if self.cache.has(md5) else 0
            inside = f"{path}/{name}"
            found[inside] = Placed(inside, (Layer("", Content(inside, size, md5)),))
        return found

    def _folder(self, one: Placed, lists: dict[str, list[tuple[str, str]]]) -> Content:
        """Make a folder's list anew and return the folder."""
        from ledgit.artifacts import encode_list

        found, gone = members(one.layers, lists)
        for path in gone:
            self._say(f"artifact {one.path}/{path} gave way to what was logged later")
        files: list[tuple[str, str]] = []
        total = 0
        for path, content in found.items():
            oid = self._object(content)
            if oid is None:
                continue
            files.append((path, oid))
            self.fresh.add(oid)
            self.named.add(oid)
            total += self.cache.size(oid) if self.cache.has(oid) else max(content.size, 0)
        self.folders = True
        oid = self.cache.put_bytes(encode_list(files), folder=True)
        self.fresh.add(oid)
        return Content(one.path, total, oid, len(files))

    def _object(self, content: Content) -> str | None:
        """Return the object of a file that is in a folder; None if it is lost."""
        if content.file:
            return self.hashed[content.copy][0] if content.copy in self.hashed else None
        if content.kept and self.base is not None and content.path in self.base.blobs:
            stored = next((one.stored for one in self.base.record.artifacts if one.path == content.path), DVC)
            if stored == GIT:  # so far in the run's tree
                return self.cache.put_bytes(self.objects.read(self.base.blobs[content.path])[1])
        return content.oid


def _md5(data: bytes) -> str:
    from hashlib import md5

    return md5(data, usedforsecurity=False).hexdigest()
