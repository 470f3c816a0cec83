"""A disk that is full: training goes on, what was there stays, what waits arrives later."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Forks, check_objects, leftovers, points, read_run, recover_all, run_refs


@pytest.fixture
def small(tmp_path: Path, git: GitFunction) -> Iterator[Path]:
    """A repository on a file system of two megabytes."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)], check=True)
    try:
        repo = mount / "repo"
        repo.mkdir()
        git(repo, "init", "-q", "--template=")
        (repo / "train.py").write_text("print()\n")
        git(repo, "add", ".")
        git(repo, "commit", "-q", "-m", "first")
        yield repo
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_logging_goes_on_and_everything_arrives_when_there_is_room(small: Path, forks: Forks) -> None:
    """Nothing is raised, the problem is said once, what was acknowledged is there all the time."""
    made = forks.run("tasks_disk:log_until_full", str(small.parent), cwd=small)

    assert 1 == len([text for text in made["problems"] if "full" in text])
    assert list(range(len(made["there"]))) == made["there"]
    assert 100 <= len(made["there"]) < 3000
    assert {made["id"]: made["commit"]} == run_refs(small)
    head = read_run(small, made["id"])
    assert [(step, float(step)) for step in range(3000)] == points(head, "loss")
    assert {"stage": "room again"} == head.record.tags
    recover_all(small)
    assert [] == leftovers(small)
    check_objects(small)


def test_a_run_that_ends_on_a_full_disk_is_finished_when_there_is_room(small: Path, forks: Forks) -> None:
    """The end raises nothing; by the same process, or the next command, it becomes a commit."""
    made = forks.run("tasks_disk:end_while_full", str(small.parent), cwd=small)

    assert made["commit"] is None
    assert 1 <= len(made["problems"])
    check_objects(small)
    recover_all(small)
    head = read_run(small, made["id"])
    assert "FINISHED" == head.record.info.status
    assert [(step, float(step)) for step in range(100)] == points(head, "loss")
    assert 60_000 == len(head.files["artifacts/noise"])
    assert [] == leftovers(small)
    check_objects(small)


def test_a_run_that_can_not_start_says_so_and_leaves_nothing(small: Path, forks: Forks) -> None:
    """One sentence, no half-made folder."""
    kind, text = forks.run("tasks_disk:start_while_full", str(small.parent), cwd=small)

    assert "StorageError" == kind
    assert "No space left on device" in text
    assert "\n" not in text
    (small.parent / "filler").unlink()
    assert [] == leftovers(small)
    check_objects(small)


def fill(place: Path, free: int) -> None:
    """Leave *free* bytes on the file system that *place* is on, or less."""
    filler = place / "filler"
    filler.unlink(missing_ok=True)
    size = os.statvfs(place)
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        file.write(bytes(max(size.f_bavail * size.f_frsize - free, 0)))


def ledgit(repo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ledgit", *words]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("free", [0, 8 << 10, 40 << 10])
def test_without_room_for_the_index_questions_are_answered_all_the_same(small: Path, free: int) -> None:
    """It is a cache: then it lives in memory, and nobody is shown an error of SQLite's."""
    assert 0 == ledgit(small, "record", "--name", "owl", "-m", "loss=1").returncode
    for words in (["ls"], ["ls", "metrics.loss < 100"], ["show", "owl"], ["doctor"], ["gc"], ["artifacts", "status"]):
        for path in (small / ".git" / "ledgit").glob("index.sqlite3*"):
            path.unlink()
        fill(small.parent, free)

        done = ledgit(small, *words)

        # The doctor says that Ledgit's folder can't be written to.
        assert done.returncode in ((0, 1) if words == ["doctor"] else (0,)), (words, done.stdout, done.stderr)
        for word in ("unexpected", "Error", "Traceback"):
            assert word not in done.stdout + done.stderr, words
        if words[0] in ("ls", "show"):
            assert "owl" in done.stdout
