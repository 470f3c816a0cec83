"""What is known of artifact remotes, so that a push of nothing new asks nobody.

Two notes in Ledgit's folder, both disposable; without them a push asks the remote again:

- ``remotes.sqlite3``: for each remote, which runs had all their objects there *after* the run had
  landed in the ledger, up to which table runs were looked at, which of them have objects that are
  only here, and which objects came from there. That an object was seen there once says nothing to a
  push as long as no run in the ledger needs it, since somebody's sweep may be about to take it.
- ``artifacts-sent``: the ledger and settings for which there was nothing left to do, in one line.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # a push of nothing new needs the quick note alone
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    T = TypeVar("T")

__all__ = ["Known", "digest_of", "note_settled", "settings_stamp", "settled"]

_QUICK = "artifacts-sent"
_FILES = (".ledgit/config.yaml", ".dvc/config", ".dvc/config.local")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS confirmed (remote TEXT, run TEXT, digest TEXT, PRIMARY KEY (remote, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked (remote TEXT, ledger TEXT, tree TEXT, PRIMARY KEY (remote, ledger)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fetched (remote TEXT, oid TEXT, PRIMARY KEY (remote, oid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (remote TEXT, run TEXT, start INTEGER, PRIMARY KEY (remote, run)) WITHOUT ROWID;
"""


def settings_stamp(repo: Repo) -> str:
    """Return what changes whenever Ledgit's artifact remote may be another one: a look at three files.

    Only a default remote in the person's own DVC configuration, outside of the repository, is not seen.
    """
    parts = [repo.config().get("ledgit.artifactRemote") or ""]
    for name in _FILES:
        try:
            stat = os.stat(os.path.join(repo.work_tree or repo.git_dir, name))
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{stat.st_mtime_ns}:{stat.st_size}:{stat.st_ino}")
    return " ".join(part.replace(" ", "%20").replace("\n", "%0A") for part in parts)


def settled(folder: Folder, ledger: str | None, stamp: str) -> str | None:
    """Return what was noted when there was nothing left to do for this ledger and these settings, or None.

    Args:
        folder: Ledgit's folder.
        ledger: Tip of the remote's ledger.
        stamp: Of the settings.
    """
    try:
        with open(os.path.join(folder.path, _QUICK), encoding="utf-8") as file:
            first, _, said = file.read(1 << 16).partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return said.rstrip("\n") if first == f"{ledger} {stamp}" else None


def note_settled(folder: Folder, ledger: str | None, stamp: str, said: str = "") -> None:
    """Note that nothing is left to do; *said* is what is to be said again all the same. Losing it costs a look."""
    path = os.path.join(folder.path, _QUICK)
    scratch = f"{path}.{os.urandom(4).hex()}"
    try:
        with open(scratch, "w", encoding="utf-8") as file:
            file.write(f"{ledger} {stamp}\n{said}\n")
        os.replace(scratch, path)
    except OSError:
        return


def digest_of(oids: Iterable[str]) -> str:
    """Return what stands for a set of objects."""
    from hashlib import blake2b

    return blake2b("\n".join(sorted(set(oids))).encode("ascii"), digest_size=12).hexdigest()


