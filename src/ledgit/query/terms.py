"""The order of a result and the place of a run in it; apart, because a plain ``ls`` needs only this."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sql", "Term", "Value", "after", "order_sql"]

Value = str | int | float | None


class Sql(NamedTuple):
    """An SQL expression and the values of its ``?`` in order."""

    text: str
    bindings: tuple[Value, ...] = ()


class Term(NamedTuple):
    """One term of an ``ORDER BY``; NULL comes last in both directions.

    A key makes the same number of terms whatever columns there are, so that rows of several
    tables, and page tokens made before a column was there, can be compared.

    Attributes:
        sql: The expression.
        descending: The direction.
        silent: Doesn't change the order among the rows of its own table; left out there.
        nullable: Whether it may be NULL.
    """

    sql: str
    descending: bool = False
    silent: bool = False
    nullable: bool = True

    def ordering(self, sql: str = "") -> str:
        """Return the term (or *sql* in its place) with its direction."""
        # SQLite takes NULL for less than anything: descending it is last without being told, and
        # said or not decides whether an index can be used.
        last = " ASC NULLS LAST" if self.nullable else ""
        return (sql or self.sql) + (" DESC" if self.descending else last)


def order_sql(terms: Sequence[Term]) -> str:
    """Return what stands behind ``ORDER BY`` in a query of one table."""
    return ", ".join(term.ordering() for term in terms if not term.silent)


def after(terms: Sequence[Term], values: Sequence[Value]) -> Sql:
    """Return the condition that a run sorts after the one whose *terms* have *values*."""
    ways: list[str] = []
    bindings: list[Value] = []
    for index, (term, value) in enumerate(zip(terms, values, strict=True)):
        if value is None:
            continue  # NULL is last: within this term nothing comes after it
        same = [f"{earlier.sql} IS ?" for earlier in terms[:index]]
        later = f"({term.sql} {'<' if term.descending else '>'} ? OR {term.sql} IS NULL)"
        ways.append(" AND ".join([*same, later]))
        bindings.extend([*values[:index], value])
    return Sql(" OR ".join(f"({way})" for way in ways) if ways else "0", tuple(bindings))
