"""What differs between two runs, asked again and again in one process."""

from __future__ import annotations

from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, repeated
from benchmarks.repository import METRICS, PARAMS, TAGS, small_repository

TIMES = 50


def ledgit(folder: Path) -> dict[str, Timing]:
    """Params, metrics, tags, artifacts, environment, inputs and code."""
    import ledgit

    small_repository(folder)
    ids = []
    for number in range(2):
        with ledgit.start_run() as run:
            ledgit.log_params(PARAMS | {"param_0": number})
            ledgit.log_metrics({key: value + number for key, value in METRICS.items()})
            ledgit.set_tags(TAGS)
        ids.append(run.info.run_id)
    repository = ledgit.open()

    def work() -> None:
        repository.runs.ids(*ids).compare()

    return {"two runs": repeated(work, TIMES)}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """Params, metrics and tags: fetched by id and compared as dictionaries."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    ids = []
    for number in range(2):
        with mlflow.start_run() as run:
            mlflow.log_params(PARAMS | {"param_0": number})
            mlflow.log_metrics({key: value + number for key, value in METRICS.items()})
            mlflow.set_tags(TAGS)
        ids.append(run.info.run_id)
    client = mlflow.MlflowClient()

    def work() -> None:
        one, two = (client.get_run(run_id).data for run_id in ids)
        pairs = ((one.params, two.params), (one.metrics, two.metrics), (one.tags, two.tags))
        differing = [key for left, right in pairs for key in left | right if left.get(key) != right.get(key)]
        assert len(differing) > len(METRICS)

    return {"two runs": repeated(work, TIMES)}


CASE = Case(
    title="Comparing two runs",
    note="15 params, 20 metrics, 10 tags each; warm, in one process.",
    rounds=5,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("mlflow sqlite", mlflow_sqlite, "mlflow")],
    targets=[Target("comparing two runs, warm, in process ≤ 1.5 ms", "two runs", "ledgit", 0.0015)],
)
