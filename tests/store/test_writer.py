"""One process's part of a journal on disks that refuse."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.kit import Forks

from ledgit.store import read_parts
from ledgit.store.journal import encode, encode_metric
from ledgit.store.writer import UNSENT_LIMIT, PartWriter

Write = Callable[[int, bytes], int]


@pytest.fixture
def writer(tmp_path: Path) -> PartWriter:
    made = PartWriter(str(tmp_path))
    made.open()
    return made


class Disk:
    """An ``os.write`` with room for so many bytes: it writes short, then refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr("ledgit.store.writer.os.write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(fd, data[: self.room])
        self.room -= count
        return count


def steps(folder: Path) -> list[int]:
    points = read_parts(str(folder)).histories.get("m")
    return sorted(step for step, _, _ in points) if points is not None else []


def test_records_are_there_as_soon_as_they_are_appended(tmp_path: Path, writer: PartWriter) -> None:
    for step in range(10):
        writer.append(encode_metric("m", 1.0, step, 0))

    assert list(range(10)) == steps(tmp_path)


@pytest.mark.parametrize("room", range(0, 100, 7))
def test_what_a_full_disk_refuses_waits_and_arrives_once(
    tmp_path: Path, writer: PartWriter, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Short writes leave torn halves, which harm nobody."""
    disk = Disk(monkeypatch, room)
    for step in range(5):
        writer.append(encode_metric("m", 1.0, step, 0))
    assert writer.waiting > 0
    written = steps(tmp_path)
    assert list(range(len(written))) == written

    disk.room = 1 << 20
    assert 0 == writer.flush()
    writer.append(encode_metric("m", 1.0, 5, 0))

    assert list(range(6)) == steps(tmp_path)


def test_what_waited_is_written_before_what_came_later(
    tmp_path: Path, writer: PartWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two values of a tag the later one counts, whenever there was room."""
    disk = Disk(monkeypatch, 0)
    writer.append(encode("tags", {"at": 1, "values": {"stage": "first"}}))
    disk.room = 1 << 20
    writer.append(encode("tags", {"at": 2, "values": {"stage": "second"}}))

    events = read_parts(str(tmp_path)).events
    assert ["first", "second"] == [item["values"]["stage"] for _, item in events]


def test_what_is_given_up_is_counted(tmp_path: Path, writer: PartWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not filled for ever; the oldest records go first."""
    monkeypatch.setattr("ledgit.store.writer.UNSENT_LIMIT", 200)
    assert UNSENT_LIMIT > 1 << 20
    disk = Disk(monkeypatch, 0)
    records = [encode_metric("m", 1.0, step, 0) for step in range(20)]
    for record in records:
        writer.append(record)

    disk.room = 1 << 20
    writer.flush()

    kept = steps(tmp_path)
    assert list(range(20 - len(kept), 20)) == kept
    assert sum(map(len, records[: 20 - len(kept)])) == writer.lost


def test_a_failed_sync_is_told_and_repeated(writer: PartWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.append(encode_metric("m", 1.0, 0, 0))

    def refuse(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            writer.sync()
    assert writer.dirty
    writer.sync()
    assert not writer.dirty


def test_a_removed_part_is_noticed(tmp_path: Path, writer: PartWriter) -> None:
    assert writer.linked()
    next(tmp_path.glob("*.log")).unlink()

    assert not writer.linked()


def test_a_file_size_limit_only_makes_more_parts(repo: Path, forks: Forks) -> None:
    """RLIMIT_FSIZE: a part that is as large as may be is followed by another one."""
    assert [] == forks.run("tasks_disk:log_under_a_limit", 4096, 500)

    [folder] = (repo / ".git/ledgit/active").iterdir()
    state = read_parts(str(folder))
    assert list(range(500)) == sorted(step for step, _, _ in state.histories["m"])
    assert 500 == len(state.histories["m"])
    assert len(list(folder.glob("*.log"))) > 4


def test_many_short_lived_parts_do_not_use_up_the_descriptors(tmp_path: Path) -> None:
    """A closed descriptor waits for threads that may still write to it, but not with hundreds of others."""
    for _ in range(300):
        part = PartWriter(str(tmp_path))
        part.open()
        part.close()

    ours = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert 100 > len([path for path in ours if path.startswith(str(tmp_path))])


def test_a_sealed_part_takes_nothing_more_and_is_still_synced(tmp_path: Path, writer: PartWriter) -> None:
    """Not even from a thread that read the descriptor's number before."""
    number = writer.fd
    assert writer.append(encode_metric("m", 1.0, 1, 0))

    assert 0 == writer.seal()

    assert not writer.append(encode_metric("m", 1.0, 2, 0))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(number, encode_metric("m", 1.0, 3, 0))
    writer.sync()
    assert not writer.dirty
    writer.close()
    assert [1] == steps(tmp_path)


def test_a_part_with_records_that_the_disk_refuses_is_not_sealed(
    tmp_path: Path, writer: PartWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, 0)
    writer.append(encode_metric("m", 1.0, 1, 0))

    assert 0 < writer.seal()

    disk.room = 1000
    assert writer.append(encode_metric("m", 1.0, 2, 0))
    assert 0 == writer.seal()
    assert [1, 2] == steps(tmp_path)
