"""Everything a run holds, read from where it is: its heads, its journal, or both.

A run that is being written is a journal. One that was resumed is a commit *and* a journal, and
what it shows is the commit with the new session on top. One that was edited on two machines has
two heads, and shows what they hold together.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from ledgit.errors import ArtifactNotFound, RecordError, RunNotFound
from ledgit.records.artifacts import DVC, ArtifactRecord, decode_artifacts, decode_pointers
from ledgit.records.history import Points, covers, decode_history, union
from ledgit.records.names import history_file, history_files
from ledgit.records.record import FULL_HISTORY, once_points
from ledgit.store.build import build_record, has_artifacts
from ledgit.store.chain import RUN_FOLDER, read_base
from ledgit.store.columns import Batch, read_points
from ledgit.store.journal import JournalState, read_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.git import Objects
    from ledgit.records.record import RunRecord
    from ledgit.records.state import RunState
    from ledgit.store.artifacts.histories import Fetch
    from ledgit.store.folder import Folder

__all__ = ["committed_history", "open_artifact", "read_history", "read_record"]


def _journal(folder: Folder, state: RunState) -> JournalState | None:
    """Return the run's journal if it has one (most have none: one failed look-up)."""
    try:
        journal = read_parts(folder.active_dir(state.id))
    except FileNotFoundError:
        journal = None
    if journal is not None and journal.first("start") is None:
        journal = None
    if journal is None and not state.heads:
        raise RunNotFound(state.id)
    return journal


def read_record(folder: Folder, objects: Objects, state: RunState) -> RunRecord:
    """Return everything the run holds.

    Raises:
        RunNotFound: Its journal is gone: it was finalized since *state* was read.
        RecordError: Its commit does not decode.
    """
    journal = _journal(folder, state)
    base = read_base(objects, state.id, state.heads).record if state.heads else None
    if journal is None:
        assert base is not None
        return base
    record = build_record(journal, base).record
    if has_artifacts(journal):
        from ledgit.store.artifacts.live import live_artifacts

        record.artifacts[:] = live_artifacts(folder, folder.active_dir(state.id), journal, record.artifacts)
    return replace(record, info=replace(record.info, status=state.status, end=state.end))


def read_history(
    folder: Folder, objects: Objects, state: RunState, metric: str, fetch: Fetch | None = None
) -> Points | None:
    """Return the points of *metric*, by step and time, or None if the run has none.

    Args:
        folder: Ledgit's folder.
        objects: The repository's objects.
        state: The run.
        metric: The metric's name.
        fetch: Brings the object with all points here where the run's tree has a reduction of them. If
            it is not here, and stays away, the points are those of the reduction: the record of
            such a run is ``reduced``.
    """
    journal = _journal(folder, state)
    fresh = journal.histories.get(metric) if journal is not None else None
    old = committed_history(folder, objects, state, metric, fetch) if state.heads else None
    if fresh is None:
        return old
    return fresh.sorted_unique() if old is None else union(old, fresh)


def committed_history(
    folder: Folder, objects: Objects, state: RunState, metric: str, fetch: Fetch | None = None
) -> Points | None:
    """Return the points of *metric* in the run's commits alone: of a resumed run those of earlier sessions."""
    found: dict[str, Points] = {}
    histories: list[Points] = []
    for head in state.heads:
        blob = _history_blob(objects, head, state, metric)
        if blob is None:
            histories += _logged_once(objects, head, metric)
        elif blob not in found:  # mostly an edit left it as it was
            found[blob] = read_points(folder, blob, _loader(objects, blob, metric))
    histories += found.values()
    full: list[Points] = []
    for oid in _full_objects(objects, state.heads):
        full += _full_history(folder, oid, metric, fetch)
    whole = _united(full)
    if whole is None:
        return _united(histories)
    # Mostly the tree has a reduction of what the object has. Where an edit joined heads it may have points of its own.
    return _united([whole, *(points for points in histories if not covers(whole, points))])


def _united(histories: list[Points]) -> Points | None:
    points = histories[0] if histories else None
    for other in histories[1:]:
        assert points is not None
        points = union(points, other)
    return points


