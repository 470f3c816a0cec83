"""Git's own `gc --auto` is never started by what runs leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.background import wait_for
from tests.conftest import run_git
from tests.sync.kit import Clone

import ledgit
from ledgit.git import gc_is_running, git_version
from ledgit.store import settle, setup
from ledgit.store.settle import settle_all

RUNS = 60


def counts(path: Path) -> dict[str, int]:
    """What `git gc --auto` looks at: loose objects, and packs."""
    lines = (line.split(": ") for line in run_git(path, "count-objects", "-v").splitlines())
    return {name: int(number) for name, number in lines if number.isdigit()}


def packs(path: Path) -> set[str]:
    return {file.name for file in (path / ".git" / "objects" / "pack").iterdir()}


@pytest.fixture
def worked(repo: Path, tmp_path: Path) -> Path:
    """Sixty runs, each with other uncommitted changes, pushed every twenty; then the code is committed."""
    host = tmp_path / "host.git"
    run_git(tmp_path, "init", "-q", "--bare", "-b", "main", str(host))
    run_git(repo, "remote", "add", "origin", host.as_uri())
    run_git(repo, "push", "-q", "origin", "HEAD")
    clone = Clone(repo)
    for number in range(RUNS):
        (repo / "train.py").write_text(f"lr = {number}\n")
        with ledgit.start_run():
            ledgit.log_param("lr", number)
            ledgit.log_metric("loss", number / 7)
        if number % 20 == 19:
            clone.compact()
            clone.push()
    (repo / "train.py").write_text("lr = 0.5\n")  # no run's: a tree of a run that is the commit's, too, is on a ref
    run_git(repo, "commit", "-qam", "The best of them")
    # Until nothing of ours works on packs any more: all is settled, and what Git's own maintenance held up is merged.
    wait_for(lambda: settle_all() is None and not settle._settler.unmerged and not gc_is_running(clone.repo))
    return repo


def test_normal_work_leaves_nothing_for_gc_auto(worked: Path) -> None:
    """With Git's own limits of packs and a third of its limit of files, it finds nothing to do."""
    before = packs(worked)
    assert 50 > counts(worked)["packs"]
    assert not any(name.endswith(".keep") for name in before)

    run_git(worked, "-c", "gc.auto=2000", "-c", "gc.autoDetach=false", "gc", "--auto")

    assert before == packs(worked)
    assert 2 * RUNS + 100 >= counts(worked)["count"]


def test_what_a_gc_finds_on_no_ref_does_not_start_the_next(worked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots' trees are on no ref once the run's own was made of them; `init` has Git pack those, from 2.38 on."""
    monkeypatch.setattr(setup, "MANY_RUNS", 1)
    setup.prepare(Clone(worked).repo, RUNS)
    unreachable = run_git(worked, "fsck", "--unreachable", "--no-progress", "--no-reflogs").splitlines()
    assert RUNS <= sum(" tree " in line for line in unreachable)

    run_git(worked, "gc", "-q")

    is_packed = counts(worked)["count"] == 0
    assert is_packed == (git_version() >= (2, 38))
    kept = {line.split()[-1] for line in unreachable}
    said = run_git(worked, "cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in kept).encode())
    assert "missing" not in said
    after = packs(worked)
    run_git(worked, "-c", f"gc.auto={1 if is_packed else 6700}", "-c", "gc.autoDetach=false", "gc", "--auto")
    assert after == packs(worked)
