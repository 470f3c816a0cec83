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

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.store.index_codec import decode_state, encode_state, number_of
from ledgit.store.index_codes import Codes

if TYPE_CHECKING:
    import sqlite3

    from ledgit.query import Key
    from ledgit.records import RunState

__all__ = ["KINDS", "MAX_COLUMNS", "Table"]

KINDS = ("params", "metrics", "tags")
MAX_COLUMNS = 1_900
ENDS = ("min", "max")

ATTRIBUTES = {
    "id": "id",
    "name": "name",
    "experiment": "experiment",
    "status": "status",
    "user": "user",
    "parent_run": "parent_run",
    "run_commit": "run_commit",
    "head": "head",
    "code_commit": "code_commit",
    "tree": "tree",
    "branch": "branch",
    "start": "started",
    "end": "ended",
    "deleted": "deleted",
    "dirty": "dirty",
}
"""Attribute in a filter → column."""

_FIXED = ("n", *ATTRIBUTES.values(), "code")
_CHUNK = 500

Facet = tuple[str, str, str]  # kind, key, facet
Shape = tuple[tuple[str, ...], list[bool]]  # columns; which params have one for numbers
Ranges = Callable[["RunState", str], tuple[float, float]]


def _own_range(state: RunState, key: str) -> tuple[float, float]:
    value = state.metrics[key]
    return state.ranges.get(key, (value, value))


