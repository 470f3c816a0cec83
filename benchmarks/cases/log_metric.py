"""One metric point a call, in a training loop."""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, timed
from benchmarks.repository import small_repository

POINTS = 100_000
MLFLOW_POINTS = 2_000


def plain_append(folder: Path) -> dict[str, Timing]:
    """The least that can be: buffered text with the same fields."""
    with (folder / "points.tsv").open("w") as file:

        def work() -> None:
            for step in range(POINTS):
                file.write(f"loss\t{1 / (step + 1)!r}\t{step}\t{int(time.time() * 1000)}\n")
            file.flush()

        return {"one point": timed(work).per(POINTS)}


def json_append(folder: Path) -> dict[str, Timing]:
    """What a careful person writes by hand: buffered JSON lines with the same fields."""
    with (folder / "points.jsonl").open("w") as file:

        def work() -> None:
            for step in range(POINTS):
                point = {"key": "loss", "value": 1 / (step + 1), "step": step, "timestamp": int(time.time() * 1000)}
                file.write(json.dumps(point) + "\n")
            file.flush()

        return {"one point": timed(work).per(POINTS)}


def json_append_flushed(folder: Path) -> dict[str, Timing]:
    """The same, given to the kernel after every line: what survives a SIGKILL, as Ledgit's does."""
    with (folder / "points.jsonl").open("w") as file:

        def work() -> None:
            for step in range(POINTS):
                point = {"key": "loss", "value": 1 / (step + 1), "step": step, "timestamp": int(time.time() * 1000)}
                file.write(json.dumps(point) + "\n")
                file.flush()

        return {"one point": timed(work).per(POINTS)}


def ledgit(folder: Path) -> dict[str, Timing]:
    """One checksummed write a call."""
    import ledgit

    small_repository(folder)
    ledgit.start_run()
    log_metric = ledgit.log_metric
    log_metric("warm", 1.0, step=0)

    def work() -> None:
        for step in range(POINTS):
            log_metric("loss", 1 / (step + 1), step=step)

    taken = timed(work)
    ledgit.end_run()
    return {"one point": taken.per(POINTS)}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """MLflow's default store."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.start_run()
    mlflow.log_metric("warm", 1.0, step=0)

    def work() -> None:
        for step in range(MLFLOW_POINTS):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)

    taken = timed(work)
    mlflow.end_run()
    return {"one point": taken.per(MLFLOW_POINTS)}


CASE = Case(
    title="Logging one metric point",
    note=f"{POINTS:,} calls in a row in one process ({MLFLOW_POINTS:,} for MLflow), time of one.",
    rounds=7,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("JSON lines, buffered", json_append),
        Subject("JSON lines, flushed", json_append_flushed),
        Subject("plain text, buffered", plain_append),
        Subject("mlflow sqlite", mlflow_sqlite, "mlflow"),
    ],
    targets=[
        Target(
            "`log_metric` at ≥ 0.9× the rate of a buffered JSON-line append",
            "one point", "ledgit", 1 / 0.9, "JSON lines, buffered", rate=True,
        )
    ],
)  # fmt: skip
