"""From another tracker's store to runs: each once, with the id, times and user it had, and a count that adds up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledgit.errors import ExperimentExists, InvalidName, LedgitError, UsageError
from ledgit.importing.found import FoundExperiment, FoundRun, Source
from ledgit.importing.places import never_made, shown
from ledgit.records import ArtifactRecord, InputRecord, Points, RunInfo, RunRecord, check_artifact_path, dvc_pointer
from ledgit.records.run import CodeInfo, is_commit_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.records import Scalar
    from ledgit.repository import Repository

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Brought", "bring_mlflow"]

_ENDED = ("FINISHED", "FAILED", "KILLED")
# What becomes a field of the run and would only be said twice.
_FIELDS = ("mlflow.runName", "mlflow.user", "mlflow.parentRunId")
_LONGEST_ID = 256


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
        elsewhere: Runs whose artifacts are not on this machine: id → where they are.
        left: What of the store is not brought along, a sentence each.
        failed: Runs that could not be stored: id → why.
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
    elsewhere: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    changed: list[tuple[str, str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "found": self.found,
            "imported": self.imported,
            "known": self.known,
            "purged": self.purged,
            "params": self.params,
            "points": self.points,
            "tags": self.tags,
            "files": self.files,
            "bytes": self.bytes,
            "experiments": self.experiments,
            "elsewhere": self.elsewhere,
            "left": self.left,
            "failed": self.failed,
            "changed": [list(one) for one in self.changed],
        }


def bring_mlflow(
    repository: Repository, path: str, progress: Progress | None = None, *, parent_run: str | None = None
) -> Brought:
    """Bring the runs of an MLflow store along; what is here already stays as it is.

    Args:
        repository: Where they go: the clone's ledger, a thousand a pack. Interrupted, it can be repeated.
        path: An ``mlruns`` folder, a folder with one, an SQLite file, or ``sqlite:///`` and its path.
        progress: Is told (what, done, total).
        parent_run: The run whose children those become that have no parent.

    Raises:
        UsageError: There is no store there.
        RecordError: A file of the store does not decode; runs before it are stored.
        StorageError: The disk refused.
    """
    source = _open(path)
    try:
        return _Bringing(repository, source, progress, parent_run).run()
    finally:
        source.close()


def _open(path: str) -> Source:
    from ledgit.importing.mlflow_files import FilesSource
    from ledgit.importing.mlflow_sqlite import SqliteSource

    if path.startswith("sqlite:"):
        rest = path.removeprefix("sqlite:").partition("?")[0]
        # sqlite:///relative, sqlite:////absolute: SQLAlchemy's way
        return SqliteSource(rest.removeprefix("///") if rest.startswith("///") else rest)
    if "://" in path and not path.startswith("file://"):
        raise UsageError(f"{path} is no folder or SQLite file; copy the store here, or point at its database")
    path = path.removeprefix("file://")
    return FilesSource(path) if os.path.isdir(path) else SqliteSource(path)


class _Bringing:
    def __init__(
        self, repository: Repository, source: Source, progress: Progress | None, parent_run: str | None
    ) -> None:
        self.repository, self.source, self.progress, self.parent_run = repository, source, progress, parent_run
        self.done = Brought(left=source.left())
        self._threshold = 0
        self._names: dict[str, str] = {}

    def run(self) -> Brought:
        from ledgit.store.artifacts.threshold import artifact_threshold

        done, repository = self.done, self.repository
        repository.index.refresh()
        self._threshold = artifact_threshold(repository.repo)
        experiments = self.source.experiments()
        self._names = {one.name: self._experiment_name(one.name) for one in experiments}
        for experiment in experiments:
            self._experiment(experiment)
        total = self.source.count()
        with repository.bulk() as bulk:
            for run in self.source.runs():
                done.found += 1
                if self.progress is not None:
                    self.progress("importing", done.found, total)
                if repository.index.get(run.id) is not None:
                    done.known.append(run.id)
                elif repository.index.is_purged(run.id):
                    done.purged.append(run.id)
                else:
                    self._store(bulk, run)
        return done

    def _store(self, bulk: object, run: FoundRun) -> None:
        from ledgit.store import Bulk

        assert isinstance(bulk, Bulk)
        done = self.done
        if run.problem:
            done.failed[run.id] = run.problem
            return
        try:
            record, contents = self._record(run)
            bulk.add(record, contents, author=(run.user, ""))
        except LedgitError as error:
            done.failed[run.id] = str(error)
            return
        except OSError as error:  # a file of the run that can't be read
            done.failed[run.id] = f"{error.filename or 'a file'}: {error.strerror or error}"
            return
        done.imported.append(run.id)
        done.params += len(run.params)
        done.points += sum(map(len, run.points.values()))
        done.tags += len(run.tags)
        done.files += len(record.artifacts)
        done.bytes += sum(one.size for one in record.artifacts)

    def _record(self, run: FoundRun) -> tuple[RunRecord, dict[str, bytes]]:
        if not run.id or len(run.id) > _LONGEST_ID:
            raise UsageError(f"run {run.id[:20]!r} has no id that can be kept")
        histories = {self._key(run, "metric", name): Points.of(rows) for name, rows in run.points.items() if rows}
        times = [when for rows in run.points.values() for _, when, _ in rows]
        start = run.start if run.start is not None else min(times, default=0)
        end = run.end if run.end is not None else max([start, *times])
        tags = {self._key(run, "tag", key): value for key, value in run.tags.items() if key not in _FIELDS}
        status = run.status
        if status not in _ENDED:
            # It had not ended when the store was left: nobody writes to it any more.
            tags["ledgit.import.status"], status = status, "KILLED"
        commit = tags.pop("mlflow.source.git.commit", "")
        if commit and not is_commit_id(commit):
            tags["mlflow.source.git.commit"], commit = commit, ""
        artifacts, contents = self._artifacts(run)
        if run.artifact_uri and not run.artifacts and not never_made(run.artifact_uri):
            tags["ledgit.import.artifacts"] = shown(run.artifact_uri)
            self.done.elsewhere[run.id] = shown(run.artifact_uri)
        info = RunInfo(
            id=run.id,
            name=self._run_name(run),
            experiment=self._names.get(run.experiment, run.experiment),
            status=status,
            start=start,
            end=max(start, end),
            user=run.user or run.tags.get("mlflow.user", ""),
            entry_point=run.tags.get("mlflow.project.entryPoint", ""),
            parent_run=run.tags.get("mlflow.parentRunId") or self.parent_run,
            source=run.tags.get("mlflow.source.name", ""),
            source_type=run.tags.get("mlflow.source.type", "") or "LOCAL",
            deleted=run.deleted,
            code=CodeInfo(commit=commit or None, branch=tags.pop("mlflow.source.git.branch", None)),
        )
        record = RunRecord(
            info=info,
            params={self._key(run, "param", name): _typed(text) for name, text in run.params.items()},
            metrics={name: points.sorted_unique().latest()[0] for name, points in histories.items()},
            histories={name: points.sorted_unique() for name, points in histories.items()},
            tags=tags,
            inputs=[
                InputRecord(
                    one.name, one.digest, one.source_type, one.source, one.schema, one.profile, one.context, one.tags
                )
                for one in run.inputs
            ],
            artifacts=artifacts,
        )
        return record, contents

    def _key(self, run: FoundRun, kind: str, name: str) -> str:
        """Return *name*, or what it can be here: another store let characters in that ours does not."""
        from ledgit.records import check_key

        try:
            check_key(kind, name)
        except InvalidName:
            pass
        else:
            return name
        from hashlib import sha256

        kept = "".join(char if char.isalnum() or char in "_-. :/" else "_" for char in name).strip("/ ")[:200]
        new = f"{kept or kind}~{sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}".replace("~", "-")
        self.done.changed.append((run.id, name, new))
        return new

    def _run_name(self, run: FoundRun) -> str:
        from ledgit.records import check_run_name, random_name

        name = run.name or run.tags.get("mlflow.runName", "")
        try:
            if name:
                check_run_name(name)
                return name
        except InvalidName:
            self.done.changed.append((run.id, name, random_name(run.id)))
        return random_name(run.id)

    def _experiment_name(self, name: str) -> str:
        from ledgit.store import check_experiment

        try:
            check_experiment(name)
        except InvalidName:
            new = " ".join("".join(char if char.isprintable() else " " for char in name).split())[:200] or "imported"
            self.done.changed.append(("", name, new))
            return new
        return name

    def _experiment(self, one: FoundExperiment) -> None:
        """Make the experiment what it was there; one that is here already keeps what it has."""
        name = self._names[one.name]
        try:
            self.repository.create_experiment(name, one.tags)
            self.done.experiments += 1
            if one.deleted:
                self.repository.delete_experiment(name)
        except ExperimentExists:
            pass

    def _artifacts(self, run: FoundRun) -> tuple[list[ArtifactRecord], dict[str, bytes]]:
        from ledgit.artifacts import digest_file
        from ledgit.store.artifacts.files import take_back

        records, contents = [], {}
        for path, source in _walk(run.artifacts):
            check_artifact_path(path)
            size, md5 = os.path.getsize(source), digest_file(source)
            large = size > self._threshold
            records.append(ArtifactRecord(path, size, f"md5:{md5}", "dvc" if large else "git"))
            if large:
                take_back(self.repository.folder, source, md5)
                contents[path] = dvc_pointer(os.path.basename(path), md5, size)
            else:
                with open(source, "rb") as file:
                    contents[path] = file.read()
        return records, contents


def _walk(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (artifact path, file); links are followed only to files inside."""
    if not folder:
        return
    inside = os.path.realpath(folder)
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            real = os.path.realpath(path)
            if os.path.isfile(real) and (real == inside or real.startswith(inside + os.sep)):
                yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def _typed(text: str) -> Scalar:
    """Return a param as the number it was, where its text stays the same; else the text."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return {"True": True, "False": False}.get(text, text)
