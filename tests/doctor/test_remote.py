"""What the remote takes: asked of real repositories with real hooks."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import run_git
from tests.doctor.kit import Clinic


def hook(remote: Path, script: str) -> None:
    path = remote / "hooks" / "update"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def keys(clinic: Clinic) -> list[tuple[str, str]]:
    return [(finding.level, finding.key) for finding in clinic.ask_remote()]


def test_a_remote_that_takes_everything_is_well_and_keeps_nothing(clinic: Clinic, remote: Path) -> None:
    before = run_git(remote, "for-each-ref")

    assert [] == clinic.ask_remote()
    assert before == run_git(remote, "for-each-ref")


def test_one_that_refuses_custom_refs_needs_the_branch(clinic: Clinic, remote: Path) -> None:
    hook(remote, 'case $1 in refs/heads/*|refs/tags/*) ;; *) echo "only branches here" >&2; exit 1;; esac')

    (finding,) = clinic.ask_remote()
    assert ("problem", "mode") == (finding.level, finding.key)
    clinic.git(*finding.mend.removeprefix("git ").split())
    assert [("hint", "branch-mode")] == keys(clinic)


def test_one_that_takes_custom_refs_and_hides_them_needs_the_branch(clinic: Clinic, remote: Path) -> None:
    """What nobody can fetch is not shared."""
    run_git(remote, "config", "uploadpack.hideRefs", "refs/ledgit")

    assert [("problem", "mode")] == keys(clinic)
    assert "" == run_git(remote, "for-each-ref", "refs/ledgit")


def test_one_that_refuses_new_branches_takes_the_custom_ref(clinic: Clinic, remote: Path) -> None:
    hook(remote, 'case $1 in refs/heads/*) echo "open a pull request" >&2; exit 1;; esac')
    assert [] == clinic.ask_remote()
    clinic.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")

    found = clinic.ask_remote()
    assert ("problem", "mode", "git config --unset ledgit.ledgerRef") == (found[0].level, found[0].key, found[0].mend)


def test_one_that_takes_nothing_is_said_to(clinic: Clinic, remote: Path) -> None:
    hook(remote, "exit 1")

    assert [("problem", "refused")] == keys(clinic)


def test_a_ref_that_cannot_be_deleted_is_said_to_be_left(clinic: Clinic, remote: Path) -> None:
    hook(remote, 'test "$3" != 0000000000000000000000000000000000000000')

    found = clinic.ask_remote()
    assert [("hint", "probe")] == [(finding.level, finding.key) for finding in found]
    hook(remote, "exit 0")
    command = found[0].mend.removeprefix("git ").split()
    clinic.git(*command)
    assert [] == clinic.ask_remote()


def test_refs_of_earlier_checks_are_found(clinic: Clinic, remote: Path) -> None:
    run_git(remote, "update-ref", "refs/ledgit/probe/012345", "refs/heads/main")

    (finding,) = clinic.ask_remote()
    clinic.git(*finding.mend.removeprefix("git ").split())
    assert [] == clinic.ask_remote()


def test_one_that_cannot_be_reached_is_a_problem(clinic: Clinic, remote: Path) -> None:
    shutil.rmtree(remote)

    assert [("problem", "unreachable")] == keys(clinic)


def test_one_that_lost_its_ledger_is_told_to_get_it_back(clinic: Clinic, remote: Path) -> None:
    clinic.run()
    clinic.compact()
    clinic.git("update-ref", "refs/ledgit/remotes/origin/ledger", "refs/ledgit/ledger")

    (finding,) = clinic.ask_remote()
    assert ("lost-ledger", "ledgit push") == (finding.key, finding.mend)


def test_without_being_asked_to_the_network_is_not_used(clinic: Clinic, remote: Path) -> None:
    """Offline is the normal case."""
    hook(remote, "exit 1")
    shutil.rmtree(remote)

    assert [] == clinic.findings()
