"""Fixtures of the ledger's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledgit.git import Repo
from ledgit.store import Folder


@pytest.fixture
def opened(repo: Path) -> Repo:
    """The test's repository."""
    return Repo.discover(str(repo))


@pytest.fixture
def folder(opened: Repo) -> Folder:
    """Ledgit's folder in it."""
    return Folder.of(opened)