class Known:
    """The database. Trouble with it is no trouble: nothing is known then.

    A *remote* is an address. Not for use by several threads at once.
    """

    def __init__(self, folder: Folder) -> None:
        self._path = os.path.join(folder.path, "remotes.sqlite3")
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Known:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the next question opens it again."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def confirmed(self, remote: str, runs: Mapping[str, str]) -> set[str]:
        """Return those of *runs* (id → digest of its objects) that had these very objects there after they landed."""

        def read(database: sqlite3.Connection) -> set[str]:
            found = set()
            for run_id, digest in runs.items():
                row = database.execute(
                    "SELECT digest FROM confirmed WHERE remote = ? AND run = ?", (remote, run_id)
                ).fetchone()
                if row is not None and row[0] == digest:
                    found.add(run_id)
            return found

        return self._try(read, set())

    def confirm(self, remote: str, runs: Mapping[str, str]) -> None:
        """Note that *runs* (id → digest of its objects) have all of them there, and that nothing of theirs waits."""

        def write(database: sqlite3.Connection) -> None:
            rows = [(remote, run_id, digest) for run_id, digest in runs.items()]
            database.executemany("INSERT OR REPLACE INTO confirmed VALUES (?, ?, ?)", rows)
            database.executemany("DELETE FROM pending WHERE remote = ? AND run = ?", [row[:2] for row in rows])

        self._try(write, None)

    def looked(self, remote: str, ledger: str) -> str | None:
        """Return the table (a tree) up to which the runs of *ledger* (an address) were looked at."""

        def read(database: sqlite3.Connection) -> str | None:
            sql = "SELECT tree FROM looked WHERE remote = ? AND ledger = ?"
            row = database.execute(sql, (remote, ledger)).fetchone()
            return str(row[0]) if row is not None else None

        return self._try(read, None)

    def look(self, remote: str, ledger: str, tree: str) -> None:
        """Note that all runs of the table *tree* of *ledger* were looked at; call :meth:`wait` before."""

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO looked VALUES (?, ?, ?)", (remote, ledger, tree))

        self._try(write, None)

    def wait(self, remote: str, runs: Mapping[str, int]) -> None:
        """Note that *runs* (id → start, ms since the epoch) have objects that may be only here."""

        def write(database: sqlite3.Connection) -> None:
            rows = [(remote, run_id, start) for run_id, start in runs.items()]
            database.executemany("INSERT OR REPLACE INTO pending VALUES (?, ?, ?)", rows)

        self._try(write, None)

    def doubt(self, remote: str, runs: Mapping[str, int]) -> None:
        """Forget that *runs* (id → start) were confirmed, and note them as waiting: objects may have been deleted."""

        def write(database: sqlite3.Connection) -> None:
            rows = [(remote, run_id) for run_id in runs]
            database.executemany("DELETE FROM confirmed WHERE remote = ? AND run = ?", rows)

        if runs:
            self._try(write, None)
            self.wait(remote, runs)

    def pending(self, remote: str) -> dict[str, int]:
        """Return the runs with objects that are only here: id → start."""

        def read(database: sqlite3.Connection) -> dict[str, int]:
            return dict(database.execute("SELECT run, start FROM pending WHERE remote = ?", (remote,)))

        return self._try(read, {})

    def settle(self, remote: str, runs: Iterable[str]) -> None:
        """Note that nothing of *runs* waits any more: they are gone, or what they lack isn't here either."""

        def write(database: sqlite3.Connection) -> None:
            database.executemany(
                "DELETE FROM pending WHERE remote = ? AND run = ?", [(remote, run_id) for run_id in runs]
            )

        self._try(write, None)

    def fetch(self, remote: str, oids: Iterable[str]) -> None:
        """Note that objects came from there."""

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO fetched VALUES (?, ?)", [(remote, oid) for oid in oids])

        self._try(write, None)

    def fetched(self, remote: str, oids: Iterable[str]) -> set[str]:
        """Return those objects that came from there once: for showing, not for relying on it."""

        def read(database: sqlite3.Connection) -> set[str]:
            sql = "SELECT 1 FROM fetched WHERE remote = ? AND oid = ?"
            return {oid for oid in oids if database.execute(sql, (remote, oid)).fetchone() is not None}

        return self._try(read, set())

    def forget(self, remote: str | None = None) -> None:
        """Forget what is known of *remote*, or of all: somebody deleted objects there."""

        def write(database: sqlite3.Connection) -> None:
            for table in ("confirmed", "looked", "pending", "fetched"):
                if remote is None:
                    database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
                else:
                    database.execute(f"DELETE FROM {table} WHERE remote = ?", (remote,))  # noqa: S608

        self._try(write, None)
        try:
            os.unlink(os.path.join(os.path.dirname(self._path), _QUICK))
        except OSError:
            pass

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        import sqlite3

        for again in (True, False):
            try:
                database = self._open()
                with database:
                    return work(database)
            except sqlite3.OperationalError:
                return otherwise  # busy, read-only, no room
            except sqlite3.DatabaseError:
                self.close()
                if not again:
                    break
                try:
                    os.unlink(self._path)  # damaged
                except OSError:
                    break
        return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            import sqlite3

            database = sqlite3.connect(self._path, timeout=2)
            # What a power cut takes from it is asked once more.
            database.execute("PRAGMA synchronous = OFF")
            database.executescript(_SCHEMA)
            self._database = database
        return self._database
