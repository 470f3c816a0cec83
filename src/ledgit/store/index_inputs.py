"""The sets of data that runs used, each once, with a number.

Thousands of runs use the same few files, so a filter looks at some hundred sets, not at every
run's. The number of a set is a digest of it: nothing has to be looked up to write a run.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["InputSets"]

_MANY = 50_000


class InputSets:
    """The table *name* of sets in the database *db*: a row for each data set of each set."""

    def __init__(self, db: sqlite3.Connection, name: str, *, temporary: bool = False) -> None:
        self.db = db
        self.name = name
        self.temporary = temporary
        self._known: set[int] = set()
        self._new: list[tuple[int, int, str | None, str | None, str | None]] = []

    def create(self) -> None:
        """Create the table, empty."""
        self.forget()
        self.db.execute(f"DROP TABLE IF EXISTS {self.name}")
        self.db.execute(
            f"CREATE {'TEMP TABLE' if self.temporary else 'TABLE'} {self.name}"
            " (k INTEGER, place INTEGER, name TEXT, digest TEXT, context TEXT, PRIMARY KEY (k, place)) WITHOUT ROWID"
        )

    def forget(self) -> None:
        """The table may be another one now."""
        self._known.clear()
        self._new = []

    def number(self, inputs: Sequence[Sequence[str]]) -> int | None:
        """Return the number of a set, given as name, digest and context of each; None for an empty one."""
        if not inputs:
            return None
        number = int.from_bytes(sha256(orjson.dumps(inputs)).digest()[:8], "big", signed=True)
        if number not in self._known:
            if len(self._known) > _MANY:
                self._known.clear()
            self._known.add(number)
            for place, (name, digest, context) in enumerate(inputs):
                self._new.append((number, place, name or None, digest or None, context or None))
        return number

    def store(self) -> None:
        """Write the sets whose numbers were asked for since the last call."""
        if self._new:
            self.db.executemany(f"INSERT OR IGNORE INTO {self.name} VALUES (?, ?, ?, ?, ?)", self._new)
            self._new = []
