"""What the index is made from: loose runs, the ledger's segments, experiment records.

Everything is read through one ``git cat-file --batch`` process, and only what is new: refs are
compared with those seen before, the ledger's trees by their ids.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, RecordError
from ledgit.records import RunState, decode_entry, history_files, join, load_flat, with_head

if TYPE_CHECKING:
    from ledgit.git import BatchReader, Repo
    from ledgit.records import Entry
    from ledgit.store.index_database import Database

__all__ = ["LEDGER", "RUNS", "Source", "run_refs"]

RUNS = "refs/ledgit/runs/"
LEDGER = "refs/ledgit/ledger"
_RUN = ".ledgit/run"
_CHUNK = 1_000
_MARKS = 500

Lines = dict[str, list[bytes]]  # run id → its lines in one segment


def run_refs(repo: Repo) -> dict[str, str]:
    """Return the refs that the index is made from."""
    from ledgit.git import list_refs

    refs = list_refs(repo, "refs/ledgit/")
    return {name: oid for name, oid in refs.items() if name == LEDGER or name.startswith(RUNS)}


class Source:
    """Brings the database *index* up to what *refs* say; within a transaction."""

    def __init__(self, index: Database, reader: BatchReader, refs: dict[str, str]) -> None:
        self.index = index
        self.db = index.db
        self.reader = reader
        self.refs = refs
        self._segments: dict[str, Lines] = {}
        index.runs.ranges = self._range

    def update(self) -> None:
        """Read what changed and write the runs it concerns."""
        old = dict(self.db.execute("SELECT name, oid FROM ref"))
        moved = [name for name, oid in self.refs.items() if old.get(name) != oid]
        gone = [name for name in old if name not in self.refs]
        self.db.executemany("DELETE FROM ref WHERE name = ?", [(name,) for name in gone])
        self.db.executemany("INSERT OR REPLACE INTO ref VALUES (?, ?)", [(name, self.refs[name]) for name in moved])
        touched = {name[len(RUNS) :] for name in (*moved, *gone) if name.startswith(RUNS)}
        if self.refs.get(LEDGER) != old.get(LEDGER):
            touched -= self._update_ledger()
        for ids in _chunks(sorted(touched), _CHUNK):
            self._write(ids)

    # ------------------------------------------------------------------ the ledger

    def _update_ledger(self) -> set[str]:
        """Read the ledger's changed files; return the ids that were written on the way."""
        tip = self.refs.get(LEDGER)
        self._update_experiments(f"{tip}:experiments" if tip else None)
        changed: list[tuple[str, str]] = []
        removed: list[str] = []
        top = self.reader.read(f"{tip}:segments") if tip else None
        if top is not None and top[1] == "tree":
            self._walk("segments", top[0], top[2], changed, removed)
        else:
            self._remove("segments", removed)
        written: set[str] = set()
        stale = self._runs_of(removed)
        for some in _chunks(changed, 64):
            stale |= self._runs_of([path for path, _ in some])
            fresh = self._read_segments(some)
            ids = set().union(*fresh.values()) if fresh else set()
            self.db.executemany(
                "INSERT OR REPLACE INTO line VALUES (?, ?)", [(run, path) for path in fresh for run in fresh[path]]
            )
            self._segments = fresh
            self._write(sorted(ids))
            written |= ids
            stale -= ids
        self._segments = {}
        for some in _chunks(sorted(stale), _CHUNK):
            self._write(some)
        return written | stale

    def _walk(self, path: str, oid: str, data: bytes, changed: list[tuple[str, str]], removed: list[str]) -> None:
        """Compare the tree *path* with what was there, going down only where ids differ."""
        from ledgit.git import TREE, parse_tree

        old = {
            name: (old_oid, tree)
            for name, old_oid, tree in self.db.execute("SELECT path, oid, tree FROM node WHERE parent = ?", (path,))
        }
        self._set_node(path, oid, 1)
        below = []
        for entry in parse_tree(data, path):
            name = f"{path}/{entry.name}"
            is_tree = entry.mode == TREE
            if not name.isprintable() or not (is_tree or name.endswith(".jsonl")):
                continue  # none of ours
            before = old.pop(name, None)
            if before == (entry.oid, int(is_tree)):
                continue
            if before is not None and before[1] != is_tree:
                self._remove(name, removed)
            if is_tree:
                below.append((name, entry.oid))
            else:
                self._set_node(name, entry.oid, 0)
                changed.append((name, entry.oid))
        for name in old:
            self._remove(name, removed)
        for (name, tree_oid), found in zip(below, self.reader.read_many(oid for _, oid in below), strict=True):
            if found is not None and found[1] == "tree":
                self._walk(name, tree_oid, found[2], changed, removed)

    def _set_node(self, path: str, oid: str, tree: int) -> None:
        parent = path.rpartition("/")[0]
        self.db.execute("INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?)", (path, parent, oid, tree))

    def _remove(self, path: str, removed: list[str]) -> None:
        below = [name for (name,) in self.db.execute("SELECT path FROM node WHERE parent = ?", (path,))]
        for name in below:
            self._remove(name, removed)
        self.db.execute("DELETE FROM node WHERE path = ?", (path,))
        if path.endswith(".jsonl"):
            removed.append(path)

    def _runs_of(self, paths: Sequence[str]) -> set[str]:
        """Return the runs that the segments *paths* had, and forget that they had them."""
        runs: set[str] = set()
        for path in paths:
            runs.update(run for (run,) in self.db.execute("SELECT run FROM line WHERE segment = ?", (path,)))
            self.db.execute("DELETE FROM line WHERE segment = ?", (path,))
        return runs

    def _read_segments(self, segments: Sequence[tuple[str, str]]) -> dict[str, Lines]:
        found: dict[str, Lines] = {}
        for (path, _), blob in zip(segments, self.reader.read_many(oid for _, oid in segments), strict=True):
            lines: Lines = {}
            for line in blob[2].split(b"\n") if blob is not None else ():
                if line:
                    lines.setdefault(_id_of(line), []).append(line)
            found[path] = lines
        return found

    def _update_experiments(self, spec: str | None) -> None:
        from ledgit.git import parse_tree
        from ledgit.store.experiments import decode_experiment

        self.db.execute("DELETE FROM experiment")
        top = self.reader.read(spec) if spec else None
        if top is None or top[1] != "tree":
            return
        entries = parse_tree(top[2], "experiments")
        for entry, blob in zip(entries, self.reader.read_many(entry.oid for entry in entries), strict=True):
            if blob is None or not entry.name.isprintable():
                continue
            try:
                record = decode_experiment(blob[2], entry.name)
            except RecordError:
                continue
            row = (entry.name, record.label, record.name, int(record.deleted))
            self.db.execute("INSERT OR REPLACE INTO experiment VALUES (?, ?, ?, ?)", row)

    # ------------------------------------------------------------------ runs

    def _write(self, ids: Sequence[str]) -> None:
        states = list(self._states(ids))
        self.index.runs.write(states)
        have = {state.id for state in states}
        self.index.runs.drop([run for run in ids if run not in have])

    def _states(self, ids: Sequence[str]) -> Iterator[RunState]:
        """Yield the joined state of each of *ids* that is anywhere; purged ones are nowhere."""
        lines: dict[str, list[tuple[bytes | None, str]]] = {run: [] for run in ids}  # line and, of loose runs, head
        for path, run in self._places(ids):
            lines[run] += [(line, "") for line in self._segment(path).get(run, ())]
        loose = [(run, self.refs[RUNS + run]) for run in ids if RUNS + run in self.refs]
        blobs = self.reader.read_many(f"{head}:{_RUN}/entry.json" for _, head in loose)
        for (run, head), blob in zip(loose, blobs, strict=True):
            lines[run].append((None if blob is None else blob[2], head))
        for run, found in lines.items():
            state = self._join(run, found)
            if state is not None and not state.purged:
                yield state

    def _places(self, ids: Sequence[str]) -> list[tuple[str, str]]:
        places: list[tuple[str, str]] = []
        for some in _chunks(ids, _MARKS):
            marks = ", ".join("?" * len(some))
            places += self.db.execute(f"SELECT segment, run FROM line WHERE run IN ({marks})", some)
        return sorted(places)

    def _segment(self, path: str) -> Lines:
        """Return the lines of a segment; the last one read is kept, callers ask in order."""
        if path not in self._segments:
            row = self.db.execute("SELECT oid FROM node WHERE path = ?", (path,)).fetchone()
            self._segments = self._read_segments([(path, row[0])]) if row else {path: {}}
        return self._segments[path]

    def _join(self, run: str, lines: Iterable[tuple[bytes | None, str]]) -> RunState | None:
        entries: list[Entry] = []
        problems: list[str] = []
        heads: list[str] = []
        for line, head in lines:
            try:
                if line is None:
                    raise RecordError(head[:12], "is not a run commit, or not in this clone")
                entry = decode_entry(with_head(line, head) if head else line, head[:12] or "the ledger")
                if entry.id != run:
                    raise RecordError(head[:12], f"is the commit of another run, {entry.id[:8]}")
                entries.append(entry)
            except RecordError as error:
                problems.append(str(error))
                heads += [head] if head else []
        if not entries:
            return RunState(run, heads=tuple(heads), problem=problems[0]) if problems else None
        state = join(entries)
        state.problem = problems[0] if problems else ""
        if state.left:
            try:
                self._complete(state)
            except LedgitError as error:
                state.problem = state.problem or str(error)
        return state

    def _complete(self, state: RunState) -> None:
        """Add what had no room in the line, from the run's own files where they are here."""
        for head in state.heads:
            for section in ("params", "metrics", "tags"):
                values = getattr(state, section)
                if section in state.left:
                    for key, value in self._flat(head, section).items():
                        values.setdefault(key, value)
            if "text" in state.left or "subtrees" in state.left:
                self._complete_facts(state, head)

    def _flat(self, head: str, section: str) -> dict[str, object]:
        found = self.reader.read(f"{head}:{_RUN}/{section}.yaml")
        if found is None:
            return {}
        values = load_flat(found[2], f"{section}.yaml")
        if section == "metrics":
            return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}
        if section == "tags":
            return {key: "" if value is None else str(value) for key, value in values.items()}
        return dict(values)

    def _complete_facts(self, state: RunState, head: str) -> None:
        from ledgit.records import decode_run

        found = self.reader.read(f"{head}:{_RUN}/run.yaml")
        if found is None:
            return
        info = decode_run(found[2])
        for name in ("name", "experiment", "user"):
            value = getattr(state, name)
            if value.endswith("…") and getattr(info, name).startswith(value[:-1]):
                setattr(state, name, getattr(info, name))
        if "subtrees" in state.left and not state.code.subtrees:
            state.code = replace(state.code, subtrees=info.code.subtrees)

    def _range(self, state: RunState, key: str) -> tuple[float, float]:
        """Return (least, greatest) of a metric; from its history if the line had no room for it."""
        value = state.metrics[key]
        if key in state.ranges or not state.left.get("ranges"):
            return state.ranges.get(key, (value, value))
        from ledgit.records import decode_history

        file = history_files(state.metrics).get(key)
        ends = [value]
        for head in state.heads:
            found = self.reader.read(f"{head}:{_RUN}/history/{file}")
            if found is None:
                continue
            try:
                ends += decode_history(found[2])[1].minmax()
            except (RecordError, ValueError):
                continue
        numbers = [end for end in ends if not isnan(end)] or ends
        return min(numbers), max(numbers)


def _id_of(line: bytes) -> str:
    """Return the id of the run a line is about; of one that does not say, an id of its own."""
    from orjson import JSONDecodeError, loads

    from ledgit.records import is_run_id

    end = line.find(b'"', 7)
    if line.startswith(b'{"id":"') and end > 0:
        text = line[7:end].decode("ascii", "replace")
        if is_run_id(text):
            return text
    try:
        data = loads(line)
    except JSONDecodeError:
        data = None
    if isinstance(data, dict) and is_run_id(data.get("id")):
        return str(data["id"])
    from hashlib import sha256

    return f"unreadable-{sha256(line).hexdigest()[:16]}"


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
