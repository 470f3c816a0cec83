"""A table for compiled filters: every key has values, so that SQLite sees every expression there is."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.query import Key

__all__ = ["COLUMNS", "connect"]


class _Columns:
    def text(self, key: Key) -> str | None:
        return "words"

    def number(self, key: Key) -> str | None:
        return "number"

    def nan(self, key: Key) -> str | None:
        return "nan"

    def inputs(self) -> tuple[str, str]:
        return "sets", "inputs"


COLUMNS = _Columns()


@cache
def connect() -> sqlite3.Connection:
    """Return a database with one row in each table."""
    from ledgit.query import FUNCTIONS

    found = sqlite3.connect(":memory:", check_same_thread=False)
    for name, function in FUNCTIONS.items():
        found.create_function(name, 1, function, deterministic=True)
    found.executescript(
        "CREATE TABLE run (words, number, nan, sets); INSERT INTO run VALUES ('a', 1.5, NULL, 1);"
        "CREATE TABLE inputs (k, name, digest, context); INSERT INTO inputs VALUES (1, 'a', 'b', 'c');"
    )
    return found
