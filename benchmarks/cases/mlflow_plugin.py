"""MLflow's own client on its SQLite store and on a repository: the same program, in the same Python."""

from __future__ import annotations

import logging
import os
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Subject, Target
from benchmarks.large import _FILL, FILTER
from benchmarks.measure import Timing, repeated, timed
from benchmarks.repository import METRICS, PARAMS, TAGS, small_repository

RUNS, POINTS, KEPT = 20, 500, 10_000
_PAGE = {"filter": "", "run_view_type": "ACTIVE_ONLY", "max_results": 100}


def prepare(folder: Path, python: str) -> None:
    """10,000 runs in a repository, and in SQLite."""
    from benchmarks.synthetic import Plan, make

    make(folder / "repository", Plan(runs=KEPT))
    (folder / "sqlite").mkdir()
    logged = repr((PARAMS, dict.fromkeys(METRICS, 0.0), TAGS))
    subprocess.run([python, "-c", _FILL, str(KEPT), logged], cwd=folder / "sqlite", check=True, capture_output=True)


def ledgit(folder: Path) -> dict[str, Timing]:
    """The plugin, which MLflow finds by the scheme."""
    from mlflow.store.artifact import artifact_repository_registry as artifact_stores
    from mlflow.tracking._model_registry import utils as model_stores
    from mlflow.tracking._tracking_service import utils as tracking_stores

    from ledgit.mlflow import artifacts, registry, store

    # Also where this Python's list of plugins is of another version.
    artifact_stores._artifact_repository_registry.register("ledgit", artifacts.ArtifactStore)
    model_stores._get_store_registry().register("ledgit", registry.RegistryStore)
    tracking_stores._tracking_store_registry.register("ledgit", store.TrackingStore)
    own = folder / f"own-{os.getpid()}"
    own.mkdir()
    small_repository(own)
    return measures(f"ledgit://{own}", f"ledgit://{folder}/repository")


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """MLflow's default store."""
    return measures(f"sqlite:///{folder}/own-{os.getpid()}.db", f"sqlite:///{folder}/sqlite/mlflow.db")


def measures(own: str, kept: str) -> dict[str, Timing]:
    """Write into the store *own*, and search *kept*."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    warnings.simplefilter("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    import mlflow

    mlflow.set_tracking_uri(own)

    def run() -> None:
        with mlflow.start_run():
            mlflow.log_params(PARAMS)
            mlflow.log_metrics(METRICS)
            mlflow.set_tags(TAGS)

    def points() -> None:
        for step in range(POINTS):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)

    found = {"a whole run": repeated(run, RUNS)}
    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0, step=0)
        found["log_metric"] = timed(points).per(POINTS)
    client = mlflow.MlflowClient(kept, kept)
    ids = [one.experiment_id for one in client.search_experiments()]
    asked: dict[str, Callable[[], Any]] = {
        "search_runs: filter, sort, 20 of 10,000": lambda: client.search_runs(ids, FILTER, 1, 20, ["metrics.loss"]),
        "search_runs: filter, sort, 1,000 of 10,000": lambda: client.search_runs(
            ids, FILTER, 1, 1000, ["metrics.loss"]
        ),
    }
    page = runs_page(kept, ids)
    asked["the UI's request for 100 of 10,000 runs"] = lambda: page("attributes.start_time DESC")
    asked["… without JSON, which is MLflow's"] = lambda: client.search_runs(
        ids, "", 1, 100, ["attributes.start_time DESC"]
    )
    asked["… by a metric"] = lambda: page("metrics.`loss` ASC")
    return found | {name: repeated(ask, 3, 1) for name, ask in asked.items()}


def runs_page(uri: str, ids: list[str]) -> Callable[[str], None]:
    """Return what sends the request of MLflow's page of runs to its server, in this process: no network counts."""
    os.environ |= {"_MLFLOW_SERVER_FILE_STORE": uri, "_MLFLOW_SERVER_REGISTRY_STORE": uri}
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"
    from mlflow.server import app

    server = app.test_client()

    def ask(order: str) -> None:
        wanted = {**_PAGE, "experiment_ids": ids, "order_by": [order]}
        answer = server.post("/ajax-api/2.0/mlflow/runs/search", json=wanted)
        assert len(answer.json["runs"]) == 100, answer.data

    return ask


def _least(measure: str, text: str, times: float) -> Target:
    return Target(text, measure, "ledgit", 1 / times, "mlflow sqlite", rate=True)


CASE = Case(
    title="MLflow's client",
    note="The same calls of the same MLflow on a repository and on its SQLite store; 15 params, 20 metrics, 10 tags a"
    " run. The requests of its UI go to its server without a network; most of the answer's time is MLflow's JSON.",
    rounds=5,
    prepare=prepare,
    shared=True,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("mlflow sqlite", mlflow_sqlite, "ledgit")],
    targets=[
        _least("a whole run", "MLflow's client: a whole run ≥ 3 times as fast as its SQLite store", 3),
        _least("log_metric", "… `log_metric` ≥ 10 times", 10),
        _least("search_runs: filter, sort, 20 of 10,000", "… `search_runs` with a filter, 10,000 runs, ≥ 10 times", 10),
        _least("the UI's request for 100 of 10,000 runs", "… the UI's page of runs, 10,000 runs, ≥ 3 times", 3),
        _least("… by a metric", "… and sorted by a metric", 3),
    ],
)
