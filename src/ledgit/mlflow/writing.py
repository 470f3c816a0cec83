"""Runs that this process writes through MLflow: each call is a record in the run's journal, and none a commit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import RunNotFound, RunStateError
from ledgit.store import ActiveRun
from ledgit.store.journal import now_ms

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.store import RunStart

__all__ = ["Writers"]


class Writers:
    """The runs that this process has open, by id; the tracking store's and the artifact repository's.

    Args:
        repository: Whose runs they are.
    """

    _all: dict[str, Writers] = {}  # noqa: RUF012 - one for all stores of a repository in this process

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.open: dict[str, ActiveRun] = {}
        self.deleted: set[str] = set()

    @classmethod
    def of(cls, path: str) -> Writers:
        """Return the one of the repository at *path*."""
        found = cls._all.get(path)
        if found is None:
            from ledgit.repository import open_repository

            found = cls._all[path] = cls(open_repository(path))
        return found

    def start(self, start: RunStart) -> ActiveRun:
        """Start a run; a detached one is left to whoever joins it."""
        run = ActiveRun.create(self.repository.repo, start)
        if start.detached:
            run.detach()
        else:
            self.open[run.id] = run
        return run

    def writer(self, run_id: str) -> ActiveRun | None:
        """Return what writes into a run that this process has open, and nobody here has marked as deleted."""
        here = self.open.get(run_id)
        return here if here is not None and not here.ended and run_id not in self.deleted else None

    def finish(self, here: ActiveRun, status: str, end_time: int | None) -> int:
        """End a run that this process has open; return its end."""
        end = now_ms() if end_time is None else end_time
        del self.open[here.id]
        here.finish(status, end_time=end)
        return end

    @contextlib.contextmanager
    def writing(self, known: Run) -> Iterator[ActiveRun]:
        """Give what writes into a run. One that has ended is resumed, and ends again as and when it had."""
        here = self.open.get(known.id)
        if here is not None and not here.ended:
            yield here
            return
        if known.status == "RUNNING":
            try:
                joined = ActiveRun.join(self.repository.repo, known.id)
            except (RunNotFound, RunStateError):
                known = self.repository.run(known.id)  # it has ended meanwhile
            else:
                try:
                    yield joined
                finally:
                    joined.detach()
                return
        resumed = ActiveRun.resume(self.repository.repo, known.id, known.heads)
        try:
            yield resumed
        finally:
            resumed.finish(known.status, end_time=known.end)

    def mark(self, known: Run, *, deleted: bool) -> None:
        """Mark a run that is being written as deleted, or take the mark back."""
        with self.writing(known) as writer:
            writer.set_field("deleted", deleted)
        (self.deleted.add if deleted else self.deleted.discard)(known.id)

    def end(self, known: Run, status: str, end_time: int | None) -> None:
        """End a run, or give one that has ended another status and time."""
        here = self.open.pop(known.id, None)
        if here is not None and not here.ended:
            here.finish(status, end_time=end_time)
        elif known.status == "RUNNING":
            ActiveRun.join(self.repository.repo, known.id).end_detached(status, end_time)
        elif (known.status, known.end) != (status, end_time):
            ActiveRun.resume(self.repository.repo, known.id, known.heads).finish(status, end_time=end_time)

    def resume(self, known: Run) -> None:
        """Let a run go on that has ended, as ``mlflow.start_run(run_id=…)`` does."""
        if known.id not in self.open and known.status != "RUNNING":
            self.open[known.id] = ActiveRun.resume(self.repository.repo, known.id, known.heads)
