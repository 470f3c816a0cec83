"""The index's database file: opened, made, thrown away, or replaced by one in memory.

The file is a cache. Whatever is wrong with it (deleted, truncated, garbage, written by another
version, on a disk that is full or read-only), the worst that happens is that the answer is read
from Git again.

No write-ahead log and no memory map: the one needs memory shared by all readers, which network
file systems don't have, and clones on such are common where jobs run on many hosts; the other
ends the process when somebody truncates the file.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ledgit.store.index_plain import PARTS
from ledgit.store.index_rows import ALL_PARTS
from ledgit.store.index_schema import SCHEMA
from ledgit.store.index_table import Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

__all__ = ["SCHEMA", "ColumnsChanged", "Database", "discard", "is_damage"]

PATIENCE = 30.0
"""Seconds to wait for another process that writes: more than a rebuild of 100,000 runs takes. Then: in memory."""

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE ref (name TEXT PRIMARY KEY, oid TEXT NOT NULL) WITHOUT ROWID",
    # The ledger's files and folders, and of each file the runs it has lines of, with a sum over those.
    "CREATE TABLE node (n INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, parent TEXT, oid TEXT, tree INTEGER)",
    "CREATE INDEX node_parent ON node (parent)",
    "CREATE TABLE line (segment INTEGER, run TEXT, sum INTEGER, PRIMARY KEY (segment, run)) WITHOUT ROWID",
    "CREATE INDEX line_run ON line (run, segment)",
    "CREATE TABLE tombstone (run TEXT PRIMARY KEY, start INTEGER NOT NULL) WITHOUT ROWID",
    # Keys that every run with more than its line has in its line all the same.
    "CREATE TABLE whole (kind TEXT, key TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID",
    "CREATE TABLE experiment (path TEXT PRIMARY KEY, label TEXT NOT NULL, name TEXT NOT NULL, deleted INTEGER)",
    "CREATE TABLE tip (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, patches INTEGER NOT NULL)",
    "CREATE TABLE link (tip INTEGER, code INTEGER, oid TEXT, how TEXT, PRIMARY KEY (tip, code)) WITHOUT ROWID",
    "CREATE TABLE patch (tip INTEGER, patch_id TEXT, oid TEXT, PRIMARY KEY (tip, patch_id)) WITHOUT ROWID",
    "CREATE TABLE live (id TEXT PRIMARY KEY, summary BLOB) WITHOUT ROWID",
)
_DAMAGE = {1, 11, 17, 19, 20, 24, 25, 26}  # ERROR CORRUPT SCHEMA CONSTRAINT MISMATCH FORMAT RANGE NOTADB


class ColumnsChanged(Exception):
    """The tables have other columns than the question was made for: ask again."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether *error* speaks of the file's content, rather than of locks, rights or the disk."""
    code = getattr(error, "sqlite_errorcode", 1)
    return (code & 0xFF) in _DAMAGE


def discard(path: str) -> None:
    """Remove the database file *path*. A process that has it open goes on with the removed one."""
    for name in (path, f"{path}-journal"):
        with suppress(OSError):
            os.unlink(name)


