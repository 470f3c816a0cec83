"""A run from start to end: 15 params, 20 metrics, 10 tags, durable when the call returns."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, repeated
from benchmarks.repository import METRICS, PARAMS, TAGS, small_repository

RUNS = 60
MLFLOW_RUNS = 20


def ledgit(folder: Path) -> dict[str, Timing]:
    """Snapshot, journal, objects, commit, ref and fsync."""
    import ledgit

    small_repository(folder)

    def work() -> None:
        with ledgit.start_run():
            ledgit.log_params(PARAMS)
            ledgit.log_metrics(METRICS)
            ledgit.set_tags(TAGS)

    return {"one run": repeated(work, RUNS)}


def raw_pygit2(folder: Path) -> dict[str, Timing]:
    """Three files, their tree, a commit and a ref by pygit2, each synced: what Git itself needs."""
    import pygit2
    from pygit2.enums import FileMode, Option

    pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
    small_repository(folder)
    repository = pygit2.Repository(str(folder))
    who = pygit2.Signature("Benchmark", "benchmark@example.org")
    parent = repository.head.target
    number = 0

    def work() -> None:
        nonlocal number
        number += 1
        builder = repository.TreeBuilder()
        for name, values in (("params", PARAMS), ("metrics", METRICS), ("tags", TAGS | {"number": str(number)})):
            text = "".join(f"{key}: {value}\n" for key, value in values.items())
            builder.insert(f"{name}.yaml", repository.create_blob(text.encode()), FileMode.BLOB)
        commit = repository.create_commit(None, who, who, "run", builder.write(), [parent])
        repository.references.create(f"refs/bench/{number:032x}", commit)

    return {"one run": repeated(work, RUNS)}


def one_file(folder: Path) -> dict[str, Timing]:
    """One line of JSON appended to a file and synced: the least that is durable."""
    file = os.open(folder / "runs.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work() -> None:
        run = {"params": PARAMS, "metrics": METRICS, "tags": TAGS, "start": time.time()}
        os.write(file, json.dumps(run).encode() + b"\n")
        os.fdatasync(file)

    taken = repeated(work, RUNS)
    os.close(file)
    return {"one run": taken}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """MLflow's default store, by its batch calls."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")

    def work() -> None:
        with mlflow.start_run():
            mlflow.log_params(PARAMS)
            mlflow.log_metrics(METRICS)
            mlflow.set_tags(TAGS)

    return {"one run": repeated(work, MLFLOW_RUNS)}


CASE = Case(
    title="A whole run",
    note=f"15 params, 20 metrics, 10 tags in a small repository; median of {RUNS} in one process.",
    rounds=7,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("JSON line, synced", one_file),
        Subject("raw pygit2, synced", raw_pygit2, "ledgit"),
        Subject("mlflow sqlite", mlflow_sqlite, "mlflow"),
    ],
    targets=[
        Target("a whole run, durable, ≤ 5 ms on a quiet machine", "one run", "ledgit", 0.005),
        Target("a whole run under a quarter of MLflow's SQLite store", "one run", "ledgit", 0.25, "mlflow sqlite"),
    ],
)
