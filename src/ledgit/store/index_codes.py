"""The codes that runs were made from, each once, with a number.

Thousands of runs share a commit and a tree. Which of them belong to a branch is asked, and
remembered, once for each code.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import sqlite3

    from ledgit.records import CodeRef

__all__ = ["Codes"]

_MANY = 50_000

Key = tuple[str, str, str, str]  # commit, tree, patch-id, subtrees as JSON; empty for none


class Codes:
    """The table *name* of codes in the database *db*.

    Its column ``derived`` is the patch-id that was found out for a code that has none: empty when
    there is none, NULL when nobody has looked.
    """

    def __init__(self, db: sqlite3.Connection, name: str, *, temporary: bool = False) -> None:
        self.db = db
        self.name = name
        self.temporary = temporary
        self._numbers: dict[Key, int] = {}

    def create(self) -> None:
        """Create the table if it is missing; a temporary one begins anew.

        Numbers that were given once stay: links are remembered by them.
        """
        self._numbers.clear()
        if self.temporary:
            self.db.execute(f"DROP TABLE IF EXISTS {self.name}")
        self.db.execute(
            f"CREATE {'TEMP TABLE' if self.temporary else 'TABLE'} IF NOT EXISTS {self.name} (n INTEGER PRIMARY KEY,"
            " oid TEXT NOT NULL, tree TEXT NOT NULL, patch_id TEXT NOT NULL, subtrees TEXT NOT NULL, derived TEXT,"
            " UNIQUE (oid, tree, patch_id, subtrees))"
        )

    def forget(self) -> None:
        """Read the numbers again: the table may be another one now."""
        self._numbers.clear()

    def find(self, code: CodeRef) -> int | None:
        """Return the number of *code*, None if it has none (yet)."""
        key = _key(code)
        number = self._numbers.get(key)
        if number is None:
            sql = f"SELECT n FROM {self.name} WHERE oid = ? AND tree = ? AND patch_id = ? AND subtrees = ?"
            row = self.db.execute(sql, key).fetchone()
            if row is None:
                return None
            number = int(row[0])
            self._remember(key, number)
        return number

    def number(self, code: CodeRef) -> int | None:
        """Return the number of *code*, a new one if need be; None for a run that knows nothing of its code."""
        if code.commit is None and code.tree is None:
            return None
        number = self.find(code)
        if number is None:
            key = _key(code)
            sql = f"INSERT INTO {self.name} (oid, tree, patch_id, subtrees) VALUES (?, ?, ?, ?)"
            number = self.db.execute(sql, key).lastrowid
            assert number is not None
            self._remember(key, number)
        return number

    def _remember(self, key: Key, number: int) -> None:
        if len(self._numbers) > _MANY:
            self._numbers.clear()
        self._numbers[key] = number


def _key(code: CodeRef) -> Key:
    subtrees = orjson.dumps(code.subtrees, option=orjson.OPT_SORT_KEYS).decode() if code.subtrees else ""
    return code.commit or "", code.tree or "", code.patch_id or "", subtrees
