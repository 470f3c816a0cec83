"""From another tracker's store to runs: each once, with the id, times and user it had, and counts that add up."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

from ledgit.errors import ExperimentExists, LedgitError, UsageError
from ledgit.importing.counting import Counting
from ledgit.importing.found import LOGGED, FoundExperiment, FoundLogged, FoundRun, Source
from ledgit.importing.making import Making, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.repository import Repository
    from ledgit.store import Bulk

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Brought", "bring", "bring_mlflow", "open_mlflow"]


@dataclass(slots=True)
class Brought:
    """What was brought along.

    Attributes:
        found: Runs that the store has.
        imported: Ids of those that are new here.
        known: Ids of those that were here already.
        purged: Ids of those that were purged here, and stay so.
        params: Values stored, of the imported runs.
        points: Points of metrics.
        tags: Tags there were; those that are fields of ours count.
        files: Artifacts stored.
        bytes: Their size.
        experiments: Experiments made.
        logged: Logged models of MLflow 3 that came with the imported runs.
        models: Registered models that are here now and were not.
        versions: Their versions, likewise: ``name@v1.0.0``.
        versions_known: Versions that were here already.
        counts: Kind → (in the store, here), of all its runs that are here: counted there, and again in the
            ledger after all was stored.
        missing: What the second count found less of: (run, kind, in the store, here). Empty: nothing was dropped.
        elsewhere: Runs whose artifacts are not on this machine: id → where they are.
        left: What of the store is not brought along, a sentence each.
        failed: Runs and versions that could not be stored: id → why.
        changed: Names that could not stay as they were: (run, old, new).
    """

    found: int = 0
    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    params: int = 0
    points: int = 0
    tags: int = 0
    files: int = 0
    bytes: int = 0
    experiments: int = 0
    logged: int = 0
    models: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    versions_known: list[str] = field(default_factory=list)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    missing: list[tuple[str, str, int, int]] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    changed: list[tuple[str, str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def bring_mlflow(
    repository: Repository,
    path: str,
    progress: Progress | None = None,
    *,
    parent_run: str | None = None,
    login: tuple[str, str] = ("", ""),
) -> Brought:
    """Bring an MLflow store along: runs and the registry; what is here already stays as it is.

    Args:
        repository: Where they go: the clone's ledger, a thousand a pack. Interrupted, it can be repeated.
        path: An ``mlruns`` folder, a folder with one, an SQLite file, ``sqlite:///`` and its path, any other
            database's address (through SQLAlchemy), or a server's: ``https://…``.
        progress: Is told (what, done, total).
        parent_run: The run whose children those become that have no parent.
        login: User and password for a server; with an empty user the second is a token.

    Raises:
        UsageError: There is no store there.
        RecordError: A file of the store does not decode; runs before it are stored.
        Unreachable, AccessDenied, RemoteError: The server does not answer, or not this caller.
        StorageError: The disk refused.
    """
    return bring(repository, open_mlflow(path, login), progress, parent_run=parent_run)


def bring(
    repository: Repository, source: Source, progress: Progress | None = None, *, parent_run: str | None = None
) -> Brought:
    """Bring the runs of an opened store along, and close it; errors and arguments as of :func:`bring_mlflow`."""
    bringing = _Bringing(repository, source, progress, parent_run)
    try:
        return bringing.run()
    finally:
        bringing.making.close()
        source.close()


def open_mlflow(path: str, login: tuple[str, str] = ("", "")) -> Source:
    """Open what *path* names, as :func:`bring_mlflow` has it."""
    if path.startswith(("http://", "https://")):
        from ledgit.importing.mlflow_rest import RestSource

        return RestSource(path, login)
    from ledgit.importing.mlflow_files import FilesSource
    from ledgit.importing.mlflow_sql import SqlSource

    path = path.removeprefix("file://")
    if "://" not in path and os.path.isdir(path):
        return FilesSource(path)
    if path.startswith(("databricks:", "databricks-uc:", "ledgit:")):
        raise UsageError(f"{path} can't be imported; name a folder, a database or a server")
    return SqlSource(path)


class _Bringing:
    def __init__(
        self, repository: Repository, source: Source, progress: Progress | None, parent_run: str | None
    ) -> None:
        self.repository, self.source, self.progress = repository, source, progress
        self.done = done = Brought(left=source.left())
        self.making = Making(
            repository, parent_run, lambda *change: done.changed.append(change), elsewhere=done.elsewhere
        )
        self.counting = Counting(repository, source)

    def run(self) -> Brought:
        done, repository = self.done, self.repository
        repository.index.refresh()
        experiments = self.source.experiments()
        self.making.experiments = {one.name: self.making.experiment_name(one.name) for one in experiments}
        for experiment in experiments:
            self._experiment(experiment)
        total = self.source.count()
        logged: dict[str, list[FoundLogged]] = {}
        for one in self.source.logged():
            logged.setdefault(one.run or one.id, []).append(one)
        with repository.bulk() as bulk:
            for run in self.source.runs():
                done.found += 1
                self._tell("importing", done.found, total or None)
                self.counting.saw(run)
                self._take(bulk, run, logged.pop(run.id, []))
            for alone in [one for several in logged.values() for one in several]:
                # Nobody logged it, or a run that is gone: it is a run of its own.
                run = FoundRun(
                    alone.id,
                    alone.experiment,
                    alone.name,
                    start=alone.about.get("created"),
                    end=alone.about.get("updated"),
                    deleted=bool(alone.about.get("deleted")),
                    tags={"ledgit.import.logged_model": alone.id},
                )
                self._take(bulk, run, [alone], counted=False)
        done.found = max(done.found, total)
        self._register()
        done.counts, done.missing = self.counting.compare(lambda at, of: self._tell("counting again", at, of))
        return done

    def _tell(self, what: str, at: int, of: int | None) -> None:
        if self.progress is not None:
            self.progress(what, at, of)

    def _take(self, bulk: Bulk, run: FoundRun, logged: list[FoundLogged], *, counted: bool = True) -> None:
        done, index = self.done, self.repository.index
        if index.get(run.id) is not None:
            if counted:
                done.known.append(run.id)
                self.counting.expect(run, logged)
        elif index.is_purged(run.id):
            done.purged.append(run.id)
        elif self._store(bulk, run, logged) and counted:
            self.counting.expect(run, logged)

    def _store(self, bulk: Bulk, run: FoundRun, logged: list[FoundLogged]) -> bool:
        done = self.done
        if run.problem:
            done.failed[run.id] = run.problem
            return False
        try:
            self.source.complete(run)
            for one in logged:
                _beside(run, one)
            record, contents = self.making.record(run)
            bulk.add(record, contents, author=(run.user, ""))
        except LedgitError as error:
            done.failed[run.id] = str(error)
            return False
        except OSError as error:  # a file of the run that can't be read
            done.failed[run.id] = f"{error.filename or 'a file'}: {error.strerror or error}"
            return False
        done.imported.append(run.id)
        done.params += len(run.params)
        done.points += sum(map(len, run.points.values()))
        done.tags += len(run.tags)
        done.files += len(record.artifacts)
        done.bytes += sum(one.size for one in record.artifacts)
        done.logged += len(logged)
        return True

    def _register(self) -> None:
        from ledgit.importing.models import bring_models

        models = self.source.models()
        if models:
            bring_models(self.repository, models, self.done, self.making, self._tell)

    def _experiment(self, one: FoundExperiment) -> None:
        """Make the experiment what it was there; one that is here already keeps what it has."""
        name = self.making.experiments[one.name]
        try:
            self.repository.create_experiment(name, one.tags)
            self.done.experiments += 1
            if one.deleted:
                self.repository.delete_experiment(name)
        except ExperimentExists:
            pass


def _beside(run: FoundRun, one: FoundLogged) -> None:
    """Put a logged model's files and facts among the artifacts of its run."""
    from ledgit.importing.places import shown

    taken = {path.partition("/")[0] for path in run.more}
    taken |= set(os.listdir(run.artifacts)) if run.artifacts else set()
    place = "".join(char if char.isalnum() or char in "-_." else "-" for char in one.name).strip("-.") or "model"
    if place in taken or place == LOGGED:
        place = f"{place}-{one.id.removeprefix('m-')[:8]}"
    files = dict(walk(one.folder))
    for path, source in files.items():
        run.more[f"{place}/{path}"] = source
    about = {
        "model_id": one.id,
        "name": one.name,
        "path": place if files else None,
        "source_run": one.run or None,
        "location": shown(one.uri),
        **one.about,
    }
    text = json.dumps(about, indent=1, sort_keys=True, default=str)
    run.more[f"{LOGGED}/{one.id}.json"] = (text + "\n").encode("utf-8", "backslashreplace")
