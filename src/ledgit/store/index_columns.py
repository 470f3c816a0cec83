"""A few columns of all runs that a query asks for, without the runs: for pictures that have a dot a run."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgit.query import Key
from ledgit.store.index_search import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.store.index_database import Database
    from ledgit.store.index_table import Table

__all__ = ["NUMBERS", "ColumnsPlan", "read_columns"]

NUMBERS = frozenset({"start", "end", "duration"})
"""Attributes that are numbers: times and their differences, ms."""


class ColumnsPlan(Plan):
    """A plan whose columns are asked for."""

    wanted: tuple[Key, ...] = ()

    def keys(self) -> set[tuple[str, str]]:
        """Return the (kind, key) pairs that must be known."""
        return super().keys() | {(key.kind, key.name) for key in self.wanted}

    def columns(self) -> list[list[Any]]:
        """Return id, name, start and each wanted column: numbers where they are some, else texts; None: not there."""
        found: list[list[Any]] = [[] for _ in range(3 + len(self.wanted))]
        for table in (self.index.runs, self.index.live)[: 1 + self.live]:
            where, values = self._where(table)
            columns = ", ".join(["r.id", "r.name", "r.started", *(_sql(table, key) for key in self.wanted)])
            rows = self.db.execute(f"SELECT {columns} FROM {table.run} r WHERE {where}", values).fetchall()
            for column, read in zip(found, zip(*rows, strict=True), strict=False):
                column.extend(read)
        return found


def _sql(table: Table, key: Key) -> str:
    if key.kind == "attributes" and key.name == "duration":
        start, end = table.number(Key("attributes", "start")), table.number(Key("attributes", "end"))
        return f"{end} - {start}" if start and end else "NULL"
    if key.kind == "metrics" or (key.kind == "attributes" and key.name in NUMBERS):
        return table.number(key) or "NULL"
    number = table.number(key) if key.kind == "params" else None
    text = table.text(key)
    if number is None:
        return text or "NULL"
    return f"coalesce({number}, {text})" if text else number


def read_columns(database: Database, plan: ColumnsPlan, wanted: Sequence[Key]) -> list[list[Any]]:
    """Return id, name, start (ms) and the *wanted* columns of the runs that *plan* finds, in no order."""
    plan.wanted = tuple(wanted)
    with database.reading():
        return plan.columns()
