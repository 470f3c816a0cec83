"""Fixtures of the index's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.index.kit import Runs, run_id

from ledgit.records import Entry, dump_flat


@pytest.fixture
def runs(repo: Path) -> Runs:
    """The runs of an empty test repository."""
    return Runs(repo)


@pytest.fixture
def make() -> Any:
    """``make(3, metrics={"acc": 0.5})`` is the entry of run 3."""

    def entry(number: int, **fields: Any) -> Entry:
        given = {"name": f"run-{number}", "start": 1_700_000_000_000 + number, "clock": (1, "c" * 16), **fields}
        return Entry(run_id(number), **given)

    return entry


@pytest.fixture
def flat() -> Any:
    """``flat({"a": 1})`` is the content of a params.yaml."""
    return dump_flat
