"""A run in other shapes: as MLflow shows it, as a comparison needs it, as rows of a table.

``run.info``, ``run.data`` and ``run.inputs`` have MLflow's names. Pure: built from values.

The tags of ``run.data`` also hold MLflow's system tags (``mlflow.runName``,
``mlflow.parentRunId``, ``mlflow.source.git.commit`` …), made from the fields that Ledgit keeps
apart, so that scripts which read them go on working. They are not stored twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ledgit.compare import RunView
    from ledgit.records.inputs import InputRecord
    from ledgit.run import Run

__all__ = [
    "DatasetInput",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunLike",
    "ViewType",
    "artifact_uri",
    "compare_view",
    "run_data",
    "run_info",
    "run_inputs",
    "system_tags",
    "to_frame",
]


class ViewType:
    """Which runs or experiments a search looks at; MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3

    @staticmethod
    def name_of(view: int | str | None) -> str:
        """Return ``active``, ``deleted`` or ``all`` for MLflow's number, or for such a word.

        Raises:
            InvalidValue: It is neither.
        """
        names = {1: "active", 2: "deleted", 3: "all", None: "active"}
        words = {
            "active": "active",
            "deleted": "deleted",
            "all": "all",
            "active_only": "active",
            "deleted_only": "deleted",
        }
        found = words.get(view.lower()) if isinstance(view, str) else names.get(view)
        if found is None:
            from ledgit.errors import InvalidValue

            raise InvalidValue("the view type", view, "ViewType.ACTIVE_ONLY, DELETED_ONLY or ALL")
        return found


class RunLike(Protocol):
    """What a view is made from: the attributes of :class:`ledgit.repository.Run`."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int | None: ...  # noqa: D102
    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def parent_run(self) -> str | None: ...  # noqa: D102
    @property
    def deleted(self) -> bool: ...  # noqa: D102


class _Entity:
    """Iteration as MLflow's entities have it: pairs of attribute and value."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(asdict(self).items())  # type: ignore[call-overload]

    def to_dictionary(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return dict(self)


@dataclass(frozen=True, repr=True)
class RunInfo(_Entity):
    """Who, when and where. Times are milliseconds since the epoch, UTC; ``end_time`` None while active."""

    run_id: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str

    @property
    def run_uuid(self) -> str:
        """MLflow's older name of :attr:`run_id`."""
        return self.run_id


@dataclass(frozen=True)
class RunData(_Entity):
    """What was logged: params and tags as text, the latest value of each metric."""

    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetInput(_Entity):
    """A data set the run used, and the tags of its use (``mlflow.data.context``)."""

    dataset: Any
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunInputs(_Entity):
    """The data sets a run used."""

    dataset_inputs: Sequence[DatasetInput] = ()


def artifact_uri(run_id: str, path: str | None = None) -> str:
    """Return where the artifacts of a run are found: ``runs:/<id>/<path>``, wherever they are stored."""
    tail = (path or "").strip("/")
    return f"runs:/{run_id}/{tail}" if tail else f"runs:/{run_id}"


def run_info(run: RunLike, experiment_id: str | None = None) -> RunInfo:
    """Return *run* as MLflow's RunInfo; *experiment_id* is the id of its experiment, if known."""
    if experiment_id is None:
        from ledgit.store import experiment_id as id_of

        state: Any = getattr(run, "state", run)
        experiment_id = id_of(state.experiment)
    return RunInfo(
        run_id=run.id,
        run_name=run.name,
        experiment_id=experiment_id,
        user_id=run.user or "",
        status=run.status,
        start_time=run.start,
        end_time=run.end or None,
        lifecycle_stage="deleted" if run.deleted else "active",
        artifact_uri=artifact_uri(run.id),
    )


def run_data(run: RunLike, texts: Mapping[str, str] | None = None) -> RunData:
    """Return *run* as MLflow's RunData.

    Args:
        run: The run.
        texts: The text of each param as it was logged; by default ``str`` of its value.
    """
    return RunData(
        metrics=dict(run.metrics),
        params=dict(texts) if texts is not None else {key: str(value) for key, value in run.params.items()},
        tags={**system_tags(run), **run.tags},
    )


def run_inputs(records: Iterable[InputRecord]) -> RunInputs:
    """Return a run's data sets as MLflow's RunInputs; their use is the tag ``mlflow.data.context``."""
    found = []
    for record in records:
        use = {"mlflow.data.context": record.context} if record.context else {}
        found.append(DatasetInput(record, {**use, **record.tags}))
    return RunInputs(tuple(found))


def system_tags(run: RunLike) -> dict[str, str]:
    """Return the tags that MLflow would have set itself, from the fields Ledgit keeps."""
    code = getattr(run, "code", None)
    command = getattr(run, "command", None) or ()
    found = {
        "mlflow.runName": run.name,
        "mlflow.user": run.user,
        "mlflow.source.name": command[0] if command else "",
        "mlflow.source.type": "LOCAL" if command else "",
        "mlflow.source.git.commit": getattr(code, "commit", None),
        "mlflow.source.git.branch": getattr(code, "branch", None),
        "mlflow.parentRunId": run.parent_run,
    }
    return {key: str(value) for key, value in found.items() if value}


def compare_view(run: Run) -> RunView:
    """Return *run* as :func:`ledgit.compare.diff_runs` takes it."""
    from ledgit.compare import ArtifactFacts, RunView, input_facts

    record = run.record()
    info, code, environment = record.info, record.info.code, record.environment
    facts: dict[str, Any] = {}
    if environment is not None:
        for name in ("python", "implementation", "platform", "cpus", "lock_file", "lock_hash", "driver"):
            facts[name] = getattr(environment, name, None)
        facts["gpus"] = ", ".join(environment.gpus)
        facts.update((f"packages.{name}", version) for name, version in environment.packages.items())
    return RunView(
        id=run.id,
        name=run.name,
        params=run.params,
        metrics=run.metrics,
        tags=run.tags,
        artifacts={item.path: ArtifactFacts(item.digest, item.size) for item in record.artifacts},
        environment=facts,
        inputs=input_facts(record.inputs),
        code={
            "commit": code.commit,
            "branch": code.branch,
            "tree": code.tree,
            "dirty": code.dirty,
            "entry point": info.entry_point,
            "command": " ".join(info.command),
        },
    )


def to_frame(runs: Sequence[Run]) -> Any:
    """Return a pandas DataFrame with MLflow's column names, one row a run.

    Raises:
        MissingDependency: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        from ledgit.errors import MissingDependency

        raise MissingDependency("a DataFrame of runs", "pandas") from None
    infos, data = [run_info(run) for run in runs], [run_data(run) for run in runs]
    columns: dict[str, Any] = {
        "run_id": [info.run_id for info in infos],
        "experiment_id": [info.experiment_id for info in infos],
        "status": [info.status for info in infos],
        "artifact_uri": [info.artifact_uri for info in infos],
        "start_time": pd.to_datetime([info.start_time for info in infos], unit="ms", utc=True),
        "end_time": pd.to_datetime([info.end_time for info in infos], unit="ms", utc=True),
    }
    # As in MLflow: what a run lacks is NaN among the metrics, None among params and tags.
    for kind, missing in (("metrics", float("nan")), ("params", None), ("tags", None)):
        values: list[dict[str, Any]] = [getattr(one, kind) for one in data]
        for key in sorted({key for one in values for key in one}):
            columns[f"{kind}.{key}"] = [one.get(key, missing) for one in values]
    return pd.DataFrame(columns)
