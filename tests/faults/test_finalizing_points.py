"""A process that dies at any point of finalizing costs nothing and is not noticed afterwards."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import RUNS, Died, Forks, check_objects, leftovers, points, read_run, recover_all, run_refs

POINTS = ("pack", "ref", "keep", "active-ref", "journal")
RUN = "0123456789abcdef0123456789abcdef"


def release_old_keeps(repo: Path) -> None:
    """Make the .keep files look an hour old: a younger one may be in use."""
    for keep in (repo / ".git/objects/pack").glob("*.keep"):
        os.utime(keep, (1, 1))
    recover_all(repo)


@pytest.mark.parametrize("how", ["exit", "kill"])
@pytest.mark.parametrize("point", POINTS)
def test_a_finalizer_that_dies_is_repeated_to_the_same_commit(
    repo: Path, git: GitFunction, forks: Forks, point: str, how: str
) -> None:
    """Whatever the point, the next command finds or makes the one commit."""
    (repo / "train.py").write_text("print('changed')\n")
    with pytest.raises(Died):
        forks.run("leave", RUN)
    copied = repo.parent / "copy"
    shutil.copytree(repo, copied, symlinks=True)
    expected = forks.run("recover_here", cwd=copied)["commits"][RUN]

    with pytest.raises(Died):
        forks.run("die_while_finalizing", point, how, RUN)
    recover_all(repo)
    release_old_keeps(repo)

    assert {RUN: expected} == run_refs(repo)
    assert ["first"] == git(repo, "log", "--format=%s", f"{RUNS}{RUN}^").splitlines()
    assert [] == leftovers(repo)
    check_objects(repo)


@pytest.mark.parametrize("point", POINTS)
def test_a_run_whose_own_process_dies_at_its_end_is_finished_all_the_same(repo: Path, forks: Forks, point: str) -> None:
    """The end was written before finalizing began, so the status is FINISHED, not KILLED."""
    with pytest.raises(Died):
        forks.run("die_while_finishing", point, "kill", RUN)

    recover_all(repo)
    release_old_keeps(repo)

    head = read_run(repo, RUN)
    assert "FINISHED" == head.record.info.status
    assert 20 == len(points(head, "loss"))
    assert {"small.txt", "deep/large.bin"} == {artifact.path for artifact in head.record.artifacts}
    assert () == head.entry.past
    assert [] == leftovers(repo)
    check_objects(repo)


@pytest.mark.parametrize("point", POINTS)
def test_a_resumed_session_is_added_exactly_once(repo: Path, forks: Forks, point: str) -> None:
    """A repeat knows by the session in the message whether its commit is there already."""
    first = forks.run("log_everything", RUN)["commit"]

    with pytest.raises(Died):
        forks.run("die_while_resuming", point, "kill", RUN)
    recover_all(repo)
    recover_all(repo)
    release_old_keeps(repo)

    head = read_run(repo, RUN)
    assert (first,) == head.entry.past
    assert (100, 0.25) == points(head, "loss")[-1]
    assert 21 == len(points(head, "loss"))
    assert 1 == head.record.params["late"]
    assert [] == leftovers(repo)
    check_objects(repo)


@pytest.mark.parametrize("call", [1, 2])
def test_a_finalizer_that_dies_in_the_middle_of_its_pack_is_repeated(repo: Path, forks: Forks, call: int) -> None:
    """Before the pack has its name, and when its index has none yet."""
    with pytest.raises(Died):
        forks.run("leave", RUN)
    with pytest.raises(Died):
        forks.run("die_while_packing", call, RUN)

    commit = recover_all(repo).commits[RUN]
    for file in (repo / ".git/objects/pack").glob("ledgit-new-*"):
        os.utime(file, (1, 1))
    release_old_keeps(repo)

    assert {RUN: commit} == run_refs(repo)
    assert [] == list((repo / ".git/objects/pack").glob("ledgit-new-*"))
    assert [] == leftovers(repo)
    check_objects(repo)
