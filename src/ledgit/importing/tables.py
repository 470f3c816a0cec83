"""Tables of an SQL database, read and never written: an SQLite file without anything, others through SQLAlchemy."""

# ruff: noqa: S608 - identifiers are made here and quoted, values are bound

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from ledgit.errors import MissingDependency, RecordError, UsageError
from ledgit.importing.places import shown

__all__ = ["AlchemyTables", "SqliteTables", "Tables", "open_tables"]


class Tables(Protocol):
    """What is asked of a database."""

    folder: str

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns; none where there is no such table."""

    def rows(
        self, table: str, columns: Sequence[str], where: str = "", values: Sequence[Any] = (), order: Sequence[str] = ()
    ) -> list[tuple[Any, ...]]:
        """Return rows, those whose column *where* has one of *values*; a column that is not there is NULL."""

    def count(self, table: str) -> int:
        """Return how many rows a table has; 0 where it is not there."""

    def close(self) -> None:
        """Let go of it."""


def open_tables(path: str) -> Tables:
    """Open a file, ``sqlite:///`` and its path, or any other address that SQLAlchemy knows.

    Raises:
        UsageError: There is no such file or database.
        MissingDependency: SQLAlchemy or the database's driver is not installed.
    """
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme in ("", "sqlite"):
        rest = path.removeprefix("sqlite:").partition("?")[0] if scheme or path.startswith("sqlite:") else path
        # sqlite:///relative, sqlite:////absolute: SQLAlchemy's way
        return SqliteTables(unquote(rest.removeprefix("///")) if rest.startswith("///") else rest)
    return AlchemyTables(path)


class SqliteTables:
    """An SQLite file, opened for reading alone: a server may be writing at the same moment."""

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise UsageError(f"there is no file {path}")
        self._path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self._known: dict[str, set[str]] = {}
        try:
            self._db = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True)
            self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"{path} can't be read as an SQLite database: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns."""
        if table not in self._known:
            self._known[table] = {row[1] for row in self._all(f'PRAGMA table_info("{table}")')}
        return self._known[table]

    def rows(
        self, table: str, columns: Sequence[str], where: str = "", values: Sequence[Any] = (), order: Sequence[str] = ()
    ) -> list[tuple[Any, ...]]:
        """Return rows."""
        known = self.columns(table)
        if not known or (where and where not in known):
            return []
        picked = ", ".join(f'"{one}"' if one in known else "NULL" for one in columns)
        sql = f'SELECT {picked} FROM "{table}"'
        if where:
            sql += f' WHERE "{where}" IN ({",".join("?" * len(values))})'
        by = ", ".join(f'"{one}"' for one in order if one in known)
        return self._all(f"{sql} ORDER BY {by}" if by else sql, values if where else ())

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._all(f'SELECT count(*) FROM "{table}"')[0][0]) if self.columns(table) else 0

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, list(values)).fetchall()
        except sqlite3.Error as error:
            raise RecordError(self._path, f"can't be read: {error}") from None


class AlchemyTables:
    """A database that SQLAlchemy opens: PostgreSQL, MySQL, SQL Server and what else MLflow runs on."""

    def __init__(self, uri: str) -> None:
        try:
            import sqlalchemy
        except ImportError:
            raise MissingDependency(f"reading {shown(uri)}", "sqlalchemy") from None
        self._sql: Any = sqlalchemy
        self._where = shown(uri)
        self.folder = os.getcwd()
        try:
            self._engine = sqlalchemy.create_engine(uri, hide_parameters=True)
            self._inspector = sqlalchemy.inspect(self._engine)
            self._names = set(self._inspector.get_table_names())
        except ImportError as error:  # the driver
            name = error.name or "the database's driver"
            raise MissingDependency(f"reading {self._where}", name) from None
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise UsageError(f"{self._where} can't be opened: {_first_line(error)}") from None
        self._known: dict[str, set[str]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns."""
        if table not in self._known:
            there = self._inspector.get_columns(table) if table in self._names else []
            self._known[table] = {one["name"] for one in there}
        return self._known[table]

    def rows(
        self, table: str, columns: Sequence[str], where: str = "", values: Sequence[Any] = (), order: Sequence[str] = ()
    ) -> list[tuple[Any, ...]]:
        """Return rows; SQLAlchemy quotes names as the database wants them."""
        known = self.columns(table)
        if not known or (where and where not in known):
            return []
        sql = self._sql
        named = {one: sql.column(one) for one in known}
        asked = sql.select(*(named[one] if one in known else sql.null() for one in columns)).select_from(
            sql.table(table, *named.values())
        )
        if where:
            asked = asked.where(named[where].in_(list(values)))
        return self._all(asked.order_by(*(named[one] for one in order if one in known)))

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        if not self.columns(table):
            return 0
        return int(self._all(self._sql.select(self._sql.func.count()).select_from(self._sql.table(table)))[0][0])

    def _all(self, asked: Any) -> list[tuple[Any, ...]]:
        try:
            with self._engine.connect() as connection:
                return [tuple(row) for row in connection.execute(asked)]
        except self._sql.exc.SQLAlchemyError as error:
            raise RecordError(self._where, f"can't be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
