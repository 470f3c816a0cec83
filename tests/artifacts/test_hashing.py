"""Digests, copies, and what was hashed before."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from ledgit.artifacts import Hashes, copy_and_digest, copy_data, digest_file, in_threads

OLD = 1_000_000_000  # 2001
MD5 = "a" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    os.utime(path, (OLD, OLD))
    return path


def later(stat: os.stat_result) -> int:
    """A moment at which this stamp is old enough."""
    return stat.st_ctime_ns + 3_000_000_000


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_copies_and_digests_are_right(tmp_path: Path, size: int) -> None:
    """Whatever the size, on one file system or across two."""
    data = os.urandom(size)
    source = tmp_path / "source"
    source.write_bytes(data)
    wanted = hashlib.md5(data, usedforsecurity=False).hexdigest()

    assert wanted == digest_file(str(source))
    for number, copy in enumerate((copy_data, copy_and_digest)):
        target = tmp_path / f"target{number}"
        with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
            found = copy(reader.fileno(), writer.fileno())
        assert data == target.read_bytes()
        assert found == (size if copy is copy_data else (wanted, size))


def test_a_copy_from_a_file_system_that_tells_no_sizes_is_whole(tmp_path: Path) -> None:
    """Files in /proc say that they are empty."""
    target = tmp_path / "target"
    with open("/proc/self/cmdline", "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        copy_data(reader.fileno(), writer.fileno())

    assert b"python" in target.read_bytes()


def test_a_file_that_was_hashed_before_is_known(file: Path) -> None:
    """By its stamp, also in another process."""
    stat = file.stat()
    Hashes(str(file.parent)).note(stat, MD5, later(stat))

    assert MD5 == Hashes(str(file.parent)).known(file.stat())


def test_any_change_makes_it_unknown(file: Path) -> None:
    """Content of the same size with the old time put back changes the ctime; a new file has another inode."""
    hashes = Hashes(str(file.parent))
    stat = file.stat()
    hashes.note(stat, MD5, later(stat))
    time.sleep(0.02)  # of a file system that counts time by the kernel's ticks
    file.write_bytes(b"changed")
    os.utime(file, (OLD, OLD))

    assert hashes.known(file.stat()) is None
    replaced = file.with_name("other")
    replaced.write_bytes(b"content")
    os.replace(replaced, file)
    assert hashes.known(file.stat()) is None


def test_a_young_stamp_is_not_trusted(file: Path) -> None:
    """The file may be written to again within one tick of its file system's clock."""
    hashes = Hashes(str(file.parent))
    stat = file.stat()
    hashes.note(stat, MD5, stat.st_ctime_ns + 1_900_000_000)
    assert hashes.known(stat) is None
    os.utime(file, (time.time() + 3600, time.time() + 3600))  # of tomorrow: the clocks differ
    stat = file.stat()
    hashes.note(stat, MD5, later(stat))

    assert hashes.known(stat) is None


@pytest.mark.parametrize("damage", ["torn", "rows", "folder"])
def test_a_damaged_database_is_no_trouble(file: Path, damage: str) -> None:
    """It is disposable: nothing is known, or it is made anew; never another file's digest."""
    stat = file.stat()
    hashes = Hashes(str(file.parent))
    hashes.note(stat, MD5, later(stat))
    hashes.close()
    path = Path(hashes.path)
    if damage == "torn":
        path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    elif damage == "rows":
        path.write_bytes(path.read_bytes().replace(MD5.encode(), b"b" * 32))
    else:
        path.unlink()
        path.mkdir()

    assert hashes.known(stat) is None
    hashes.note(stat, MD5, later(stat))
    assert hashes.known(stat) == (None if damage == "folder" else MD5)


def test_work_in_threads_is_done_once_each_and_its_error_is_raised() -> None:
    """By however many threads there are."""
    done: list[int] = []
    in_threads(done.append, range(100))
    assert list(range(100)) == sorted(done)

    def fail(item: int) -> None:
        if item == 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match="3"):
        in_threads(fail, range(10))
