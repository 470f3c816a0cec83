"""Logged models of MLflow 3: tags and artifacts of the run that made them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

from mlflow.entities import LoggedModel, LoggedModelInput, LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, NOT_IMPLEMENTED, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils import validation
from mlflow.utils.search_utils import SearchLoggedModelsPaginationToken, SearchLoggedModelsUtils

from ledgit.mlflow.answers import answer, refuse
from ledgit.mlflow.uris import artifact_root
from ledgit.query import Query
from ledgit.records.logged_models import (
    HAS_MODELS,
    MODEL_KEY,
    MODEL_USE,
    LoggedModelRecord,
    ModelPoint,
    encode_logged_model,
    logged_models,
    new_model_id,
    run_of_model,
)
from ledgit.records.words import new_run_id, random_name
from ledgit.run import Run
from ledgit.store import RunStart

if TYPE_CHECKING:
    from ledgit.experiment import Experiment
    from ledgit.mlflow.writing import Writers
    from ledgit.repository import Repository

__all__ = ["LoggedModels", "find_model", "model_use", "tags_of", "without_models"]

_HISTORY = "mlflow.log-model.history"
_BY_DATA_SET = "datasets" in signature(SearchLoggedModelsUtils.filter_logged_models).parameters
_MOST_POINTS = 100
"""So many points of a model are kept one by one; of more the newest of each metric, data set and run."""


def tags_of(run: Run) -> dict[str, str]:
    """Return all tags of a run, also those that had no room in its line."""
    return dict(run.record().tags) if run.state.left.get("tags") else run.tags


def without_models(tags: dict[str, str]) -> dict[str, str]:
    """Return *tags* without those that say of models, which MLflow shows as entities of their own."""
    return {key: value for key, value in tags.items() if not key.startswith((MODEL_KEY, HAS_MODELS, MODEL_USE))}


def model_use(tags: dict[str, str]) -> tuple[list[LoggedModelInput], list[LoggedModelOutput]]:
    """Return the models that a run took in and put out."""
    inputs, outputs = _use(tags)
    return [LoggedModelInput(one) for one in inputs], [LoggedModelOutput(one, step) for one, step in outputs.items()]


def _use(tags: dict[str, str]) -> tuple[list[str], dict[str, int]]:
    try:
        found = json.loads(tags.get(MODEL_USE, "{}"))
        return [str(one) for one in found.get("inputs", ())], {
            str(one): int(step) for one, step in found.get("outputs", ())
        }
    except (ValueError, TypeError, AttributeError):
        return [], {}


def find_model(repository: Repository, model_id: str) -> tuple[Run, str, LoggedModelRecord]:
    """Return a model, its run and its tag's key.

    Raises:
        MlflowException: There is none of this id.
    """
    begins = run_of_model(str(model_id))
    if begins:
        repository.refresh()
        for state in repository.index.resolve(begins):
            run = Run(repository, state)
            for key, one in logged_models(tags_of(run)).items():
                if one.id == model_id:
                    return run, key, one
    raise MlflowException(f"Logged model with ID '{model_id}' not found.", RESOURCE_DOES_NOT_EXIST)


class LoggedModels:
    """The tracking store's part about logged models."""

    path: str
    _writers: Writers
    _repository: Repository

    if TYPE_CHECKING:

        def _active(self, run_id: str) -> Run: ...
        def _experiment(self, experiment_id: str, deleted: bool | None = None) -> Experiment: ...

    @answer
    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: Sequence[Any] | None = None,
        params: Sequence[Any] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Begin a model. One that is of no run, or of another experiment's, gets a run of its own."""
        validation._validate_logged_model_name(name)
        name = name or random_name(new_run_id())
        known = self._experiment(experiment_id)
        if known.deleted:
            raise MlflowException(f"The experiment {known.id} must be in the 'active' state", INVALID_PARAMETER_VALUE)
        run = self._active(source_run_id) if source_run_id else None
        if run is None or run.info.experiment_id != known.id:
            run = self._active(self._writers.start(RunStart(experiment=known.label, name=name)).id)
        now = _now()
        before = tags_of(run)
        taken = {one.path for one in logged_models(before).values()}
        taken |= {one.path.partition("/")[0] for one in run.artifact_files()}
        path = next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
        record = LoggedModelRecord(
            id=new_model_id(run.id),
            name=name,
            path=path,
            created=now,
            updated=now,
            kind=model_type,
            source_run=source_run_id,
            params={one.key: str(one.value) for one in params or ()},
            tags={one.key: str(one.value) for one in tags or ()},
        )
        key = next(key for n in range(len(before) + 1) if (key := f"{MODEL_KEY}{n}") not in before)
        self._tag(run, {HAS_MODELS: "true", key: encode_logged_model(record)})
        return self._model(run, record)

    @answer
    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """Return a model."""
        run, _, record = self._find(model_id, deleted=allow_deleted)
        return self._model(run, record)

    @answer
    def finalize_logged_model(self, model_id: str, status: Any) -> LoggedModel:
        """Say that a model's files are all there, or that it failed."""
        run, key, record = self._find(model_id)
        named = status if isinstance(status, LoggedModelStatus) else LoggedModelStatus.from_int(status)
        record = self._write(run, key, replace(record, status=named.value, updated=_now()))
        if record.source_run != run.id and run.status == "RUNNING":  # it has been made for the model
            self._writers.end(run, "FAILED" if named is LoggedModelStatus.FAILED else "FINISHED", None)
        return self._model(run, record)

    @answer
    def set_logged_model_tags(self, model_id: str, tags: Sequence[Any]) -> None:
        """Set tags of a model."""
        run, key, record = self._find(model_id)
        self._write(run, key, replace(record, tags={**record.tags, **{one.key: str(one.value) for one in tags}}))

    @answer
    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model."""
        run, place, record = self._find(model_id)
        if key not in record.tags:
            raise MlflowException(
                f"No tag with key {key!r} found for model with ID {model_id!r}.", RESOURCE_DOES_NOT_EXIST
            )
        self._write(run, place, replace(record, tags={k: v for k, v in record.tags.items() if k != key}))

    @answer
    def log_logged_model_params(self, model_id: str, params: Sequence[Any]) -> None:
        """Log params of a model."""
        run, key, record = self._find(model_id)
        self._write(run, key, replace(record, params={**record.params, **{one.key: str(one.value) for one in params}}))

    @answer
    def delete_logged_model(self, model_id: str) -> None:
        """Mark a model as deleted; its files stay with the run."""
        run, key, record = self._find(model_id)
        self._write(run, key, replace(record, deleted=True, updated=_now()))

    @answer
    def search_logged_models(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        datasets: Any = None,
        max_results: int | None = None,
        order_by: Any = None,
        page_token: str | None = None,
    ) -> Any:
        """Return models that match, by MLflow's own filter and order."""
        if datasets and not all(one.get("dataset_name") for one in datasets):
            raise MlflowException("`dataset_name` in the `datasets` clause must be specified.", INVALID_PARAMETER_VALUE)
        ids, start = [str(one) for one in experiment_ids], 0
        if page_token:
            token = SearchLoggedModelsPaginationToken.decode(page_token)
            token.validate(ids, filter_string, order_by)
            start = token.offset
        found = [self._model(run, one) for run, one in self._models(ids) if not one.deleted]
        if datasets and not _BY_DATA_SET:
            raise refuse("Searching logged models by data sets with this version of MLflow is")
        found = SearchLoggedModelsUtils.filter_logged_models(found, filter_string, *([datasets] if datasets else []))
        found = SearchLoggedModelsUtils.sort(found, order_by)
        end = start + (max_results or 100)
        following = SearchLoggedModelsPaginationToken(ids, filter_string, order_by, end).encode()
        return PagedList(found[start:end], following if end < len(found) else None)

    def _models(self, experiment_ids: Sequence[str]) -> Iterator[tuple[Run, LoggedModelRecord]]:
        labels = [one.label for one in self._repository.experiments("all") if one.id in experiment_ids]
        if not labels:
            return
        self._repository.refresh()
        query = Query(filter=f'tags."{HAS_MODELS}" IS NOT NULL', experiments=tuple(labels), view="all")
        for state in self._repository.index.each(query):
            run = Run(self._repository, state)
            for one in logged_models(tags_of(run)).values():
                yield run, one

    @answer
    def log_outputs(self, run_id: str, models: Sequence[LoggedModelOutput]) -> None:
        """Say which models a run made."""
        self._note_use(self._active(run_id), (), models)

    @answer
    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Say of a run that a model was logged to it, in MLflow 2's way."""
        run = self._active(run_id)
        before = json.loads(tags_of(run).get(_HISTORY, "[]"))
        self._tag(run, {_HISTORY: json.dumps([*before, mlflow_model.get_tags_dict()])})

    def _note_use(self, run: Run, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        before, made = _use(tags_of(run))
        taken = list(dict.fromkeys([*before, *(one.model_id for one in inputs)]))
        made |= {one.model_id: one.step for one in outputs}
        self._tag(run, {MODEL_USE: json.dumps({"inputs": taken, "outputs": list(made.items())})})

    def _link(self, run_id: str, metrics: Sequence[Metric]) -> None:
        """Note of which models *metrics* are."""
        for model_id in dict.fromkeys(one.model_id for one in metrics if one.model_id):
            run, key, record = self._find(model_id)
            new: list[ModelPoint] = [
                (one.key, one.value, one.step, one.timestamp, one.dataset_name or "", one.dataset_digest or "", run_id)
                for one in metrics
                if one.model_id == model_id
            ]
            points = tuple(dict.fromkeys((*record.metrics, *new)))
            if len(points) > _MOST_POINTS:
                newest = {(one[0], *one[4:]): one for one in sorted(points, key=lambda one: (one[3], one[2]))}
                points = tuple(newest.values())
            self._write(run, key, replace(record, metrics=points))

    # ------------------------------------------------------------------ mlflow gc

    def _get_deleted_runs(self, older_than: int = 0) -> list[str]:
        raise MlflowException(
            "'mlflow gc' does not purge a Ledgit repository; use 'ledgit gc --purge'", NOT_IMPLEMENTED
        )

    _get_deleted_logged_models = _hard_delete_run = _hard_delete_logged_model = _get_deleted_runs
    _hard_delete_experiment = _get_deleted_runs

    # ------------------------------------------------------------------ inside

    def _find(self, model_id: str, *, deleted: bool = False) -> tuple[Run, str, LoggedModelRecord]:
        run, key, record = find_model(self._repository, model_id)
        if record.deleted and not deleted:
            raise MlflowException(f"Logged model with ID '{model_id}' not found.", RESOURCE_DOES_NOT_EXIST)
        return run, key, record

    def _write(self, run: Run, key: str, record: LoggedModelRecord) -> LoggedModelRecord:
        self._tag(run, {key: encode_logged_model(record)})
        return record

    def _tag(self, run: Run, tags: dict[str, str]) -> None:
        if run.active:
            with self._writers.writing(run) as writer:
                writer.set_tags(tags)
        else:
            run.set_tags(tags)

    def _model(self, run: Run, one: LoggedModelRecord) -> LoggedModel:
        return LoggedModel(
            experiment_id=run.info.experiment_id,
            model_id=one.id,
            name=one.name,
            artifact_location=f"{artifact_root(self.path, run.id)}/{one.path}",
            creation_timestamp=one.created,
            last_updated_timestamp=one.updated,
            model_type=one.kind,
            source_run_id=one.source_run,
            status=LoggedModelStatus(one.status),
            tags=dict(one.tags),
            params=dict(one.params),
            metrics=[
                Metric(key, value, when, step, one.id, name or None, digest or None, run_id)
                for key, value, step, when, name, digest, run_id in one.metrics
            ],
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
