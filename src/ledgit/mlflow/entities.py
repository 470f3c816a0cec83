"""Ledgit's runs, experiments and data sets as MLflow's entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    Metric,
    Param,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunTag,
)
from mlflow.entities import Experiment as MlflowExperiment
from mlflow.entities import Run as MlflowRun

from ledgit.mlflow.models import model_use, without_models
from ledgit.mlflow.uris import artifact_root
from ledgit.records.inputs import InputRecord
from ledgit.records.names import MAX_KEY
from ledgit.store import experiment_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.experiment import Experiment
    from ledgit.run import Run
    from ledgit.store import ActiveRun

__all__ = ["experiment_entity", "input_record", "run_entity", "run_name_of", "started_entity", "writer_info"]


def experiment_entity(experiment: Experiment) -> MlflowExperiment:
    """Return an experiment; its runs keep their artifacts with themselves, so it has no place of its own."""
    return MlflowExperiment(
        experiment_id=experiment.id,
        name=experiment.name,
        artifact_location="ledgit:",
        lifecycle_stage=experiment.lifecycle_stage,
        tags=[ExperimentTag(key, value) for key, value in experiment.tags.items()],
        creation_time=experiment.creation_time,
        last_update_time=experiment.last_update_time,
    )


def run_entity(run: Run, repository: str, *, inputs: bool = False) -> MlflowRun:
    """Return a run.

    Args:
        run: The run.
        repository: The path of its repository, for the URI of its artifacts.
        inputs: Read its data sets whole and the steps of its latest points: for one run, not for a list of thousands.
    """
    info, data = run.info, run.data
    metrics = [Metric(key, value, run.end or run.start, 0) for key, value in data.metrics.items()]
    # In a list what the ledger's line has: how they were called, their digests, and what for.
    sets = [_dataset_input(InputRecord(one[0], one[1], context=one[2])) for one in run.state.inputs]
    if inputs:
        record = run.record()
        latest = {key: points.latest() for key, points in record.histories.items() if len(points)}
        metrics = [Metric(key, value, time, step) for key, (value, step, time) in latest.items()]
        sets = [_dataset_input(one) for one in record.inputs]
    taken, made = model_use(data.tags)
    return MlflowRun(
        run_info=RunInfo(
            run_id=info.run_id,
            experiment_id=info.experiment_id,
            user_id=info.user_id,
            status=info.status,
            start_time=info.start_time,
            end_time=info.end_time,
            lifecycle_stage=info.lifecycle_stage,
            artifact_uri=artifact_root(repository, run.id),
            run_name=info.run_name,
        ),
        run_data=RunData(
            metrics=metrics,
            params=[Param(key, value) for key, value in data.params.items()],
            tags=[RunTag(key, value) for key, value in without_models(data.tags).items()],
        ),
        run_inputs=RunInputs(dataset_inputs=sets, model_inputs=taken),
        run_outputs=RunOutputs(model_outputs=made),
    )


def writer_info(writer: ActiveRun, repository: str, user: str, end: int | None = None) -> RunInfo:
    """Return the facts of a run from what this process wrote into it: nothing is read."""
    return RunInfo(
        run_id=writer.id,
        experiment_id=experiment_id(writer.experiment),
        user_id=user,
        status=writer.status,
        start_time=writer.start,
        end_time=end,
        lifecycle_stage="active",
        artifact_uri=artifact_root(repository, writer.id),
        run_name=writer.name,
    )


def started_entity(writer: ActiveRun, repository: str, user: str, tags: Mapping[str, str]) -> MlflowRun:
    """Return a run that was started this moment with *tags*."""
    shown = {**tags, "mlflow.runName": writer.name}
    return MlflowRun(
        run_info=writer_info(writer, repository, user),
        run_data=RunData(metrics=[], params=[], tags=[RunTag(key, value) for key, value in shown.items()]),
        run_inputs=RunInputs(dataset_inputs=[]),
    )


def run_name_of(given: object) -> str | None:
    """Return what a run can be called of the name it was given; None if nothing.

    MLflow takes any text. Ledgit's names are for people, in lists and on terminals: the rest is cut at 250 characters,
    and characters that can't be shown become spaces.
    """
    text = "".join(one if one.isprintable() else " " for one in str(given or "")[:MAX_KEY])
    return text if text.strip() else None


def _dataset_input(record: InputRecord) -> DatasetInput:
    tags = [InputTag(key, value) for key, value in record.tags.items()]
    if record.context:
        tags.append(InputTag("mlflow.data.context", record.context))
    dataset = Dataset(
        name=record.name,
        digest=record.digest,
        source_type=record.source_type,
        source=record.source,
        schema=record.schema or None,
        profile=record.profile or None,
    )
    return DatasetInput(dataset=dataset, tags=tags)


def input_record(given: DatasetInput) -> InputRecord:
    """Return what Ledgit keeps of a data set that MLflow was given."""
    tags = {tag.key: tag.value for tag in given.tags or ()}
    one = given.dataset
    return InputRecord(
        name=one.name,
        digest=one.digest or "",
        source_type=one.source_type or "",
        source=one.source or "",
        schema=one.schema or "",
        profile=one.profile or "",
        context=tags.pop("mlflow.data.context", ""),
        tags=tags,
    )
