"""What the tests of reproductions share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repro.stage import Stage

STEADY = """\
import ledgit as mlflow
with mlflow.start_run():
    mlflow.log_param("lr", 0.1)
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
"""


@pytest.fixture
def stage(repo: Path) -> Stage:
    """A repository whose ``train.py`` logs the same each time."""
    made = Stage(repo)
    made.write("train.py", STEADY)
    made.write(".gitignore", "local/\n*.local\nsettings_local.py\n")
    made.commit("train")
    return made
