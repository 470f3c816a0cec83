"""Reading one metric's history back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, repeated, timed
from benchmarks.repository import small_repository

POINTS = 100_000


def ledgit(folder: Path) -> dict[str, Timing]:
    """The run is written by another process, so nothing of it is in this one's memory."""
    small_repository(folder)
    code = f"""
import ledgit
with ledgit.start_run() as run:
    for step in range({POINTS}):
        ledgit.log_metric("loss", 1 / (step + 1), step=step)
print(run.info.run_id)
"""
    written = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True)
    run_id = written.stdout.split()[-1]

    import ledgit

    repository = ledgit.open()

    def work() -> None:
        assert len(repository.run(run_id).history("loss")) == POINTS

    return {"first": timed(work), "again": repeated(work, 9, warm_up=0)}


def json_lines(folder: Path) -> dict[str, Timing]:
    """A file of JSON lines, read by the standard library."""
    with (folder / "points.jsonl").open("w") as file:
        for step in range(POINTS):
            file.write(json.dumps({"key": "loss", "value": 1 / (step + 1), "step": step, "timestamp": step}) + "\n")

    def work() -> None:
        with (folder / "points.jsonl").open() as file:
            points = [json.loads(line) for line in file]
        assert len(points) == POINTS

    return {"first": timed(work), "again": repeated(work, 3, warm_up=0)}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """MLflow's default store."""
    import mlflow
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    points = [Metric("loss", 1 / (step + 1), step, step) for step in range(POINTS)]
    for start in range(0, POINTS, 1_000):
        client.log_batch(run_id, metrics=points[start : start + 1_000])

    def work() -> None:
        assert len(client.get_metric_history(run_id, "loss")) == POINTS

    return {"first": timed(work), "again": repeated(work, 3, warm_up=0)}


CASE = Case(
    title="Reading a history",
    note=f"One metric's {POINTS:,} points; the first call, and the median of further ones.",
    rounds=3,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("JSON lines", json_lines),
        Subject("mlflow sqlite", mlflow_sqlite, "mlflow"),
    ],
    targets=[
        Target(f"reading one metric's {POINTS:,} points, first, ≤ 0.1 s", "first", "ledgit", 0.1),
        Target("… and again ≤ 20 ms", "again", "ledgit", 0.020),
    ],
)
