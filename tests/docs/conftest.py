"""The repository that the pages' readers have: a script and some data, both committed and pushed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import GitFunction

TRAIN = """\
import argparse

import ledgit as mlflow

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.1)
options = parser.parse_args()

mlflow.log_params(vars(options))
for step in range(5):
    mlflow.log_metric("accuracy", 1 - options.learning_rate / (step + 1), step=step)
"""


@pytest.fixture
def readers_folder(repo: Path, git: GitFunction, tmp_path: Path) -> Path:
    """A repository with a training script, data, and a remote that has both."""
    (repo / "train.py").write_text(TRAIN)
    (repo / "data.csv").write_text("x,y\n1,2\n3,4\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "Train a model")
    git(tmp_path, "init", "-q", "--bare", "host.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "host.git"))
    git(repo, "push", "-q", "-u", "origin", "HEAD")
    return repo
