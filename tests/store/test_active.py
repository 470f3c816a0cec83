"""Opening runs, and what happens to them once a second."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.faults.kit import points, read_run

from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def test_a_run_whose_folder_can_not_be_made_again_does_not_end_the_syncing_of_the_others(opened: Repo) -> None:
    """An exception would end the thread that syncs them all."""
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    place = Path(Folder.of(opened).active)
    shutil.rmtree(place)
    place.touch()

    run.tick()

    assert "trying again" in run.problems[-1]
    place.unlink()
    run.tick()
    run.log_metric("m", 1.0)
    assert run.finish() is not None


def test_a_run_is_resumed_beside_what_a_killed_process_left_of_its_beginning(
    opened: Repo, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In containers the same process number comes again and again."""
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    run.finish()
    left = Path(Folder.of(opened).active, f".new-{run.id}-{os.getpid()}")
    left.mkdir()

    again = ActiveRun.resume(opened, run.id)
    again.log_metric("m", 1.0, 1)
    again.finish()

    assert left.is_dir()
    assert [(1, 1.0)] == points(read_run(repo, run.id), "m")


def test_logged_files_are_synced_with_the_journal_that_names_them(
    opened: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may come long before the run's end, when they go into its commit."""
    synced: list[str] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    run = ActiveRun.create(opened, RunStart(snapshot=False))
    run.add_artifact_bytes("copied", b"content")
    with run.open_artifact("growing") as file:
        monkeypatch.setattr("os.fsync", watched)
        run.tick()
        staged = run.artifact_files()
        assert {staged["copied"], staged["growing"], run.directory} <= set(synced)
        file.write(b"more")
        synced.clear()
        run.tick()
        assert [staged["growing"]] == synced
    monkeypatch.setattr("os.fsync", fsync)
    run.finish()
