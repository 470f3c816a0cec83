"""The index's wide table: one row a run, one column for each attribute and each key somebody logged.

Wide, because a filter then reads one table front to back: of 100,000 runs with 35 keys in 15 ms,
where one row for each key and value took 111 ms and a JSON function 1,118 ms (GITDB trial).
SQLite stops at 2,000 columns; keys beyond 1,900 live in a table of (column, run, value).

A key has several *facets*, each a column of its own: a metric its ``last`` value and, when
somebody asks for them, ``min`` and ``max``; ``nan`` once a run had NaN, which SQLite can't
store; a param its ``text`` and, where it is one, its ``number``; a tag its ``text``.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

from ledgit.store.index_codec import decode_state, is_short
from ledgit.store.index_codes import Codes
from ledgit.store.index_inputs import InputSets
from ledgit.store.index_rows import Rows
from ledgit.store.index_schema import ATTRIBUTES, ENDS, KINDS, Facet

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ledgit.query import Key
    from ledgit.records import RunState

__all__ = ["ATTRIBUTES", "KINDS", "MAX_COLUMNS", "Facet", "Table"]

MAX_COLUMNS = 1_900
_CHUNK = 500
SECTIONS = frozenset((*KINDS, "inputs"))
_INDEXES = (
    ("UNIQUE", "id", "(id)"),
    ("", "recent", "(deleted, started DESC, id)"),
    ("", "experiment", "(experiment, deleted, started)"),
    ("", "name", "(name)"),
    ("", "partial", "(partial) WHERE partial > 0"),
    ("", "nested", "(parent_run, id) WHERE parent_run IS NOT NULL"),
)

Complete = Callable[[list[tuple[int, "RunState", bytes]]], None]
Ranges = Callable[["RunState", str], tuple[float, float]]


def _own_range(state: RunState, key: str) -> tuple[float, float]:
    value = state.metrics[key]
    return state.ranges.get(key, (value, value))


class Table:
    """Runs in the database *db*; *prefix* tells the finalized runs' tables from the live ones'.

    Attributes:
        experiment_sql: How the name of a run's experiment is to be had.
        ranges: Returns (least, greatest) of a run's metric.
        complete: Completes runs, given with their row numbers and lines, whose line had no room for all of it.
    """

    def __init__(self, db: sqlite3.Connection, prefix: str = "", *, temporary: bool = False) -> None:
        self.db = db
        self.run = f"{prefix}run"
        self.doc = f"{prefix}doc"
        self.more = f"{prefix}more"
        self.key = f"{prefix}key"
        self.temporary = temporary
        self.codes = Codes(db, f"{prefix}code", temporary=temporary)
        self.input_sets = InputSets(db, f"{prefix}input", temporary=temporary)
        self.experiment_sql: str | None = None
        self.ranges: Ranges = _own_range
        self.complete: Complete | None = None
        self.rows = Rows(self)
        self._columns: dict[Facet, str] | None = None
        self._indexed = True

    # ------------------------------------------------------------------ schema

    def create(self, facets: Sequence[Facet] = ()) -> None:
        """Create the tables, empty; *facets* get their columns at once (an ALTER costs 0.3 ms each)."""
        kind = "TEMP TABLE" if self.temporary else "TABLE"
        execute = self.db.execute
        for table in (self.run, self.doc, self.more, self.key):
            execute(f"DROP TABLE IF EXISTS {table}")
        names = {facet: f"c{number}" for number, facet in enumerate(facets[:MAX_COLUMNS])}
        wide = "".join(f", {name}" for name in names.values())
        execute(
            f"CREATE {kind} {self.run} (n INTEGER PRIMARY KEY, id TEXT NOT NULL, name, experiment, status, user,"
            " parent_run, run_commit, head, code_commit, tree, branch, started, ended, deleted, dirty, code,"
            f" inputs, partial{wide})"
        )
        self.codes.create()
        self.input_sets.create()
        execute(f"CREATE {kind} {self.doc} (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        execute(f"CREATE {kind} {self.more} (c, n, value, PRIMARY KEY (c, n)) WITHOUT ROWID")
        execute(f"CREATE {kind} {self.key} (kind, key, facet, name, PRIMARY KEY (kind, key, facet)) WITHOUT ROWID")
        if self._indexed:
            self._index()
        self._columns = {}
        self.rows.forget()
        for facet, name in names.items():
            self._remember(facet, name)
        for facet in facets[MAX_COLUMNS:]:
            self._add(facet)

    def begin_bulk(self) -> None:
        """Do without indexes until :meth:`end_bulk`: sorting once is faster than keeping in order."""
        self._indexed = False
        self.codes.load()
        for _, name, _ in _INDEXES:
            self.db.execute(f"DROP INDEX IF EXISTS {self.run}_{name}")

    def end_bulk(self) -> None:
        """Make the indexes again."""
        if not self._indexed:
            self._indexed = True
            self.codes.forget()
            self._index()

    def _index(self) -> None:
        for kind, name, columns in _INDEXES[: 1 if self.temporary else len(_INDEXES)]:
            self.db.execute(f"CREATE {kind} INDEX {self.run}_{name} ON {self.run} {columns}")

    @property
    def columns(self) -> dict[Facet, str]:
        """Every facet that has a column, and the column's name."""
        if self._columns is None:
            rows = self.db.execute(f"SELECT kind, key, facet, name FROM {self.key}")
            self._columns = {(kind, key, facet): name for kind, key, facet, name in rows}
        return self._columns

    def forget(self) -> None:
        """Read the columns again: another process may have added some."""
        self._columns = None
        self._indexed = True
        self.rows.forget()
        self.codes.forget()
        self.input_sets.forget()

    def _remember(self, facet: Facet, name: str) -> None:
        self.rows.forget()
        self.db.execute(f"INSERT INTO {self.key} VALUES (?, ?, ?, ?)", (*facet, name))
        self.columns[facet] = name

    def column(self, facet: Facet) -> str:
        """Return the column of *facet*, a new one if need be; ``#<number>`` for one beyond the table's width."""
        return self.columns.get(facet) or self._add(facet)

    def _add(self, facet: Facet) -> str:
        columns = self.columns
        number = len(columns)
        if number < MAX_COLUMNS:
            name = f"c{number}"
            self.db.execute(f"ALTER TABLE {self.run} ADD COLUMN {name}")
        else:
            name = f"#{number}"
        self._remember(facet, name)
        return name

    # ------------------------------------------------------------------ reading

    def states(self, numbers: Sequence[int]) -> list[RunState]:
        """Return the runs with these row numbers, in that order."""
        bodies: dict[int, bytes] = {}
        for start in range(0, len(numbers), _CHUNK):
            some = numbers[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            bodies.update(self.db.execute(f"SELECT n, body FROM {self.doc} WHERE n IN ({marks})", some))
        states = [decode_state(bodies[number]) for number in numbers]
        if self.complete is not None:
            short = [
                (number, state, bodies[number])
                for number, state in zip(numbers, states, strict=True)
                if state.left and is_short(bodies[number]) and not SECTIONS.isdisjoint(state.left)
            ]
            if short:
                self.complete(short)
        return states

    def find(self, condition: str, *values: object, limit: int = -1) -> list[RunState]:
        """Return the runs that match an SQL *condition* of ours, newest first."""
        rows = self.db.execute(
            f"SELECT n FROM {self.run} WHERE {condition} ORDER BY started DESC, id LIMIT ?", (*values, limit)
        )
        return self.states([number for (number,) in rows])

    def every(self) -> Iterator[tuple[int, RunState]]:
        """Yield (row number, run) of all."""
        for number, body in self.db.execute(f"SELECT n, body FROM {self.doc}"):
            yield number, decode_state(body)

    def has(self, kind: str, key: str) -> bool:
        """Say whether some run here has *key* among its *kind*."""
        facets = ("last", "nan") if kind == "metrics" else ("text",)
        names = [name for facet in facets if (name := self.columns.get((kind, key, facet)))]
        return any(
            self.db.execute(
                f"SELECT 1 FROM {self.more} WHERE c = {int(name[1:])} LIMIT 1"
                if name[0] == "#"
                else f"SELECT 1 FROM {self.run} WHERE {name} IS NOT NULL LIMIT 1"
            ).fetchone()
            for name in names
        )

    def counts(self, kind: str) -> dict[str, int]:
        """Return how many runs have each key of *kind*."""
        facets = ("last", "nan") if kind == "metrics" else ("text",)
        wanted = [(key, name) for (own, key, facet), name in self.columns.items() if own == kind and facet in facets]
        narrow = dict(self.db.execute(f"SELECT '#' || c, count(*) FROM {self.more} GROUP BY c"))
        found = {key: 0 for key, _ in wanted}
        wide = []
        for key, name in wanted:
            if name[0] == "#":
                found[key] += narrow.get(name, 0)
            else:
                wide.append((key, name))
        for start in range(0, len(wide), _CHUNK):
            some = wide[start : start + _CHUNK]
            row = self.db.execute(
                f"SELECT {', '.join(f'count({name})' for _, name in some)} FROM {self.run}"
            ).fetchone()
            for (key, _), count in zip(some, row, strict=True):
                found[key] += count
        return {key: count for key, count in found.items() if count}

    # -- Columns of ledgit.query: the row is called r -----------------------------------------

    def text(self, key: Key) -> str | None:
        """SQL of the text of *key*."""
        if key.kind == "attributes":
            if key.name == "experiment" and self.experiment_sql:
                return self.experiment_sql
            return f"r.{ATTRIBUTES[key.name]}"
        return self._sql((key.kind, key.name, "text"))

    def number(self, key: Key) -> str | None:
        """SQL of the number of *key*."""
        if key.kind == "attributes":
            return f"r.{ATTRIBUTES[key.name]}"
        return self._sql((key.kind, key.name, key.part if key.kind == "metrics" else "number"))

    def nan(self, key: Key) -> str | None:
        """SQL that is not NULL where the metric *key* is NaN."""
        return self._sql((key.kind, key.name, "nan")) if key.part == "last" else None

    def inputs(self) -> tuple[str, str]:
        """SQL of the number of a run's set of data sets, and the table of sets."""
        return "r.inputs", self.input_sets.name

    def _sql(self, facet: Facet) -> str | None:
        name = self.columns.get(facet)
        return None if name is None else self._value(name)

    def _value(self, name: str) -> str:
        if name[0] == "#":
            return f"(SELECT value FROM {self.more} WHERE c = {int(name[1:])} AND n = r.n)"
        return f"r.{name}"

    # ------------------------------------------------------------------ writing

    def write(self, states: Iterable[RunState]) -> None:
        """Add or replace *states*."""
        self.rows.write(states)

    def drop(self, ids: Sequence[str]) -> None:
        """Remove the runs with these ids."""
        numbers = [(number,) for number in self.numbers(ids).values()]
        for table in (self.run, self.doc, self.more):
            self.db.executemany(f"DELETE FROM {table} WHERE n = ?", numbers)

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the row numbers of those of the runs *ids* that are here."""
        found: dict[str, int] = {}
        for start in range(0, len(ids), _CHUNK):
            some = ids[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            found.update(self.db.execute(f"SELECT id, n FROM {self.run} WHERE id IN ({marks})", some))
        return found

    def is_empty(self) -> bool:
        """Whether no run is here."""
        return self.db.execute(f"SELECT 1 FROM {self.run} LIMIT 1").fetchone() is None

    def materialize(self, key: str, part: str, complete: Callable[[RunState], None] | None = None) -> None:
        """Give ``min(metrics.key)`` or ``max(metrics.key)`` a column, filled from the stored states.

        Args:
            key: The metric.
            part: ``min`` or ``max``.
            complete: Completes a run whose line had no room for all of it.
        """
        if ("metrics", key, part) in self.columns:
            return
        name = self._add(("metrics", key, part))
        place = ENDS.index(part)
        found: list[tuple[float, int]] = []
        for number, state in self.every():
            if complete is not None and key not in state.metrics and "metrics" in state.left:
                complete(state)
            if key in state.metrics:
                end = self.ranges(state, key)[place]
                if not isnan(end):
                    found.append((end, number))
        if name[0] == "#":
            column = int(name[1:])
            self.db.executemany(f"INSERT INTO {self.more} VALUES (?, ?, ?)", [(column, n, end) for end, n in found])
        else:
            self.db.executemany(f"UPDATE {self.run} SET {name} = ? WHERE n = ?", found)
