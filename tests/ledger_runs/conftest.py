"""Fixtures: one clone, or two of one project."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.faults.conftest import fork_server, forks
from tests.ledger_runs.kit import Clone

__all__ = ["fork_server", "forks"]


@pytest.fixture
def clone(repo: Path) -> Clone:
    """The test's repository."""
    return Clone(repo)


@pytest.fixture
def other(repo: Path) -> Clone:
    """A second clone of the test's repository; it has no runs yet."""
    run_git(repo.parent, "clone", "-q", str(repo), "other")
    return Clone(repo.parent / "other")
