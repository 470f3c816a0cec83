"""The client's part about runs and experiments: thin verbs over the fluent functions and the object API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledgit.client.paging import PagedList, page
from ledgit.tracking import session

if TYPE_CHECKING:
    import os

    from ledgit.experiment import Experiment
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.tracking.uris import FileInfo

__all__ = ["Metric", "RunClient"]

MAX_RESULTS = 1000


class Metric:
    """One point of a metric, with MLflow's names; *timestamp* in ms since the epoch."""

    __slots__ = ("key", "step", "timestamp", "value")

    def __init__(self, key: str, value: float, timestamp: int, step: int) -> None:
        self.key, self.value, self.timestamp, self.step = key, value, timestamp, step

    def __repr__(self) -> str:
        return f"Metric(key={self.key!r}, value={self.value!r}, timestamp={self.timestamp!r}, step={self.step!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metric) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[str, float, int, int]:
        return (self.key, self.value, self.timestamp, self.step)


class RunClient:
    """Runs and experiments. *run_id* may also be a unique prefix of an id, or a run's name."""

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        del registry_uri
        if tracking_uri:
            session.set_tracking_uri(tracking_uri)

    @property
    def tracking_uri(self) -> str:
        """The repository's ``file:`` URI."""
        return session.get_tracking_uri()

    @property
    def _repository(self) -> Repository:
        return session.repository()

    # ------------------------------------------------------------------ runs

    def get_run(self, run_id: str) -> Run:
        """Return a run; deleted ones too.

        Raises:
            RunNotFound: There is none.
        """
        return self._repository.run(run_id)

    def get_parent_run(self, run_id: str) -> Run | None:
        """Return the run that this one is nested in, or None."""
        from ledgit.tracking.search import get_parent_run

        return get_parent_run(run_id)

    def create_run(
        self,
        experiment_id: str | None = None,
        start_time: int | None = None,
        tags: Mapping[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Start a run that is not this thread's active one; :meth:`set_terminated` ends it.

        Args:
            experiment_id: Its experiment's id or name; what ``set_experiment`` chose if None.
            start_time: Milliseconds since the epoch; now if None.
            tags: Tags to begin with; ``mlflow.parentRunId`` names the run it is nested in.
            run_name: A name people can read; random if None.

        Raises:
            ExperimentNotFound: There is no such experiment.
        """
        from ledgit.store import ActiveRun as Store
        from ledgit.store import RunStart
        from ledgit.tracking import exits, experiments
        from ledgit.tracking.active import ActiveRun
        from ledgit.tracking.launching import repetition_tags

        given = {key: str(value) for key, value in (tags or {}).items()}
        parent = given.pop("mlflow.parentRunId", None)
        start = RunStart(
            experiment=experiments.for_new_run(None if experiment_id is None else str(experiment_id)),
            name=run_name or given.pop("mlflow.runName", None),
            tags={**given, **repetition_tags()},
            parent_run=None if parent is None else self._repository.run(parent).id,
            start=start_time,
        )
        run = ActiveRun(Store.create(session.repo(), start), owned=True)
        exits.install()
        with session.lock:
            session.open_runs.setdefault(run.id, run)
        return run

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run.

        Args:
            run_id: The run. One that has ended gets the new status and time.
            status: ``FINISHED`` (default), ``FAILED`` or ``KILLED``.
            end_time: Milliseconds since the epoch; now if None.

        Raises:
            InvalidValue: It is another status.
        """
        from ledgit.errors import InvalidValue
        from ledgit.tracking.runs import STATUSES, attach

        text = str(getattr(status, "value", status or "FINISHED")).upper()
        if text not in STATUSES:
            raise InvalidValue("the status of an ended run", status, "FINISHED, FAILED or KILLED")
        with session.lock:
            run = session.open_runs.get(run_id)
        if run is None:
            run = attach(run_id)
        if end_time is not None and run.owned:
            run.store.finish(text, end_time=end_time)
        run.finish(text)

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change a run's name, or end it with *status*."""
        if name is not None:
            with session.lock:
                here = session.open_runs.get(run_id)
            (here or self._repository.run(run_id)).rename(name)
        if status is not None and str(status).upper() != "RUNNING":
            self.set_terminated(run_id, status)

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted."""
        self._repository.run(run_id).delete()

    def restore_run(self, run_id: str) -> None:
        """Take the mark back."""
        self._repository.run(run_id).restore()

    def search_runs(
        self,
        experiment_ids: Sequence[str] | None = None,
        filter_string: str = "",
        run_view_type: int | str = 1,
        max_results: int = MAX_RESULTS,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Return runs that match, newest first; unlike MLflow's, of all experiments if none is named.

        Raises:
            FilterError: *filter_string* or *order_by* does not parse.
        """
        from ledgit.query import Query
        from ledgit.run import Run
        from ledgit.views import ViewType

        repository = self._repository
        labels: list[str] | None = None
        if experiment_ids:
            known = {experiment.id: experiment.label for experiment in repository.experiments("all")}
            wanted = [experiment_ids] if isinstance(experiment_ids, str) else map(str, experiment_ids)
            labels = [known[one] for one in wanted if one in known]
        repository.index.refresh()
        found = repository.index.search(
            Query(
                filter=filter_string or "",
                order_by=tuple(order_by or ()),
                limit=max_results,
                experiments=None if labels is None else tuple(labels),
                view=ViewType.name_of(run_view_type),
                page_token=page_token or "",
            )
        )
        return PagedList((Run(repository, state) for state in found.runs), found.next_token or None)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Return all points of a metric, by step; none if the run has no such metric, as in MLflow."""
        run = self._repository.run(run_id)
        if key not in run.metrics:
            return []
        return [Metric(key, value, time, step) for step, time, value in run.history(key)]

    # ------------------------------------------------------------------ values

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        **_: Any,
    ) -> None:
        """Log one point of a metric."""
        from ledgit.tracking.values import log_metric

        log_metric(key, value, step=step, timestamp=timestamp, run_id=run_id)

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Log a param.

        Raises:
            ParamConflict: The run has another value under this name.
        """
        from ledgit.tracking.values import log_param

        return log_param(key, value, synchronous, run_id=run_id)

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> None:
        """Set a tag."""
        from ledgit.tracking.values import set_tag

        set_tag(key, value, synchronous, run_id=run_id)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag.

        Raises:
            InvalidValue: The run has no such tag.
        """
        from ledgit.tracking.values import delete_tag

        delete_tag(key, run_id=run_id)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Any] = (),
        params: Sequence[Any] = (),
        tags: Sequence[Any] = (),
        synchronous: bool | None = None,
    ) -> None:
        """Log metrics, params and tags in one step: all of them or, if one is wrong, none."""
        del synchronous
        from ledgit.tracking.values import log_batch

        log_batch(metrics, params, tags, run_id=run_id)

    def log_inputs(self, run_id: str, datasets: Sequence[Any] | None = None, models: Any = None) -> None:
        """Record data sets that a run used."""
        del models
        from ledgit.tracking.data import log_inputs

        sets = list(datasets or ())
        inner = [getattr(one, "dataset", one) for one in sets]  # MLflow's DatasetInput wraps one
        contexts = [_context(one) for one in sets]
        log_inputs(inner, contexts, [None] * len(sets), run_id=run_id)

    # ------------------------------------------------------------------ files

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        """Log a file or folder."""
        from ledgit.tracking.files import log_artifact

        log_artifact(local_path, artifact_path, run_id=run_id)

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str | None = None) -> None:
        """Log the files in a folder."""
        from ledgit.tracking.files import log_artifacts

        log_artifacts(local_dir, artifact_path, run_id=run_id)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Log a text as a file."""
        from ledgit.tracking.files import log_text

        log_text(text, artifact_file, run_id=run_id)

    def log_dict(self, run_id: str, dictionary: Any, artifact_file: str) -> None:
        """Log a dictionary or list as JSON or YAML."""
        from ledgit.tracking.files import log_dict

        log_dict(dictionary, artifact_file, run_id=run_id)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """Return the files and folders directly in a folder of a run's artifacts."""
        from ledgit.tracking.uris import list_artifacts

        return list_artifacts(run_id=run_id, artifact_path=path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | os.PathLike[str] | None = None) -> str:
        """Write private copies of a file or folder, and return where."""
        from ledgit.tracking.uris import download_artifacts

        return download_artifacts(run_id=run_id, artifact_path=path, dst_path=dst_path)

    # ------------------------------------------------------------------ experiments

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, Any] | None = None
    ) -> str:
        """Create an experiment and return its id.

        Raises:
            ExperimentExists: There is one of this name.
        """
        from ledgit.tracking.experiments import create_experiment

        return create_experiment(name, artifact_location, tags)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return the experiment with this id.

        Raises:
            ExperimentNotFound: There is none.
        """
        from ledgit.tracking.experiments import get_experiment

        return get_experiment(experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return the experiment of this name, or None."""
        from ledgit.tracking.experiments import get_experiment_by_name

        return get_experiment_by_name(name)

    def search_experiments(
        self,
        view_type: int | str = 1,
        max_results: int | None = MAX_RESULTS,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return experiments that match, the most recently used first."""
        from ledgit.tracking.experiments import search_experiments

        found = search_experiments(view_type, None, filter_string, order_by)
        return page(found, max_results, page_token)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        from ledgit.tracking.experiments import rename_experiment

        rename_experiment(experiment_id, new_name)

    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment, and with it its runs, as deleted."""
        from ledgit.tracking.experiments import delete_experiment

        delete_experiment(experiment_id)

    def restore_experiment(self, experiment_id: str) -> None:
        """Take the mark back."""
        from ledgit.tracking.experiments import restore_experiment

        restore_experiment(experiment_id)

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment.

        Raises:
            InvalidName: The key can't be stored.
        """
        from ledgit.records.names import check_key
        from ledgit.tracking.experiments import get_experiment

        check_key("tag", key)
        self._repository.set_experiment_tags(get_experiment(experiment_id).label, {key: str(value)})


def _context(dataset: Any) -> str | None:
    tags = {tag.key: tag.value for tag in getattr(dataset, "tags", None) or () if hasattr(tag, "key")}
    found = tags.get("mlflow.data.context")
    return None if found is None else str(found)
