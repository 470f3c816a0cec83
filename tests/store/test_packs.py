"""Runs leave few packs, whatever Git does to them meanwhile."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Died, Forks, check_objects, leftovers, recover_all, run_refs
from tests.faults.test_gc import looping

from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.packs import tidy


def packs(repo: Path) -> list[str]:
    return [path.name for path in (repo / ".git/objects/pack").glob("*.pack")]


@pytest.mark.slow
def test_three_hundred_runs_leave_fewer_than_thirty_packs(repo: Path, git: GitFunction, forks: Forks) -> None:
    made = forks.run("log_small", 300)

    assert 300 == len({item["commit"] for item in made} & set(run_refs(repo).values()))
    assert 30 > len(packs(repo))
    check_objects(repo)
    git(repo, "gc", "-q", "--prune=now")
    assert 300 == len(run_refs(repo))
    check_objects(repo)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["git gc -q", "git repack -q -a -d"])
def test_merging_packs_while_git_repacks_loses_none(repo: Path, forks: Forks, command: str) -> None:
    """Both delete packs that the other reads."""
    with looping(repo, command):
        children = [forks.start("log_small", 60) for _ in range(2)]
        made = [item for child in children for item in child.result()]

    assert [] == [item["problems"] for item in made if item["problems"]]
    assert {item["id"]: item["commit"] for item in made} == run_refs(repo)
    check_objects(repo)
    recover_all(repo)
    assert 40 > len(packs(repo))


def test_a_stopped_process_that_merges_holds_up_no_run(repo: Path) -> None:
    """What it left undone is done by whoever comes next."""
    opened = Repo.discover(str(repo))
    ActiveRun.create(opened, RunStart()).finish()
    with (repo / ".git/ledgit/packs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = time.monotonic()
        for _ in range(16):
            assert ActiveRun.create(opened, RunStart()).finish()
        recover_all(repo)
        assert 10 > time.monotonic() - before
        assert 16 < len(packs(repo))

    tidy(opened, Folder.of(opened))

    assert 10 > len(packs(repo))
    assert 17 == len(run_refs(repo))
    check_objects(repo)


def test_the_packs_of_processes_that_were_killed_after_their_runs_are_merged_too(repo: Path, forks: Forks) -> None:
    """Their runs are finished; what they had no time for is done by the next command."""
    for _ in range(40):
        with pytest.raises(Died):
            forks.run("finish_and_die")
    assert 40 == len(run_refs(repo)) == len(packs(repo))

    recover_all(repo)

    assert 40 == len(run_refs(repo))
    assert 12 > len(packs(repo))
    assert [] == leftovers(repo)
    check_objects(repo)
