"""The index: every run in one place, to be listed, filtered and sorted in milliseconds.

A cache in SQLite, made from refs and journals and never the truth. Before each question it is
brought up to date: when no ref has moved that takes well under a millisecond, else only what is
new is read. It never fails a command: a damaged file is made anew, and where nothing can be
written the whole index lives in memory.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ledgit.query import Key, Query
from ledgit.store.index_upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from ledgit.git import Link
    from ledgit.records import RunState
    from ledgit.store.index_commits import CodeRuns
    from ledgit.store.index_database import Database
    from ledgit.store.index_links import Linked
    from ledgit.store.index_search import Plan
    from ledgit.store.index_window import Window

    P = TypeVar("P", bound=Plan)

__all__ = ["ExperimentCount", "Index", "Page"]

_HEX = frozenset("0123456789abcdef")
_CHUNK = 250


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


class Index(Upkeep):
    """The index of one repository. Threads may share it; a forked child opens its own.

    Attributes:
        progress: Called as ``(what, done, total)`` while something long is read; None: nobody.

    Args:
        repo: The repository.
        folder: Ledgit's folder in it.
        live: Returns the runs that have a journal, given a cache that it keeps.
    """

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
            limit = query.limit
            statement = plan.statement(None if limit is None else limit + 1, after)
            with database.reading():
                rows = plan.rows(statement)
                more = limit is not None and len(rows) > limit
                rows = rows[:limit] if more else rows
                token = write_token(query, rows[-1].values) if more and rows else None
                finalized = iter(database.runs.states([row.number for row in rows if not row.live]))
                live = iter(database.live.states([row.number for row in rows if row.live]))
                runs = [next(live) if row.live else next(finalized) for row in rows]
            return Page(runs, token, None if more or after is not None or query.offset else len(runs))

        return self._do(run)

    def each(self, query: Query) -> Iterator[RunState]:
        """Yield the runs that *query* asks for, with no more than a few hundred of them in memory.

        Which runs and in what order is of the moment of the call; each run is as it is when its turn
        comes, and one that is gone by then is left out.

        Raises:
            FilterError: The filter or an order doesn't parse.
        """

        def find(database: Database) -> list[str]:
            plan = self._plan(database, query)
            with database.reading():
                return [row.values[-1] for row in plan.rows(plan.statement(query.limit, None))]

        ids = self._do(find)
        for start in range(0, len(ids), _CHUNK):
            some = ids[start : start + _CHUNK]
            found = self._do(partial(self._states, ids=some))
            yield from (found[run] for run in some if run in found)

    def window(
        self,
        query: Query,
        *,
        group: str | None = None,
        best: str | None = None,
        maximize: bool = True,
        lasting: bool = False,
    ) -> Window:
        """Return the order of all runs that *query* asks for, without the runs: 16 bytes each.

        Args:
            query: The query.
            group: What the runs are grouped by: ``experiment``, ``branch``, ``commit``, ``params.NAME`` …; the order
                counts within groups.
            best: A metric whose best value each group is to tell.
            maximize: Whether more of it is better.
            lasting: The question will be asked again and may have an index made for its kind.

        Raises:
            FilterError: The filter, an order or *group* doesn't parse.
            InvalidValue: Runs can't be grouped by that.
        """
        from ledgit.store.index_window import WindowPlan, group_key, read_window

        by = group_key(group) if group is not None else None

        def run(database: Database) -> Window:
            measured = Key("metrics", best) if best is not None else None
            plan = self._planned(database, query, WindowPlan, group=by, best=measured, lasting=lasting)
            return read_window(database, plan, maximize=maximize)

        return self._do(run)

    def columns(self, query: Query, *wanted: Key) -> list[list[Any]]:
        """Return columns of all runs that *query* asks for, in no order and without a limit: no run is decoded.

        Args:
            query: The query.
            wanted: What is asked of each run: metrics, params, tags, attributes.

        Returns:
            Lists of id, name, start (ms), and a list for each of *wanted*: numbers or texts, None where a run has none;
            NaN of a metric is None too.

        Raises:
            FilterError: The filter doesn't parse.
        """
        from ledgit.store.index_columns import ColumnsPlan, read_columns

        def run(database: Database) -> list[list[Any]]:
            plan = self._planned(database, query, ColumnsPlan, wanted=wanted)
            return read_columns(database, plan, wanted)

        return self._do(run)

    def states(self, ids: Sequence[str]) -> dict[str, RunState]:
        """Return those of the runs *ids* that are there, by id."""
        return self._do(lambda database: self._states(database, ids))

    def spare_memory(self) -> None:
        """Keep at most 4 MB of the index's file in memory instead of 64: for who stays open for hours.

        A question that reads more than fits reads all of it again, from the system's memory: 2 µs a page.
        """
        self._do(lambda database: database.db.execute("PRAGMA cache_size = -4000"))

    def nested(self) -> dict[str, str]:
        """Return the runs that are nested in another: id → id of that one."""
        from ledgit.store.index_window import nested_runs

        def run(database: Database) -> dict[str, str]:
            live = [(state.id, state.parent_run) for state in self._live.runs.values() if state.parent_run is not None]
            return nested_runs(database, live)

        return self._do(run)

    def branches(self) -> list[tuple[str, int, int]]:
        """Return the branches that runs were started on, (name, runs, start of the newest): the newest first."""
        from ledgit.store.index_window import branch_counts

        return self._do(lambda database: branch_counts(database, bool(self._live.runs)))

    def _states(self, database: Database, ids: Sequence[str]) -> dict[str, RunState]:
        live = self._live.runs
        with database.reading():
            numbers = database.runs.numbers([run for run in ids if run not in live])
            found = dict(zip(numbers, database.runs.states(list(numbers.values())), strict=True))
        return found | {run: live[run] for run in ids if run in live}

    def count(self, query: Query) -> int:
        """Return how many runs match *query*, whatever its limit, offset and page."""

        def run(database: Database) -> int:
            return self._plan(database, query).count()

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

    def of_code(self, tree: str, commit: str | None = None, limit: int = 50) -> list[RunState]:
        """Return the runs whose code was exactly *tree*, or *commit* with changes; the newest of each, newest first.

        For hooks, which have no time for a filter and its parser.
        """
        found = {state.id: state for state in self._find("tree = ? AND deleted = 0", tree, limit=limit)}
        if commit is not None:
            changed = self._find("code_commit = ? AND dirty = 1 AND deleted = 0", commit, limit=limit)
            found |= {state.id: state for state in changed}
        return sorted(found.values(), key=lambda state: (-state.start, state.id))

    def by_code(self, query: Query, metric: str = "", *, least: bool = False) -> list[CodeRuns]:
        """Return the runs that *query* asks for by the code they were made from.

        Args:
            query: Which runs; its order and limit don't count.
            metric: Find the best run by this metric too.
            least: Less of it is better.

        Raises:
            FilterError: The filter doesn't parse, or names a revision that is not here.
        """
        from ledgit.store.index_commits import runs_by_code

        def run(database: Database) -> list[CodeRuns]:
            plan = self._plan(database, query)
            if metric and database.has_partial("metrics"):
                self._complete_columns(database, {"metrics"})
            with database.reading():
                return runs_by_code(database, plan, metric, least=least)

        return self._do(run)

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
            self._complete_columns(database, {kind} if database.has_partial(kind) else ())
            counts = database.runs.counts(kind)
            for state in self._live.runs.values():
                for key in getattr(state, kind):
                    counts[key] = counts.get(key, 0) + 1
            return sorted(counts, key=lambda key: (-counts[key], key))

        return self._do(run)

    def has(self, kind: str, key: str) -> bool:
        """Say whether some run has *key* among its *kind* (``params``, ``metrics`` or ``tags``)."""

        def run(database: Database) -> bool:
            if any(key in getattr(state, kind) for state in self._live.runs.values()):
                return True
            if database.runs.has(kind, key):
                return True
            if not database.has_partial(kind):
                return False
            self._complete_columns(database, {kind})
            return database.runs.has(kind, key)

        return self._do(run)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the table of finished runs (see `index_table`), for who goes through all of them."""
        wanted = ", ".join(columns)
        return self._do(lambda database: database.db.execute(f"SELECT {wanted} FROM {database.runs.run}").fetchall())

    def codes(self) -> dict[str, int]:
        """Return the commits that finished runs were started from → how many runs."""
        sql = "SELECT code_commit, count(*) FROM run WHERE code_commit IS NOT NULL GROUP BY code_commit"
        return self._do(lambda database: dict(database.db.execute(sql)))

    def tombstones(self) -> dict[str, int]:
        """Return the purged runs: id → start, ms since the epoch."""
        return self._do(lambda database: dict(database.db.execute("SELECT run, start FROM tombstone")))

    def is_purged(self, run_id: str) -> bool:
        """Say whether the run was purged: it must not come back, also not from an export."""
        sql = "SELECT 1 FROM tombstone WHERE run = ?"
        return self._do(lambda database: database.db.execute(sql, (run_id,)).fetchone() is not None)

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
            from ledgit.store.index_lines import Joiner

            with database.writing(), BatchReader(self.repo) as reader:
                joiner = Joiner(reader)
                table.forget()
                table.ranges = joiner.range
                table.materialize(key, part, joiner.complete)

    def _complete_columns(self, database: Database, kinds: Iterable[str]) -> None:
        """Read what lines had no room for into the columns of *kinds*."""
        if kinds:
            from ledgit.git import BatchReader
            from ledgit.store.index_complete import complete_columns

            with database.writing(), BatchReader(self.repo) as reader:
                database.runs.forget()
                complete_columns(database, reader, kinds, self.progress)

    def _plan(self, database: Database, query: Query) -> Plan:
        from ledgit.store.index_search import Plan

        return self._planned(database, query, Plan)

    def _planned(self, database: Database, query: Query, kind: type[P], **asked: object) -> P:
        """Return a plan of a *kind* that was told what else is *asked*, with all it needs in the tables."""
        live = bool(self._live.runs)

        def codes() -> Linked:
            from ledgit.store.index_links import Linked

            return Linked(self.repo, database, live)

        plan = kind(database, query, self._experiments, codes, live=live)
        for name, value in asked.items():
            setattr(plan, name, value)
        if database.has_partial():
            from ledgit.store.index_complete import lacking

            self._complete_columns(database, lacking(database, plan.keys()))
        self._materialize(database, plan.ends())
        return plan

    def _find(self, condition: str, *values: object, limit: int = -1) -> list[RunState]:
        def run(database: Database) -> list[RunState]:
            with database.reading():
                runs = database.runs.find(condition, *values, limit=limit)
                found = [state for state in runs if state.id not in self._live.runs]
            if self._live.runs:
                found += database.live.find(condition, *values, limit=limit)
                found.sort(key=lambda state: (-state.start, state.id))
            return found

        return self._do(run)
