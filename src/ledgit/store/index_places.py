"""Where the index has seen runs, asked without opening it for questions or bringing it up to date.

A pull asks whether new runs stand in the ledger already, under another day. In the ledger itself
that is a look at every file of it, a second for 100,000 runs; the index has what its files held.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from ledgit.store.folder import Folder

__all__ = ["Places", "known_places"]

_AT_ONCE = 500  # run ids in one statement
_WAIT = 0.2  # seconds for somebody who writes


class Places:
    """What the index knows of the ledger's files.

    Attributes:
        read: Ids of the files and folders of lines that it has read.
        days: Run id → the days under which those have lines of it, of the runs that were asked about.
    """

    __slots__ = ("days", "read")

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.days: dict[str, set[str]] = {}


def known_places(folder: Folder, runs: Collection[str]) -> Places:
    """Return what the index knows of *runs*; nothing, if there is no index or it can't be read now."""
    path = os.path.join(folder.path, "index.sqlite3")
    if not os.path.exists(path):
        return Places()
    import sqlite3

    from ledgit.store.index_schema import SCHEMA

    found = Places()
    try:
        db = sqlite3.connect(_address(path), uri=True, timeout=_WAIT, isolation_level=None)
        try:
            db.execute("BEGIN")  # both answers are of one moment
            if db.execute("PRAGMA user_version").fetchone() != (SCHEMA,):
                return Places()
            asked = list(runs)
            for at in range(0, len(asked), _AT_ONCE):
                some = asked[at : at + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                sql = f"SELECT run, path FROM line JOIN node ON node.n = line.segment WHERE run IN ({marks})"  # noqa: S608
                for run, place in db.execute(sql, some):
                    found.days.setdefault(run, set()).add(_day(place))
            found.read.update(oid for (oid,) in db.execute("SELECT oid FROM node WHERE path GLOB 'segments/*'"))
        finally:
            db.close()
    except sqlite3.Error:
        return Places()
    return found


def _day(path: str) -> str:
    """Return ``2026-11/23`` of ``segments/2026-11/23.jsonl`` or ``segments/2026-11/23/a/7.jsonl``."""
    return path[len("segments/") : len("segments/2026-11/23")]


def _address(path: str) -> str:
    """Return the URI that opens *path* for reading only. Spelled here, because urllib.parse takes 3 ms."""
    plain = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{plain}?mode=ro"
