"""Many processes and threads at once: every point arrives exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.kit import Forks, check_objects, leftovers, points, read_run, recover_all, run_refs

from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart

PROCESSES, THREADS, EACH = 8, 8, 50


def test_eight_processes_of_eight_threads_log_into_one_run(repo: Path, forks: Forks) -> None:
    """Joined processes have parts of their own; together they are one history."""
    run = ActiveRun.create(Repo.discover(), RunStart())
    children = [forks.start("join_and_log", run.id, who, THREADS, EACH) for who in range(PROCESSES)]
    for child in children:
        assert [] == child.result()
    run.log_metric("parent", 1.0)
    commit = run.finish()

    assert [] == run.problems
    assert {run.id: commit} == run_refs(repo)
    head = read_run(repo, run.id)
    record = head.record
    assert "FINISHED" == record.info.status
    for who in range(PROCESSES):
        for thread in range(THREADS):
            assert [(step, step * 0.5) for step in range(EACH)] == points(head, f"m{who}-{thread}")
            assert thread == record.params[f"p{who}-{thread}"]
            assert "x" == record.tags[f"t{who}-{thread}"]
            assert f"{who} {thread}".encode() == head.files[f"artifacts/out/{who}-{thread}.txt"]
    shared = points(head, "shared")
    assert list(range(PROCESSES * THREADS * EACH)) == [step for step, _ in shared]
    assert [float(step // (THREADS * EACH)) for step, _ in shared] == [value for _, value in shared]
    assert [] == leftovers(repo)
    check_objects(repo)


def test_eight_processes_of_eight_threads_each_make_runs_of_their_own(repo: Path, forks: Forks) -> None:
    """None waits for another, none is lost, and few packs stay."""
    children = [forks.start("own_run_threads", THREADS, 2, 20) for _ in range(PROCESSES)]
    made = [item for child in children for item in child.result()]

    assert PROCESSES * THREADS * 2 == len(made)
    assert [] == [item["problems"] for item in made if item["problems"]]
    assert {item["id"]: item["commit"] for item in made} == run_refs(repo)
    for item in made:
        assert [(step, float(step)) for step in range(20)] == points(read_run(repo, item["id"]), "loss")
    recover_all(repo)
    assert [] == leftovers(repo)
    assert 30 > len(list((repo / ".git/objects/pack").glob("*.pack")))
    check_objects(repo)


def test_a_run_whose_owner_ends_first_is_finalized_by_the_last_that_leaves(repo: Path, forks: Forks) -> None:
    """The owner says how it ended; what others log until they leave is there."""
    run = ActiveRun.create(Repo.discover(), RunStart())
    other = ActiveRun.join(Repo.discover(), run.id)
    run.log_metric("loss", 1.0, 0)
    assert run.finish("FAILED") is None
    other.log_metric("loss", 2.0, 1)

    commit = other.finish()

    assert {run.id: commit} == run_refs(repo)
    head = read_run(repo, run.id)
    assert "FAILED" == head.record.info.status
    assert [(0, 1.0), (1, 2.0)] == points(head, "loss")


@pytest.mark.parametrize("how", ["fork", "fork-and-finish", "multiprocessing-fork", "multiprocessing-spawn"])
def test_a_child_logs_into_its_parents_run_and_its_end_ends_nothing(repo: Path, forks: Forks, how: str) -> None:
    """The points of both are there, once; the parent's status counts."""
    made = forks.run("tasks_forks:fork_and_log", how)

    assert [] == made["problems"]
    assert {made["id"]: made["commit"]} == run_refs(repo)
    head = read_run(repo, made["id"])
    assert "FINISHED" == head.record.info.status
    assert [(0, 0.0), (1, 1.0)] == points(head, "parent")
    assert [(step, float(step % 25)) for step in range(100)] == points(head, "child")
    assert {"child": "was here"} == head.record.tags
    check_objects(repo)


def test_a_run_does_not_wait_for_a_child_that_lives_on(repo: Path, forks: Forks) -> None:
    """It ends at once and becomes a commit when the child is gone."""
    made = forks.run("tasks_forks:end_before_the_child")
    assert made["commit"] is None
    assert 20 > made["took"]
    assert {} == run_refs(repo)

    recover_all(repo)

    head = read_run(repo, made["id"])
    assert "FINISHED" == head.record.info.status
    assert [(1, 1.0)] == points(head, "child")


def test_a_child_that_never_logs_does_not_keep_the_run_open(repo: Path, forks: Forks) -> None:
    """It holds the parent's lock only through the parent's own descriptor."""
    made = forks.run("tasks_forks:end_beside_a_silent_child")

    assert {made["id"]: made["commit"]} == run_refs(repo)
    assert [] == made["problems"]


def test_a_child_forked_while_git_works_does_not_hold_it_up(repo: Path, forks: Forks) -> None:
    """It inherits none of the pipes to the git command, whose end the snapshot would wait for."""
    assert forks.run("tasks_forks:fork_while_talking_to_git")
