"""The object API: a repository, its runs, its experiments.

::

    import ledgit

    repository = ledgit.open()
    best = repository.runs.filter("metrics.accuracy > 0.9").sort("-metrics.accuracy").first()
    repository.run("calm-owl-417").history("loss").values
"""

from __future__ import annotations

import os

from ledgit.artifact_upkeep import ArtifactUpkeep
from ledgit.cleaning import Cleaning
from ledgit.errors import Ambiguous, GitFailed, NotHere, RunNotFound
from ledgit.experiments import Experiments
from ledgit.git import Repo
from ledgit.registering import Registering
from ledgit.run import LogEntry, Run
from ledgit.run_artifacts import RunArtifacts
from ledgit.run_editing import RunEditing
from ledgit.runset import RunSet
from ledgit.sharing import Sharing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.query import Query
    from ledgit.records.state import RunState
    from ledgit.store import ActiveRun, Bulk, RunStart
    from ledgit.store.export import Exported, Imported

    Progress = Callable[[str, int, int | None], None]

__all__ = ["LogEntry", "Repository", "Run", "RunSet", "open_repository"]


def open_repository(path: str | os.PathLike[str] | None = None) -> Repository:
    """Open the repository around *path* (default: the current folder).

    Raises:
        NotARepository: There is none.
        UnsupportedRepository: Its format is one that Ledgit can't use.
    """
    return Repository(Repo.discover(None if path is None else os.fspath(path)))


open = open_repository  # noqa: A001 - the public face says ledgit.open()


class Repository(RunArtifacts, RunEditing, Experiments, Registering, Sharing, ArtifactUpkeep, Cleaning):
    """A Git repository with runs in it. Opening reads nothing; every question refreshes the index."""

    # ------------------------------------------------------------------ runs

    @property
    def runs(self) -> RunSet:
        """All runs that are not deleted, newest first."""
        return RunSet(self)

    def search(self, query: Query) -> list[Run]:
        """Return the runs that match *query*."""
        self._refresh()
        return [Run(self, state) for state in self.index.search(query).runs]

    def run(self, ref: str) -> Run:
        """Return the run that *ref* names: id, name, unique id prefix, or Git revision.

        Raises:
            RunNotFound: No run matches.
            Ambiguous: Several do.
        """
        self._refresh()
        found = self.index.resolve(ref)
        if not found:
            found = self._by_revision(ref)
        if len(found) > 1:
            living = [state for state in found if not state.deleted]
            found = living if len(living) == 1 else found
        if not found:
            from difflib import get_close_matches

            near = get_close_matches(ref, self.index.names(), 3, 0.75)
            raise RunNotFound(ref, near)
        if len(found) > 1:
            raise Ambiguous(ref, [f"{state.id[:8]}  {state.name}  ({state.experiment})" for state in found])
        return Run(self, found[0])

    def _by_revision(self, ref: str) -> list[RunState]:
        from ledgit.git import run_git

        if not ref or ref.startswith("-"):
            return []
        try:
            said = run_git(self.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except GitFailed:
            return []
        oid = said.decode("ascii", "replace").strip()
        message = self.objects.commit(oid).message
        for line in reversed(message.splitlines()):  # metrics stand above, and may have any name
            if line.startswith("Ledgit-Run: "):
                state = self.index.get(line[12:].strip())
                return [state] if state is not None else []
        from ledgit.query import Query

        quoted = f"attributes.commit = '{oid}'"
        return list(self.index.search(Query(filter=quoted)).runs)

    # ------------------------------------------------------------------ runs as files

    def export_runs(
        self, runs: Iterable[Run], target: str, *, fetch: bool = False, progress: Progress | None = None
    ) -> Exported:
        """Write runs as plain files.

        Args:
            runs: The runs; each must have ended.
            target: A folder (made if need be), or a file whose name ends in ``.tar``, ``.tar.gz`` or ``.tgz``.
            fetch: Large artifacts and long histories that are not in this clone come from the artifact remote.
            progress: Is told (what, done, total or None) of that.

        Returns:
            What was written, and what is missing in it: of that the export has pointers alone.

        Raises:
            RunStateError: A run is active.
            NotHere: A run's commit is not in this clone, and was not to be fetched (:attr:`fetch_missing`).
            UsageError: The tar file is there already.
            StorageError: The target can't be written.
        """
        from ledgit.store.export import export_runs

        runs = list(runs)
        self.fetch_wanted(runs)
        for run in runs:
            if self._missing(run.heads):
                raise NotHere(f"the commit of run {run.name}", run.id[:8])
        heads = {run.id: run.heads for run in runs}
        return export_runs(self.repo, self.folder, heads, target, fetch=fetch, progress=progress)

    def import_runs(self, source: str, *, new_ids: bool = False) -> Imported:
        """Read runs from files that :meth:`export_runs` wrote; those that are here already stay as they are.

        Args:
            source: A folder or tar file, or one run's folder in it.
            new_ids: Give runs that were purged here new ids; else they are refused.

        Raises:
            UsageError: It holds no run.
            RecordError, UnsafePath: A file is not what it must be; nothing of that run is stored.
            RunPurged: Runs were purged here.
        """
        from ledgit.store.export import import_runs

        self._refresh()
        index = self.index
        return import_runs(
            self.repo,
            self.folder,
            source,
            lambda run_id: index.get(run_id) is not None,
            index.is_purged,
            new_ids=new_ids,
        )

    def bulk(self) -> Bulk:
        """Store many finished runs at once: packs of a thousand, straight into the clone's ledger.

        ::

            with repository.bulk() as bulk:
                for record in records:
                    bulk.add(record)
        """
        from ledgit.store import Bulk

        return Bulk(self.repo, self.folder)

    # ------------------------------------------------------------------ writing runs

    def start_run(self, start: RunStart) -> ActiveRun:
        """Open a new run."""
        from ledgit.store import ActiveRun

        return ActiveRun.create(self.repo, start)
