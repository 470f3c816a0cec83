"""Fixtures of the tests of purging: a host, and people with clones of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gc.kit import Clone, make_clone
from tests.sync.kit import make_host


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return make_host(tmp_path / "hosts" / "runs.git")


@pytest.fixture
def ada(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ada")


@pytest.fixture
def ben(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ben")
