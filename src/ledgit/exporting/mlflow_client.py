"""Runs into any store of MLflow's, through its own client: a server, a database, whatever its URI says.

MLflow gives new ids there; the old one is the tag ``ledgit.run_id``, by which a run is found again. A run that was
not sent to its end lacks the tag ``ledgit.sent``, and is deleted and sent anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, MissingDependency, RemoteError, RunStateError
from ledgit.exporting.mlflow_files import SEMVER, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.repository import Repository
    from ledgit.run import Run

    Progress = Callable[[str, int, int | None], None]

__all__ = ["send_to_mlflow"]

_ID, _SENT = "ledgit.run_id", "ledgit.sent"
_POINTS, _VALUES = 1_000, 100


def send_to_mlflow(
    repository: Repository, runs: Iterable[Run], uri: str, *, models: bool = True, progress: Progress | None = None
) -> Sent:
    """Send runs, and the registered models whose runs are among them; what is there already stays as it is.

    Args:
        repository: Where they are.
        runs: The runs; each must have ended.
        uri: A tracking URI.
        models: Whether registered models are sent, too.
        progress: Is told (what, done, total).

    Raises:
        MissingDependency: MLflow is not installed.
        RunStateError: A run is active.
        RemoteError: The store refuses.
    """
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingDependency(f"sending runs to {uri.partition('?')[0].rpartition('@')[2]}", "mlflow") from None
    runs = list(runs)
    for run in runs:
        if run.active:
            raise RunStateError(f"run {run.id[:8]} is active; it can be exported when it has ended")
    done = Sent()
    try:
        sending = _Sending(repository, MlflowClient(uri, uri), done)
        for at, run in enumerate(runs, 1):
            if progress is not None:
                progress("exporting", at, len(runs))
            sending.run(run)
        if models:
            sending.models()
    except MlflowException as error:
        from ledgit.importing.places import shown

        raise RemoteError(shown(uri), str(error).splitlines()[0][:500]) from error
    return done


class _Sending:
    def __init__(self, repository: Repository, client: Any, done: Sent) -> None:
        self._repository, self._client, self.done = repository, client, done
        self._experiments: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                known = next((one for one in self._repository.experiments("all") if one.name == name), None)
                made = self._client.create_experiment(name, tags=dict(known.tags) if known is not None else None)
                self._experiments[name] = made
            else:
                if found.lifecycle_stage == "deleted":
                    self._client.restore_experiment(found.experiment_id)
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def run(self, run: Run) -> None:
        """Send one run, its parent first if that is among those sent."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType

        client, experiment = self._client, self._experiment(run.experiment)
        for one in client.search_runs([experiment], f"tags.`{_ID}` = '{run.id}'", ViewType.ALL):
            if _SENT in one.data.tags:
                self._ids[run.id] = one.info.run_id
                self.done.known.append(run.id)
                return
            if one.info.lifecycle_stage == "active":
                client.delete_run(one.info.run_id)
        record = run.record()
        tags = {**run.data.tags, _ID: run.id}
        parent = run.parent_run
        if parent is not None:
            tags["mlflow.parentRunId"] = self._ids.get(parent, parent)
        tags["mlflow.user"] = run.user or ""
        first = {key: str(value) for key, value in list(tags.items())[:_VALUES]}
        first[_ID] = run.id
        made = client.create_run(experiment, start_time=run.start, tags=first, run_name=run.name).info.run_id
        params = [Param(key, text) for key, text in run.data.params.items()]
        left = [RunTag(key, str(value)) for key, value in tags.items() if key not in first]
        for at in range(0, max(len(params), len(left)), _VALUES):
            client.log_batch(made, params=params[at : at + _VALUES], tags=left[at : at + _VALUES])
        for name in record.metrics:
            points = [Metric(name, value, when, step) for step, when, value in run.history(name, fetch=True)]
            for at in range(0, len(points), _POINTS):
                client.log_batch(made, metrics=points[at : at + _POINTS])
            self.done.points += len(points)
        inputs = [
            DatasetInput(
                Dataset(one.name, one.digest, one.source_type, one.source, one.schema or None, one.profile or None),
                [InputTag(key, value) for key, value in one.tags.items()]
                + ([InputTag("mlflow.data.context", one.context)] if one.context else []),
            )
            for one in record.inputs
        ]
        if inputs:
            client.log_inputs(made, inputs)
        if record.artifacts:
            with TemporaryDirectory(prefix="ledgit-") as folder:
                try:
                    self.done.files += len(self._repository.save_artifacts(run, folder))
                except LedgitError as error:
                    self.done.missing.append(f"{run.name}: {error}")
                if os.listdir(folder):
                    client.log_artifacts(made, folder)
        client.set_terminated(made, run.status, run.end)
        client.set_tag(made, _SENT, json.dumps(run.head))
        if run.deleted:
            client.delete_run(made)
        self._ids[run.id] = made
        self.done.written.append(run.id)

    def models(self) -> None:
        """Send the registered models; versions in order, so that a new model's numbers are the same if none is gone."""
        from ledgit.registry.entities import STAGES

        for model in self._repository.registered().models.values():
            versions = [one for one in model.versions.values() if one.active and one.kind == "model"]
            versions = [one for one in versions if one.run in self._ids]
            if model.deleted or (not versions and model.versions):
                continue
            known = {one.name: one for one in self._client.search_registered_models(f"name = '{_quoted(model.name)}'")}
            if model.name not in known:
                description = str(model.values.get("description") or "") or None
                self._client.create_registered_model(model.name, dict(model.tags), description)
                self.done.models += 1
            there = {
                one.tags.get(SEMVER): one.version
                for one in self._client.search_model_versions(f"name = '{_quoted(model.name)}'")
            }
            for one in versions:
                if one.version not in there:
                    run_id = self._ids[one.run or ""]
                    source = f"runs:/{run_id}/{one.path or ''}"
                    tags = {**one.tags, SEMVER: one.version}
                    made = self._client.create_model_version(
                        model.name, source, run_id, tags, description=one.description or None
                    )
                    there[one.version] = made.version
                    self.done.versions += 1
            for stage, one in model.stages.items():
                if stage not in STAGES and one.version in there:
                    self._client.set_registered_model_alias(model.name, stage, there[one.version])


def _quoted(name: str) -> str:
    return name.replace("'", "''")
