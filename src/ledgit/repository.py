"""The object API: a repository, its runs, its experiments.

::

    import ledgit

    repository = ledgit.open()
    best = repository.runs.filter("metrics.accuracy > 0.9").sort("-metrics.accuracy").first()
    repository.run("calm-owl-417").history("loss").values
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import (
    Ambiguous,
    ExperimentExists,
    ExperimentNotFound,
    GitFailed,
    NotFound,
    RunNotFound,
    RunStateError,
)
from ledgit.git import Repo
from ledgit.query import Query
from ledgit.run import LogEntry, Run
from ledgit.runset import RunSet
from ledgit.store import Folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, TypeVar

    from ledgit.git import Objects
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.records.history import Points
    from ledgit.records.record import RunRecord
    from ledgit.records.state import RunState
    from ledgit.store import ActiveRun, Edit, ExperimentRecord, Index, Recovered, RunStart

    T = TypeVar("T")

__all__ = ["Experiment", "LogEntry", "Repository", "Run", "RunSet", "open_repository"]


#: Runs whose commits stay decoded: comparing and browsing come back to the same few.
_KEPT_RECORDS = 32
#: Seconds that an edit waits for another process which is turning the run into a commit.
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs.

    Attributes:
        id: '0' for Default, else 16 hex digits made from the label.
        name: The name people see.
        label: The name runs carry; differs from *name* after a rename.
        tags: The experiment's tags.
        deleted: Marked as deleted; its runs count as deleted too.
        runs: How many runs it has, deleted ones left out; what ``set_experiment`` returns counts none.
        created: First run's start or the record's creation, ms since the epoch.
        updated: Newest run's start, ms since the epoch.
    """

    id: str
    name: str
    label: str
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    runs: int = 0
    created: int = 0
    updated: int = 0

    @property
    def experiment_id(self) -> str:
        """MLflow's name of :attr:`id`."""
        return self.id

    @property
    def lifecycle_stage(self) -> str:
        """``active`` or ``deleted``, as MLflow says it."""
        return "deleted" if self.deleted else "active"

    @property
    def creation_time(self) -> int:
        """MLflow's name of :attr:`created`."""
        return self.created

    @property
    def last_update_time(self) -> int:
        """MLflow's name for the newest run's start, or the record's creation."""
        return max(self.updated, self.created)

    @property
    def artifact_location(self) -> str:
        """Where MLflow would keep artifacts: each run has its own here, so it is ``runs:/`` for all."""
        return "runs:/"


def open_repository(path: str | os.PathLike[str] | None = None) -> Repository:
    """Open the repository around *path* (default: the current folder).

    Raises:
        NotARepository: There is none.
        UnsupportedRepository: Its format is one that Ledgit can't use.
    """
    return Repository(Repo.discover(None if path is None else os.fspath(path)))


open = open_repository  # noqa: A001 - the public face says ledgit.open()


