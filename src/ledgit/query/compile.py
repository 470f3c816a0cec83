"""Filters and orders to SQL with bound values.

Two rules keep the SQL safe: a value is only ever a ``?``, and an identifier only ever what
:class:`Columns` returned. A key that nobody logged has no column; its condition is then decided
here, for all runs at once.

Logic is SQL's with three values: a comparison with a key that the run lacks is unknown, and so
is its negation; ``metrics.x != 1`` does not match a run without ``x``. A NaN, or a param that is
no number compared with one, is there but not equal, less or greater: such a comparison is
false, and its negation true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ledgit.query.expr import Among, And, Compare, Expr, Membership, Missing, Not, Or, SomeInput
from ledgit.query.keys import Key
from ledgit.query.order import OrderKey
from ledgit.query.terms import Sql, Term, Value

__all__ = ["FUNCTIONS", "Columns", "compile_filter", "compile_order", "mentions", "wanted"]

FUNCTIONS = {"ledgit_lower": lambda text: text.lower() if isinstance(text, str) else None}
"""SQL functions of one argument that compiled filters call; the connection must have them."""

_UNKNOWN = "NULL"
_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMBERS = {"start", "end", "deleted", "dirty"}
# What is missing where these are.
_PARTS = {"age": "start", "duration": "end"}
_TAG_OF = {
    "mlflow.parentRunId": "parent_run",
    "mlflow.runName": "name",
    "mlflow.source.git.branch": "branch",
    "mlflow.source.git.commit": "code_commit",
    "mlflow.user": "user",
}
"""Tags that MLflow's users search by, and the attribute that holds the same here."""


class Columns(Protocol):
    """Where a key's values are; each returns an SQL expression, or None when no run has any."""

    def text(self, key: Key) -> str | None:
        """Text of a param, tag or text attribute."""

    def number(self, key: Key) -> str | None:
        """Number of a metric (its last, min or max), param or numeric attribute; NULL for NaN."""

    def nan(self, key: Key) -> str | None:
        """Not NULL where the metric is NaN; None when it never is."""

    def inputs(self) -> tuple[str, str]:
        """Number of a run's set of data sets (NULL: none), and the table of sets.

        That has the columns ``k`` (the number), ``name``, ``digest`` and ``context``.
        """


def compile_filter(
    expr: Expr, columns: Columns, now: int | None = None, among: Mapping[Among, str] | None = None
) -> Sql:
    """Return *expr* as an SQL condition over *columns*.

    Args:
        expr: What :func:`~ledgit.query.parse_filter` returned.
        columns: Where the values are.
        now: Milliseconds since the epoch that ``age`` counts from; the present time by default.
        among: The condition for each of what :func:`wanted` found in *expr*.
    """
    if now is None:
        import time

        now = int(time.time() * 1000)
    return _Compiler(columns, now, among or {}).compile(expr, exact=False)


def compile_order(order: Sequence[OrderKey], columns: Columns) -> tuple[Term, ...]:
    """Return the terms that sort by *order*, then by start (newest first), then by id."""
    ties = (OrderKey(Key("attributes", "start"), descending=True), OrderKey(Key("attributes", "id")))
    return tuple(term for one in (*order, *ties) for term in _terms(one, columns))


def mentions(expr: Expr, name: str) -> bool:
    """Whether *expr* compares the attribute *name*."""
    if isinstance(expr, And | Or):
        return any(mentions(item, name) for item in expr.items)
    if isinstance(expr, Not):
        return mentions(expr.item, name)
    if isinstance(expr, Among | SomeInput):
        return False
    return expr.key.kind == "attributes" and expr.key.name == name


def wanted(expr: Expr) -> Iterator[Among]:
    """Yield the sets of runs that must be found out before *expr* can be compiled."""
    if isinstance(expr, And | Or):
        for item in expr.items:
            yield from wanted(item)
    elif isinstance(expr, Not):
        yield from wanted(expr.item)
    elif isinstance(expr, Among):
        yield expr


