"""What a full disk does to artifacts: the run goes on and ends, nothing is half there, all of it comes later."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import GitFunction

from ledgit.artifacts import Cache, Hashes, scan_folder, take_folder
from ledgit.errors import StorageError
from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart, read_head, recover
from ledgit.store.artifacts.hasher import withdraw
from ledgit.store.journal import PART_SUFFIX

LARGE = 300_000


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def files_in(place: str) -> list[str]:
    return [os.path.join(here, name) for here, _, names in os.walk(place) for name in names]


def test_nothing_half_written_is_left_in_a_full_cache(mount: Path, tmp_path: Path) -> None:
    """Whichever way it came; and with room it is there."""
    cache = Cache(str(mount / "cache"))
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    before = cache.put_bytes(b"before")

    for put in (
        lambda: cache.put_bytes(large.read_bytes()),
        lambda: cache.put(str(large), "0" * 32),
        lambda: cache.put_written(lambda file: file.write(large.read_bytes())),  # type: ignore[arg-type,return-value]
    ):
        with pytest.raises(StorageError, match="No space left"):
            put()
        assert [cache.location(before)] == files_in(cache.path)
    with open(large, "rb", buffering=0) as file, pytest.raises(StorageError, match="No space left"):
        cache.take(file.fileno())
    assert [cache.location(before)] == files_in(cache.path)
    assert cache.check(before)


def test_a_folder_that_has_no_room_is_refused_and_its_whole_objects_are_whole(mount: Path, tmp_path: Path) -> None:
    """Nothing names them; a sweep takes them."""
    cache = Cache(str(mount / "cache"))
    (tmp_path / "out").mkdir()
    for number in range(300):
        (tmp_path / "out" / str(number)).write_bytes(b"%d" % number * 10_000)

    with pytest.raises(StorageError, match="No space left"):
        take_folder(cache, Hashes(str(tmp_path)), scan_folder(str(tmp_path / "out")).files)

    found = [oid for oid, _, _ in cache.objects()]
    assert found
    assert all(map(cache.check, found))
    assert sorted(map(cache.location, found)) == sorted(files_in(cache.path))


def test_what_is_here_needs_no_room(mount: Path) -> None:
    """The first object of a folder is written before it is looked for."""
    cache = Cache(str(mount / "cache"))
    cache.put_bytes(b"x" * 8192)
    fill(mount)

    assert cache.put_known(b"x" * 8192, hashlib.md5(b"x" * 8192, usedforsecurity=False).hexdigest()) is False
    with pytest.raises(StorageError, match="No space left"):
        cache.put_bytes(b"y" * 8192)
    assert 1 == len(files_in(cache.path))


@pytest.fixture
def crowded(mount: Path, repo: Path) -> Repo:
    """A repository with room, whose cache is on a file system without."""
    found = Repo.discover(str(repo))
    folder = Folder.of(found)
    folder.make(folder.path)
    (mount / "cache").mkdir()
    os.symlink(mount / "cache", folder.cache)
    return found


def test_a_run_whose_cache_is_full_keeps_its_files_until_there_is_room(crowded: Repo, mount: Path) -> None:
    """The end raises nothing and says what is the matter; the next command that writes finishes it."""
    run = ActiveRun.create(crowded, RunStart())
    filler = fill(mount)
    content = os.urandom(LARGE)
    run.add_artifact_bytes("large", content)
    run.log_metric("loss", 1.0)
    withdraw(run)

    assert run.finish() is None
    assert any("No space left" in text and "will be finalized later" in text for text in run.problems)
    folder = Folder.of(crowded)
    assert {run.id} == set(recover(crowded, folder).failed)
    filler.unlink()
    assert {run.id} == set(recover(crowded, folder).commits)
    (record,) = read_head(crowded, run.id).record.artifacts
    assert content == Cache(folder.cache).read(record.digest.removeprefix("md5:"))
    assert "FINISHED" == read_head(crowded, run.id).record.info.status


def large_folder(place: Path, files: int = 300) -> Path:
    """More than fits."""
    (place / "out").mkdir()
    for number in range(files):
        (place / "out" / f"{number:03}").write_bytes(b"%d" % number * 10_000)
    return place / "out"


def objects(repo: Repo) -> set[str]:
    return {oid for oid, _, _ in Cache(Folder.of(repo).cache).objects()}


def test_a_folder_that_has_no_room_leaves_nothing_behind(crowded: Repo, tmp_path: Path) -> None:
    """But for what was there before, of this run too."""
    run = ActiveRun.create(crowded, RunStart(snapshot=False))
    folder = large_folder(tmp_path)
    shutil.copytree(folder, tmp_path / "few", ignore=lambda _, names: [name for name in names if name > "040"])
    run.add_folder(tmp_path / "few", "few", threshold=10)
    before = objects(crowded)
    assert len(before) == 42

    with pytest.raises(StorageError, match="No space left"):
        run.add_folder(folder, "out")

    assert before == objects(crowded)
    assert run.finish() is not None
    assert before == objects(crowded)


@pytest.mark.parametrize("who", ["another run", "another process of this run", "somebody else"])
def test_what_others_may_have_found_meanwhile_stays(
    crowded: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """A sweep knows who needs what; here nobody can."""
    run = ActiveRun.create(crowded, RunStart(snapshot=False))
    if who == "another run":
        ActiveRun.create(crowded, RunStart(snapshot=False))
    elif who == "another process of this run":
        Path(run.directory, f"another{PART_SUFFIX}").touch()
    put_known = Cache.put_known
    found: list[str] = []

    def used(cache: Cache, data: bytes, oid: str) -> bool:
        new = put_known(cache, data, oid)
        if who == "somebody else" and len(found) < 3:
            os.utime(cache.location(oid), (time.time() + 1, time.time() + 1))
            found.append(oid)
        return new

    monkeypatch.setattr(Cache, "put_known", used)
    with pytest.raises(StorageError, match="No space left"):
        run.add_folder(large_folder(tmp_path), "out")

    left = objects(crowded)
    assert set(found) == left if who == "somebody else" else len(left) > 10


def test_a_large_folder_that_finds_the_cache_full_costs_only_itself(
    crowded: Repo, mount: Path, repo: Path, git: GitFunction
) -> None:
    """The caller is told; what else was logged becomes a commit."""
    for number in range(120):
        (repo / "out").mkdir(exist_ok=True)
        (repo / "out" / str(number)).write_bytes(os.urandom(20_000))
    run = ActiveRun.create(crowded, RunStart(snapshot=False))
    fill(mount)

    with pytest.raises(StorageError, match="No space left"):
        run.add_folder(repo / "out", "out")
    run.add_artifact_bytes("small", b"small")

    assert run.finish() is not None
    assert ["small"] == [record.path for record in read_head(crowded, run.id).record.artifacts]