class Repository:
    """A Git repository with runs in it. Opening reads nothing; every question refreshes the index."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.folder = Folder.of(repo)
        self._index: Index | None = None
        self._records: dict[str, ExperimentRecord] | None = None
        self._commits: dict[str, RunRecord] = {}

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
        return self._index

    @property
    def objects(self) -> Objects:
        """The repository's objects, for reading."""
        from ledgit.git import Objects

        return Objects.of(self.repo)

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
        quoted = f"attributes.commit = '{oid}'"
        return list(self.index.search(Query(filter=quoted)).runs)

    def _refresh(self) -> None:
        self._records = None
        self.index.refresh()

    # ------------------------------------------------------------------ reading one run

    def read_record(self, state: RunState) -> RunRecord:
        """Return everything the run *state* holds, from its commit, its journal, or both."""
        from ledgit.store.reading import read_record

        active = state.status == "RUNNING" or os.path.isdir(self.folder.active_dir(state.id))
        if active or len(state.heads) != 1:
            return self._read(state, lambda now: read_record(self.folder, self.objects, now))
        head = state.heads[0]
        record = self._commits.get(head)
        if record is None:
            record = read_record(self.folder, self.objects, state)
            if len(self._commits) >= _KEPT_RECORDS:
                self._commits.clear()
            self._commits[head] = record  # a commit never changes
        return record

    def read_history(self, state: RunState, metric: str) -> Points | None:
        """Return the points of *metric* of a run, or None if it has none."""
        from ledgit.store.reading import read_history

        return self._read(state, lambda now: read_history(self.folder, self.objects, now, metric))

    def open_artifact(self, state: RunState, record: ArtifactRecord) -> BinaryIO:
        """Open an artifact of the run *state* for reading; close it.

        Raises:
            ArtifactNotFound: It is not in this clone.
        """
        from ledgit.store.reading import open_artifact

        return self._read(state, lambda now: open_artifact(self.folder, self.objects, now, record))

    def _read(self, state: RunState, read: Callable[[RunState], T]) -> T:
        """Return what *read* makes of a run, also if it became a commit since *state* was read."""
        try:
            return read(state)
        except RunNotFound:
            self._refresh()
            now = self.index.get(state.id)
            if now is None or now.heads == state.heads:
                raise
            return read(now)

    def read_log(self, state: RunState) -> list[LogEntry]:
        """Return the commits of a run, newest first."""
        entries = []
        seen = set()
        todo = list(state.heads)
        while todo:
            oid = todo.pop(0)
            if oid in seen:
                continue
            seen.add(oid)
            try:
                commit = self.objects.commit(oid)
            except NotFound:
                continue
            lines = commit.message.splitlines()
            if f"Ledgit-Run: {state.id}" not in lines:
                continue  # the code commit below the run
            changes = tuple(line for line in lines[1:] if line and not line.startswith("Ledgit-"))
            name, address, seconds, _ = commit.author
            entries.append(LogEntry(oid, seconds * 1000, f"{name} <{address}>", lines[0] if lines else "", changes))
            todo.extend(commit.parents)
        return entries

    def edit(self, state: RunState, edit: Edit) -> RunState:
        """Apply *edit* to a run, finished or active, and return it as it is now."""
        from ledgit.store import edit_run

        if not state.heads or os.path.isdir(self.folder.active_dir(state.id)):
            found = self._edit_journal(state, edit)
            if found is not None:
                return found
        edit_run(self.repo, self.folder, state.id, edit)
        self._refresh()
        found = self.index.get(state.id)
        if found is None:
            raise RunNotFound(state.id)
        return found

    def _edit_journal(self, state: RunState, edit: Edit) -> RunState | None:
        """Edit a run that is active or was so a moment ago; None if it is a commit by now.

        Also a resumed one: what its session said before would else win over the edit when it ends.
        """
        import time

        from ledgit.store import finalize

        deadline = time.monotonic() + _PATIENCE
        while True:
            self._refresh()
            now = self.index.get(state.id)
            if now is not None and now.heads and not os.path.isdir(self.folder.active_dir(state.id)):
                return None
            try:
                if now is not None and now.status == "RUNNING":
                    return self._edit_active(now, edit)
                finalize(self.repo, self.folder, state.id)
            except (RunNotFound, RunStateError):  # another process ends it at this moment
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)

    def _edit_active(self, state: RunState, edit: Edit) -> RunState:
        """Write an edit of a run that another process is writing into a part of our own."""
        from ledgit.store import ActiveRun

        run = ActiveRun.join(self.repo, state.id)
        try:
            if edit.set_tags:
                run.set_tags(edit.set_tags)
            for key in edit.delete_tags:
                run.delete_tag(key)
            for name in ("name", "experiment", "deleted"):
                value = getattr(edit, name)
                if value is not None:
                    run.set_field(name, value)
        finally:
            run.detach()
        self._refresh()
        return self.index.get(state.id) or state

    # ------------------------------------------------------------------ writing runs

    def start_run(self, start: RunStart) -> ActiveRun:
        """Open a new run."""
        from ledgit.store import ActiveRun

        return ActiveRun.create(self.repo, start)

    def recover(self, force: tuple[str, ...] = ()) -> Recovered:
        """Finalize the runs whose processes died; commands that write call this first."""
        from ledgit.store import active_ids, recover

        places = (self.folder.trash, self.folder.settling)
        if not active_ids(self.folder) and not any(map(os.path.isdir, places)):
            from ledgit.store import Recovered

            return Recovered()
        return recover(self.repo, self.folder, force=force)

    # ------------------------------------------------------------------ experiments

    def _experiment_records(self) -> dict[str, ExperimentRecord]:
        if self._records is None:
            from ledgit.store import read_experiments

            self._records = read_experiments(self.repo)
        return self._records

    def experiment_name(self, label: str) -> str:
        """Return the name that people see for the experiment *label*."""
        record = self._experiment_records().get(label)
        return label if record is None else record.name

    def experiment_deleted(self, label: str) -> bool:
        """Whether the experiment *label* is marked as deleted."""
        record = self._experiment_records().get(label)
        return record is not None and record.deleted

    def experiments(self, view: str = "active") -> list[Experiment]:
        """Return the experiments, those with the newest runs first.

        Args:
            view: ``"active"``, ``"deleted"`` or ``"all"``.
        """
        from ledgit.store import experiment_id

        self._refresh()
        records = self._experiment_records()
        counts: dict[str, Any] = {item.label: item for item in self.index.experiments()}
        found = []
        for label in {"Default", *records, *counts}:
            record, count = records.get(label), counts.get(label)
            experiment = Experiment(
                id=experiment_id(label),
                name=record.name if record else label,
                label=label,
                tags=record.tags if record else {},
                deleted=record.deleted if record else False,
                runs=count.runs if count else 0,
                created=int(record.values.get("created", 0)) if record else (count.first if count else 0),
                updated=count.last if count else 0,
            )
            if view == "all" or experiment.deleted == (view == "deleted"):
                found.append(experiment)
        found.sort(key=lambda experiment: (-max(experiment.updated, experiment.created), experiment.name))
        return found

    def experiment(self, name_or_id: str) -> Experiment:
        """Return the experiment with this name or id, deleted ones included.

        Raises:
            ExperimentNotFound: There is none.
        """
        everything = self.experiments("all")
        for experiment in everything:
            if experiment.name == name_or_id:
                return experiment
        for experiment in everything:
            if name_or_id in (experiment.id, experiment.label):
                return experiment
        from difflib import get_close_matches

        near = get_close_matches(name_or_id, [item.name for item in everything], 3, 0.75)
        raise ExperimentNotFound(name_or_id, near)

    def known_experiment(self, name: str) -> Experiment | None:
        """Return what was said about the experiment *name*, without counting its runs.

        None if nothing was said: that is most experiments, which exist by their runs alone.
        Costs one git command at most, so that training can ask before its first run.
        """
        from ledgit.store import experiment_id

        self._records = None
        records = self._experiment_records()
        for label, record in records.items():
            if record.name == name or (label == name and record.name == label):
                created = int(record.values.get("created", 0))
                return Experiment(experiment_id(label), record.name, label, record.tags, record.deleted, 0, created)
        return None

    def create_experiment(self, name: str, tags: dict[str, str] | None = None) -> Experiment:
        """Record an experiment before its first run.

        Raises:
            ExperimentExists: There is one of this name, perhaps deleted.
        """
        try:
            old = self.experiment(name)
        except ExperimentNotFound:
            values: dict[str, Any] = {f"tags.{key}": str(value) for key, value in (tags or {}).items()}
            self._update_experiment(name, values)
            return self.experiment(name)
        state = "is deleted; restore it, or choose another name" if old.deleted else "exists already"
        raise ExperimentExists(f"experiment {name!r} {state}")

    def set_experiment_tags(self, name_or_id: str, tags: dict[str, str | None]) -> None:
        """Set an experiment's tags; None removes one."""
        label = self.experiment(name_or_id).label
        self._update_experiment(label, {f"tags.{key}": value for key, value in tags.items()})

    def delete_experiment(self, name_or_id: str) -> None:
        """Mark an experiment, and with it its runs, as deleted."""
        self._update_experiment(self.experiment(name_or_id).label, {"deleted": True})

    def restore_experiment(self, name_or_id: str) -> None:
        """Take the mark back."""
        self._update_experiment(self.experiment(name_or_id).label, {"deleted": False})

    def rename_experiment(self, name_or_id: str, name: str) -> None:
        """Show another name; runs keep their label, so nothing has to be rewritten.

        Raises:
            ExperimentExists: Another experiment has that name.
        """
        from ledgit.store import check_experiment

        check_experiment(name)
        experiment = self.experiment(name_or_id)
        if any(other.name == name and other.label != experiment.label for other in self.experiments("all")):
            raise ExperimentExists(f"experiment {name!r} exists already")
        self._update_experiment(experiment.label, {"name": name})

    def _update_experiment(self, label: str, values: dict[str, Any]) -> None:
        from ledgit.store import update_experiment

        update_experiment(self.repo, self.folder, label, values)
        self._records = None

    def ref_of(self, run_id: str) -> str:
        """Return the name of the ref that a finalized run has in this clone."""
        from ledgit.store import run_ref

        return run_ref(run_id)