def _history_blob(objects: Objects, head: str, state: RunState, metric: str) -> str | None:
    # The line of a run with very many metrics doesn't name them all; nor has each head all of them.
    for name in dict.fromkeys((history_files(state.metrics).get(metric), history_file(metric))):
        entry = objects.find(head, f"{RUN_FOLDER}/history/{name}") if name else None
        if entry is not None:
            return entry.oid
    return None


def _full_objects(objects: Objects, heads: Iterable[str]) -> list[str]:
    """Return the objects with the points of the runs that had no room in the tree."""
    found: dict[str, None] = {}
    for head in heads:
        pointer = objects.find(head, f"{RUN_FOLDER}/{FULL_HISTORY}")
        if pointer is not None:
            found.update((md5, None) for _, md5, _ in decode_pointers(objects.read(pointer.oid)[1], FULL_HISTORY))
    return list(found)


def _full_history(folder: Folder, oid: str, metric: str, fetch: Fetch | None) -> list[Points]:
    from hashlib import sha1

    from ledgit.artifacts import Cache
    from ledgit.store.artifacts.histories import full_points

    def key(name: str) -> str:
        return f"{oid}-{sha1(name.encode(), usedforsecurity=False).hexdigest()[:16]}"

    def load() -> Points:
        points = full_points(Cache(folder.cache), oid, metric, fetch, Batch(folder, key))
        if points is None:
            raise ArtifactNotFound(f"md5:{oid}")
        return points.sorted_unique()  # it may come from anywhere

    try:
        points = read_points(folder, key(metric), load)
    except ArtifactNotFound:
        return []  # what the tree has is all there is here
    return [points] if len(points) else []


def _logged_once(objects: Objects, head: str, metric: str) -> list[Points]:
    """Return the only point of *metric*, if it has just one."""
    once = objects.find(head, f"{RUN_FOLDER}/once.tsv")
    metrics = objects.find(head, f"{RUN_FOLDER}/metrics.yaml")
    if once is None or metrics is None:
        return []
    points = once_points(objects.read(once.oid)[1], objects.read(metrics.oid)[1], metric)
    return [] if points is None else [points]


def _loader(objects: Objects, blob: str, metric: str) -> Callable[[], Points]:
    def load() -> Points:
        found, points = decode_history(objects.read(blob)[1])
        if found != metric:
            raise RecordError(blob[:12], f"holds the metric {found!r}, not {metric!r}")
        return points

    return load


def open_artifact(folder: Folder, objects: Objects, state: RunState, record: ArtifactRecord) -> BinaryIO:
    """Open an artifact for reading; a large one is a file that need not fit into memory.

    Raises:
        ArtifactNotFound: It is not in this clone.
    """
    journal = _journal(folder, state)
    if journal is not None and has_artifacts(journal):
        from ledgit.store.artifacts.live import open_staged

        staged = open_staged(folder, folder.active_dir(state.id), journal, record.path)
        if staged is not None:
            return staged
    if not state.heads:
        raise ArtifactNotFound(record.path)
    if record.stored == DVC:
        from ledgit.artifacts import Cache

        return Cache(folder.cache).open(record.digest.removeprefix("md5:"))
    for head in state.heads:
        place = _place(objects, head, record) if len(state.heads) > 1 else record.tree_path
        entry = objects.find(head, f"{RUN_FOLDER}/artifacts/{place}") if place else None
        if entry is not None:
            return BytesIO(objects.read(entry.oid)[1])
    raise ArtifactNotFound(record.path)


def _place(objects: Objects, head: str, record: ArtifactRecord) -> str | None:
    """Return where the commit *head* has the artifact, with this content; None if it hasn't."""
    listed = objects.find(head, f"{RUN_FOLDER}/artifacts.yaml")
    if listed is not None:
        for artifact in decode_artifacts(objects.read(listed.oid)[1]):
            if (artifact.path, artifact.digest) == (record.path, record.digest):
                return artifact.tree_path
    return None
