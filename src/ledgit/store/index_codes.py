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
    from collections.abc import Mapping
    from typing import Any

    from ledgit.records import CodeRef

__all__ = ["Codes", "key_of"]

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
        self._next = 0  # while all numbers are known: the next one to be given
        self._new: list[tuple[int, str, str, str, str]] = []

    def create(self) -> None:
        """Create the table if it is missing; a temporary one begins anew.

        Numbers that were given once stay: links are remembered by them.
        """
        loaded = bool(self._next)
        self.forget()
        if self.temporary:
            self.db.execute(f"DROP TABLE IF EXISTS {self.name}")
        self.db.execute(
            f"CREATE {'TEMP TABLE' if self.temporary else 'TABLE'} IF NOT EXISTS {self.name} (n INTEGER PRIMARY KEY,"
            " oid TEXT NOT NULL, tree TEXT NOT NULL, patch_id TEXT NOT NULL, subtrees TEXT NOT NULL, derived TEXT,"
            " UNIQUE (oid, tree, patch_id, subtrees))"
        )
        if loaded:
            self.load()

    def forget(self) -> None:
        """Read the numbers again: the table may be another one now."""
        self._numbers.clear()
        self._next, self._new = 0, []

    def load(self) -> None:
        """Read all numbers: many new ones are to be given, which :meth:`store` then writes at once."""
        rows = self.db.execute(f"SELECT n, oid, tree, patch_id, subtrees FROM {self.name}")
        self._numbers = {(oid, tree, patch, subtrees): number for number, oid, tree, patch, subtrees in rows}
        self._next = 1 + max(self._numbers.values(), default=0)

    def store(self) -> None:
        """Write the numbers that were given since :meth:`load`."""
        if self._new:
            sql = f"INSERT INTO {self.name} (n, oid, tree, patch_id, subtrees) VALUES (?, ?, ?, ?, ?)"
            self.db.executemany(sql, self._new)
            self._new = []

    def find(self, code: CodeRef) -> int | None:
        """Return the number of *code*, None if it has none (yet)."""
        return self._find(_key(code))

    def _find(self, key: Key) -> int | None:
        number = self._numbers.get(key)
        if number is None and not self._next:
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
        return self._number(_key(code))

    def number_of(self, key: Key | None) -> int | None:
        """Return the same for a code as :func:`key_of` gives it."""
        if key is None:
            return None
        return self._numbers.get(key) or self._number(key)

    def _number(self, key: Key) -> int:
        number = self._find(key)
        if number is None and self._next:
            number = self._next
            self._next += 1
            self._new.append((number, *key))
            self._numbers[key] = number
        elif number is None:
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
    return code.commit or "", code.tree or "", code.patch_id or "", _text(code.subtrees)


def key_of(code: Mapping[str, Any]) -> Key | None:
    """Return what a code in a plain line is known by; None where nothing is known of it."""
    get = code.get
    commit, tree = get("commit"), get("tree")
    if commit is None and tree is None:
        return None
    return commit or "", tree or "", get("patch_id") or "", _text(get("subtrees"))


def _text(subtrees: Mapping[str, str] | None) -> str:
    return orjson.dumps(dict(subtrees), option=orjson.OPT_SORT_KEYS).decode() if subtrees else ""
