"""An opened repository: what every group of verbs of the object API stands on."""

from __future__ import annotations

import os

from ledgit.store import Folder

TYPE_CHECKING = False  # set_experiment opens one before a training's first step: each import counts
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Objects, Repo
    from ledgit.store import ExperimentRecord, Index, Recovered

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Opened"]


class Opened:
    """A Git repository with runs in it. Opening reads nothing.

    Attributes:
        repo: The Git repository.
        folder: Ledgit's folder in it.
        fetch_missing: In a clone that has the ledger's tip alone, reading more of a run than its line
            says fetches the run's commit. Off by default: then it raises NotHere, because only what
            was asked for uses the network. :meth:`~ledgit.run_reading.RunReading.fetch_runs` gets many
            at once.
        progress: Called as ``(what, done, total)`` while the index is made anew or reads much.
    """

    fetch_missing = False
    progress: Progress | None = None

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.folder = Folder.of(repo)
        self._index: Index | None = None
        self._records: dict[str, ExperimentRecord] | None = None

    def __repr__(self) -> str:
        return f"<Repository {self.repo.work_tree or self.repo.git_dir}>"

    @property
    def path(self) -> str:
        """The work tree, or the Git directory of a bare repository."""
        return self.repo.work_tree or self.repo.git_dir

    @property
    def index(self) -> Index:
        """The index, opened with the first question."""
        if self._index is None:
            from ledgit.store import Index  # with SQLite: what only logs does without

            self._index = Index(self.repo, self.folder)
            self._index.progress = self.progress
        return self._index

    @property
    def objects(self) -> Objects:
        """The repository's objects, for reading."""
        from ledgit.git import Objects

        return Objects.of(self.repo)

    def refresh(self) -> None:
        """See what other processes did; every verb does so, but :attr:`index` when it is asked itself."""
        self._refresh()

    def _refresh(self) -> None:
        self._records = None
        self.index.refresh()

    def recover(self, force: tuple[str, ...] = ()) -> Recovered:
        """Finalize the runs whose processes died; commands that write call this first."""
        folder = self.folder
        if _has_entries(folder.going):
            self._finish_going()
        if _has_entries(folder.work):
            from ledgit.store.work import remove_dead_work

            remove_dead_work(self.repo, folder)
        if not any(map(_has_entries, (folder.active, folder.settling, folder.trash, folder.scratch))):
            from ledgit.git import release_leftovers, remove_left_lock
            from ledgit.store.recovered import Recovered

            release_leftovers(self.repo)
            remove_left_lock(self.repo)
            return Recovered()
        from ledgit.store import recover

        return recover(self.repo, self.folder, force=force)

    def _finish_going(self) -> None:
        """Clean up after a pull or purge that was killed, unless one is at work."""
        from ledgit.errors import Conflict
        from ledgit.store.ledger import finish_going
        from ledgit.store.sync.opening import SyncLock

        try:
            with SyncLock(self.folder, wait=0.0):
                finish_going(self.repo, self.folder)
        except Conflict:
            return


def _has_entries(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
