"""The same question asked again in one process."""

from __future__ import annotations

from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import FILTER, MLFLOW_RUNS, SHOWN, mlflow_store, repository
from benchmarks.measure import Timing, repeated


def prepare(folder: Path, _python: str) -> None:
    """The repository and MLflow's store."""
    repository(folder, "narrow")
    mlflow_store(folder)


def ledgit(folder: Path) -> dict[str, Timing]:
    """By the object API: refs are looked at each time."""
    from ledgit import open as open_repository

    runs = open_repository(str(repository(folder, "narrow"))).runs

    def work() -> None:
        assert len(runs.filter(FILTER).sort("metrics.loss").limit(20)) == 20

    return {"question": repeated(work, 50)}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """MLflow's client, objects rather than a DataFrame."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{mlflow_store(folder)}/mlflow.db")

    def work() -> None:
        assert len(client.search_runs(["0"], FILTER, order_by=["metrics.loss"], max_results=20)) == 20

    return {"question": repeated(work, 3, warm_up=1)}


CASE = Case(
    title="The same question again, in process",
    note=f"The question of the list above, {SHOWN}; MLflow's store has {MLFLOW_RUNS:,}.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("mlflow sqlite", mlflow_sqlite, "mlflow")],
    targets=[Target("the same query warm, in process ≤ 10 ms", "question", "ledgit", 0.010)],
)