class _Compiler:
    def __init__(self, columns: Columns, now: int, among: Mapping[Among, str]) -> None:
        self.columns = columns
        self.among = among
        self.now = now

    def compile(self, expr: Expr, exact: bool) -> Sql:
        """Return SQL for *expr*; false and unknown need to be told apart only if *exact*."""
        if isinstance(expr, Not):
            item = self.compile(expr.item, exact=True)
            return Sql(f"NOT ({item.text})", item.bindings)
        if isinstance(expr, And | Or):
            return _join([self.compile(item, exact) for item in expr.items], "AND" if isinstance(expr, And) else "OR")
        if isinstance(expr, Missing):
            return self._missing(expr)
        if isinstance(expr, Membership):
            return self._membership(expr, exact)
        if isinstance(expr, Among):
            return Sql(self.among[expr])
        if isinstance(expr, SomeInput):
            return self._some_input(expr, exact)
        return self._compare(expr, exact)

    def _compare(self, expr: Compare, exact: bool) -> Sql:
        if isinstance(expr.value, str):
            column = _text(expr.key, self.columns)
            if column is None:
                return Sql(_UNKNOWN)
            return _like(column, expr.op, expr.value) if "LIKE" in expr.op else Sql(f"{column} = ?", (expr.value,))
        if expr.key == Key("attributes", "age"):
            start = self.columns.number(Key("attributes", "start"))
            return Sql(f"{start} {_FLIPPED[expr.op]} ?", (self.now - expr.value,))
        if expr.key == Key("attributes", "duration"):
            return Sql(f"{_duration(self.columns)} {expr.op} ?", (expr.value,))
        return self._number(expr.key, f"{{}} {expr.op} ?", (expr.value,), exact)

    def _membership(self, expr: Membership, exact: bool) -> Sql:
        texts = tuple(value for value in expr.values if isinstance(value, str))
        numbers = tuple(value for value in expr.values if not isinstance(value, str))
        parts = []
        if texts:
            column = _text(expr.key, self.columns)
            parts.append(Sql(_UNKNOWN) if column is None else Sql(f"{column} IN ({_marks(texts)})", texts))
        if numbers:
            parts.append(self._number(expr.key, f"{{}} IN ({_marks(numbers)})", numbers, exact))
        return _join(parts, "OR")

    def _number(self, key: Key, shape: str, bindings: tuple[Value, ...], exact: bool) -> Sql:
        column = self.columns.number(key)
        other = (
            self.columns.nan(key)
            if key.kind == "metrics"
            else _text(key, self.columns)
            if key.kind == "params"
            else None
        )
        sql = _UNKNOWN if column is None else shape.format(column)
        bindings = () if column is None else bindings
        if exact and other is not None:
            return Sql(f"coalesce({sql}, CASE WHEN {other} IS NOT NULL THEN 0 END)", bindings)
        return Sql(sql, bindings)

    def _some_input(self, expr: SomeInput, exact: bool) -> Sql:
        held = _Compiler(_Inputs(), self.now, {}).compile(expr.item, exact=False)
        among = self._among_inputs(held.text)
        if not exact:
            return Sql(among, held.bindings)
        item = expr.item.item if isinstance(expr.item, Not) else expr.item
        assert isinstance(item, Compare | Membership)
        return Sql(f"CASE WHEN {self._has_input(item.key)} THEN {among} END", held.bindings)

    def _has_input(self, key: Key) -> str:
        """Return the condition that some data set of the run has a name, digest or context."""
        return self._among_inputs(f"{_Inputs().text(key)} IS NOT NULL")

    def _among_inputs(self, condition: str) -> str:
        number, table = self.columns.inputs()
        return f"{number} IN (SELECT i.k FROM {table} i WHERE {condition})"  # noqa: S608 - nothing of the filter's text

    def _missing(self, expr: Missing) -> Sql:
        key = expr.key
        if key.kind == "datasets":
            return Sql(f"NOT coalesce({self._has_input(key)}, 0)")
        if key.kind == "metrics":
            number, nan = self.columns.number(key), self.columns.nan(key)
            if expr.nan:
                return Sql("0" if nan is None else f"{nan} IS NOT NULL")
            found = [f"{column} IS NULL" for column in (number, nan) if column is not None]
            return Sql(" AND ".join(found) or "1")
        if key.kind == "attributes" and key.name in _PARTS:
            key = Key("attributes", _PARTS[key.name])
        column = self.columns.number(key) if _is_number(key) else _text(key, self.columns)
        return Sql("1" if column is None else f"{column} IS NULL")


