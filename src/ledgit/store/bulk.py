"""Many finished runs at once: straight into the clone's ledger, a pack for a thousand of them.

Written one by one they would be a ref and a pack each. Here the objects of all of them, their
lines and the ledger's commit are one pack; moving the ledger's ref makes them visible together, so
a process that is killed before leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ledgit.errors import RefMoved, RunPurged, RunStateError
from ledgit.records.entry import with_head
from ledgit.records.names import stored_paths
from ledgit.records.record import make_entry, run_files
from ledgit.records.run import is_commit_id
from ledgit.store.chain import RUN_FOLDER
from ledgit.store.contents import keep_artifact
from ledgit.store.ledger.due import DUE, shrink_later
from ledgit.store.lines import run_line

if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.records.record import RunRecord
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

__all__ = ["AT_ONCE", "Bulk"]

AT_ONCE = 1_000
"""Runs that become one pack."""
_MOST_BYTES = 64 << 20
_FEW_POINTS = 200  # of a run, which always have room in the tree
_ATTEMPTS = 5


class Bulk:
    """Takes finished runs and stores them by the thousand; use it in a ``with`` statement.

    What was not yet stored when an exception leaves the ``with`` block is dropped.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        at_once: How many runs become one pack; more of them where runs are large.

    Attributes:
        stored: Ids of the runs that are in the ledger, in the order they came.
    """

    def __init__(self, repo: Repo, folder: Folder, at_once: int = AT_ONCE) -> None:
        from ledgit.git import Objects

        self.repo, self.folder, self.at_once = repo, folder, at_once
        self.stored: list[str] = []
        self._objects: Objects = Objects.of(repo)
        self._kinds: dict[str, str | None] = {}
        self._threshold: int | None = None
        self._oids: list[str] = []  # new in the cache
        self._left: str | None = None  # the table as the last call of `_store` left it
        self._looked: str | None = None  # the one that was there before the first, or that others made
        self._begin()

    def _begin(self) -> None:
        from ledgit.git import ObjectSet

        self._fresh: ObjectSet = ObjectSet()
        self._lines: dict[str, Line] = {}
        self._bytes = 0

    def __enter__(self) -> Bulk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        if len(self.stored) >= DUE:
            shrink_later(self.repo, self.folder)

    def add(
        self,
        record: RunRecord,
        contents: Mapping[str, bytes] | None = None,
        *,
        author: tuple[str, str] = ("", ""),
        message: str = "",
    ) -> str:
        """Take one run, which must be new here, and return its commit.

        The commit gets the code commit as its parent, and the code's tree, where those are in the
        repository. It is dated as the run's start.

        Args:
            record: All of the run.
            contents: Artifact path → content, or the content of its pointer.
            author: (name, address); the run's user if empty.
            message: The commit's message; one about the run where it doesn't name it.

        Raises:
            RunStateError: The run has not ended, or was added already.
            RunPurged: As :meth:`flush`, which this calls when a thousand runs are waiting.
        """
        from ledgit.git import build, graft
        from ledgit.records.table import parse_line

        info = record.info
        if info.status in ("RUNNING", "SCHEDULED"):
            raise RunStateError(f"run {info.id[:8]} is {info.status}; only runs that have ended are stored as one")
        if info.id in self._lines:
            raise RunStateError(f"run {info.id[:8]} was added already")
        fresh, code = self._fresh, info.code
        root = code.tree if self._is_here(code.tree, "tree") else None
        line = run_line(self._objects, root, make_entry(record))
        record, placed = _placed(record, contents or {})
        record, reduced = self._histories(record)
        files = {**run_files(record, line, reduced), **placed}
        if any(path.endswith(".dvc") for path in files):
            from ledgit.store.artifacts.setting import beside_pointers

            root = beside_pointers(self.repo, self._objects, fresh, root)
        tree = graft(self._objects, fresh, root, RUN_FOLDER, build(fresh, files))
        parents = [code.commit] if code.commit and self._is_here(code.commit, "commit") else []
        who = (author[0] or info.user or "ledgit", author[1], info.start // 1000, "+0000")
        trailer = f"Ledgit-Run: {info.id}"
        if trailer not in message.splitlines():
            message = f"run: {info.name} ({info.experiment})\n\n{trailer}\nLedgit-Status: {info.status}\n"
        commit = fresh.commit(tree, parents, who, who, message)
        self._lines[info.id] = parse_line(with_head(line, commit))
        self._bytes += sum(len(data) for data in files.values())
        if len(self._lines) >= self.at_once or self._bytes > _MOST_BYTES:
            self.flush()
        return commit

    def _histories(self, record: RunRecord) -> tuple[RunRecord, bool]:
        """Put histories that have no room in the tree into the cache."""
        if sum(map(len, record.histories.values())) < _FEW_POINTS:
            return record, False
        from ledgit.artifacts import Cache
        from ledgit.store.artifacts.histories import keep_histories
        from ledgit.store.artifacts.threshold import artifact_threshold

        if self._threshold is None:
            self._threshold = artifact_threshold(self.repo)
        record, reduced, fresh = keep_histories(Cache(self.folder.cache), record, self._threshold, fresh=False)
        self._oids += fresh
        return record, reduced

    def _is_here(self, oid: str | None, kind: str) -> bool:
        """Whether the id from a record that nobody checked names an object of this kind here."""
        if not is_commit_id(oid) or len(oid) != 40:
            return False
        if oid not in self._kinds:
            self._kinds[oid] = self._objects.kind(oid)
        return self._kinds[oid] == kind

    def flush(self) -> None:
        """Store what was added so far; durable when this returns.

        Raises:
            RunPurged: Some of the runs were purged here. None of those added since the last
                call was stored, and they are dropped.
            Conflict: Another process is working on the ledger.
            NewerFormat: The ledger asks for a newer Ledgit to write to it; nothing was stored.
            StorageError: The disk is full or failing; nothing was stored.
        """
        from ledgit.store.ledger import LedgerLock

        fresh, lines = self._fresh, self._lines
        self._begin()
        if not lines:
            return
        if self._oids:
            from ledgit.artifacts import Cache

            Cache(self.folder.cache).sync(self._oids)
            self._oids.clear()
        with LedgerLock(self.folder):
            for attempt in range(_ATTEMPTS):
                try:
                    self._store(fresh, lines)
                    break
                except RefMoved:  # by somebody without our lock
                    if attempt + 1 == _ATTEMPTS:
                        raise
        self.stored += lines

    def _store(self, fresh: ObjectSet, lines: Mapping[str, Line]) -> None:
        from ledgit.git import identity
        from ledgit.store.journal import now_ms
        from ledgit.store.ledger import add_lines, check_writable, commit_ledger, local_ledger
        from ledgit.store.ledger.local import move_ledger

        tip = local_ledger(self.repo)
        base = self._objects.commit(tip).tree if tip is not None else None
        check_writable(self._objects, base)
        purged = self._purged(base, lines)
        if purged:
            raise RunPurged(purged)
        union = add_lines(self._objects, fresh, base, lines.values())
        heads = [line.head for line in union.added]
        if heads:  # else all were here to the last byte
            name, address = identity(self.repo)
            who = (name or "ledgit", address)
            new = commit_ledger(self._objects, fresh, union.tree, tip, heads, who=who, when=now_ms() // 1000)
            move_ledger(self.repo, self.folder, fresh, new, tip)
            self._left = union.tree

    def _purged(self, base: str | None, lines: Mapping[str, Line]) -> tuple[str, ...]:
        """Return those of the runs that have a tombstone in the table *base*, under whatever day."""
        from ledgit.store.index_places import known_places
        from ledgit.store.ledger.tree import on_other_days

        if base != self._left:
            self._looked = base
        # What was stored here since has no tombstones. Days that are none: also the run's own is looked at.
        nowhere = dict.fromkeys(lines, "")
        places = known_places(self.folder, lines) if self._looked is not None else None
        found = on_other_days(self._objects, self._looked, nowhere, places=places)
        return tuple(sorted(run_id for run_id, several in found.items() if any(one.purged for one in several)))


def _placed(record: RunRecord, contents: Mapping[str, bytes]) -> tuple[RunRecord, dict[str, bytes | str]]:
    """Return the record with its artifacts where together they have room, and their files."""
    if not record.artifacts:
        return record, {}
    places = stored_paths(artifact.path for artifact in record.artifacts)
    artifacts = []
    files: dict[str, bytes | str] = {}
    for artifact in sorted(record.artifacts, key=lambda artifact: artifact.path):
        kept, pointer = keep_artifact(artifact, places[artifact.path], {})
        artifacts.append(kept)
        data = contents.get(artifact.path) if pointer is None else pointer
        if data is not None:
            files[f"artifacts/{kept.tree_path}"] = data
    return replace(record, artifacts=artifacts), files
