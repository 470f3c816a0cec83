"""Ledgit's own folder: whose clone it is."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from ledgit.git import Repo
from ledgit.store import Folder


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def test_a_clone_keeps_its_id(opened: Repo) -> None:
    """Clocks carry it, so it must not change."""
    first = Folder.of(opened).clone_id

    assert first == Folder.of(opened).clone_id
    assert len(first) == 16


@pytest.mark.parametrize("field", ["device", "inode", "host"])
def test_a_copied_clone_gets_an_id_of_its_own(opened: Repo, field: str) -> None:
    """Two that write under one id would overrule each other at random."""
    folder = Folder.of(opened)
    first = folder.clone_id
    file = Path(folder.path, "clone.json")
    data = orjson.loads(file.read_bytes())
    data["place"][("device", "inode", "host").index(field)] = "elsewhere" if field == "host" else 1
    file.write_bytes(orjson.dumps(data))

    second = Folder.of(opened).clone_id

    assert first != second
    assert second == Folder.of(opened).clone_id


@pytest.mark.parametrize("content", [b"", b"{", b'{"id":"', b"\xff" * 40, b'{"id": "0123456789abcdef"}'])
def test_a_damaged_clone_file_is_replaced(opened: Repo, content: bytes) -> None:
    """An id that can't be read is as good as none."""
    folder = Folder.of(opened)
    folder.make(folder.path)
    Path(folder.path, "clone.json").write_bytes(content)

    clone = folder.clone_id

    assert clone == Folder.of(opened).clone_id
    assert len(clone) == 16
