"""Writing runs into the index's tables: a run becomes a row of the wide table and a document."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.store.index_codec import encode_state, number_of
from ledgit.store.index_lean import state_of
from ledgit.store.index_schema import ATTRIBUTES, ENDS, Facet

if TYPE_CHECKING:
    from ledgit.records import RunState
    from ledgit.store.index_table import Table

__all__ = ["PARTS", "Rows", "facets"]

PARTS = {"params": 1, "metrics": 2, "tags": 4}
"""The bit in a row's ``partial`` that says: columns of this kind lack what had no room in the line."""

_FIXED = ("n", *ATTRIBUTES.values(), "code", "partial")
_MOST_TEXTS = 100_000
_INT64 = 2**63

Shape = tuple[tuple[str, ...], list[int], list[int]]  # columns; places of params that have one for numbers, or not
Row = tuple[tuple[str, ...], list[Any]]  # columns and their values
Lean = tuple[bytes, dict[str, Any]]  # a line and what it says


class Rows:
    """Writes runs into *table*."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.db = table.db
        self._shapes: dict[object, Shape | None] = {}
        self._numbers: dict[str, int | float | None] = {}
        self._more: list[tuple[int, int, Any]] = []

    def forget(self) -> None:
        """The table has other columns now."""
        self._shapes.clear()

    def write(self, states: Iterable[RunState], lines: Iterable[Lean] = (), *, new: bool = False) -> None:
        """Add or replace runs, given as states or as plain lines; *new*: none of them is there yet."""
        states, lines = list(states), list(lines)
        ids = [state.id for state in states] + [data["id"] for _, data in lines]
        known = {} if new else self.table.numbers(ids)
        if not known and self.table.is_empty():
            self._widen([*states, *(state_of(data) for _, data in lines)])
        (following,) = self.db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM {self.table.run}").fetchone()
        rows: dict[tuple[str, ...], list[list[Any]]] = {}
        docs: list[tuple[int, bytes]] = []
        old = list(known.values())
        for run in ids:
            if run not in known:
                known[run] = following
                following += 1
        for state in states:
            names, values = self._row(known[state.id], state, 0)
            rows.setdefault(names, []).append(values)
            docs.append((known[state.id], encode_state(state)))
        for line, data in lines:
            names, values = self._lean_row(known[data["id"]], data)
            rows.setdefault(names, []).append(values)
            docs.append((known[data["id"]], line))
        self._store(rows, docs, old)
        if any("left" in data for _, data in lines):
            self.db.execute("DELETE FROM whole")

    def _store(
        self, rows: Mapping[tuple[str, ...], list[list[Any]]], docs: list[tuple[int, bytes]], old: Sequence[int]
    ) -> None:
        table, many = self.table, self.db.executemany
        table.codes.store()
        if old and any(name[0] == "#" for name in table.columns.values()):
            many(f"DELETE FROM {table.more} WHERE n = ?", [(number,) for number in old])
        for names, some in rows.items():
            marks = ", ".join("?" * len(names))
            many(f"INSERT OR REPLACE INTO {table.run} ({', '.join(names)}) VALUES ({marks})", some)
        many(f"INSERT OR REPLACE INTO {table.doc} VALUES (?, ?)", docs)
        if self._more:
            many(f"INSERT INTO {table.more} VALUES (?, ?, ?)", self._more)
            self._more = []

    def _widen(self, states: list[RunState]) -> None:
        """Make an empty table anew with the columns that *states* need."""
        wanted: dict[Facet, None] = {facet: None for facet in self.table.columns if facet[2] in ENDS}
        for state in states:
            for kind, key, facet, _ in facets(state):
                wanted[kind, key, facet] = None
        self.table.create(list(wanted))

    # ------------------------------------------------------------------ rows

    def _row(self, number: int, state: RunState, partial: int) -> Row:
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
            self.table.codes.number(code),
            partial,
        ]
        if not any(map(isnan, state.metrics.values())):
            row = self._row_of_known_shape(values, state.metrics, state.params, state.tags)
            if row is not None:
                return row
        return self._row_of_any_shape(number, state, values)

    def _lean_row(self, number: int, data: dict[str, Any]) -> Row:
        """Return the row of a plain line, without making a state of it: 15 µs instead of 60."""
        get = data.get
        code, past, head = get("code", {}), get("past"), data["head"]
        metrics, params, tags = get("metrics", {}), get("params", {}), get("tags", {})
        values = [
            number,
            data["id"],
            get("name", ""),
            get("experiment", "Default"),
            get("status", "FINISHED"),
            get("user") or None,
            get("parent_run"),
            past[0] if past else head,
            head,
            code.get("commit"),
            code.get("tree"),
            code.get("branch") or None,
            data["start"] or None,
            get("end"),
            int(get("deleted", False)),
            int(code.get("dirty", False)),
            self.table.codes.number_of(code),
            sum(PARTS.get(section, 0) for section in get("left", ())),
        ]
        return self._row_of_known_shape(values, metrics, params, tags) or self._row_of_any_shape(
            number, state_of(data), values
        )

    def _row_of_known_shape(
        self, values: list[Any], metrics: dict[str, Any], params: dict[str, Any], tags: dict[str, Any]
    ) -> Row | None:
        """Complete *values* by the columns that a run with the same keys had; None if it isn't so simple."""
        cells = self.cells(metrics, params, tags)
        if cells is None:
            return None
        names, more = cells
        values += more
        return (*_FIXED, *names), values

    def cells(self, metrics: dict[str, Any], params: dict[str, Any], tags: dict[str, Any]) -> Row | None:
        """Return the columns and values of these keys, from what a run with the same keys had.

        None if it isn't so simple: a column is missing, too many are there, or some hold extremes.
        """
        signature = (tuple(metrics), tuple(params), tuple(tags))
        if signature not in self._shapes:
            self._shapes[signature] = self._shape(*signature)
        shape = self._shapes[signature]
        if shape is None:
            return None
        names, with_number, without = shape
        numbers = self.numbers_of(params)
        for place in without:
            if numbers[place] is not None:
                return None
        return names, [
            *metrics.values(),
            *map(str, params.values()),
            *[numbers[place] for place in with_number],
            *tags.values(),
        ]

    def numbers_of(self, params: Mapping[str, Any]) -> list[int | float | None]:
        """Return the number of each param, None where it has none. The same texts come again and again."""
        known = self._numbers
        if len(known) > _MOST_TEXTS:
            known.clear()
        found: list[int | float | None] = []
        for value in params.values():
            kind = type(value)
            if kind is str:
                if value not in known:
                    known[value] = number_of(value)
                found.append(known[value])
            elif kind is float or kind is int:
                found.append(value if -_INT64 < value < _INT64 else number_of(value))
            else:
                found.append(None)
        return found

    def _shape(self, metrics: Iterable[str], params: Iterable[str], tags: Iterable[str]) -> Shape | None:
        """Return the columns of these keys, and which params have one for numbers; None if it isn't so simple."""
        columns = self.table.columns
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
        with_number = [place for place, name in enumerate(numbers) if name is not None]
        without = [place for place, name in enumerate(numbers) if name is None]
        return tuple(name for name in names if name), with_number, without

    def _row_of_any_shape(self, number: int, state: RunState, values: list[Any]) -> Row:
        names = list(_FIXED)
        columns = self.table.columns

        def put(name: str, value: Any) -> None:
            if name[0] == "#":
                self._more.append((int(name[1:]), number, value))
            else:
                names.append(name)
                values.append(value)

        for kind, key, facet, value in facets(state):
            put(self.table.column((kind, key, facet)), value)
        for key in state.metrics:
            for place, part in enumerate(ENDS):
                name = columns.get(("metrics", key, part))
                if name is not None:
                    end = self.table.ranges(state, key)[place]
                    put(name, None if isnan(end) else end)
        return tuple(names), values


def facets(state: RunState) -> Iterator[tuple[str, str, str, Any]]:
    """Yield (kind, key, facet, value) for each column in which *state* has something."""
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
