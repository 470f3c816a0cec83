"""Runs that wait, are lost, held back, unreadable or left over."""

from __future__ import annotations

import os
from pathlib import Path

from tests.doctor.kit import Clinic, age
from tests.ledger.kit import tombstone

from ledgit.store.ledger import loose
from ledgit.store.sync.held import SIZE, Held, hold


def test_a_loose_run_that_the_ledger_has_is_dropped(clinic: Clinic) -> None:
    """As a process leaves it that is killed between the ledger's ref and the runs'."""
    run = clinic.run()
    head = clinic.git("rev-parse", f"refs/ledgit/runs/{run}")
    clinic.compact()
    clinic.git("update-ref", f"refs/ledgit/runs/{run}", head)

    assert [("hint", "covered")] == clinic.found()
    assert ["dropped 1 ref of runs that the ledger has"] == clinic.mend()
    assert [] == clinic.findings()
    assert "" == clinic.git("for-each-ref", "refs/ledgit/runs")


def test_so_is_an_old_head_of_a_run_that_was_edited_since(clinic: Clinic) -> None:
    run = clinic.run()
    head = clinic.git("rev-parse", f"refs/ledgit/runs/{run}")
    clinic.edit(run, set_tags={"a": "b"})
    clinic.compact()
    clinic.git("update-ref", f"refs/ledgit/runs/{run}", head)

    assert [("hint", "covered")] == clinic.found()
    clinic.mend()
    assert [] == clinic.findings()


def test_a_purged_run_that_has_a_ref_again_is_a_problem(clinic: Clinic) -> None:
    """No clone holds a purged run."""
    run = clinic.run()
    head = clinic.git("rev-parse", f"refs/ledgit/runs/{run}")
    (found,) = loose.read_loose(clinic.repo, {run: head})
    assert found.line is not None
    clinic.add_lines(tombstone(run, found.line.start or 0))
    clinic.git("update-ref", f"refs/ledgit/runs/{run}", head)

    assert ("problem", "covered") in clinic.found()
    clinic.mend()
    assert "" == clinic.git("for-each-ref", "refs/ledgit/runs")
    assert [] == clinic.findings()


def test_a_ref_of_a_run_that_names_no_run_is_a_problem(clinic: Clinic) -> None:
    clinic.git("update-ref", f"refs/ledgit/runs/{'ab' * 16}", "HEAD")

    (finding, *_) = clinic.findings()
    assert ("problem", "run") == (finding.level, finding.key)
    assert f"git update-ref -d refs/ledgit/runs/{'ab' * 16}" in finding.mend


def test_a_run_under_another_run_s_ref_is_a_problem(clinic: Clinic) -> None:
    run = clinic.run()
    clinic.git("update-ref", f"refs/ledgit/runs/{'ab' * 16}", f"refs/ledgit/runs/{run}")

    assert any("another run" in finding.what for finding in clinic.findings())


def test_the_snapshot_of_a_run_that_is_a_commit_by_now_is_dropped(clinic: Clinic) -> None:
    run = clinic.run()
    clinic.git("update-ref", f"refs/ledgit/active/{run}", "HEAD")

    assert [("hint", "snapshot")] == clinic.found()
    clinic.mend()
    assert [] == clinic.findings()


def test_the_snapshot_of_a_run_that_is_nowhere_is_left_to_the_user(clinic: Clinic) -> None:
    """It may be the only copy of that run's code."""
    clinic.git("update-ref", f"refs/ledgit/active/{'ab' * 16}", "HEAD")

    assert any("git update-ref -d" in line for line in clinic.mend())
    assert [("hint", "snapshot")] == clinic.found()


def test_runs_that_are_held_back_are_listed_with_their_reason(clinic: Clinic) -> None:
    run = clinic.run()
    head = clinic.git("rev-parse", f"refs/ledgit/runs/{run}")
    hold(clinic.folder, {run: Held([head], "model.bin is larger than GitHub takes", SIZE, 1, "origin")})

    (finding,) = clinic.findings()
    assert ("hint", "held") == (finding.level, finding.key)
    assert "held back from origin" in finding.what
    assert "larger than GitHub takes" in finding.what


