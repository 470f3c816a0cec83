"""Fixtures of the registry's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.kit import Shop


@pytest.fixture
def shop(repo: Path) -> Shop:
    """A repository to train and register in."""
    return Shop(repo)
