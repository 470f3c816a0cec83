"""Programs of a project that log to MLflow itself: nothing of it goes with the work folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git

from ledgit.cli import main

PROGRAM = """
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
mlflow.set_tracking_uri("file:mlruns")
with mlflow.start_run(run_name="theirs"):
    mlflow.log_param("alpha", 0.5)
    mlflow.log_metric("rmse", 0.25)
    with open("model.txt", "w") as file:
        file.write("weights")
    mlflow.log_artifact("model.txt")
"""


def test_runs_of_mlflows_own_store_are_brought_along(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As children of the project's run, with their files; and it is said."""
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    (repo / "fit.py").write_text(PROGRAM)
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "fit")

    assert main(["run", ".", "--", sys.executable, "fit.py"]) == 0

    assert "brought along as children" in capsys.readouterr().err
    assert main(["ls", "--json"]) == 0
    runs = {run["name"]: run for run in json.loads(capsys.readouterr().out)}
    theirs = runs.pop("theirs")
    (ours,) = runs.values()
    assert theirs["parent_run"] == ours["id"]
    assert theirs["metrics"] == {"rmse": 0.25}
    assert main(["artifacts", "ls", theirs["id"], "--json"]) == 0
    assert [file["path"] for file in json.loads(capsys.readouterr().out)] == ["model.txt"]
    assert not (repo / "mlruns").exists()


def test_a_store_that_is_part_of_the_project_is_left_alone(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was there before, and nothing was logged to it."""
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    run = repo / "mlruns/0" / ("a" * 32)
    run.mkdir(parents=True)
    (repo / "mlruns/0/meta.yaml").write_text("name: Default\nexperiment_id: '0'\n")
    (run / "meta.yaml").write_text(f"run_id: {'a' * 32}\nstatus: 3\nstart_time: 1\nend_time: 2\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "a store")

    assert main(["run", ".", "--", "true"]) == 0

    assert "MLflow" not in capsys.readouterr().err
