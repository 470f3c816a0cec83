"""Fixtures of the fault tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.kit import Forks


@pytest.fixture(scope="session")
def fork_server() -> Iterator[Forks]:
    """One preloaded interpreter for all tests."""
    with tempfile.TemporaryDirectory(prefix="lf") as folder:  # a socket's path must be short
        forks = Forks(Path(folder))
        yield forks
        forks.stop()


@pytest.fixture
def forks(fork_server: Forks) -> Forks:
    """``forks.start("task", ...)`` runs a task of ``tasks.py`` in a process of its own."""
    return fork_server
