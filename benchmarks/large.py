"""Repositories with very many runs, made once a run of the benchmarks and shared by its cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import Timing, time_process
from benchmarks.repository import METRICS, PARAMS, TAGS, git

RUNS = int(os.environ.get("BENCH_RUNS", "100000"))
SHOWN = f"{RUNS:,} runs"
FILTER = "metrics.accuracy > 0.5 and params.optimizer = 'adam'"
LIST = ("ls", FILTER, "--sort", "metrics.loss", "--limit", "20")
MLFLOW_RUNS = min(RUNS, 10_000)
"""MLflow's store is filled by SQL, and with ten times as many runs a question takes half a minute."""

_SHAPES: dict[str, dict[str, Any]] = {
    "small": {"runs": 1_000},
    "narrow": {"runs": RUNS},
    "wide": {"runs": RUNS, "shape": "wide"},
    "none": {"runs": 0},
}


def repository(folder: Path, name: str) -> Path:
    """Return the repository *name*, with an index; *folder* is a case's or a round's."""
    from benchmarks.synthetic import Plan, make  # MLflow's interpreter, which comes here too, lacks Ledgit

    path = folder.parents[1] / "synthetic" / name
    if not path.exists():
        make(path, Plan(**_SHAPES[name]))
        if name != "none":
            ledgit(path, *LIST)
    return path


def copy(folder: Path, name: str, target: Path) -> Path:
    """Copy the repository *name* to *target*, to be changed."""
    subprocess.run(["cp", "-a", str(repository(folder, name)), str(target)], check=True)
    return target


def ledgit(path: Path, *arguments: str) -> str:
    """Run Ledgit in *path* and return what it printed."""
    line = [str(Path(sys.executable).parent / "ledgit"), *arguments]
    done = subprocess.run(line, cwd=path, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        message = f"ledgit {' '.join(arguments)} failed:\n{done.stderr[-2000:]}"
        raise RuntimeError(message)
    return done.stdout


def time_ledgit(path: Path, *arguments: str) -> Timing:
    """Time a command of Ledgit's from start to exit."""
    return time_process([str(Path(sys.executable).parent / "ledgit"), *arguments], path, dict(os.environ))


def time_git(path: Path, *arguments: str) -> Timing:
    """Time a git command from start to exit."""
    return time_process(["/usr/bin/env", "git", *arguments], path, dict(os.environ))


def quickest(timings: list[Timing]) -> Timing:
    """The time least disturbed by what else the machine does."""
    return min(timings, key=lambda timing: timing.wall)


def remember(folder: Path, **values: Any) -> None:
    """Keep *values* for the subjects of a case."""
    (folder / "prepared.json").write_text(json.dumps(values))


def remembered(folder: Path) -> dict[str, Any]:
    """Return what :func:`remember` kept."""
    found: dict[str, Any] = json.loads((folder / "prepared.json").read_text())
    return found


def commit_something(path: Path, text: str) -> None:
    """One more commit of code on the current branch."""
    (path / "note.txt").write_text(text)
    git(path, "add", "note.txt")
    git(path, "commit", "-q", "-m", text)


_FILL = """
import sqlite3, sys, random, mlflow
from mlflow.tracking import MlflowClient
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = MlflowClient()
run = client.create_run("0")
client.log_param(run.info.run_id, "p", 1)
client.log_metric(run.info.run_id, "m", 1.0)
db = sqlite3.connect("mlflow.db")
db.row_factory = sqlite3.Row
def insert(table, rows):
    names = ", ".join(rows[0])
    marks = ", ".join("?" * len(rows[0]))
    db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", [tuple(row.values()) for row in rows])
first = {table: dict(db.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run.info.run_id,)).fetchone())
         for table in ("runs", "params", "metrics", "latest_metrics")}
random.seed(1)
params, metrics, tags = eval(sys.argv[2])
for begin in range(0, int(sys.argv[1]), 1000):
    rows = {table: [] for table in (*first, "tags")}
    for number in range(begin, begin + 1000):
        run_id = "%032x" % random.getrandbits(128)
        start = 1_780_000_000_000 + number * 1000
        rows["runs"].append(first["runs"] | {"run_uuid": run_id, "name": f"run-{number}", "status": "FINISHED",
                            "start_time": start, "end_time": start + 5})
        rows["params"] += [first["params"] | {"run_uuid": run_id, "key": key, "value": str(value)}
                           for key, value in (params | {"optimizer": random.choice(["sgd", "adam", "adamw"])}).items()]
        for key in [*metrics, "accuracy", "loss"]:
            value = {"run_uuid": run_id, "key": key, "value": random.random(), "timestamp": start}
            rows["metrics"].append(first["metrics"] | value)
            rows["latest_metrics"].append(first["latest_metrics"] | value)
        rows["tags"] += [{"run_uuid": run_id, "key": key, "value": value} for key, value in tags.items()]
    for table, some in rows.items():
        insert(table, some)
db.commit()
"""


def mlflow_store(folder: Path) -> Path | None:
    """Return a folder with MLflow's SQLite store, filled by SQL with the runs that its own calls would log.

    None if there is no interpreter that has MLflow.
    """
    python = os.environ.get("BENCH_MLFLOW_PYTHON")
    if not python:
        return None
    path = folder.parents[1] / "synthetic" / "mlflow"
    if not path.exists():
        path.mkdir(parents=True)
        logged = repr((PARAMS, dict.fromkeys(METRICS, 0.0), TAGS))
        subprocess.run([python, "-c", _FILL, str(MLFLOW_RUNS), logged], cwd=path, check=True, capture_output=True)
    return path
