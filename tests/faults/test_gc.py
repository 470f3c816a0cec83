"""Git's own cleaning, at the worst moments, takes nothing of a run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import (
    Died,
    Forks,
    check_objects,
    leftovers,
    read_run,
    recover_all,
    run_refs,
    tree_files,
    work_tree_as_git_sees_it,
)

from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart


def prune(git: GitFunction, repo: Path) -> None:
    """Drop everything that no ref reaches, at once."""
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")


@contextmanager
def looping(repo: Path, command: str) -> Iterator[Path]:
    """Run a shell command again and again beside what the block does; yields the file of its complaints."""
    said, going = repo.parent / "loop-said", repo.parent / "loop-goes-on"
    going.touch()
    script = f"while [ -e {going} ]; do {command}; done >{said} 2>&1"
    process = subprocess.Popen(["sh", "-c", script], cwd=repo)
    try:
        yield said
    finally:
        going.unlink()
        process.wait()


def change(repo: Path, mark: object = "") -> None:
    (repo / "train.py").write_text(f"print('changed {mark}')\n")
    (repo / "new.txt").write_text(f"new {mark}\n")


def test_a_gc_between_start_and_end_keeps_the_uncommitted_changes(repo: Path, git: GitFunction) -> None:
    """The snapshot of an active run has a ref of its own."""
    change(repo)
    expected = work_tree_as_git_sees_it(repo)
    run = ActiveRun.create(Repo.discover(), RunStart())
    while not run.read().first("protected"):
        time.sleep(0.005)

    git(repo, "checkout", "-q", "train.py")
    (repo / "new.txt").unlink()
    prune(git, repo)
    run.log_metric("loss", 1.0)
    commit = run.finish()

    assert [] == run.problems
    assert commit is not None
    assert expected == tree_files(repo, commit)
    check_objects(repo)
    prune(git, repo)
    assert expected == tree_files(repo, commit)
    assert [] == leftovers(repo)
    check_objects(repo)


def test_a_gc_between_the_kill_and_the_recovery_keeps_them_too(repo: Path, git: GitFunction, forks: Forks) -> None:
    """The ref outlives the process."""
    change(repo)
    expected = work_tree_as_git_sees_it(repo)
    with pytest.raises(Died) as died:
        forks.run("leave")
    run_id = died.value.args[0][0]

    git(repo, "checkout", "-q", "train.py")
    prune(git, repo)
    recover_all(repo)

    assert expected == tree_files(repo, read_run(repo, run_id).head)
    check_objects(repo)


@pytest.mark.parametrize(
    "command",
    ["git gc -q --prune=now", "git repack -q -a -d && git prune --expire=now && git pack-refs --all"],
    ids=["gc", "repack-prune-pack-refs"],
)
def test_a_gc_in_a_loop_beside_many_runs_takes_none(repo: Path, git: GitFunction, forks: Forks, command: str) -> None:
    """Each of 50 runs, with changes of its own, is whole."""
    expected = {}
    with looping(repo, command):
        for number in range(50):
            change(repo, number)
            wanted = work_tree_as_git_sees_it(repo)
            [made] = forks.run("log_small", 1)
            assert [] == made["problems"]
            expected[made["id"]] = (made["commit"], wanted)

    assert {run_id: commit for run_id, (commit, _) in expected.items()} == run_refs(repo)
    for commit, wanted in expected.values():
        assert wanted == tree_files(repo, commit)
    check_objects(repo)
    prune(git, repo)
    check_objects(repo)
    assert 50 == len(run_refs(repo))
