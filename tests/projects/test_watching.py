"""``ledgit run`` with a parser or a pipeline inside: the real commands, as their users type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git

TRAIN = """\
import argparse
import ledgit
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.5)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--password", default="hunter2")
args = p.parse_args()
ledgit.log_param("rounds", "mine")
"""
PIPELINE = """\
stages:
  prepare:
    cmd: python -c "open('clean.csv', 'w').write(open('data.csv').read())"
    deps: [data.csv]
    params: [rows]
    outs: [clean.csv]
  train:
    cmd: python stage.py
    deps: [clean.csv, stage.py]
    metrics: [metrics.json: {cache: false}]
"""


@pytest.fixture
def path(repo: Path) -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def ledgit(repo: Path, path: str, *words: str, code: int = 0) -> str:
    environ = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ledgit", *words], cwd=repo, env=environ, capture_output=True, text=True, check=False
    )
    assert code == done.returncode, done.stderr
    return done.stdout


def shown(repo: Path, path: str) -> dict[str, Any]:
    """The newest run."""
    found: dict[str, Any] = json.loads(ledgit(repo, path, "show", "--json"))
    return found


@pytest.mark.parametrize("words", [("--", "python", "train.py"), (".", "-e", "train.py", "--env-manager", "local")])
def test_arguments_become_params_when_asked_for(repo: Path, path: str, words: tuple[str, ...]) -> None:
    """Of a tracked command and of a project; what the program logs itself stays, secrets are hidden."""
    (repo / "train.py").write_text(TRAIN)
    given = ("--lr", "1e-3") if words[0] == "--" else ("-P", "lr=1e-3")

    ledgit(repo, path, "run", "--capture-args", *words, *given)

    run = shown(repo, path)
    assert {"lr": 0.001, "rounds": "mine", "password": "***"} == run["params"]
    assert ["output.log"] == [artifact["path"] for artifact in run["artifacts"]]


def test_nothing_is_captured_unasked(repo: Path, path: str) -> None:
    """Defaults of a program are its own affair."""
    (repo / "train.py").write_text(TRAIN)

    ledgit(repo, path, "run", "--", "python", "train.py")

    assert {"rounds": "mine"} == shown(repo, path)["params"]


def test_a_run_around_a_pipeline_has_what_its_stages_declare(repo: Path, path: str) -> None:
    """When they run, when nothing has to run, and when one fails."""
    (repo / "dvc.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("rows: 2\n")
    (repo / "stage.py").write_text("open('metrics.json', 'w').write('{\"acc\": 0.5}')\n")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=repo, check=True)
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "pipeline")

    for _ in range(2):
        ledgit(repo, path, "run", "--", "dvc", "repro")
        run = shown(repo, path)
        assert ({"rows": 2}, {"acc": 0.5}) == (run["params"], run["metrics"])
        assert ["data.csv"] == [item["name"] for item in run["inputs"]]
        assert {"dvc.lock", "output.log"} == {artifact["path"] for artifact in run["artifacts"]}

    (repo / "params.yaml").write_text("rows: 3\n")
    (repo / "stage.py").write_text("raise SystemExit('no')\n")
    ledgit(repo, path, "run", "--", "dvc", "repro", code=255)
    run = shown(repo, path)
    assert ("FAILED", {"rows": 3}, {}) == (run["status"], run["params"], run["metrics"])


def test_an_error_in_the_file_is_where_the_person_has_it(repo: Path, path: str) -> None:
    """Not in the copy that was to be run, which is gone by then."""
    (repo / "MLproject").write_text("entry_points:\n  main: {command: [}\n")

    command = [sys.executable, "-m", "ledgit", "run", "."]
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=repo, env=environ, capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert done.stderr.startswith("ledgit: MLproject, line 2: is not valid YAML")
