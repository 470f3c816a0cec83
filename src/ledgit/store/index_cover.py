"""Covering indexes for the kinds of questions that are asked of large tables.

Reading a wide table of 100,000 runs front to back takes 120 ms, because every page of it is
read for two of its sixty columns. An index of just the columns that a question names, in the
order it asks for, has the answer in 5 ms. One is made (in 0.3 s) when a question of a new kind
is first asked; values don't matter, only columns do. They are part of the cache and go with it.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.query import Term
    from ledgit.store.index_database import Database

__all__ = ["covering_index"]

LARGE = 20_000
"""Runs from which on an index pays."""

MOST = 8
"""Indexes kept; each makes writing a run slower by a hundredth of a millisecond."""

_COLUMN = re.compile(r"\br\.(\w+)")
_PLAIN = re.compile(r"r\.(\w+)")


def covering_index(database: Database, where: str, terms: Sequence[Term], *, make: bool = True) -> str | None:
    """Return the name of an index for a question of this kind, made if need be; None without one.

    Args:
        database: The index's database.
        where: The condition; columns are ``r.<name>``.
        terms: The order.
        make: Whether one may be made.
    """
    (greatest,) = database.db.execute(f"SELECT max(n) FROM {database.runs.run}").fetchone()
    if greatest is None or greatest < LARGE:
        return None
    order: dict[str, str] = {}
    for term in terms:
        match = _PLAIN.fullmatch(term.sql)
        if match is not None:
            order.setdefault(match[1], " DESC" if term.descending else "")
        elif not term.silent:
            return None
    asked = set(_COLUMN.findall(where)) - {"n"}
    if list(order) == ["started", "id"] and asked <= {"deleted"}:
        return None  # the table's own index has it all
    columns = [f"{name}{direction}" for name, direction in order.items()]
    columns += sorted(asked - order.keys())
    listed = ", ".join(columns)
    name = f"cover_{crc32(listed.encode()):08x}"
    known = _known(database)
    if name in known:
        return name
    if not make:
        return None
    made = database.try_to_write(lambda: _make(database, name, listed, known))
    return name if made else None


def _known(database: Database) -> list[str]:
    rows = database.db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB 'cover_*'")
    return [name for (name,) in rows]


def _make(database: Database, name: str, columns: str, known: list[str]) -> None:
    for old in known[: max(0, len(known) - MOST + 1)]:
        database.db.execute(f"DROP INDEX IF EXISTS {old}")
    database.db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {database.runs.run} ({columns})")
