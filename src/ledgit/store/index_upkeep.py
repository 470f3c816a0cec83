"""How the index is opened, brought up to date, and made anew when something is wrong with it."""

from __future__ import annotations

import os
from _thread import RLock  # threading costs 1 ms more
from typing import TYPE_CHECKING

from ledgit.errors import RecordError, StorageError
from ledgit.store.index_live import LiveRuns
from ledgit.store.index_schema import FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ledgit.git import Repo
    from ledgit.records import RunState
    from ledgit.store.folder import Folder
    from ledgit.store.index_database import Database
    from ledgit.store.index_search import Experiments
    from ledgit.store.index_source import Progress

    T = TypeVar("T")

__all__ = ["Upkeep"]

_EXPERIMENT_SQL = "coalesce((SELECT e.name FROM experiment e WHERE e.label = r.experiment), r.experiment)"
_READ_ONLY = {3, 8, 14, 23}  # PERM READONLY CANTOPEN AUTH
_ATTEMPTS = 3
_INHERITED: list[object] = []


class Upkeep:
    """What an index does to be open and up to date."""

    def __init__(
        self,
        repo: Repo,
        folder: Folder,
        live: Callable[[Folder, dict[str, bytes] | None], list[RunState]] | None = None,
    ) -> None:
        self.repo = repo
        self.folder = folder
        self._live = LiveRuns(folder, live)
        self._lock = RLock()
        self._database: Database | None = None
        self._pid = 0
        self._stamp: str | None = None
        self._in_memory = False
        self._seed: str | None = None
        self._fresh = False
        self._experiments: Experiments = {}
        self.progress: Progress | None = None

    @property
    def path(self) -> str:
        """The index's file, whether it exists or not."""
        return os.path.join(self.folder.path, FILE)

    @property
    def in_memory(self) -> bool:
        """Whether the index could not be kept in its file."""
        return self._in_memory

    # ------------------------------------------------------------------ opening, and what can go wrong

    def _do(self, run: Callable[[Database], T], refresh: bool = False) -> T:
        """Return what *run* makes of the database, whatever has happened to its file.

        Raises:
            StorageError: SQLite can't even work in memory.
        """
        import sqlite3

        from ledgit.store.index_codec import CodecError
        from ledgit.store.index_database import ColumnsChanged

        if self._pid not in (0, os.getpid()):
            self._leave_to_parent()
        with self._lock:
            attempt = 0
            while True:
                try:
                    database = self._opened()
                    if refresh or not self._fresh:
                        self._refresh(database)
                    database.notice_changes()
                    return run(database)
                except ColumnsChanged:
                    continue  # another process added some, or we did ourselves
                except (sqlite3.Error, CodecError) as error:
                    if attempt == 2 and isinstance(error, sqlite3.Error):
                        raise StorageError(f"the index {self.path}", str(error)) from error
                    if attempt == 2:
                        raise
                    self._start_over(error, attempt)
                    attempt += 1

    def close(self) -> None:
        """Close the file; the next question opens it again."""
        with self._lock:
            self._forget()

    def _opened(self) -> Database:
        if self._database is not None and self._database.path is None and not self._in_memory and self._worth_a_file():
            self._forget()  # the first run is there
        if self._database is None:
            from ledgit.store.index_database import Database

            self._pid = os.getpid()
            if self._in_memory or not self._worth_a_file():
                self._database = Database.in_memory(self._seed)
            else:
                self._database = Database.open(self.path)
            self._database.runs.complete = self._complete_states
            self._fresh = False
        return self._database

    def _worth_a_file(self) -> bool:
        """Whether there is anything to keep, and a folder to keep it in."""
        if os.path.exists(self.path):
            return True
        from ledgit.store.index_source import run_refs

        if not run_refs(self.repo):
            return False
        try:
            os.makedirs(self.folder.path, exist_ok=True)
        except OSError:
            self._in_memory = True
            return False
        return True

    def _start_over(self, error: Exception, attempt: int) -> None:
        """Make the file anew if it is damaged; if that is no help, or not the trouble, do without."""
        import sqlite3

        from ledgit.store.index_database import discard, is_damage

        self._forget()
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            self._in_memory = True
            # Somebody's read-only index is a good start; one that is being written is not.
            self._seed = self.path if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _READ_ONLY else None
        elif attempt == 0 and not self._in_memory:
            discard(self.path)
        else:
            self._in_memory, self._seed = True, None

    def _forget(self) -> None:
        database, self._database = self._database, None
        self._stamp, self._fresh = None, False
        self._live.forget()
        if database is not None:
            database.close()

    def _leave_to_parent(self) -> None:
        """In a forked child: keep the parent's connection, so that nothing closes it, and open our own."""
        _INHERITED.append(self._database)
        self._lock = RLock()
        self._database = None
        self._forget()

    # ------------------------------------------------------------------ bringing up to date

    def _refresh(self, database: Database) -> None:
        self._refresh_refs(database)
        self._live.refresh(database, new=not self._fresh)
        self._fresh = True

    def _refresh_refs(self, database: Database) -> None:
        from ledgit.git import stamp
        from ledgit.store.index_source import run_refs

        now = stamp(self.repo, "refs/ledgit/")
        mark = None if now is None else repr(now)
        if mark is not None and mark == self._stamp:
            return
        if mark is None or mark != database.meta("stamp"):
            generation = database.meta("generation")
            refs = run_refs(self.repo)
            if refs == dict(database.db.execute("SELECT name, oid FROM ref")):
                # Nothing of ours changed; note it if that is quick, so that the next process need not look.
                database.try_to_write(lambda: database.set_meta("stamp", mark))
            else:
                self._update(database, refs, generation, mark)
        self._stamp = mark
        rows = database.db.execute("SELECT label, name, deleted FROM experiment")
        self._experiments = {label: (name, bool(deleted)) for label, name, deleted in rows}
        renamed = any(label != name for label, (name, _) in self._experiments.items())
        for table in (database.runs, database.live):
            table.experiment_sql = _EXPERIMENT_SQL if renamed else None

    def _update(self, database: Database, refs: dict[str, str], generation: str | None, mark: str | None) -> None:
        from ledgit.git import BatchReader
        from ledgit.store.index_source import Missing, Source, run_refs

        for attempt in range(_ATTEMPTS):
            try:
                with database.writing(), BatchReader(self.repo) as reader, without_gc():
                    database.runs.forget()
                    if database.meta("generation") != generation or attempt:
                        # Another process was here since we listed the refs, or moved them and had what
                        # they pointed at removed: ours may be the older list.
                        refs, mark = run_refs(self.repo), None
                    Source(database, reader, refs, self.progress, self.repo).update()
                    database.set_meta("generation", os.urandom(8).hex())
                    database.set_meta("stamp", mark)
                return
            except Missing as missing:
                if attempt + 1 == _ATTEMPTS:
                    reason = f"object {missing} of the ledger is not in this clone; 'ledgit pull' brings it again"
                    raise RecordError("refs/ledgit/ledger", reason) from None

    def _complete_states(self, short: list[tuple[int, RunState, bytes]]) -> None:
        """Read what lines had no room for into some runs that are to be shown."""
        from ledgit.git import BatchReader
        from ledgit.store.index_complete import complete_states

        assert self._database is not None
        with BatchReader(self.repo) as reader:
            complete_states(self._database, reader, short)


class without_gc:  # noqa: N801 - reads like contextlib's
    """A block in which thousands of objects are made and none in a cycle: looking for such takes longer than all."""

    def __enter__(self) -> None:
        import gc

        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            import gc

            gc.enable()
