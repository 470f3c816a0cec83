"""A resumed run shows its commit with the new session on top, and afterwards both in one commit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from tests.faults.kit import Died, Forks

from ledgit.errors import InvalidValue, StorageError
from ledgit.repository import Repository, open_repository
from ledgit.store import ActiveRun, RunStart


@pytest.fixture
def repository(repo: Path) -> Repository:
    return open_repository(repo)


def finished(repository: Repository) -> str:
    run = ActiveRun.create(repository.repo, RunStart(name="first"))
    run.log_params({"rate": 0.5})
    for step in range(3):
        run.log_metric("loss", 3.0 - step, step)
    run.add_artifact_bytes("kept.txt", b"old")
    run.add_artifact_bytes("changed.txt", b"old")
    assert run.finish() is not None
    return run.id


def test_a_resumed_run_is_read_from_commit_and_journal(repository: Repository) -> None:
    run_id = finished(repository)
    again = ActiveRun.resume(repository.repo, run_id)
    again.log_metric("loss", 0.25, 3)
    again.log_metric("late", 1.0)
    again.add_artifact_bytes("changed.txt", b"new")

    run = repository.run(run_id)

    assert run.status == "RUNNING"
    assert list(run.history("loss").values) == [3.0, 2.0, 1.0, 0.25]
    assert list(run.history("late").values) == [1.0]
    assert run.record().params == {"rate": 0.5}
    assert [artifact.path for artifact in run.artifacts()] == ["changed.txt", "kept.txt"]
    assert run.read_artifact("changed.txt") == b"new"
    assert run.read_artifact("kept.txt") == b"old"

    again.finish()
    after = repository.run(run_id)

    assert after.status == "FINISHED"
    assert list(after.history("loss").values) == [3.0, 2.0, 1.0, 0.25]
    assert after.read_artifact("changed.txt") == b"new"
    assert after.read_artifact("kept.txt") == b"old"
    assert after.commit == run.commit != after.head


def test_a_metric_that_the_ledger_line_had_no_room_for_is_found(repository: Repository) -> None:
    """The line holds 4 KB; the run holds everything."""
    run = ActiveRun.create(repository.repo, RunStart())
    names = [f"metric_{number:03}_with_a_rather_long_name" for number in range(200)]
    run.log_batch(metrics=[(name, float(number), 0, None) for number, name in enumerate(names)])
    run.finish()

    found = repository.run(run.id)

    assert [list(found.history(name).values) for name in names] == [[float(number)] for number in range(200)]
    with pytest.raises(InvalidValue, match="no_such"):
        found.history("no_such")


def test_a_run_that_was_active_when_it_was_looked_up_is_read_and_edited_after_its_end(repository: Repository) -> None:
    """Its journal is gone by then; what was looked up says nothing of the commit."""
    active = ActiveRun.create(repository.repo, RunStart(name="ends"))
    active.log_metric("loss", 0.5, 1)
    active.add_artifact_bytes("file", b"content")
    looks = [repository.run("ends") for _ in range(4)]
    active.finish()

    assert [0.5] == list(looks[0].history("loss").values)
    assert active.id == looks[1].record().info.id
    assert b"content" == looks[2].read_artifact("file")
    looks[3].set_tags({"seen": "yes"})
    assert {"seen": "yes"} == looks[3].tags == repository.run("ends").tags


def test_a_session_that_was_killed_is_read_whole_though_the_commit_below_it_was_read_before(
    repository: Repository, forks: Forks
) -> None:
    run_id = finished(repository)
    assert "late" not in repository.run(run_id).record().params
    with pytest.raises(Died):
        forks.run("die_while_resuming", "pack", "kill", run_id)

    run = repository.run(run_id)

    assert {"rate": 0.5, "late": 1} == run.params == run.record().params
    assert {"loss": 0.25} == run.metrics == run.record().metrics


def test_a_large_artifact_is_saved_without_reading_it_into_memory(repository: Repository, tmp_path: Path) -> None:
    run = ActiveRun.create(repository.repo, RunStart(name="large", snapshot=False))
    content = bytes(1 << 20) * 32
    run.add_artifact_bytes("model.bin", content)
    active, target = repository.run("large"), tmp_path / "here" / "model.bin"

    for found in (active, None):
        if found is None:
            run.finish()
            found = repository.run("large")
        assert 1 == len(found.artifacts())
        tracemalloc.start()
        found.save_artifact("model.bin", target)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert content == target.read_bytes()
        assert len(content) // 4 > peak
        target.unlink()


def test_an_artifact_that_can_not_be_saved_leaves_nothing_half_written(repository: Repository, tmp_path: Path) -> None:
    run_id = finished(repository)
    (tmp_path / "out" / "kept.txt").mkdir(parents=True)

    with pytest.raises(StorageError):
        repository.run(run_id).save_artifact("kept.txt", tmp_path / "out" / "kept.txt")

    assert ["kept.txt"] == [path.name for path in (tmp_path / "out").iterdir()]
