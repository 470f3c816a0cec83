"""Whether runs belong to a range of commits, for a hook: it mostly hears no, and has 50 ms to say so.

An index that says what the repository says is asked for its codes alone: no filter and its parser (30 ms), no
journals, nothing that lists runs.
"""

from __future__ import annotations

import os

from ledgit.store.index_schema import FILE, SCHEMA

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from ledgit.git import Repo
    from ledgit.records import CodeRef

__all__ = ["CodesAlone", "none_belongs"]


class CodesAlone:
    """The codes of an index that is up to date, as `index_links` asks for them; `index_database` takes 25 ms to import.

    Nothing is written: what was found out is worth keeping only where something belongs, and then the index is asked.
    """

    name = "code"

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.runs = self.live = self.codes = self

    def find(self, code: CodeRef) -> int | None:  # noqa: ARG002 - the face of Database
        """Return nothing: no single code is asked for."""
        return None

    def try_to_write(self, write: Callable[[], object]) -> bool:  # noqa: ARG002 - the face of Database
        """Don't."""
        return False


def none_belongs(repo: Repo, folder: str, rev: str) -> bool:
    """Whether no finished run belongs to *rev*; False also where that takes longer to find out.

    Args:
        repo: The repository.
        folder: Path of Ledgit's folder in it.
        rev: A revision, or a range ``A..B``.
    """
    from ledgit.git import stamp

    path = os.path.join(folder, FILE)
    now = stamp(repo, "refs/ledgit/")
    if now is None or not os.path.exists(path):
        return False
    import sqlite3
    from contextlib import closing

    from ledgit.errors import LedgitError
    from ledgit.store.index_links import Links

    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        with closing(sqlite3.connect(f"file:{escaped}?mode=ro", uri=True, isolation_level=None)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA or db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone() != (repr(now),):
                return False
            codes = Links(repo, CodesAlone(db), rev)
            return not codes.codes(live=False)[0]
    except (sqlite3.Error, LedgitError):
        return False  # the long way says what is wrong
