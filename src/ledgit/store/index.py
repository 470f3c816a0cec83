"""The index: every run in one place, to be listed, filtered and sorted in milliseconds.

A cache in SQLite, made from refs and journals and never the truth. Before each question it is
brought up to date: when no ref has moved that takes well under a millisecond, else only what is
new is read. It never fails a command: a damaged file is made anew, and where nothing can be
written the whole index lives in memory.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

import os
from _thread import RLock  # threading costs 1 ms more
from typing import TYPE_CHECKING, NamedTuple

from ledgit.query import Query
from ledgit.store.index_live import LiveRuns

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ledgit.git import Link, Repo
    from ledgit.records import RunState
    from ledgit.store.folder import Folder
    from ledgit.store.index_database import Database
    from ledgit.store.index_search import Experiments, Plan

    T = TypeVar("T")

__all__ = ["ExperimentCount", "Index", "Page"]

FILE = "index.sqlite3"
_EXPERIMENT_SQL = "coalesce((SELECT e.name FROM experiment e WHERE e.label = r.experiment), r.experiment)"
_READ_ONLY = {3, 8, 14, 23}  # PERM READONLY CANTOPEN AUTH
_HEX = frozenset("0123456789abcdef")


class Page(NamedTuple):
    """Some of the runs that a query asks for.

    Attributes:
        runs: The runs, in order.
        next_token: For ``Query.page_token``, to get what follows; None at the end.
        total: How many runs match in all, where that is known for free: on a page that has
            them all. :meth:`Index.count` counts.
    """

    runs: list[RunState]
    next_token: str | None = None
    total: int | None = None


class ExperimentCount(NamedTuple):
    """The runs of one experiment.

    Attributes:
        label: The experiment's label: the name runs carry.
        runs: How many runs it has that are not deleted.
        deleted: How many deleted ones.
        first: Start of its first run, ms since the epoch.
        last: Start of its newest run.
    """

    label: str
    runs: int
    deleted: int
    first: int
    last: int


_INHERITED: list[object] = []


class Index:
    """The index of one repository. Threads may share it; a forked child opens its own.

    Args:
        repo: The repository.
        folder: Ledgit's folder in it.
        live: Returns the runs that have a journal, given a cache that it keeps.
    """

    def __init__(
        self,
        repo: Repo,
        folder: Folder,
        live: Callable[[Folder, dict[str, bytes] | None], list[RunState]] | None = None,
    ) -> None:
        self.repo = repo
        self.folder = folder
        self._live = LiveRuns(folder, live)
        self._lock = RLock()
        self._database: Database | None = None
        self._pid = 0
        self._stamp: str | None = None
        self._in_memory = False
        self._seed: str | None = None
        self._fresh = False
        self._experiments: Experiments = {}

    @property
    def path(self) -> str:
        """The index's file, whether it exists or not."""
        return os.path.join(self.folder.path, FILE)

    @property
    def in_memory(self) -> bool:
        """Whether the index could not be kept in its file."""
        return self._in_memory

    # ------------------------------------------------------------------ asking

    def refresh(self) -> None:
        """Bring the index up to date with refs and journals."""
        self._do(lambda _: None, refresh=True)

    def search(self, query: Query) -> Page:
        """Return the runs that *query* asks for, as of the last :meth:`refresh`.

        Raises:
            FilterError: The filter or an order doesn't parse, or names a revision that is not here.
            InvalidValue: The page token is not one of this query's.
        """
        from ledgit.store.index_search import read_token, write_token

        after = read_token(query)

        def run(database: Database) -> Page:
            plan = self._plan(database, query)
            self._materialize(database, plan.ends())
            limit = query.limit
            rows = plan.rows(None if limit is None else limit + 1, after)
            more = limit is not None and len(rows) > limit
            rows = rows[:limit] if more else rows
            token = write_token(query, rows[-1].values) if more and rows else None
            finalized = iter(database.runs.states([row.number for row in rows if not row.live]))
            live = iter(database.live.states([row.number for row in rows if row.live]))
            runs = [next(live) if row.live else next(finalized) for row in rows]
            return Page(runs, token, None if more or after is not None or query.offset else len(runs))

        return self._do(run)

    def count(self, query: Query) -> int:
        """Return how many runs match *query*, whatever its limit, offset and page."""

        def run(database: Database) -> int:
            plan = self._plan(database, query)
            self._materialize(database, plan.ends())
            return plan.count()

        return self._do(run)

    def get(self, run_id: str) -> RunState | None:
        """Return the run with exactly this id, None if there is none."""
        found = self._find("id = ?", run_id)
        return found[0] if found else None

    def resolve(self, text: str) -> list[RunState]:
        """Return the runs that *text* may mean: its id, else its name, else an id's beginning.

        Of a beginning at least 4 digits are needed. Several runs are returned newest first;
        the caller decides whether that is too many.
        """
        found = self._find("id = ?", text) or self._find("name = ?", text)
        short = text.lower()
        if not found and len(short) >= 4 and _HEX.issuperset(short):
            found = self._find("id >= ? AND id < ?", short, short + "\U0010ffff")
        return found

    def link(self, state: RunState, rev: str) -> Link | None:
        """Return the commit of *rev* (a revision, or a range ``A..B``) that a run's code belongs to.

        Raises:
            NotFound: There is no such revision.
        """
        from ledgit.store.index_links import Links

        return self._do(lambda database: Links(self.repo, database, rev).of(state.code))

    def names(self) -> list[str]:
        """Return the names of all runs, newest first, each once."""

        def run(database: Database) -> list[str]:
            rows = database.db.execute(f"SELECT name FROM {database.runs.run} WHERE name <> '' ORDER BY started DESC")
            names = [state.name for state in self._live.runs.values()]
            return list(dict.fromkeys([*names, *(name for (name,) in rows)]))

        return self._do(run)

    def experiments(self) -> list[ExperimentCount]:
        """Return the experiments that have runs, with counts; those with the newest runs first."""

        def run(database: Database) -> list[ExperimentCount]:
            counts: dict[str, list[int]] = {}
            live = tuple(self._live.runs)
            rows = database.db.execute(
                "SELECT experiment, sum(1 - deleted), sum(deleted), min(started), max(started)"
                f" FROM {database.runs.run} WHERE id NOT IN ({', '.join('?' * len(live))}) GROUP BY experiment",
                live,
            )
            for label, runs, deleted, first, last in rows:
                counts[label] = [runs, deleted, first or 0, last or 0]
            for state in self._live.runs.values():
                count = counts.setdefault(state.experiment, [0, 0, state.start, state.start])
                count[1 if state.deleted else 0] += 1
                count[2], count[3] = min(count[2], state.start), max(count[3], state.start)
            found = [ExperimentCount(label, *count) for label, count in counts.items()]
            return sorted(found, key=lambda one: (-one.last, one.label))

        return self._do(run)

    def keys(self, kind: str) -> list[str]:
        """Return the keys of *kind* (``params``, ``metrics`` or ``tags``), those of most runs first."""

        def run(database: Database) -> list[str]:
            counts = database.runs.counts(kind)
            for state in self._live.runs.values():
                for key in getattr(state, kind):
                    counts[key] = counts.get(key, 0) + 1
            return sorted(counts, key=lambda key: (-counts[key], key))

        return self._do(run)

    def close(self) -> None:
        """Close the file; the next question opens it again."""
        with self._lock:
            self._forget()

    # ------------------------------------------------------------------ opening, and what can go wrong

    def _do(self, run: Callable[[Database], T], refresh: bool = False) -> T:
        """Return what *run* makes of the database, whatever has happened to its file."""
        import sqlite3

        from ledgit.store.index_codec import CodecError

        if self._pid not in (0, os.getpid()):
            self._leave_to_parent()
        with self._lock:
            for attempt in range(3):
                try:
                    database = self._opened()
                    if refresh or not self._fresh:
                        self._refresh(database)
                    database.notice_changes()
                    return run(database)
                except (sqlite3.Error, CodecError) as error:
                    if attempt == 2:
                        raise
                    self._start_over(error, attempt)
            raise AssertionError

    def _opened(self) -> Database:
        if self._database is not None and self._database.path is None and not self._in_memory and self._worth_a_file():
            self._forget()  # the first run is there
        if self._database is None:
            from ledgit.store.index_database import Database

            self._pid = os.getpid()
            if self._in_memory or not self._worth_a_file():
                self._database = Database.in_memory(self._seed)
            else:
                self._database = Database.open(self.path)
            self._fresh = False
        return self._database

    def _worth_a_file(self) -> bool:
        """Whether there is anything to keep, and a folder to keep it in."""
        if os.path.exists(self.path):
            return True
        from ledgit.store.index_source import run_refs

        if not run_refs(self.repo):
            return False
        try:
            os.makedirs(self.folder.path, exist_ok=True)
        except OSError:
            self._in_memory = True
            return False
        return True

    def _start_over(self, error: Exception, attempt: int) -> None:
        """Make the file anew if it is damaged; if that is no help, or not the trouble, do without."""
        import sqlite3

        from ledgit.store.index_database import discard, is_damage

        self._forget()
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            self._in_memory = True
            # Somebody's read-only index is a good start; one that is being written is not.
            self._seed = self.path if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _READ_ONLY else None
        elif attempt == 0 and not self._in_memory:
            discard(self.path)
        else:
            self._in_memory, self._seed = True, None

    def _forget(self) -> None:
        database, self._database = self._database, None
        self._stamp, self._fresh = None, False
        self._live.forget()
        if database is not None:
            database.close()

    def _leave_to_parent(self) -> None:
        """In a forked child: keep the parent's connection, so that nothing closes it, and open our own."""
        _INHERITED.append(self._database)
        self._lock = RLock()
        self._database = None
        self._forget()

    # ------------------------------------------------------------------ bringing up to date

    def _refresh(self, database: Database) -> None:
        self._refresh_refs(database)
        self._live.refresh(database, new=not self._fresh)
        self._fresh = True

    def _refresh_refs(self, database: Database) -> None:
        from ledgit.git import stamp
        from ledgit.store.index_source import run_refs

        now = stamp(self.repo, "refs/ledgit/")
        mark = None if now is None else repr(now)
        if mark is not None and mark == self._stamp:
            return
        if mark is None or mark != database.meta("stamp"):
            generation = database.meta("generation")
            refs = run_refs(self.repo)
            if refs == dict(database.db.execute("SELECT name, oid FROM ref")):
                # Nothing of ours changed; note it if that is quick, so that the next process need not look.
                database.try_to_write(lambda: database.set_meta("stamp", mark))
            else:
                self._update(database, refs, generation, mark)
        self._stamp = mark
        rows = database.db.execute("SELECT label, name, deleted FROM experiment")
        self._experiments = {label: (name, bool(deleted)) for label, name, deleted in rows}
        renamed = any(label != name for label, (name, _) in self._experiments.items())
        for table in (database.runs, database.live):
            table.experiment_sql = _EXPERIMENT_SQL if renamed else None

    def _update(self, database: Database, refs: dict[str, str], generation: str | None, mark: str | None) -> None:
        from ledgit.git import BatchReader
        from ledgit.store.index_source import Source, run_refs

        with database.writing(), BatchReader(self.repo) as reader:
            database.runs.forget()
            if database.meta("generation") != generation:
                # Another process was here since we listed the refs: ours may be the older list.
                refs, mark = run_refs(self.repo), None
            Source(database, reader, refs).update()
            database.set_meta("generation", os.urandom(8).hex())
            database.set_meta("stamp", mark)

    # ------------------------------------------------------------------ parts of questions

    def _materialize(self, database: Database, ends: set[tuple[str, str]]) -> None:
        """Make columns for ``min(metrics.x)`` and ``max(metrics.x)``: few are ever asked for."""
        table = database.runs
        known = {key for kind, key, facet in table.columns if kind == "metrics" and facet in ("last", "nan")}
        for key, part in sorted(ends):
            if self._live.runs:
                database.live.materialize(key, part)
            if key not in known or ("metrics", key, part) in table.columns:
                continue
            from ledgit.git import BatchReader
            from ledgit.store.index_source import Source

            with database.writing(), BatchReader(self.repo) as reader:
                table.forget()
                Source(database, reader, {})
                table.materialize(key, part)

    def _plan(self, database: Database, query: Query) -> Plan:
        from ledgit.store.index_search import Plan

        live = bool(self._live.runs)

        def codes(rev: str) -> tuple[set[int], set[int]]:
            from ledgit.store.index_links import Links

            return Links(self.repo, database, rev).codes(live)

        return Plan(database, query, self._experiments, codes, live=live)

    def _find(self, condition: str, *values: object) -> list[RunState]:
        def run(database: Database) -> list[RunState]:
            found = [state for state in database.runs.find(condition, *values) if state.id not in self._live.runs]
            if self._live.runs:
                found += database.live.find(condition, *values)
                found.sort(key=lambda state: (-state.start, state.id))
            return found

        return self._do(run)
