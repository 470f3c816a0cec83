"""Writing runs into the index's tables: a run becomes a row of the wide table and a document."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from orjson import loads

from ledgit.store.index_codec import encode_state, number_of
from ledgit.store.index_lean import state_of
from ledgit.store.index_plain import PARTS, Group, Keys, Lean, Plain, Values, partial_of
from ledgit.store.index_schema import ATTRIBUTES, ENDS, Facet

if TYPE_CHECKING:
    from ledgit.records import RunState
    from ledgit.store.index_table import Table

__all__ = ["ALL_PARTS", "SEVERAL", "Rows", "facets"]

ALL_PARTS = sum(PARTS.values())

SEVERAL = 16
"""The bit that says besides: the run has several heads, so it takes all of them to complete it."""

_FIXED = ("n", "code", "inputs", *ATTRIBUTES.values(), "partial")
_OWN = 3  # of these, in front: numbers that only the database can give
_PARTIAL = len(ATTRIBUTES)
_MOST_SHAPES = 2_000

Shape = tuple[tuple[str, ...], tuple[str, ...], list[int], list[int]]
"""Columns; the same with those that every run has; places of params that have one for numbers, and that have none."""

Row = tuple[tuple[str, ...], list[Any]]  # columns and their values


class Rows:
    """Writes runs into *table*.

    Attributes:
        values: Makes values of params and of plain lines.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.db = table.db
        self.values = Values()
        self._shapes: dict[object, Shape | None] = {}
        self._more: list[tuple[int, int, Any]] = []

    def forget(self) -> None:
        """The table has other columns now."""
        self._shapes.clear()

    def write(
        self,
        states: Iterable[RunState],
        lines: Iterable[Lean] = (),
        *,
        groups: Sequence[Group] = (),
        new: bool = False,
        short: Container[str] = (),
    ) -> None:
        """Add or replace runs, given as states or as plain lines.

        Args:
            states: Runs.
            lines: Plain lines.
            groups: More plain lines, of which somebody made values already.
            new: None of them is there yet.
            short: Ids of those *states* that lack what their lines had no room for.
        """
        states, groups = list(states), [*self.values.groups(lines), *groups]
        table = self.table
        known = {}
        if not new:
            known = table.numbers([state.id for state in states] + [one[3][0] for _, some in groups for one in some])
        if not known and table.is_empty():
            self._widen([*states, *(state_of(loads(line)) for _, some in groups for line, *_ in some)])
        (following,) = self.db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM {table.run}").fetchone()
        rows: dict[tuple[str, ...], list[list[Any]]] = {}
        docs: list[tuple[int, bytes]] = []
        for state in states:
            number = known.get(state.id, following)
            following += number == following
            partial = partial_of(state.left) | SEVERAL if state.id in short else 0
            names, row = self._row(number, state, partial)
            rows.setdefault(names, []).append(row)
            docs.append((number, encode_state(state, short=partial > 0)))
        for keys, some in groups:
            numbers: list[int] = []
            for one in some:
                numbers.append(known.get(one[3][0], following))
                following += numbers[-1] == following
            self._plain_rows(keys, some, numbers, rows)
            docs += [(number, one[0]) for number, one in zip(numbers, some, strict=True)]
        self._store(rows, docs, list(known.values()), new=new)
        if short or any(one[3][_PARTIAL] for _, some in groups for one in some):
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

    def _plain_rows(
        self, keys: Keys, some: Sequence[Plain], numbers: Sequence[int], rows: dict[tuple[str, ...], list[list[Any]]]
    ) -> None:
        """Add the rows of plain lines with the same *keys* to *rows*: 5 µs each, where a state takes 60."""
        shape = self._shape(keys)
        code_number, set_number = self.table.codes.number_of, self.table.input_sets.number
        fitting = [] if shape is None else rows.setdefault(shape[1], [])
        # Params that have no column for numbers: all of them have one among the values.
        without = [] if shape is None else [_PARTIAL + 1 + len(keys[0]) + len(keys[1]) + place for place in shape[3]]
        without.reverse()
        for number, (line, code, inputs, values) in zip(numbers, some, strict=True):
            row = [number, code_number(code), set_number(inputs), *values]
            fits = shape is not None
            for place in without:
                fits = fits and row.pop(_OWN + place) is None
            if fits:
                fitting.append(row)
            else:
                own = row[: _OWN + _PARTIAL + 1]
                names, row = self._row_of_any_shape(number, state_of(loads(line)), own)
                rows.setdefault(names, []).append(row)

    def _row(self, number: int, state: RunState, partial: int) -> Row:
        code = state.code
        values: list[Any] = [
            number,
            self.table.codes.number(code),
            self.table.input_sets.number(state.inputs),
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
            partial,
        ]
        if not any(map(isnan, state.metrics.values())):
            cells = self.cells(state.metrics, state.params, state.tags)
            if cells is not None:
                return (*_FIXED, *cells[0]), values + cells[1]
        return self._row_of_any_shape(number, state, values)

    def cells(self, metrics: dict[str, Any], params: dict[str, Any], tags: dict[str, Any]) -> Row | None:
        """Return the columns and values of these keys, from what a run with the same keys had.

        None if it isn't so simple: a column is missing, too many are there, or some hold extremes.
        """
        shape = self._shape((tuple(metrics), tuple(params), tuple(tags)))
        if shape is None:
            return None
        names, _, with_number, without = shape
        texts, numbers = self.values.texts_and_numbers(params)
        for place in without:
            if numbers[place] is not None:
                return None
        if without:
            numbers = [numbers[place] for place in with_number]
        return names, [*metrics.values(), *texts, *numbers, *tags.values()]

    def _shape(self, keys: Keys) -> Shape | None:
        """Return the columns of these keys, and which params have one for numbers; None if it isn't so simple."""
        if keys not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[keys] = self._make_shape(*keys)
        return self._shapes[keys]

    def _make_shape(self, metrics: Sequence[str], params: Sequence[str], tags: Sequence[str]) -> Shape | None:
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
