"""Fixtures of the tests of sharing: a host and people with clones of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sync.kit import START, Clone, make_clone, make_host
from tests.sync.publish_kit import clone

__all__ = ["ada", "ben", "clone", "host", "shared"]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A bare repository with one branch, below a folder of its own."""
    return make_host(tmp_path / "hosts" / "runs.git")


@pytest.fixture
def ada(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ada")


@pytest.fixture
def ben(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ben")


@pytest.fixture
def shared(ada: Clone, ben: Clone) -> tuple[str, ...]:
    """Runs that both have, and one of each that the remote lacks."""
    runs = tuple(ada.log(start=START + n) for n in range(3))
    ada.push()
    ben.pull()
    return runs
