"""Every run of the demonstration comes out again, the one with uncommitted code too."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.demo.test_demo import stage as played  # noqa: F401 - a fixture
from tests.repro.stage import Stage

import ledgit
from ledgit.projects.repro import ReproOptions, audit

pytestmark = pytest.mark.frameworks


def test_every_run_of_the_demo_is_reproduced(played: tuple[Path, str], tmp_path: Path) -> None:  # noqa: F811
    """In a copy: the demonstration's own tests count its runs."""
    folder = tmp_path / "demo"
    shutil.copytree(
        played[0], folder, symlinks=True, ignore=lambda path, _: {"elsewhere"} if path == str(played[0]) else set()
    )
    stage = Stage(folder)
    before = (folder / "train.py").read_bytes()
    repository = ledgit.open(folder)
    found = audit(repository, stage.runs(), ReproOptions(show=False))

    assert [("identical", "")] * 6 == [(one.level, one.reason) for one in found.runs]
    assert before == (folder / "train.py").read_bytes()
    assert [] == os.listdir(folder / ".git" / "ledgit" / "work")