class _Inputs:
    """The columns of the table of data sets."""

    def text(self, key: Key) -> str:
        return f"i.{key.name}"

    def number(self, key: Key) -> None:  # noqa: ARG002
        return None

    def nan(self, key: Key) -> None:  # noqa: ARG002
        return None

    def inputs(self) -> tuple[str, str]:
        raise AssertionError


def _text(key: Key, columns: Columns) -> str | None:
    if key == Key("attributes", "artifact_uri"):
        return f"('runs:/' || {columns.text(Key('attributes', 'id'))})"
    column = columns.text(key)
    if key.kind == "tags" and key.name in _TAG_OF:
        attribute = columns.text(Key("attributes", _TAG_OF[key.name]))
        return attribute if column is None else f"coalesce({column}, {attribute})"
    return column


def _duration(columns: Columns) -> str:
    """Return the milliseconds a run took; NULL while it runs."""
    return f"({columns.number(Key('attributes', 'end'))} - {columns.number(Key('attributes', 'start'))})"


def _is_number(key: Key) -> bool:
    return key.kind == "attributes" and key.name in _NUMBERS


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _join(parts: list[Sql], word: str) -> Sql:
    """Join *parts* as a balanced tree: SQLite refuses expressions over 1,000 deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _join(parts[:middle], word), _join(parts[middle:], word)
    return Sql(f"({left.text}) {word} ({right.text})", left.bindings + right.bindings)


def _like(column: str, op: str, pattern: str) -> Sql:
    """``LIKE`` by ``GLOB``, which tells upper from lower case; ``ILIKE`` by SQLite's ``LIKE``.

    SQLite folds ASCII letters only; a pattern with others has both sides lowered by Python.
    """
    if op == "ILIKE" and pattern.isascii():
        return Sql(f"{column} LIKE ?", (pattern,))
    if op == "ILIKE":
        column, pattern = f"ledgit_lower({column})", pattern.lower()
    return Sql(f"{column} GLOB ?", (pattern.translate(_GLOB),))


_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


def _terms(order: OrderKey, columns: Columns) -> list[Term]:
    key, down = order.key, order.descending
    if key.kind == "metrics":
        number, nan = columns.number(key), columns.nan(key)
        missing = "2" if nan is None else f"CASE WHEN {nan} IS NULL THEN 2 ELSE 1 END"
        rank = missing if number is None else f"CASE WHEN {number} IS NULL THEN {missing} ELSE 0 END"
        return [Term(rank, silent=nan is None), _term(number, down)]
    if key.kind == "params":
        return [_term(columns.number(key), down), _term(columns.text(key), down)]
    if key.kind == "tags":
        return [_term(_text(key, columns), down)]
    if key.name == "age":
        return [_term(columns.number(Key("attributes", "start")), not down)]
    if key.name == "duration":
        return [_term(_duration(columns), down)]
    if key.name == "commit":
        key = Key("attributes", "code_commit")
    column = columns.number(key) if _is_number(key) else _text(key, columns)
    return [_term(column, down, nullable=key.name != "id")]


def _term(column: str | None, down: bool, nullable: bool = True) -> Term:
    return Term("NULL", down, silent=True) if column is None else Term(column, down, nullable=nullable)
