"""DVC's own command reads Ledgit's run commits: metrics, params and plots of two runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart

ODD = "val/F1 score"


def dvc(*args: str) -> object:
    """Run the real dvc and return the JSON it prints."""
    env = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *args, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def two_runs(repo: Path) -> tuple[str, str]:
    """Two runs whose param, metric and odd metric differ."""
    commits = []
    for rate in (0.1, 1e-05):
        run = ActiveRun.create(Repo.discover(str(repo)), RunStart())
        run.log_params({"learning_rate": rate, "flag": True, "word": "no"})
        for step in range(3):
            run.log_metric("accuracy", step * rate, step)
            run.log_metric(ODD, step + rate, step)
        commit = run.finish()
        assert commit is not None
        commits.append(commit)
    return commits[0], commits[1]


def test_dvc_metrics_diff_reads_two_runs(two_runs: tuple[str, str]) -> None:
    found = dvc("metrics", "diff", *two_runs)

    assert found == {
        ".ledgit/run/metrics.yaml": {
            "accuracy": {"old": 0.2, "new": 2e-05, "diff": 2e-05 - 0.2},
            ODD: {"old": 2.1, "new": 2.00001, "diff": 2.00001 - 2.1},
        }
    }


def test_dvc_params_diff_reads_two_runs(two_runs: tuple[str, str]) -> None:
    found = dvc("params", "diff", *two_runs)

    assert found == {".ledgit/run/params.yaml": {"learning_rate": {"old": 0.1, "new": 1e-05, "diff": 1e-05 - 0.1}}}


def test_dvc_plots_diff_reads_the_histories_of_two_runs(two_runs: tuple[str, str]) -> None:
    found = dvc("plots", "diff", *two_runs)

    assert isinstance(found, dict)
    plots = found["data"]
    assert len(plots) == 2
    for file, plot in plots.items():
        (content,) = plot
        name = "accuracy" if file.endswith("/accuracy.tsv") else ODD
        rows = content["content"]["data"]["values"]
        assert content["revisions"] == list(two_runs)
        assert [float(row[name]) for row in rows if row["rev"] == two_runs[1]] == [
            step * 1e-05 if name == "accuracy" else step + 1e-05 for step in range(3)
        ]
