"""A repository that is well gives no findings, whatever kind it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.doctor.kit import Clinic
from tests.ledger.kit import tombstone

from ledgit.git import Objects, Repo
from ledgit.records.table import parse_line
from ledgit.store.ledger import every_line
from ledgit.store.setup import prepare


def test_an_empty_repository_is_well(clinic: Clinic) -> None:
    assert [] == clinic.findings()


def test_one_with_loose_compacted_edited_deleted_and_purged_runs_is_well(clinic: Clinic) -> None:
    """All that a ledger can have, but for what is owed: the tombstones are in its root."""
    clinic.add_lines(tombstone("ab" * 16))
    first, second = clinic.run("owl"), clinic.run("elk")
    clinic.edit(first, set_tags={"a": "b"})
    clinic.compact()
    clinic.edit(second, deleted=True)
    clinic.run("fox")

    assert [] == clinic.findings()


def test_a_run_with_two_heads_is_well(clinic: Clinic) -> None:
    """Edited on two machines: both lines stand until the next edit."""
    run = clinic.run()
    base = clinic.git("rev-parse", f"refs/ledgit/runs/{run}")
    clinic.edit(run, set_tags={"a": "here"})
    clinic.compact()
    ledger = clinic.git("rev-parse", "refs/ledgit/ledger")
    clinic.git("update-ref", "-d", "refs/ledgit/ledger")
    clinic.git("update-ref", f"refs/ledgit/runs/{run}", base)
    clinic.edit(run, set_tags={"a": "there"})
    clinic.compact()
    objects = Objects(clinic.repo)
    lines = [line for _, line in every_line(objects, objects.commit(ledger).tree)]
    clinic.add_lines(*(parse_line(line.raw) for line in lines), heads=tuple(line.head for line in lines))
    table = clinic.git("rev-parse", "refs/ledgit/ledger^{tree}")

    assert 2 == len(list(every_line(objects, table)))
    assert [] == clinic.findings()


@pytest.mark.parametrize("kind", ["shallow", "bare", "mirror", "worktree", "single-branch"])
def test_every_kind_of_clone_is_well(clinic: Clinic, tmp_path: Path, kind: str) -> None:
    clinic.git("commit", "-q", "--allow-empty", "-m", "second")
    clinic.run()
    clinic.compact()
    other = tmp_path / "other"
    if kind == "worktree":
        clinic.git("worktree", "add", "-q", str(other))
    else:
        options = {
            "shallow": ["--depth=1"],
            "bare": ["--bare"],
            "mirror": ["--bare"],
            "single-branch": ["--single-branch"],
        }
        run_git(tmp_path, "clone", "-q", *options[kind], f"file://{clinic.path}", str(other))
    prepare(Repo.discover(str(other)))
    there = Clinic(other)
    if kind == "mirror":
        there.git("fetch", "-q", "origin", "refs/ledgit/ledger:refs/ledgit/ledger")
    there.run("fox")

    assert [] == there.findings()
    there.compact()
    assert [] == there.findings()


def test_a_run_that_is_being_written_is_well(clinic: Clinic) -> None:
    from ledgit.store import ActiveRun, RunStart

    active = ActiveRun.create(clinic.repo, RunStart(name="busy"))
    active.log_metric("acc", 0.5, 0, 1_700_000_000_000)
    try:
        assert [] == clinic.findings()
    finally:
        active.finish("FINISHED")


def test_examining_changes_no_ref_and_no_object(clinic: Clinic) -> None:
    """Reading never writes to the repository."""
    clinic.run()
    clinic.compact()
    clinic.run("elk")

    def state() -> tuple[str, str]:
        return clinic.git("for-each-ref"), clinic.git("count-objects", "-v")

    before = state()
    clinic.findings()
    assert before == state()
