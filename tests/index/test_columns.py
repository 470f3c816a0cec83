"""Histories as binary columns: faster than the text, never different, never too many."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.records import Points
from ledgit.store import columns
from ledgit.store.columns import read_points
from ledgit.store.folder import Folder

OID = "ab" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def many(count: int = 3_000) -> Points:
    return Points.of((step, 1_700_000_000_000 + step, step / 7) for step in range(count))


def never() -> Points:
    raise AssertionError("the blob was read again")


def counted(points: Points) -> tuple[Callable[[], Points], list[int]]:
    calls: list[int] = []

    def load() -> Points:
        calls.append(1)
        return points

    return load, calls


def test_the_second_reading_needs_no_blob(folder: Folder) -> None:
    points = many()

    assert points == read_points(folder, OID, lambda: points)
    assert points == read_points(folder, OID, never)
    assert [f"{OID}.bin"] == os.listdir(folder.columns)


def test_short_histories_leave_no_file(folder: Folder) -> None:
    read_points(folder, OID, lambda: many(10))

    assert not os.path.exists(folder.columns)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62), st.floats()), max_size=20))
def test_every_bit_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float]]) -> None:
    points = many(2_000)
    points.extend(Points.of(rows))
    folder = Folder(str(tmp_path_factory.mktemp("columns")))
    read_points(folder, OID, lambda: points)

    assert points == read_points(folder, OID, never)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "garbage", "longer", "other version"])
def test_a_damaged_file_is_read_from_the_blob_and_written_again(folder: Folder, damage: str) -> None:
    points = many()
    read_points(folder, OID, lambda: points)
    path = Path(folder.columns) / f"{OID}.bin"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "truncate": whole[:-8],
            "flip": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
            "garbage": b"x" * 1000,
            "longer": whole + b"\0" * 24,
            "other version": whole.replace(b"columns-1", b"columns-2", 1),
        }[damage]
    )
    load, calls = counted(points)

    assert points == read_points(folder, OID, load)
    assert points == read_points(folder, OID, never)
    assert ([1], whole) == (calls, path.read_bytes())


def test_the_files_unused_for_longest_go_first(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 24 * 3_000 + 28
    monkeypatch.setattr(columns, "MAX_BYTES", 3 * size)
    oids = [f"{number:040x}" for number in range(5)]
    now = time.time()
    for age, oid in zip((9_000, 8_000, 7_000), oids, strict=False):
        read_points(folder, oid, many)
        os.utime(Path(folder.columns) / f"{oid}.bin", (now - age, now - age))
    read_points(folder, oids[0], never)  # used again: now the youngest

    read_points(folder, oids[3], many)
    read_points(folder, oids[4], many)

    assert sorted(f"{oids[number]}.bin" for number in (0, 3, 4)) == sorted(os.listdir(folder.columns))


def test_where_nothing_can_be_written_the_points_come_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "ledgit").write_text("a file where the folder should be")
    folder = Folder(str(tmp_path))

    assert many() == read_points(folder, OID, many)
    assert many() == read_points(folder, OID, many)
