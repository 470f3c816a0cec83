"""Runs go from clone to clone, and everybody ends with the same ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, inboxes, lines_of, make_clone, make_host, tree_of


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return make_host(tmp_path / "hosts" / "runs.git")


@pytest.fixture
def ada(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ada")


@pytest.fixture
def ben(host: Path, tmp_path: Path) -> Clone:
    return make_clone(str(host), tmp_path / "ben")


def test_a_run_goes_from_one_clone_to_another(ada: Clone, ben: Clone, host: Path) -> None:
    run = ada.log()

    pushed, pulled = ada.push(), ben.pull()

    assert [run] == pushed.sent.new == pulled.changes.new
    assert {run} == ada.listed() == ben.listed() == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert ada.ledger == ben.ledger == run_git(host, "rev-parse", LEDGER)
    assert set() == ada.loose() == ben.loose()
