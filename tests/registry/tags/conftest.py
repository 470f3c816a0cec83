"""Fixtures of the tests of tags: a repository, and two clones of one host."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.tags.kit import Shop
from tests.sync.kit import make_clone, make_host


@pytest.fixture
def shop(repo: Path) -> Shop:
    """A repository to train and register in."""
    return Shop(repo)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A bare repository that both push to."""
    return make_host(tmp_path / "hosts" / "models.git")


@pytest.fixture
def ada(host: Path, tmp_path: Path) -> Shop:
    return Shop(make_clone(str(host), tmp_path / "ada").path)


@pytest.fixture
def ben(host: Path, tmp_path: Path) -> Shop:
    return Shop(make_clone(str(host), tmp_path / "ben").path)
