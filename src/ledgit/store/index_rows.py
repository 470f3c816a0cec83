"""Writing runs into the index's tables: a run becomes a row of the wide table and a document."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.store.index_codec import encode_state, number_of
from ledgit.store.index_lean import inputs_of, state_of
from ledgit.store.index_schema import ATTRIBUTES, ENDS, Facet

if TYPE_CHECKING:
    from ledgit.records import RunState
    from ledgit.store.index_table import Table

__all__ = ["ALL_PARTS", "PARTS", "SEVERAL", "Rows", "facets"]

PARTS = {"params": 1, "metrics": 2, "tags": 4, "inputs": 8}
"""The bit in a row's ``partial`` that says: columns of this kind lack what had no room in the lines."""

ALL_PARTS = sum(PARTS.values())

SEVERAL = 16
"""The bit that says besides: the run has several heads, so it takes all of them to complete it."""

_FIXED = ("n", *ATTRIBUTES.values(), "code", "inputs", "partial")
_MOST_TEXTS = 50_000
_MOST_SHAPES = 2_000
_INT64 = 2**63

Shape = tuple[tuple[str, ...], tuple[str, ...], list[int], list[int]]
"""Columns; the same with those that every run has; places of params that have one for numbers, and that have none."""

Row = tuple[tuple[str, ...], list[Any]]  # columns and their values
Lean = tuple[bytes, dict[str, Any]]  # a line and what it says


class Rows:
    """Writes runs into *table*."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.db = table.db
        self._shapes: dict[object, Shape | None] = {}
        self._last: object = None
        self._last_shape: Shape | None = None
        self._numbers: dict[str, int | float | None] = {}
        self._spelled: dict[float, str] = {}
        self._more: list[tuple[int, int, Any]] = []

    def forget(self) -> None:
        """The table has other columns now."""
        self._shapes.clear()
        self._last = None

    def write(
        self,
        states: Iterable[RunState],
        lines: Iterable[Lean] = (),
        *,
        new: bool = False,
        short: Container[str] = (),
    ) -> None:
        """Add or replace runs, given as states or as plain lines.

        Args:
            states: Runs.
            lines: Plain lines.
            new: None of them is there yet.
            short: Ids of those *states* that lack what their lines had no room for.
        """
        states, lines = list(states), list(lines)
        table = self.table
        known = {}
        if not new:
            known = table.numbers([state.id for state in states] + [data["id"] for _, data in lines])
        if not known and table.is_empty():
            self._widen([*states, *(state_of(data) for _, data in lines)])
        old = list(known.values())
        (following,) = self.db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM {table.run}").fetchone()
        rows: dict[tuple[str, ...], list[list[Any]]] = {}
        docs: list[tuple[int, bytes]] = []
        for state in states:
            number = known.get(state.id, following)
            following += number == following
            partial = _partial(state.left) | SEVERAL if state.id in short else 0
            names, values = self._row(number, state, partial)
            rows.setdefault(names, []).append(values)
            docs.append((number, encode_state(state, short=partial > 0)))
        last: tuple[str, ...] | None = None
        some: list[list[Any]] = []
        for line, data in lines:
            number = known.get(data["id"], following)
            following += number == following
            names, values = self._lean_row(number, data)
            if names is not last:  # hashing eighty names takes as long as filling in their values
                last, some = names, rows.setdefault(names, [])
            some.append(values)
            docs.append((number, line))
        self._store(rows, docs, old, new=new)
        if short or any("left" in data for _, data in lines):
            self.db.execute("DELETE FROM whole")

    def _store(
        self,
        rows: Mapping[tuple[str, ...], list[list[Any]]],
        docs: list[tuple[int, bytes]],
        old: Sequence[int],
        *,
        new: bool,
    ) -> None:
        table, many = self.table, self.db.executemany
        table.codes.store()
        table.input_sets.store()
        if old and any(name[0] == "#" for name in table.columns.values()):
            many(f"DELETE FROM {table.more} WHERE n = ?", [(number,) for number in old])
        insert = "INSERT" if new else "INSERT OR REPLACE"  # which looks for each row first
        for names, some in rows.items():
            marks = ", ".join("?" * len(names))
            many(f"{insert} INTO {table.run} ({', '.join(names)}) VALUES ({marks})", some)
        many(f"{insert} INTO {table.doc} VALUES (?, ?)", docs)
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
            self.table.input_sets.number(state.inputs) if state.inputs else None,
            partial,
        ]
        if not any(map(isnan, state.metrics.values())):
            row = self.cells(state.metrics, state.params, state.tags, values)
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
            self.table.input_sets.number(inputs_of(data)) if "inputs" in data else None,
            _partial(data["left"]) if "left" in data else 0,
        ]
        return self.cells(metrics, params, tags, values) or self._row_of_any_shape(number, state_of(data), values)

    def cells(
        self, metrics: dict[str, Any], params: dict[str, Any], tags: dict[str, Any], values: list[Any] | None = None
    ) -> Row | None:
        """Return the columns and values of these keys, from what a run with the same keys had.

        With *values* of the columns that every run has, of those as well, and the values are added to them.
        None if it isn't so simple: a column is missing, too many are there, or some hold extremes.
        """
        signature = (*metrics, None, *params, None, *tags)
        if signature != self._last:  # hashing fifty keys takes longer than comparing them
            if signature not in self._shapes:
                if len(self._shapes) >= _MOST_SHAPES:
                    self._shapes.clear()
                self._shapes[signature] = self._shape(metrics, params, tags)
            self._last, self._last_shape = signature, self._shapes[signature]
        shape = self._last_shape
        if shape is None:
            return None
        names, all_names, with_number, without = shape
        texts, numbers = self.texts_and_numbers(params)
        for place in without:
            if numbers[place] is not None:
                return None
        found = [] if values is None else values
        found += metrics.values()
        found += texts
        found += [numbers[place] for place in with_number] if without else numbers
        found += tags.values()
        return names if values is None else all_names, found

    def texts_and_numbers(self, params: Mapping[str, Any]) -> tuple[list[str], list[int | float | None]]:
        """Return the text of each param, and its number or None. The same texts and fractions come again and again."""
        known, spelled = self._numbers, self._spelled
        if len(known) > _MOST_TEXTS or len(spelled) > _MOST_TEXTS:
            known.clear()
            spelled.clear()
        texts: list[str] = []
        numbers: list[int | float | None] = []
        for value in params.values():
            kind = type(value)
            if kind is str:
                if value not in known:
                    known[value] = number_of(value)
                texts.append(value)
                numbers.append(known[value])
            elif kind is float:  # compared with a whole number of that size it would take thrice as long
                if value in spelled:
                    texts.append(spelled[value])
                else:
                    texts.append(str(value))
                    if value:  # zero has a sign, and -0.0 == 0.0
                        spelled[value] = texts[-1]
                numbers.append(value if value == value else None)  # noqa: PLR0124 - NaN
            else:
                texts.append(str(value))
                numbers.append((value if -_INT64 < value < _INT64 else number_of(value)) if kind is int else None)
        return texts, numbers

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
        own = tuple(name for name in names if name)
        return own, (*_FIXED, *own), with_number, without

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


def _partial(left: Iterable[str]) -> int:
    return sum([PARTS.get(section, 0) for section in left])


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
