"""A run of another tracker as a record of ours: names that can be, types that are sure, files where they belong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ledgit.errors import InvalidName, RecordError, UsageError
from ledgit.importing.places import never_made, shown
from ledgit.records import ArtifactRecord, InputRecord, Points, RunInfo, RunRecord, check_artifact_path, dvc_pointer
from ledgit.records.run import CodeInfo, is_commit_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from tempfile import TemporaryDirectory

    from ledgit.importing.found import FoundRun
    from ledgit.records import Scalar
    from ledgit.repository import Repository

__all__ = ["MADE", "Making", "walk"]

_ENDED = ("FINISHED", "FAILED", "KILLED")
# What becomes a field of the run and would only be said twice.
_FIELDS = ("mlflow.runName", "mlflow.user", "mlflow.parentRunId")
MADE = (
    "mlflow.source.name", "mlflow.source.type", "mlflow.project.entryPoint", "mlflow.source.git.commit",
    "mlflow.source.git.branch",
)  # fmt: skip
_LONGEST_ID = 256


class Making:
    """Makes records.

    Args:
        repository: Where they go.
        parent_run: The run whose children those become that have no parent.
        changed: Is told (run, old name, new name).
        elsewhere: Run → where its artifacts are that are not on this machine.
    """

    def __init__(
        self,
        repository: Repository,
        parent_run: str | None,
        changed: Callable[[str, str, str], None],
        elsewhere: dict[str, str],
    ) -> None:
        from ledgit.store.artifacts.threshold import artifact_threshold

        self.repository, self.parent_run, self._changed, self._elsewhere = repository, parent_run, changed, elsewhere
        self._threshold = artifact_threshold(repository.repo)
        self.experiments: dict[str, str] = {}
        self._scratch: TemporaryDirectory[str] | None = None

    def record(self, run: FoundRun) -> tuple[RunRecord, dict[str, bytes]]:
        """Return the record and the contents of its small files and of the pointers to large ones.

        Raises:
            LedgitError: It can't be stored.
            OSError: A file of it can't be read.
        """
        if not run.id or len(run.id) > _LONGEST_ID:
            raise UsageError(f"run {run.id[:20]!r} has no id that can be kept")
        histories = {self.key(run, "metric", name): Points.of(rows) for name, rows in run.points.items() if rows}
        times = [when for rows in run.points.values() for _, when, _ in rows]
        start = run.start if run.start is not None else min(times, default=0)
        end = run.end if run.end is not None else max([start, *times])
        tags = {self.key(run, "tag", key): value for key, value in run.tags.items() if key not in _FIELDS}
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
            self._elsewhere[run.id] = shown(run.artifact_uri)
        info = RunInfo(
            id=run.id,
            name=self._run_name(run),
            experiment=self.experiments.get(run.experiment, run.experiment),
            status=status,
            start=start,
            end=max(start, end),
            user=run.user or run.tags.get("mlflow.user", ""),
            entry_point=run.tags.get("mlflow.project.entryPoint", ""),
            parent_run=run.tags.get("mlflow.parentRunId") or self.parent_run,
            source=run.tags.get("mlflow.source.name", ""),
            source_type=run.tags.get("mlflow.source.type", "") or "LOCAL",
            deleted=run.deleted,
            host=run.host,
            command=run.command,
            code=CodeInfo(
                commit=run.commit or commit or None,
                tree=run.tree or None,
                branch=tags.pop("mlflow.source.git.branch", None),
            ),
        )
        record = RunRecord(
            info=info,
            params={
                self.key(run, "param", name): run.typed[name] if name in run.typed else _typed(text)
                for name, text in run.params.items()
            },
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
        return (_as_it_was(run, record) if run.record else record), contents

    def key(self, run: FoundRun, kind: str, name: str) -> str:
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
        self._changed(run.id, name, new)
        return new

    def _run_name(self, run: FoundRun) -> str:
        from ledgit.records import check_run_name, random_name

        name = run.name or run.tags.get("mlflow.runName", "")
        try:
            if name:
                check_run_name(name)
                return name
        except InvalidName:
            self._changed(run.id, name, random_name(run.id))
        return random_name(run.id)

    def experiment_name(self, name: str) -> str:
        """Return what an experiment is called here."""
        from ledgit.store import check_experiment

        try:
            check_experiment(name)
        except InvalidName:
            new = " ".join("".join(char if char.isprintable() else " " for char in name).split())[:200] or "imported"
            self._changed("", name, new)
            return new
        return name

    def _written(self, data: bytes) -> str:
        """Return a file with *data*, which is one of a moment."""
        if self._scratch is None:
            from tempfile import TemporaryDirectory

            self._scratch = TemporaryDirectory(prefix="ledgit-")
        path = os.path.join(self._scratch.name, "file")
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def close(self) -> None:
        """Remove what was written for a moment."""
        if self._scratch is not None:
            self._scratch.cleanup()

    def _artifacts(self, run: FoundRun) -> tuple[list[ArtifactRecord], dict[str, bytes]]:
        from ledgit.artifacts import digest_file
        from ledgit.store.artifacts.files import take_back

        records, contents = [], {}
        for path, source in [*walk(run.artifacts), *run.more.items()]:
            check_artifact_path(path)
            if isinstance(source, bytes):
                source = self._written(source)
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


def walk(folder: str) -> Iterator[tuple[str, str]]:
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


def _as_it_was(run: FoundRun, record: RunRecord) -> RunRecord:
    """Return the record with what the store has no place for, as Ledgit's own export says it.

    What the store does have a place for is the store's to say: somebody may have changed it since.
    """
    from ledgit.records.environment import decode_environment
    from ledgit.records.flat import load_flat
    from ledgit.records.inputs import decode_inputs
    from ledgit.records.run import decode_run

    kept = run.record
    try:
        own = decode_run(kept["run.yaml"]) if "run.yaml" in kept else None
        params = load_flat(kept["params.yaml"]) if "params.yaml" in kept else {}
        environment = decode_environment(kept["environment.yaml"]) if "environment.yaml" in kept else None
        inputs = decode_inputs(kept["inputs.yaml"]) if "inputs.yaml" in kept else []
        tags = load_flat(kept["tags.yaml"]) if "tags.yaml" in kept else {}
    except RecordError:
        return record  # not what Ledgit wrote: the store's own files stand for themselves
    if own is not None and own.id == record.info.id:
        info = record.info
        record.info = replace(
            own, name=info.name, experiment=info.experiment, status=info.status, start=info.start, end=info.end,
            deleted=info.deleted, parent_run=info.parent_run, reduced=False,
        )  # fmt: skip
    record.params = {
        name: params[name] if name in params and str(params[name]) == str(value) else value
        for name, value in record.params.items()
    }
    record.environment = environment
    if own is not None and "tags.yaml" in kept:
        # What the export made of fields for MLflow's sake.
        made = {key: run.tags.get(key) for key in MADE}
        record.tags = {key: text for key, text in record.tags.items() if key in tags or text != made.get(key)}
    if [(one.name, one.digest, one.context) for one in inputs] == [
        (one.name, one.digest, one.context) for one in record.inputs
    ]:
        record.inputs = inputs
    return record