class Table:
    """Runs in the database *db*; *prefix* tells the finalized runs' tables from the live ones'.

    Attributes:
        experiment_sql: How the name of a run's experiment is to be had.
    """

    def __init__(self, db: sqlite3.Connection, prefix: str = "", *, temporary: bool = False) -> None:
        self.db = db
        self.run = f"{prefix}run"
        self.doc = f"{prefix}doc"
        self.more = f"{prefix}more"
        self.key = f"{prefix}key"
        self.temporary = temporary
        self.codes = Codes(db, f"{prefix}code", temporary=temporary)
        self.experiment_sql: str | None = None
        self.ranges: Ranges = _own_range
        self._columns: dict[Facet, str] | None = None
        self._shapes: dict[object, Shape | None] = {}

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
            f"CREATE {kind} {self.run} (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name, experiment, status, user,"
            f" parent_run, run_commit, head, code_commit, tree, branch, started, ended, deleted, dirty, code{wide})"
        )
        self.codes.create()
        execute(f"CREATE {kind} {self.doc} (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        execute(f"CREATE {kind} {self.more} (c, n, value, PRIMARY KEY (c, n)) WITHOUT ROWID")
        execute(f"CREATE {kind} {self.key} (kind, key, facet, name, PRIMARY KEY (kind, key, facet)) WITHOUT ROWID")
        if not self.temporary:
            execute(f"CREATE INDEX {self.run}_recent ON {self.run} (deleted, started DESC, id)")
            execute(f"CREATE INDEX {self.run}_experiment ON {self.run} (experiment, deleted, started)")
            execute(f"CREATE INDEX {self.run}_name ON {self.run} (name)")
        self._columns = {}
        self._shapes.clear()
        for facet, name in names.items():
            self._remember(facet, name)
        for facet in facets[MAX_COLUMNS:]:
            self._add(facet)

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
        self._shapes.clear()
        self.codes.forget()

    def _remember(self, facet: Facet, name: str) -> None:
        self._shapes.clear()
        self.db.execute(f"INSERT INTO {self.key} VALUES (?, ?, ?, ?)", (*facet, name))
        self.columns[facet] = name

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
        return [decode_state(bodies[number]) for number in numbers]

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
        batch = list(states)
        known = self._numbers([state.id for state in batch])
        if not known and not self.db.execute(f"SELECT 1 FROM {self.run} LIMIT 1").fetchone():
            self._widen(batch)
        (following,) = self.db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM {self.run}").fetchone()
        rows: dict[tuple[str, ...], list[list[Any]]] = {}
        docs: list[tuple[int, bytes]] = []
        more: list[tuple[int, int, Any]] = []
        for state in batch:
            number = known.get(state.id)
            if number is None:
                number = following
                following += 1
            names, values = self._row(number, state, more)
            rows.setdefault(names, []).append(values)
            docs.append((number, encode_state(state)))
        many = self.db.executemany
        if known:
            many(f"DELETE FROM {self.more} WHERE n = ?", [(number,) for number in known.values()])
        for names, lines in rows.items():
            marks = ", ".join("?" * len(names))
            many(f"INSERT OR REPLACE INTO {self.run} ({', '.join(names)}) VALUES ({marks})", lines)
        many(f"INSERT OR REPLACE INTO {self.doc} VALUES (?, ?)", docs)
        many(f"INSERT INTO {self.more} VALUES (?, ?, ?)", more)

    def drop(self, ids: Sequence[str]) -> None:
        """Remove the runs with these ids."""
        numbers = [(number,) for number in self._numbers(ids).values()]
        for table in (self.run, self.doc, self.more):
            self.db.executemany(f"DELETE FROM {table} WHERE n = ?", numbers)

    def _numbers(self, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(ids), _CHUNK):
            some = ids[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            found.update(self.db.execute(f"SELECT id, n FROM {self.run} WHERE id IN ({marks})", some))
        return found

    def _widen(self, batch: list[RunState]) -> None:
        """Make an empty table anew with the columns that *batch* needs."""
        facets: dict[Facet, None] = {facet: None for facet in self.columns if facet[2] in ENDS}
        for state in batch:
            for kind, key, facet, _ in _facets(state):
                facets[kind, key, facet] = None
        self.create(list(facets))

    def _row(self, number: int, state: RunState, more: list[tuple[int, int, Any]]) -> tuple[tuple[str, ...], list[Any]]:
        code = state.code
        values: list[Any] = [
            number,
            state.id,
            state.name,
            state.experiment,
            state.status,
            state.user or None,
            state.parent_run,
            state.commit,
            state.heads[0] if state.heads else None,
            code.commit,
            code.tree,
            code.branch or None,
            state.start or None,
            state.end,
            int(state.deleted),
            int(code.dirty),
            self.codes.number(code),
        ]
        return self._row_of_known_shape(state, values) or self._row_of_any_shape(number, state, values, more)

    def _row_of_known_shape(self, state: RunState, values: list[Any]) -> tuple[tuple[str, ...], list[Any]] | None:
        """Complete *values* by the columns that a run with the same keys had: 5 µs instead of 60."""
        signature = (tuple(state.metrics), tuple(state.params), tuple(state.tags))
        if signature not in self._shapes:
            self._shapes[signature] = self._shape(*signature)
        shape = self._shapes[signature]
        if shape is None or any(map(isnan, state.metrics.values())):
            return None
        names, numeric = shape
        numbers = list(map(number_of, state.params.values()))
        for place, has_column in enumerate(numeric):
            if not has_column and numbers[place] is not None:
                return None
        values += state.metrics.values()
        values += map(str, state.params.values())
        values += [one for one, has_column in zip(numbers, numeric, strict=True) if has_column]
        values += state.tags.values()
        return names, values

    def _shape(self, metrics: Iterable[str], params: Iterable[str], tags: Iterable[str]) -> Shape | None:
        """Return the columns of these keys, and which params have one for numbers; None if it isn't so simple."""
        columns = self.columns
        numbers = [columns.get(("params", key, "number")) for key in params]
        names = [
            *(columns.get(("metrics", key, "last")) for key in metrics),
            *(columns.get(("params", key, "text")) for key in params),
            *(name for name in numbers if name is not None),
            *(columns.get(("tags", key, "text")) for key in tags),
        ]
        ends = any(("metrics", key, part) in columns for key in metrics for part in ENDS)
        if ends or any(name is None or name[0] == "#" for name in names):
            return None
        return (*_FIXED, *(name for name in names if name)), [name is not None for name in numbers]

    def _row_of_any_shape(
        self, number: int, state: RunState, values: list[Any], more: list[tuple[int, int, Any]]
    ) -> tuple[tuple[str, ...], list[Any]]:
        names = list(_FIXED)
        columns = self.columns

        def put(name: str, value: Any) -> None:
            if name[0] == "#":
                more.append((int(name[1:]), number, value))
            else:
                names.append(name)
                values.append(value)

        for kind, key, facet, value in _facets(state):
            put(columns.get((kind, key, facet)) or self._add((kind, key, facet)), value)
        for key in state.metrics:
            for place, part in enumerate(ENDS):
                name = columns.get(("metrics", key, part))
                if name is not None:
                    end = self.ranges(state, key)[place]
                    put(name, None if isnan(end) else end)
        return tuple(names), values

    def materialize(self, key: str, part: str) -> None:
        """Give ``min(metrics.key)`` or ``max(metrics.key)`` a column, filled from the stored states."""
        if ("metrics", key, part) in self.columns:
            return
        name = self._add(("metrics", key, part))
        place = ENDS.index(part)
        found: list[tuple[float, int]] = []
        for number, state in self.every():
            if key in state.metrics:
                end = self.ranges(state, key)[place]
                if not isnan(end):
                    found.append((end, number))
        if name[0] == "#":
            column = int(name[1:])
            self.db.executemany(f"INSERT INTO {self.more} VALUES (?, ?, ?)", [(column, n, end) for end, n in found])
        else:
            self.db.executemany(f"UPDATE {self.run} SET {name} = ? WHERE n = ?", found)


def _facets(state: RunState) -> Iterator[tuple[str, str, str, Any]]:
    for key, value in state.metrics.items():
        if isnan(value):
            yield "metrics", key, "nan", 1
        else:
            yield "metrics", key, "last", value
    for key, param in state.params.items():
        yield "params", key, "text", str(param)
        number = number_of(param)
        if number is not None:
            yield "params", key, "number", number
    for key, tag in state.tags.items():
        yield "tags", key, "text", tag