class Database:
    """An open index.

    Attributes:
        db: The connection, in autocommit mode.
        path: The file, None when in memory.
        runs: Finalized runs.
        live: Runs that are being written, in temporary tables of this connection.
        kept_set: What the set that stays in the table of `index_search`'s sets was made from; None: there is none.
    """

    def __init__(self, db: sqlite3.Connection, path: str | None) -> None:
        self.db = db
        self.path = path
        self.runs = Table(db)
        self.live = Table(db, "live_", temporary=True)
        self.kept_set: object = None
        self._schema: int | None = None
        self._later: list[Callable[[], object]] = []

    @classmethod
    def open(cls, path: str) -> Database:
        """Open the file *path*, making it if it is missing, empty or of another version.

        Raises:
            sqlite3.Error: It can't be read.
        """
        db = cls._connect(path)
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version not in (0, SCHEMA):
                db.close()
                discard(path)
                db = cls._connect(path)
            opened = cls(db, path)
            if version != SCHEMA:
                opened._create()
        except BaseException:
            db.close()
            raise
        return opened

    @classmethod
    def in_memory(cls, seed: str | None = None) -> Database:
        """Open a database in memory, a copy of the file *seed* if there is a whole one."""
        import sqlite3

        db = cls._connect(":memory:")
        opened = cls(db, None)
        if seed is not None and os.path.exists(seed) and not os.path.exists(f"{seed}-journal"):
            escaped = seed.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            try:
                source = sqlite3.connect(f"file:{escaped}?mode=ro&immutable=1", uri=True)
                try:
                    source.backup(db)
                finally:
                    source.close()
                if db.execute("PRAGMA user_version").fetchone() == (SCHEMA,):
                    return opened
            except sqlite3.Error:
                pass
            db.close()
            opened = cls(cls._connect(":memory:"), None)
        opened._create()
        return opened

    @staticmethod
    def _connect(path: str) -> sqlite3.Connection:
        import sqlite3

        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA page_size = 8192")  # a run's line is 1 to 4 KB
        db.execute("PRAGMA cache_size = -64000")  # KiB
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA temp_store = MEMORY")
        return db

    def _create(self) -> None:
        with self.writing():
            if self.db.execute("PRAGMA user_version").fetchone() == (SCHEMA,):
                return  # another process was faster
            for (name,) in self.db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
            ).fetchall():
                self.db.execute(f'DROP TABLE IF EXISTS "{name}"')
            for table in _TABLES:
                self.db.execute(table)
            self.runs.create()
            self.db.execute(f"PRAGMA user_version = {SCHEMA}")

    def writing(self) -> _Transaction:
        """Return a context in which this connection alone writes; it waits for others."""
        return _Transaction(self.db)

    def try_to_write(self, write: Callable[[], object]) -> bool:
        """Call *write* in a transaction if that can be had at once; return whether it was done.

        For what makes later questions faster and nothing else. Within :meth:`reading` it is done
        afterwards.
        """
        import sqlite3

        if self.db.in_transaction:
            self._later.append(write)
            return False
        self.db.execute("PRAGMA busy_timeout = 0")
        try:
            with self.writing():
                write()
        except sqlite3.OperationalError:
            return False  # somebody else writes, nobody can, or the disk is full
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
        return True

    def notice_changes(self) -> None:
        """Read the columns again if another process has changed them."""
        (schema,) = self.db.execute("PRAGMA schema_version").fetchone()
        if schema != self._schema:
            self.runs.forget()
            self._schema = schema

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Return a context in which all that is read is of one moment, whatever other processes do.

        Raises:
            ColumnsChanged: The columns are not those of the last :meth:`notice_changes`.
        """
        known = self._schema
        self.db.execute("BEGIN")
        try:
            self.notice_changes()
            if self._schema != known:
                raise ColumnsChanged
            yield
        finally:
            if self.db.in_transaction:
                self.db.execute("COMMIT")
            later, self._later = self._later, []
        for write in later:
            self.try_to_write(write)

    def has_partial(self, kind: str | None = None) -> bool:
        """Say whether some run has more (params, metrics, tags or inputs: *kind*; None: any) than its columns say."""
        bit = ALL_PARTS if kind is None else PARTS[kind]
        sql = "SELECT 1 FROM run WHERE partial > 0 AND partial & ? LIMIT 1"
        return self.db.execute(sql, (bit,)).fetchone() is not None

    def meta(self, key: str) -> str | None:
        """Return a stored fact about the index."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def set_meta(self, key: str, value: str | None) -> None:
        """Store a fact about the index."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


class _Transaction:
    """``BEGIN IMMEDIATE`` … ``COMMIT``, or ``ROLLBACK`` when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.db.execute("COMMIT")
        elif self.db.in_transaction:
            self.db.execute("ROLLBACK")
