"""MLflow's tracking store over a Ledgit repository."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isnan
from typing import Any

from mlflow.entities import DatasetInput, Metric, Param, RunStatus, RunTag, ViewType, _DatasetSummary
from mlflow.entities import Experiment as MlflowExperiment
from mlflow.entities import Run as MlflowRun
from mlflow.entities import RunInfo as MlflowRunInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, INVALID_STATE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils import validation
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from ledgit.errors import ExperimentNotFound
from ledgit.experiment import Experiment
from ledgit.mlflow.answers import answer, refuse
from ledgit.mlflow.entities import (
    experiment_entity,
    input_record,
    run_entity,
    run_name_of,
    started_entity,
    writer_info,
)
from ledgit.mlflow.models import LoggedModels
from ledgit.mlflow.uris import repository_path
from ledgit.mlflow.writing import Writers
from ledgit.query import Query
from ledgit.run import Run
from ledgit.store import RunStart, read_experiments
from ledgit.tracking.launching import repetition_tags
from ledgit.views import ViewType as Views

__all__ = ["TrackingStore"]

_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"
# What Ledgit finds out itself, and shows again by these names.
_OURS = frozenset({_PARENT, _NAME, "mlflow.user"})
_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
# Set by MLflow for the workers of its server, any of which may end what another has started.
_SERVER = "_MLFLOW_SERVER_FILE_STORE"


class TrackingStore(LoggedModels, AbstractStore):
    """Experiments and runs; `mlflow.tracking_store` of scheme ``ledgit``.

    Args:
        store_uri: ``ledgit:`` or ``ledgit:///path``.
        artifact_uri: MLflow's default place for artifacts; a run's are with the run here.
    """

    def __init__(self, store_uri: str | None = None, artifact_uri: str | None = None) -> None:
        super().__init__()
        self.uri, self.artifact_uri = store_uri or "ledgit:", artifact_uri
        self.path = repository_path(self.uri)
        self._open()

    @answer
    def _open(self) -> None:
        self._writers = Writers.of(self.path)
        self._repository = self._writers.repository
        self._labels = {"0": "Default"}

    # ------------------------------------------------------------------ experiments

    @answer
    def search_experiments(
        self,
        view_type: Any = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return experiments, by MLflow's own filter, order and paging."""
        _check_count(max_results)
        found = [experiment_entity(one) for one in self._repository.experiments(Views.name_of(view_type))]
        # What is wrong with a filter shows where it is applied: also where there is nothing to apply it to.
        any_one = MlflowExperiment("0", "Default", "", "active", creation_time=0, last_update_time=0)
        SearchExperimentsUtils.filter([any_one], filter_string)
        found = SearchExperimentsUtils.filter(found, filter_string)
        order = order_by or ["last_update_time DESC", "experiment_id ASC"]
        found = SearchExperimentsUtils.sort(found, order)
        page, token = SearchExperimentsUtils.paginate(found, page_token, max_results)
        return PagedList(page, token)

    @answer
    def create_experiment(self, name: str, artifact_location: str | None = None, tags: Any = None) -> str:
        """Create an experiment; *artifact_location* is not used: artifacts are with their runs."""
        validation._validate_experiment_name(name)
        for tag in tags or ():
            validation._validate_experiment_tag(tag.key, tag.value)
        given = {tag.key: tag.value for tag in tags or ()}
        return self._repository.create_experiment(name, given).id

    @answer
    def get_experiment(self, experiment_id: str) -> MlflowExperiment:
        """Return an experiment, deleted ones too."""
        return experiment_entity(self._experiment(experiment_id))

    @answer
    def get_experiment_by_name(self, experiment_name: str) -> MlflowExperiment | None:
        """Return the experiment of this name, deleted ones too; None if there is none."""
        found = [one for one in self._repository.experiments("all") if one.name == experiment_name]
        return experiment_entity(found[0]) if found else None

    @answer
    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment and its runs as deleted."""
        label = self._experiment(experiment_id, deleted=False).label
        self._repository.delete_experiment(label)
        self._writers.deleted.update(one.id for one in self._writers.open.values() if one.experiment == label)

    @answer
    def restore_experiment(self, experiment_id: str) -> None:
        """Take the mark back, from all of its runs, too."""
        label = self._experiment(experiment_id, deleted=True).label
        self._repository.restore_experiment(label)
        self._repository.refresh()
        query = Query(experiments=(label,), view="deleted")
        for state in self._repository.index.each(query):
            self._restore(Run(self._repository, state))
        self._writers.deleted.difference_update(
            one.id for one in self._writers.open.values() if one.experiment == label
        )

    @answer
    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        validation._validate_experiment_name(new_name)
        known = self._experiment(experiment_id)
        if known.deleted:
            raise MlflowException("Cannot rename a non-active experiment.", INVALID_STATE)
        self._repository.rename_experiment(known.label, new_name)

    @answer
    def set_experiment_tag(self, experiment_id: str, tag: Any) -> None:
        """Set an experiment's tag."""
        validation._validate_experiment_tag(tag.key, tag.value)
        self._tag_experiment(experiment_id, tag.key, str(tag.value))

    @answer
    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove an experiment's tag."""
        known = self._experiment(experiment_id)
        if key not in known.tags and not known.deleted:
            raise MlflowException(
                f"No tag with name: {key} in experiment with id {experiment_id}", RESOURCE_DOES_NOT_EXIST
            )
        self._tag_experiment(experiment_id, key, None)

    def _tag_experiment(self, experiment_id: str, key: str, value: str | None) -> None:
        known = self._experiment(experiment_id)
        if known.deleted:
            raise MlflowException(f"The experiment {known.id} must be in the 'active' state", INVALID_PARAMETER_VALUE)
        self._repository.set_experiment_tags(known.label, {key: value})

    def _experiment(self, experiment_id: str, deleted: bool | None = None) -> Experiment:
        for one in self._repository.experiments("all"):
            if one.id == str(experiment_id) and deleted in (None, one.deleted):
                return one
        raise ExperimentNotFound(str(experiment_id))

    # ------------------------------------------------------------------ runs

    @answer
    def create_run(
        self, experiment_id: str, user_id: str, start_time: int, tags: Sequence[RunTag] | None, run_name: str | None
    ) -> MlflowRun:
        """Start a run; it is a commit once `update_run_info` brings its end."""
        label = self._label(experiment_id)
        given = {tag.key: str(tag.value) for tag in tags or ()}
        named = given.get(_NAME)
        if run_name and named and run_name != named:
            raise MlflowException(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                f" (run_name='{run_name}', mlflow.runName='{named}').",
                INVALID_PARAMETER_VALUE,
            )
        for key, value in given.items():
            validation._validate_tag(key, value)
        start = RunStart(
            experiment=label,
            name=run_name_of(run_name or named),
            parent_run=given.get(_PARENT),
            tags={key: value for key, value in given.items() if key not in _OURS} | repetition_tags(),
            start=start_time or None,
            detached=_SERVER in os.environ,
        )
        # Nothing is read for the answer: it is what was written.
        return started_entity(self._writers.start(start), self.path, user_id, given)

    def _label(self, experiment_id: str) -> str:
        """Return what the runs of an experiment carry that is not deleted; without counting runs, for every start."""
        label = self._labels.get(str(experiment_id))
        if label is None:
            label = self._labels[str(experiment_id)] = self._experiment(experiment_id).label
        if self._gone(label):
            raise MlflowException(
                f"The experiment {experiment_id} must be in the 'active' state", INVALID_PARAMETER_VALUE
            )
        return label

    def _gone(self, label: str) -> bool:
        record = read_experiments(self._repository.repo).get(label)
        return record is not None and record.deleted

    @answer
    def get_run(self, run_id: str) -> MlflowRun:
        """Return a run, deleted ones too."""
        return self._entity(self._run(run_id))

    @answer
    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> MlflowRunInfo:
        """Rename a run, end it, or let it go on."""
        name = run_name_of(run_name)
        status = None if run_status is None else RunStatus.to_string(run_status)
        here = self._writers.writer(run_id)
        if here is not None and not name and status in _ENDED and not self._gone(here.experiment):
            # As `log_batch`: the run is this process's, and nothing has to be read.
            end = self._writers.finish(here, status, end_time)
            return writer_info(here, self.path, "", end)
        run = self._active(run_id)
        if name and name != run.name:
            run.rename(name)
        if status in ("RUNNING", "SCHEDULED"):
            self._writers.resume(run)
        elif status is not None:
            self._writers.end(run, status, end_time)
        elif end_time is not None and run.end is not None:
            self._writers.end(run, run.status, end_time)
        return self._entity(self._run(run_id)).info

    @answer
    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted, also one that is being written."""
        run = self._run(run_id)
        if run.active:
            self._writers.mark(run, deleted=True)
        else:
            run.delete()

    @answer
    def restore_run(self, run_id: str) -> None:
        """Take the mark back."""
        self._restore(self._run(run_id))

    def _restore(self, run: Run) -> None:
        if run.active:
            self._writers.mark(run, deleted=False)
        else:
            run.restore()

    @answer
    def _search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[MlflowRun], str | None]:
        _check_count(max_results)
        # MLflow's parser judges what is a filter: Ledgit's grammar is a superset, and this is MLflow's face.
        SearchUtils.parse_search_filter(filter_string)
        for one in order_by or ():
            SearchUtils.parse_order_by_for_search_runs(one)
        labels = {one.id: one.label for one in self._repository.experiments("all")}
        wanted = tuple(labels[str(one)] for one in experiment_ids if str(one) in labels)
        if not wanted:
            return [], None
        index = self._repository.index
        index.refresh()
        query = Query(
            filter=filter_string or "",
            order_by=tuple(order_by or ()),
            limit=max_results,
            experiments=wanted,
            view=Views.name_of(run_view_type),
            page_token=page_token or "",
        )
        found = index.search(query)
        return [run_entity(Run(self._repository, state), self.path) for state in found.runs], found.next_token or None

    def _entity(self, run: Run) -> MlflowRun:
        return run_entity(run, self.path, inputs=True)

    def _run(self, run_id: str) -> Run:
        index = self._repository.index
        self._repository.refresh()
        state = index.get(run_id)  # by nothing but its id, of which Ledgit takes a part, too
        if state is None:
            raise MlflowException(f"Run with id={run_id} not found", RESOURCE_DOES_NOT_EXIST)
        return Run(self._repository, state)

    def _active(self, run_id: str) -> Run:
        run = self._run(run_id)
        if run.deleted:
            raise MlflowException(
                f"The run {run_id} must be in the 'active' state. Current state is deleted.", INVALID_PARAMETER_VALUE
            )
        return run

    # ------------------------------------------------------------------ values

    @answer
    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> None:
        """Log metrics, params and tags: all of them or, if one is wrong, none."""
        validation._validate_run_id(run_id)
        metrics, params, tags = validation._validate_batch_log_data(metrics, params, tags)
        validation._validate_batch_log_limits(metrics, params, tags)
        validation._validate_param_keys_unique(params)
        here = self._writers.writer(run_id)
        points = [(one.key, one.value, one.step, one.timestamp) for one in metrics]
        values = {one.key: one.value for one in params}
        labels = {one.key: one.value for one in tags}
        name = labels.pop(_NAME, None)
        if here is not None and name is None:
            # The common case costs one append: the run is this process's, and nothing has to be read.
            here.log_batch(points, values, labels)
            self._link(run_id, metrics)
            return
        run = self._active(run_id)
        name = run_name_of(name)
        if name:
            run.rename(name)
        if points or values or labels:
            with self._writers.writing(run) as writer:
                writer.log_batch(points, values, labels)
            self._link(run_id, metrics)

    @answer
    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a run's tag."""
        run = self._active(run_id)
        if key not in run.data.tags:
            raise MlflowException(f"No tag with name: {key} in run with id {run_id}", RESOURCE_DOES_NOT_EXIST)
        if key in run.tags:
            run.delete_tag(key)

    @answer
    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> Any:
        """Return the points of a metric, by time, then step; none if there is no such run or metric."""
        try:
            run = self._run(run_id)
        except MlflowException:
            return PagedList([], None)
        points = run.history(metric_key, fetch=True) if metric_key in run.metrics else ()
        found = [Metric(metric_key, value, time, step) for step, time, value in sorted(points, key=_by_time)]
        if max_results is None:
            return PagedList(found, None)
        start = SearchUtils.parse_start_offset_from_page_token(page_token)
        end = start + max_results
        return PagedList(found[start:end], SearchUtils.create_page_token(end) if end < len(found) else None)

    @answer
    def log_inputs(self, run_id: str, datasets: list[DatasetInput] | None = None, models: Any = None) -> None:
        """Record data sets and models that a run used."""
        sets = datasets or []
        validation._validate_dataset_inputs(sets)
        run = self._active(run_id)
        with self._writers.writing(run) as writer:
            for one in sets:
                writer.log_input(input_record(one))
        if models:
            self._note_use(run, models, ())

    @answer
    def _search_datasets(self, experiment_ids: Sequence[str]) -> list[_DatasetSummary]:
        """Return what data sets the runs of experiments used: the choices of the runs table's filter."""
        wanted = {str(one) for one in experiment_ids}
        labels = {one.label: one.id for one in self._repository.experiments("all") if one.id in wanted}
        query = Query(filter="datasets.name LIKE '%'", experiments=tuple(labels), view="all")
        used = {
            (labels[state.experiment], *one)
            for state in (self._repository.index.each(query) if labels else ())
            for one in state.inputs
        }
        return [_DatasetSummary(number, name, digest, use or None) for number, name, digest, use in sorted(used)[:1000]]

    # ------------------------------------------------------------------ not yet

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Refuse: there are no traces here."""
        raise refuse("Traces are")


def _by_time(point: tuple[int, int, float]) -> tuple[int, int, float]:
    step, time, value = point
    return time, step, 0.0 if isnan(value) else value  # NaN is stored as 0 where MLflow sorts by it


def _check_count(count: Any) -> None:
    if not isinstance(count, int) or not 1 <= count <= 50_000:
        raise MlflowException(
            f"Invalid value for request parameter max_results. It must be at most 50000, but got value {count}",
            INVALID_PARAMETER_VALUE,
        )
