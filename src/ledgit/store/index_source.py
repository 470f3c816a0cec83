"""What the index is made from: loose runs, the ledger's segments, experiment records.

Everything is read through one ``git cat-file --batch`` process, and only what is new: refs are
compared with those seen before, the ledger's trees by their ids, and a changed segment's lines with
those that are stored. A line that stands as it stood is not parsed.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ledgit.errors import RecordError
from ledgit.records import with_head
from ledgit.store.index_ahead import Missing, in_turns, sum_of
from ledgit.store.index_lean import lean
from ledgit.store.index_lines import RUN, Joiner, split_lines
from ledgit.store.index_plain import PARTS

if TYPE_CHECKING:
    from ledgit.git import BatchReader, Repo
    from ledgit.records import RunState
    from ledgit.store.index_database import Database
    from ledgit.store.index_lines import Found, Lines
    from ledgit.store.index_plain import Group, Lean

__all__ = ["LEDGER", "RUNS", "Missing", "Progress", "Source", "run_refs"]

RUNS = "refs/ledgit/runs/"
LEDGER = "refs/ledgit/ledger"
SEGMENTS = "segments"
EAGER = 2_000
"""Runs with more than their line that are read whole at once; of more, what is asked for later."""

_CHUNK = 1_000
_MARKS = 500
_AT_ONCE = 64  # segments

Progress = Callable[[str, int, "int | None"], None]


def run_refs(repo: Repo) -> dict[str, str]:
    """Return the refs that the index is made from.

    Runs first: compaction moves the ledger before it drops loose runs, so each is seen in one place
    at least.
    """
    from ledgit.git import list_refs, read_ref

    refs = list_refs(repo, RUNS)
    ledger = read_ref(repo, LEDGER)
    return refs if ledger is None else {**refs, LEDGER: ledger}


def _silent(_what: str, _done: int, _total: int | None) -> None:
    return


class Source:
    """Brings the database *index* up to what *refs* say; within a transaction.

    Attributes:
        parsed: Lines that were parsed.
    """

    def __init__(
        self,
        index: Database,
        reader: BatchReader,
        refs: dict[str, str],
        progress: Progress | None = None,
        repo: Repo | None = None,
    ) -> None:
        self.repo = repo
        self.index = index
        self.db = index.db
        self.reader = reader
        self.refs = refs
        self.joiner = Joiner(reader)
        self.parsed = 0
        self._progress = progress or _silent
        self._segments: dict[int, Lines] = {}
        self._last: int | None = None
        self._eager = EAGER
        index.runs.ranges = self.joiner.range

    def update(self) -> None:
        """Read what changed and write the runs it concerns.

        Raises:
            Missing: The ledger can't be read.
        """
        old = dict(self.db.execute("SELECT name, oid FROM ref"))
        moved = [name for name, oid in self.refs.items() if old.get(name) != oid]
        gone = [name for name in old if name not in self.refs]
        self.db.executemany("DELETE FROM ref WHERE name = ?", [(name,) for name in gone])
        self.db.executemany("INSERT OR REPLACE INTO ref VALUES (?, ?)", [(name, self.refs[name]) for name in moved])
        touched = {name[len(RUNS) :] for name in (*moved, *gone) if name.startswith(RUNS)}
        if self.refs.get(LEDGER) != old.get(LEDGER):
            touched |= self._update_ledger()
        done = 0
        for ids in _chunks(sorted(touched), _CHUNK):
            if len(touched) > _CHUNK:
                self._progress("reading runs", done, len(touched))
            self._write(ids)
            done += len(ids)

    # ------------------------------------------------------------------ the ledger

    def _update_ledger(self) -> set[str]:
        """Read the ledger's changed files; return the ids of runs that are yet to be looked at."""
        tip = self.refs.get(LEDGER)
        self._update_experiments(tip)
        changed: list[tuple[int, str]] = []
        removed: list[int] = []
        top = self.reader.read(f"{tip}:{SEGMENTS}") if tip else None
        if tip and top is None and self.reader.read(tip) is None:
            raise Missing(tip)
        if top is not None and top[1] == "tree":
            self._walk(SEGMENTS, top[0], top[2], changed, removed)
        else:
            self._remove(SEGMENTS, removed)
        stale: set[str] = set()
        for some in _chunks(removed, _MARKS):
            stale |= self._forget_segments(some)
        if self.index.runs.is_empty() and self.db.execute("SELECT 1 FROM line LIMIT 1").fetchone() is None:
            return stale | self._fill(changed)
        for number, some in enumerate(_chunks(changed, _AT_ONCE)):
            if len(changed) > _AT_ONCE:
                self._progress("reading the ledger", number * _AT_ONCE, len(changed))
            stale |= self._take(some)
        return stale

    def _fill(self, changed: list[tuple[int, str]]) -> set[str]:
        """Fill the empty tables; return the ids of runs whose lines are not all in one segment."""
        seen: set[str] = set()
        loose = {name[len(RUNS) :] for name in self.refs if name.startswith(RUNS)}
        several: set[str] = set()
        self._eager = 0
        self.db.execute("DROP INDEX IF EXISTS line_run")
        self.index.runs.begin_bulk()
        done = 0
        with closing(in_turns([oid for _, oid in changed], self._blobs, self.repo)) as found:
            for files, (count, places, groups, other, again) in found:
                self._progress("reading the ledger", done, len(changed))
                rows = [(changed[files[place]][0], run, one) for place, run, one in places]
                self.db.executemany("INSERT INTO line VALUES (?, ?, ?)", rows)
                here = {run for _, run, _ in places}
                elsewhere = {run for run in here if run in seen or run in loose}
                seen |= here
                several |= elsewhere
                several.update(again)
                if elsewhere:
                    groups = [(keys, [one for one in some if one[3][0] not in elsewhere]) for keys, some in groups]
                runs: dict[str, list[Found]] = {
                    run: [(line, "") for line in lines] for run, lines in other if run not in elsewhere
                }
                self._store(runs, groups, new=True)
                done += count
        self.index.runs.end_bulk()
        self.db.execute("CREATE INDEX line_run ON line (run, segment)")
        self._progress("reading the ledger", len(changed), len(changed))
        return several

    def _blobs(self, oids: Sequence[str]) -> Generator[tuple[str, bytes | None], None, None]:
        """Yield ids and contents of these blobs; many come from a git process of their own, which works ahead."""
        if self.repo is None or len(oids) <= _AT_ONCE:
            for some in _chunks(oids, _AT_ONCE):
                found = [None if one is None else one[2] for one in self.reader.read_many(some)]
                yield from zip(some, found, strict=True)
            return
        from ledgit.git import BatchReader

        with BatchReader(self.repo) as reader:
            reader.work_ahead()
            for oid, one in zip(oids, reader.read_many(oids), strict=True):
                yield oid, None if one is None else one[2]

    def _take(self, changed: Sequence[tuple[int, str]]) -> set[str]:
        """Take in some changed segments, whose lines are mostly those they had; return the runs that they lost."""
        fresh = self._read(changed)
        stale: set[str] = set()
        new: set[str] = set()
        for segment, runs in fresh.items():
            old = dict(self.db.execute("SELECT run, sum FROM line WHERE segment = ?", (segment,)))
            sums = {run: sum_of(lines) for run, lines in runs.items()}
            gone = old.keys() - sums.keys()
            changes = {run for run, one in sums.items() if old.get(run) != one}
            self.db.executemany("DELETE FROM line WHERE segment = ? AND run = ?", [(segment, run) for run in gone])
            rows = [(segment, run, sums[run]) for run in changes]
            self.db.executemany("INSERT OR REPLACE INTO line VALUES (?, ?, ?)", rows)
            stale |= gone
            new |= changes
        self._segments = fresh
        for ids in _chunks(sorted(new), _CHUNK):
            self._write(ids)
        self._segments, self._last = {}, None
        return stale

    def _walk(self, path: str, oid: str, data: bytes, changed: list[tuple[int, str]], removed: list[int]) -> None:
        """Compare the tree *path* with what was there, going down only where ids differ."""
        from ledgit.git import TREE, parse_tree

        old = {
            name: (number, old_oid, tree)
            for name, number, old_oid, tree in self.db.execute(
                "SELECT path, n, oid, tree FROM node WHERE parent = ?", (path,)
            )
        }
        self._set_node(path, oid, 1)
        below = []
        for entry in parse_tree(data, path):
            name = f"{path}/{entry.name}"
            is_tree = entry.mode == TREE
            if not name.isprintable() or not (is_tree or name.endswith(".jsonl")):
                continue  # none of ours
            before = old.pop(name, None)
            if before is not None and before[1:] == (entry.oid, int(is_tree)):
                continue
            if before is not None and before[2] != is_tree:
                self._remove(name, removed)
            if is_tree:
                below.append((name, entry.oid))
            else:
                changed.append((self._set_node(name, entry.oid, 0), entry.oid))
        for name in old:
            self._remove(name, removed)
        # All of them before going down: answers come in the order of the questions, whoever asks.
        trees = list(self.reader.read_many(oid for _, oid in below))
        for (name, tree_oid), found in zip(below, trees, strict=True):
            if found is None:
                raise Missing(tree_oid)
            if found[1] == "tree":
                self._walk(name, tree_oid, found[2], changed, removed)

    def _set_node(self, path: str, oid: str, tree: int) -> int:
        sql = (
            "INSERT INTO node (path, parent, oid, tree) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET oid = excluded.oid, tree = excluded.tree RETURNING n"
        )
        (number,) = self.db.execute(sql, (path, path.rpartition("/")[0], oid, tree)).fetchone()
        return int(number)

    def _remove(self, path: str, removed: list[int]) -> None:
        for (name,) in self.db.execute("SELECT path FROM node WHERE parent = ?", (path,)).fetchall():
            self._remove(name, removed)
        removed += [n for (n,) in self.db.execute("DELETE FROM node WHERE path = ? RETURNING n", (path,)).fetchall()]

    def _forget_segments(self, numbers: Sequence[int]) -> set[str]:
        """Return the runs that these segments had, and forget that they had them."""
        marks = ", ".join("?" * len(numbers))
        runs = {run for (run,) in self.db.execute(f"SELECT run FROM line WHERE segment IN ({marks})", numbers)}
        self.db.execute(f"DELETE FROM line WHERE segment IN ({marks})", numbers)
        return runs

    def _read(self, segments: Sequence[tuple[int, str]]) -> dict[int, Lines]:
        found: dict[int, Lines] = {}
        for (number, oid), blob in zip(segments, self.reader.read_many(oid for _, oid in segments), strict=True):
            if blob is None:
                raise Missing(oid)
            found[number] = split_lines(blob[2])
        return found

    def _update_experiments(self, tip: str | None) -> None:
        from ledgit.git import parse_tree
        from ledgit.store.experiments import decode_experiment

        self.db.execute("DELETE FROM experiment")
        top = self.reader.read(f"{tip}:experiments") if tip else None
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
        """Write the runs *ids* as they are now; those that are nowhere any more go."""
        found = self._found(ids)
        stored = self._stored(ids)
        changed = {}
        for run, lines in found.items():
            body = stored.get(run)
            if body is None or {_whole(line, head) for line, head in lines} != {body}:
                changed[run] = lines
        self._store(changed, new=False)

    def _found(self, ids: Sequence[str]) -> dict[str, list[Found]]:
        """Return every line of each of *ids*, in the ledger and loose."""
        found: dict[str, list[Found]] = {run: [] for run in ids}
        for segment, run in self._places(ids):
            found[run] += [(line, "") for line in self._segment(segment).get(run, ())]
        loose = [(run, self.refs[RUNS + run]) for run in ids if RUNS + run in self.refs]
        blobs = self.reader.read_many(f"{head}:{RUN}/entry.json" for _, head in loose)
        for (run, head), blob in zip(loose, blobs, strict=True):
            found[run].append((None if blob is None else blob[2], head))
        return found

    def _stored(self, ids: Sequence[str]) -> dict[str, bytes]:
        runs = self.index.runs
        stored: dict[str, bytes] = {}
        for some in _chunks(ids, _MARKS):
            marks = ", ".join("?" * len(some))
            sql = f"SELECT r.id, d.body FROM {runs.run} r JOIN {runs.doc} d ON d.n = r.n WHERE r.id IN ({marks})"
            stored.update(self.db.execute(sql, some))
        return stored

    def _store(self, runs: dict[str, list[Found]], groups: Sequence[Group] = (), *, new: bool) -> None:
        """Write *runs*, given by all their lines, and plain ones; *new*: none of them is there yet."""
        states: list[RunState] = []
        tombstones: list[tuple[str, int]] = []
        gone: list[str] = []
        short: set[str] = set()
        plain: list[Lean] = []
        self.parsed += sum([len(some) for _, some in groups])
        for run, found in runs.items():
            lines = {_whole(line, head) for line, head in found}
            self.parsed += len(lines)
            if len(lines) == 1:
                (line,) = lines
                data = lean(line, run) if line else None
                if data is not None and line is not None and not self._is_eager(data):
                    plain.append((line, data))
                    continue
            whole = self._eager > 0
            state = self.joiner.join(run, found, whole=whole)
            if state is None:
                gone.append(run)
            elif state.purged:
                tombstones.append((run, state.start))
                gone.append(run)
            else:
                states.append(state)
                if state.left and not PARTS.keys().isdisjoint(state.left):
                    self._eager -= 1
                    if not whole:
                        short.add(run)
        self.index.runs.rows.write(states, plain, groups=groups, new=new, short=short)
        if not new:
            self.index.runs.drop(gone)
            self.db.executemany("DELETE FROM tombstone WHERE run = ?", [(run,) for run in runs])
        self.db.executemany("INSERT OR REPLACE INTO tombstone VALUES (?, ?)", tombstones)

    def _is_eager(self, data: dict[str, Any]) -> bool:
        """Whether what the line had no room for is to be read now, because it is not too much."""
        if PARTS.keys().isdisjoint(data.get("left", ())):
            return False
        self._eager -= 1
        return self._eager >= 0

    def _places(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        places: list[tuple[int, str]] = []
        for some in _chunks(ids, _MARKS):
            marks = ", ".join("?" * len(some))
            places += self.db.execute(f"SELECT segment, run FROM line WHERE run IN ({marks})", some)
        return sorted(places)

    def _segment(self, number: int) -> Lines:
        """Return the lines of a segment; besides those being taken in, the last one read is kept."""
        if number not in self._segments:
            row = self.db.execute("SELECT oid FROM node WHERE n = ?", (number,)).fetchone()
            last, self._last = self._last, number
            if last is not None:
                self._segments.pop(last, None)
            self._segments.update(self._read([(number, row[0])]) if row else {number: {}})
        return self._segments[number]


def _whole(line: bytes | None, head: str) -> bytes | None:
    """Return a line as it stands in the ledger; None where it can't stand there."""
    if not head or line is None:
        return line
    try:
        return with_head(line, head).rstrip(b"\n")
    except RecordError:
        return None


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
