"""A repository that is well, to be made ill in one way at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.doctor.kit import Clinic

from ledgit.git import Repo
from ledgit.store.setup import prepare


@pytest.fixture
def clinic(repo: Path) -> Clinic:
    """The repository of the test, prepared, without runs."""
    prepare(Repo.discover(str(repo)))
    return Clinic(repo)


@pytest.fixture
def remote(clinic: Clinic, tmp_path: Path) -> Path:
    """A bare repository, which is the clinic's origin and has its branch."""
    path = tmp_path / "remote.git"
    run_git(tmp_path, "init", "-q", "--bare", str(path))
    run_git(clinic.path, "remote", "add", "origin", str(path))
    run_git(clinic.path, "push", "-q", "origin", "main")
    return path
