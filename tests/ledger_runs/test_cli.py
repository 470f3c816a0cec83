"""The commands, on runs that are only in the ledger and on runs with two heads."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.ledger_runs.kit import Clone

from ledgit.cli import main

Ledgit = Callable[..., str]


@pytest.fixture
def ledgit(clone: Clone, capsys: pytest.CaptureFixture[str]) -> Ledgit:
    """``ledgit("show", "owl")`` runs the command in the clone and returns what it printed."""

    def run(*words: str) -> str:
        assert 0 == main([*words]), capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_every_command_works_on_a_run_that_is_only_in_the_ledger(clone: Clone, ledgit: Ledgit) -> None:
    run_id = clone.add_run("owl")
    commit = clone.run("owl").commit
    clone.compact()
    assert {} == clone.loose()

    assert f"{commit}\n" == ledgit("rev", "owl") == ledgit("rev", "--head", "owl")
    assert run_id == json.loads(ledgit("show", "owl", "--json"))["id"]
    assert "run: owl (owls)" in ledgit("log", "owl")
    assert "branch owl is" in ledgit("branch", "owl")
    assert "exported 1 run" in ledgit("export", "owl", "out")
    ledgit("apply", "owl", "--force")
    ledgit("record", "--run", "owl", "-m", "late=1", "-t", "stage=new")
    clone.compact()
    ledgit("tag", "owl", "keep=yes", "stage-")
    clone.compact()
    assert "deleted owl" in ledgit("rm", "owl")
    clone.compact()
    assert "restored owl" in ledgit("restore", "owl")
    clone.compact()
    ledgit("note", "owl", "-m", "all fine")

    shown = json.loads(ledgit("show", "owl", "--json"))
    assert {"keep": "yes", "mlflow.note.content": "all fine"} == shown["tags"]
    assert (1.0, commit) == (shown["metrics"]["late"], shown["commit"])
    subjects = [entry["subject"] for entry in json.loads(ledgit("log", "owl", "--json"))]
    assert [
        "note: owl",
        "restore: owl",
        "delete: owl",
        "edit: owl",
        "resume: owl (owls)",
        "run: owl (owls)",
    ] == subjects
    assert "0 runs" in ledgit("import", "out")
    clone.check()


def test_show_and_log_tell_of_two_heads(clone: Clone, other: Clone, ledgit: Ledgit) -> None:
    """And of params that two machines logged differently."""
    run_id = clone.add_run("owl")
    other.pull(clone)
    for here, value in ((clone, 0.25), (other, 0.5)):
        session = here.resume(run_id)
        session.log_params({"late": value})
        session.finish()
    clone.pull(other)
    first, second = clone.run("owl").conflicts["late"]

    shown = ledgit("show", "owl")
    assert "on several machines" in shown
    assert f"late is {first}, logged first; elsewhere {second}" in shown
    as_json = json.loads(ledgit("show", "owl", "--json"))
    assert ({"late": [first, second]}, 2) == (as_json["conflicts"], len(as_json["heads"]))
    assert 2 == ledgit("log", "owl").count("resume: owl")

    ledgit("tag", "owl", "joined=yes")

    assert "on several machines" not in ledgit("show", "owl")
    assert f"param late: {first} and {second}; the first one counts" in ledgit("log", "owl")
