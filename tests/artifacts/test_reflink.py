"""Files that share their blocks, on file systems that can: nothing large is stored twice, and each is still its own."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.remote_kit import MIB, Clone
from tests.artifacts.servers import sharing_disk, why_no_sharing
from tests.conftest import run_git

import ledgit
from ledgit.artifacts import Cache, copy_and_digest, copy_data
from ledgit.artifacts.hashing import clone as reflink

LARGE = 64 * MIB
_FICLONERANGE = 0x4020940D
_FIEMAP = 0xC020660B


@pytest.fixture(scope="module", params=["btrfs", "xfs"])
def mounted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of this kind."""
    why = why_no_sharing(request.param)
    if why:
        pytest.skip(why)
    with sharing_disk(tmp_path_factory.mktemp("sharing") / "disk", request.param) as path:
        yield path


@pytest.fixture
def disk(mounted: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder on it, for one test."""
    folder = mounted / tmp_path.name
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def source(disk: Path) -> Path:
    path = disk / "source.bin"
    path.write_bytes(os.urandom(LARGE))
    return path


def free(folder: Path) -> int:
    """Bytes that are free."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def blocks(path: Path | str) -> set[int]:
    """Where on the disk a file's content is, as the kernel tells (``FS_IOC_FIEMAP``), in 4 KiB."""
    most = 512
    with open(path, "rb") as file:
        answer = bytearray(struct.pack("QQIIII", 0, 1 << 62, 1, 0, most, 0) + bytes(56 * most))
        fcntl.ioctl(file.fileno(), _FIEMAP, answer)
    (mapped,) = struct.unpack_from("I", answer, 20)
    assert 0 < mapped < most
    extents = [struct.unpack_from("QQQ", answer, 32 + 56 * number) for number in range(mapped)]
    return {start // 4096 + number for _, start, length in extents for number in range(length // 4096)}


def test_a_copy_takes_no_room_and_is_a_file_of_its_own(source: Path, disk: Path) -> None:
    """What is written to the file afterwards is not in the copy."""
    data = source.read_bytes()
    target = disk / "copy"
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        assert LARGE == copy_data(reader.fileno(), writer.fileno())
    assert blocks(source) == blocks(target)
    with open(source, "r+b") as file:
        file.write(b"changed")

    assert data == target.read_bytes()
    assert 0 < len(blocks(target) - blocks(source)) < 100


def test_an_object_is_taken_and_handed_out_without_room(source: Path, disk: Path) -> None:
    """A private copy each time: the file, the object and what is handed out can be changed one by one."""
    cache = Cache(str(disk / "cache"))
    with open(source, "rb", buffering=0) as file:
        oid, size, new = cache.take(file.fileno())
    cache.copy_out(oid, str(disk / "out"))
    assert (LARGE, True) == (size, new)
    assert blocks(source) == blocks(cache.location(oid)) == blocks(disk / "out")
    data = source.read_bytes()
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == oid
    source.write_bytes(b"changed")
    with open(disk / "out", "r+b") as out:
        out.write(b"changed")

    assert cache.check(oid)


def test_a_damaged_object_is_not_shared_with_anybody(disk: Path) -> None:
    """What is handed out is hashed as ever."""
    cache = Cache(str(disk / "cache"))
    oid = cache.put_bytes(os.urandom(3 * MIB))
    os.chmod(cache.location(oid), 0o644)
    with open(cache.location(oid), "r+b") as file:
        file.write(b"damage")

    with pytest.raises(ledgit.errors.ArtifactDamaged):
        cache.copy_out(oid, str(disk / "out"))
    assert not (disk / "out").exists()


def test_a_run_keeps_a_large_file_where_there_is_room_for_one(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, its private copy, the object and two that are handed out: five, and not even two would fit."""
    repo = disk / "repo"
    repo.mkdir()
    run_git(repo, "init", "-q")
    run_git(repo, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.chdir(repo)
    model = disk / "model.bin"
    os.sync()  # what other tests have deleted is free then
    size = free(disk) * 6 // 10 // MIB * MIB
    with model.open("xb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))

    with ledgit.start_run() as run:
        ledgit.log_artifact(model)
        with model.open("r+b") as file:
            file.write(b"the training goes on")
    first = ledgit.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model.bin", dst_path=str(disk / "one"))
    other = ledgit.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model.bin", dst_path=str(disk / "two"))

    (record,) = ledgit.get_run(run.info.run_id).artifacts()
    assert ("dvc", size) == (record.stored, record.size)
    for path in (first, other):
        with open(path, "rb") as file:
            assert record.digest == "md5:" + hashlib.file_digest(file, "md5").hexdigest()


def test_a_remote_on_the_same_disk_shares_what_it_can(disk: Path) -> None:
    """An upload into a folder takes no room either, and stays whole when the cache is changed."""
    clone = Clone(disk / "clone", large=LARGE)
    stored = disk / "store" / "files" / "md5" / clone.large[:2] / clone.large[2:]
    with clone.remote(disk / "store") as remote:
        assert {} == remote.upload(clone.cache, clone.all).failed
        assert blocks(clone.cache.location(clone.large)) == blocks(stored)
        os.chmod(clone.cache.location(clone.large), 0o644)
        with open(clone.cache.location(clone.large), "r+b") as file:
            file.write(b"damage")

        assert remote.verify(clone.large)


def test_what_was_shared_half_is_copied_whole(source: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system gave up in the middle, calling the disk full: a copy finds out whether it is."""
    ioctl = fcntl.ioctl

    def give_up(target: int, _request: int, shared: int) -> None:
        ioctl(target, _FICLONERANGE, struct.pack("qQQQ", shared, 0, LARGE // 2, 0))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fcntl, "ioctl", give_up)
    target = disk / "copy"
    with open(source, "r+b", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        assert not reflink(reader.fileno(), writer.fileno())
        assert 0 == os.fstat(writer.fileno()).st_size
        assert LARGE == copy_data(reader.fileno(), writer.fileno())

    assert source.read_bytes() == target.read_bytes()


def test_a_file_of_another_disk_is_copied(disk: Path, tmp_path: Path) -> None:
    """Nothing can be shared across two file systems."""
    data = os.urandom(3 * MIB)
    (tmp_path / "source").write_bytes(data)
    with (
        open(tmp_path / "source", "rb", buffering=0) as reader,
        open(disk / "one", "xb", buffering=0) as one,
        open(disk / "two", "xb", buffering=0) as two,
    ):
        assert not reflink(reader.fileno(), one.fileno())
        assert len(data) == copy_data(reader.fileno(), one.fileno())
        reader.seek(0)
        assert len(data) == copy_and_digest(reader.fileno(), two.fileno(), settled=True)[1]

    assert data == (disk / "one").read_bytes() == (disk / "two").read_bytes()
