"""Private copies of what a run logs, whatever happens to the file meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ledgit.errors import ArtifactNotFound, StorageError
from ledgit.store.staging import stage_bytes, stage_file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def test_a_copy_has_the_content_and_the_stamp(tmp_path: Path, target: Path) -> None:
    """The stamp is the file's, by which its digest is remembered."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))

    staged = stage_file(str(source), str(target))

    assert source.read_bytes() == target.read_bytes()
    assert staged.stat is not None
    assert (3_000_000, False, source.stat().st_ino) == (staged.size, staged.changed, staged.stat.st_ino)
    source.write_bytes(b"changed")
    assert 3_000_000 == target.stat().st_size


def test_a_link_that_is_the_file_is_followed(tmp_path: Path, target: Path) -> None:
    """Its user named it."""
    (tmp_path / "real").write_bytes(b"real")
    (tmp_path / "link").symlink_to("real")

    stage_file(str(tmp_path / "link"), str(target))

    assert b"real" == target.read_bytes()
    assert not target.is_symlink()


def test_a_file_that_somebody_goes_on_writing_is_kept_and_said(tmp_path: Path, target: Path) -> None:
    """A training's own log, for instance: better what is there than nothing."""
    source = tmp_path / "log"
    source.write_bytes(b"x" * 20_000_000)
    stop = threading.Event()

    def write() -> None:
        with open(source, "ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"line\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        staged = stage_file(str(source), str(target))
    finally:
        stop.set()
        writer.join()

    assert staged.changed
    assert staged.stat is None
    assert staged.size == target.stat().st_size >= 20_000_000
    assert source.read_bytes().startswith(target.read_bytes())


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, target: Path, kind: str) -> None:
    """Nobody waits for a pipe's other end."""
    source = tmp_path / "source"
    server = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(source)
    elif kind == "socket":
        server.bind(os.path.relpath(source))
    elif kind == "device":
        source = Path("/dev/zero")
    else:
        source.mkdir()
    try:
        with pytest.raises(StorageError, match="not a regular file"):
            stage_file(str(source), str(target))
    finally:
        server.close()
    assert not target.exists()


def test_a_file_that_is_gone_is_said_so(tmp_path: Path, target: Path) -> None:
    """Nothing is left of the copy."""
    with pytest.raises(ArtifactNotFound):
        stage_file(str(tmp_path / "gone"), str(target))
    assert not target.exists()


def test_bytes_are_written_or_nothing_is(target: Path) -> None:
    """The disk's refusal is one sentence."""
    assert 7 == stage_bytes(b"content", str(target)).size
    assert b"content" == target.read_bytes()
    with pytest.raises(StorageError, match="No such file"):
        stage_bytes(b"content", str(target.parent / "nowhere" / "x"))
