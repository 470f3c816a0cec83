"""MLflow's answers to some 190 calls, recorded from MLflow 3.17.2 with SQLite, and Ledgit's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.contract.cases import CASES, ERROR, answers

import ledgit

RECORDED = Path(__file__).with_name("mlflow-3.17.json")

# Where Ledgit does something else on purpose, and what.
DIFFERENT: dict[str, Any] = {
    # sys.exit(0) is how scripts say that all went well.
    "a_clean_exit_in_the_block": "FINISHED",
}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


def test_ledgit_answers_as_mlflow_does(repo: Path, recorded: dict[str, Any]) -> None:
    """But for what is listed, with its reason."""
    ours = answers(ledgit)

    assert {**recorded, **DIFFERENT} == ours


def test_the_recording_is_of_these_cases(recorded: dict[str, Any]) -> None:
    """A case that was added is recorded too, and the differences are real ones."""
    assert CASES.keys() == recorded.keys()
    assert all(recorded[name] != answer for name, answer in DIFFERENT.items())
    assert ERROR in recorded.values()
