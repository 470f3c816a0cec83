"""Reading all of one run: its record, histories, artifacts and audit trail."""

from __future__ import annotations

import os

from ledgit.errors import NoRemote, NotFound, NotHere, RunNotFound
from ledgit.opened import Opened
from ledgit.run import LogEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from ledgit.git import Repo
    from ledgit.records.history import Points
    from ledgit.records.record import RunRecord
    from ledgit.records.state import RunState
    from ledgit.run import Run

    Progress = Callable[[str, int, int | None], None]
    T = TypeVar("T")

__all__ = ["RunReading"]

#: Runs whose commits stay decoded: comparing and browsing come back to the same few.
_KEPT_RECORDS = 32
#: Commits of a run that are fetched for its log, the newest.
_LOGGED = 50


class RunReading(Opened):
    """The verbs of a repository that read one run whole."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo)
        self._commits: dict[tuple[str, ...], RunRecord] = {}

    def read_record(self, state: RunState) -> RunRecord:
        """Return everything the run *state* holds, from its commit, its journal, or both."""
        from ledgit.store.reading import read_record

        if not state.heads or state.status == "RUNNING" or os.path.isdir(self.folder.active_dir(state.id)):
            return self._read(state, lambda now: read_record(self.folder, self.objects, now))
        record = self._commits.get(state.heads)
        if record is None:
            record = self._read(state, lambda now: read_record(self.folder, self.objects, now))
            if len(self._commits) >= _KEPT_RECORDS:
                self._commits.clear()
            self._commits[state.heads] = record  # commits never change
        return record

    def read_history(
        self, state: RunState, metric: str, fetch: Callable[[Sequence[str]], None] | None = None
    ) -> Points | None:
        """Return the points of *metric* of a run, or None if it has none.

        Args:
            state: The run.
            metric: Its metric.
            fetch: Brings objects with all points into the cache, where the run's tree has a reduction.
        """
        from ledgit.store.reading import read_history

        return self._read(state, lambda now: read_history(self.folder, self.objects, now, metric, fetch))

    def _read(self, state: RunState, read: Callable[[RunState], T]) -> T:
        """Return what *read* makes of a run, also if it became a commit since *state* was read.

        Raises:
            NotHere: This clone has the tip of the ledger alone, and the run's commit is not to be
                fetched (:attr:`fetch_missing`), or can't be.
        """
        try:
            return read(state)
        except RunNotFound:
            self._refresh()
            now = self.index.get(state.id)
            if now is None or now.heads == state.heads:
                raise
            return read(now)
        except NotFound as error:
            if type(error) is not NotFound or not self._missing(state.heads):
                raise
            if not (self.fetch_missing and self._fetch(state.heads)):
                raise NotHere(f"the commit of run {state.name}", state.id[:8]) from error
            return read(state)

    def fetch_runs(self, runs: Iterable[Run], progress: Progress | None = None) -> list[str]:
        """Get the newest commits of *runs* that are not in this clone, over one connection.

        Args:
            runs: The runs.
            progress: Is told (what, done, total or None).

        Returns:
            The commits that were fetched.

        Raises:
            NotHere: The remote has one of them no more.
            NoRemote, Unreachable, AccessDenied, RemoteError: The remote can't be used.
        """
        from ledgit.store.sync.ondemand import fetch_run

        absent = self._missing([head for run in runs for head in run.heads])
        return fetch_run(self.repo, self.folder, absent, progress=progress) if absent else []

    def fetch_wanted(self, runs: Iterable[Run]) -> None:
        """Get *runs* at once where reading them would get them one by one."""
        if self.fetch_missing:
            self.fetch_runs(runs)

    def _missing(self, heads: Sequence[str]) -> list[str]:
        from ledgit.store.sync.ondemand import missing_heads

        return missing_heads(self.repo, heads)

    def _fetch(self, heads: Sequence[str], commits: int = 1) -> bool:
        """Get those of *heads* that are not in this clone; return whether any came."""
        from ledgit.store.sync.ondemand import fetch_run

        absent = self._missing(heads)
        try:
            return bool(absent) and bool(fetch_run(self.repo, self.folder, absent, commits=commits))
        except NoRemote:
            return False

    def read_log(self, state: RunState) -> list[LogEntry]:
        """Return the commits of a run, of all its heads, newest first; older ones that are not here are left out.

        Raises:
            NotHere: As for :meth:`read_record`: not even the newest one is here.
        """
        from ledgit.store.chain import run_commits

        if self._missing(state.heads) and not (self.fetch_missing and self._fetch(state.heads, _LOGGED)):
            raise NotHere(f"the commit of run {state.name}", state.id[:8])
        entries = []
        for commit in run_commits(self.objects, state.heads, state.id):
            lines = commit.message.splitlines()
            changes = tuple(line for line in lines[1:] if line and not line.startswith("Ledgit-"))
            name, address, _, _ = commit.author
            when = commit.committer[2] * 1000
            entries.append(LogEntry(commit.oid, when, f"{name} <{address}>", lines[0] if lines else "", changes))
        return entries
