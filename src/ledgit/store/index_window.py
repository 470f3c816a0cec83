"""All runs that a query asks for, in order, at 16 bytes a run: for a table of which a screenful is seen.

Everything is put together within SQLite, as one row: 100,000 ids take 20 ms so, and another thread runs meanwhile;
fetched row by row they take five times as long and hand Python's lock over a hundred thousand times.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

import re
from binascii import a2b_hex
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import InvalidValue
from ledgit.query import Key, Term
from ledgit.store.index_search import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ledgit.store.index_database import Database
    from ledgit.store.index_table import Table

__all__ = ["Group", "Window", "WindowPlan", "branch_counts", "group_key", "nested_runs", "read_window"]

_ID = 16
#: Columns that the table has an index for: a condition on one may be met by few runs.
_SOUGHT = frozenset(("experiment", "name", "parent_run"))
_COLUMN = re.compile(r"\br\.(\w+)")
_ATTRIBUTES = ("experiment", "branch", "code_commit", "user", "status", "name")


class Group(NamedTuple):
    """Runs that have something in common.

    Attributes:
        value: What it is; None: they lack it.
        runs: How many there are.
        best: The best value of the metric that was asked for; None: no run has one that is a number.
        first: Position of the first of them among all; the others follow it.
    """

    value: str | None
    runs: int
    best: float | None
    first: int


class Window:
    """The order of all runs that a query asks for.

    Attributes:
        ids: Their ids, 16 bytes each.
        groups: Where they were asked for: groups, in order of their values, those without one last.
    """

    __slots__ = ("groups", "ids")

    def __init__(self, ids: bytes = b"", groups: tuple[Group, ...] = ()) -> None:
        self.ids, self.groups = ids, groups

    def __len__(self) -> int:
        return len(self.ids) // _ID

    def id(self, position: int) -> str:
        """Return the id of the run at *position*, which counts from 0.

        Raises:
            IndexError: There are not so many.
        """
        if not 0 <= position < len(self):
            raise IndexError(position)
        return self.ids[position * _ID : position * _ID + _ID].hex()

    def find(self, run_id: str) -> int | None:
        """Return where a run is, None if it is not among them."""
        try:
            raw = a2b_hex(run_id)
        except ValueError:
            return None
        if len(raw) != _ID:
            return None
        place = self.ids.find(raw)
        while place >= 0 and place % _ID:  # the end of one id and the beginning of the next
            place = self.ids.find(raw, place + 1)
        return None if place < 0 else place // _ID


class WindowPlan(Plan):
    """A plan whose rows may come group by group."""

    group: Key | None = None
    best: Key | None = None
    lasting = False

    def keys(self) -> set[tuple[str, str]]:
        """Return the (kind, key) pairs that must be known."""
        asked = {(key.kind, key.name) for key in (self.group, self.best) if key is not None}
        return super().keys() | asked

    def _terms(self, table: Table) -> tuple[Term, ...]:
        terms = super()._terms(table)
        return terms if self.group is None else (Term(self._group(table)), *terms)

    def _makes_covers(self) -> bool:
        return self.lasting  # typing a filter asks something of a new kind with every key

    def _source(self, table: Table, where: str, terms: Sequence[Term]) -> str:
        source = super()._source(table, where, terms)
        if source != f"{table.run} r" or table is not self.index.runs or self._is_narrow(where, terms):
            return source
        # All are looked at, so front to back: by way of an index on something else each would be sought by itself.
        return f"{source} NOT INDEXED"

    def _is_narrow(self, where: str, terms: Sequence[Term]) -> bool:
        """Whether an index of the table's own may find the runs without looking at all of them."""
        asked = set(_COLUMN.findall(where)) | set(_COLUMN.findall(" ".join(term.sql for term in terms)))
        return asked <= {"deleted", "started", "id", "n"} or bool(asked & _SOUGHT) or "r.id " in where

    def _group(self, table: Table) -> str:
        assert self.group is not None
        return table.text(self.group) or "NULL"

    def groups(self, *, maximize: bool) -> tuple[Group, ...]:
        """Return the groups, with the best value of each."""
        texts, values = [], []
        for table in (self.index.runs, self.index.live)[: 1 + self.live]:
            where, bound = self._where(table)
            number = table.number(self.best) if self.best is not None else None
            texts.append(f"SELECT {self._group(table)} AS g, {number or 'NULL'} AS m FROM {table.run} r WHERE {where}")
            values += bound
        best = "max" if maximize else "min"
        sql = f"SELECT g, count(*), {best}(m) FROM ({' UNION ALL '.join(texts)}) GROUP BY g ORDER BY g ASC NULLS LAST"
        found: list[Group] = []
        first = 0
        for value, count, number in self.db.execute(sql, values):
            found.append(Group(None if value is None else str(value), count, number, first))
            first += count
        return tuple(found)


def group_key(text: str) -> Key:
    """Return the key of what runs are grouped by: ``experiment``, ``branch`` or ``params.optimizer``.

    Raises:
        FilterError: It is no key.
        InvalidValue: Nobody would group by that.
    """
    from ledgit.query import parse_order_by

    (order,) = parse_order_by([text])
    key = order.key
    if key.name == "commit" and key.kind == "attributes":
        key = Key("attributes", "code_commit")
    if key.kind == "metrics" or (key.kind == "attributes" and key.name not in _ATTRIBUTES):
        raise InvalidValue("group", text, "experiment, branch, commit, user, status, params.NAME or tags.NAME")
    return key


def read_window(database: Database, plan: WindowPlan, *, maximize: bool = True) -> Window:
    """Return the runs that *plan* finds, in its order."""
    statement, values = plan.statement(plan.query.limit, None)
    last = len(plan._terms(database.runs)) - 1  # the id is the last term
    with database.reading():
        (joined,) = database.db.execute(f"SELECT group_concat(s{last}, '') FROM ({statement})", values).fetchone()
        groups = plan.groups(maximize=maximize) if plan.group is not None else ()
    return Window(a2b_hex(joined or ""), groups)


def nested_runs(database: Database, live: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the runs that are nested in another: id → that one's."""
    rows: Any = database.db.execute(f"SELECT id, parent_run FROM {database.runs.run} WHERE parent_run IS NOT NULL")
    return dict(rows) | dict(live)


def branch_counts(database: Database, live: bool) -> list[tuple[str, int, int]]:
    """Return (branch, runs that are not deleted, start of its newest run), that with the newest run first."""
    wanted = "branch, deleted, started"
    source = f"SELECT {wanted} FROM {database.runs.run}"
    if live:
        source += f" WHERE id NOT IN (SELECT id FROM {database.live.run})"
        source += f" UNION ALL SELECT {wanted} FROM {database.live.run}"
    sql = (
        f"SELECT branch, count(*), max(started) FROM ({source}) WHERE branch <> '' AND deleted = 0"
        " GROUP BY branch ORDER BY max(started) DESC, branch"
    )
    return [(name, count, last or 0) for name, count, last in database.db.execute(sql)]