def test_what_is_held_back_and_is_not_here_any_more_is_forgotten(clinic: Clinic) -> None:
    hold(clinic.folder, {"ab" * 16: Held(["cd" * 20], "it looked like a secret", SIZE, 1)})

    assert [("hint", "held-stale")] == clinic.found()
    clinic.mend()
    assert [] == clinic.findings()


def test_a_work_folder_that_nobody_works_in_is_listed_and_swept(clinic: Clinic) -> None:
    """A project's process was killed; one that is still at work holds its lock."""
    import fcntl

    work = clinic.path / ".git" / "ledgit" / "work"
    for name in ("dead", "alive"):
        (work / name).mkdir(parents=True)
        (work / f"{name}.lock").touch()
    with open(work / "alive.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert [("hint", "leftovers")] == clinic.found()
        (finding,) = clinic.findings()
        assert "ledgit/work/dead" in finding.what
        assert "alive" not in finding.what
        clinic.mend()

        assert [] == clinic.findings()
        assert ["alive", "alive.lock"] == sorted(path.name for path in work.iterdir())


def test_leftovers_of_killed_processes_are_swept(clinic: Clinic) -> None:
    """Only old ones: a fresh one belongs to somebody."""
    git_dir = clinic.path / ".git"
    old = [
        git_dir / "objects" / "pack" / f"pack-{'0' * 40}.keep",
        git_dir / "objects" / "pack" / "ledgit-new-0123-pack",
        git_dir / "ledgit" / "scratch" / "doctor-1.sqlite3",
        git_dir / "ledgit" / "index-0123",
    ]
    fresh = git_dir / "objects" / "pack" / "ledgit-new-4567-pack"
    theirs = git_dir / "objects" / "pack" / f"pack-{'1' * 40}.keep"
    for path in (*old, fresh, theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"ledgit: until a ref points at these objects\n")
        if path is not fresh:
            age(path)
    theirs.write_bytes(b"kept by hand\n")
    age(theirs)

    assert [("hint", "leftovers")] == clinic.found()
    clinic.mend()
    assert [] == clinic.findings()
    assert [fresh, theirs] == [path for path in (*old, fresh, theirs) if path.exists()]


def test_an_old_lock_on_a_ref_is_shown_and_left_alone(clinic: Clinic) -> None:
    """Git's locks have no owner that could be asked."""
    run = clinic.run()
    lock = clinic.path / ".git" / "refs" / "ledgit" / "runs" / f"{run}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert [] == clinic.findings()
    age(lock)

    (finding,) = clinic.findings()
    assert ("problem", "locks") == (finding.level, finding.key)
    os.system(finding.mend.removeprefix("if no git runs: "))
    assert [] == clinic.findings()


def test_code_that_is_not_here_any_more_is_a_hint(clinic: Clinic, tmp_path: Path) -> None:
    """As with runs that name their code by its id alone (``ledgit.snapshot = none``)."""
    clinic.git("config", "ledgit.snapshot", "none")
    clinic.git("checkout", "-q", "-b", "gone")
    clinic.git("commit", "-q", "--allow-empty", "-m", "soon gone")
    clinic.run()
    clinic.git("checkout", "-q", "main")
    clinic.git("branch", "-q", "-D", "gone")
    assert [] == clinic.findings()
    clinic.git("reflog", "expire", "--expire=now", "--all")
    clinic.git("gc", "-q", "--prune=now")

    assert [("hint", "code")] == clinic.found()


def test_a_registry_tag_that_was_pruned_is_restored(clinic: Clinic) -> None:
    """``fetch.pruneTags`` deletes tags that the remote lacks, those that were not pushed yet among them."""
    clinic.git("tag", "-a", "-m", "first", "model@v1.0.0")
    clinic.git("update-ref", "refs/ledgit/registry/model@v1.0.0", "refs/tags/model@v1.0.0")
    assert [] == clinic.findings()
    tag = clinic.git("rev-parse", "model@v1.0.0")
    clinic.git("tag", "-d", "model@v1.0.0")

    assert [("problem", "tags")] == clinic.found()
    assert ["restored model@v1.0.0"] == clinic.mend()
    assert tag == clinic.git("rev-parse", "refs/tags/model@v1.0.0")
    assert [] == clinic.findings()
