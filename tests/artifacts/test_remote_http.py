"""Artifacts over HTTP: a folder that others filled, for reading."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.remote_kit import Clock, Clone
from tests.artifacts.servers import http_server

from ledgit.artifacts import ObjectRemote
from ledgit.errors import ArtifactDamaged, ArtifactNotFound, RemoteError, RemoteFull, Unreachable


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def store(tmp_path: Path, clone: Clone) -> Path:
    """A folder that was pushed to, under the name of a web server's."""
    clone.remote(tmp_path / "www" / "store").upload(clone.cache, clone.all)
    return tmp_path / "www" / "store"


@pytest.fixture
def remote(tmp_path: Path, store: Path, clone: Clone) -> Iterator[ObjectRemote]:
    with http_server(store.parent, tmp_path / "log") as address, clone.remote(f"{address}/store") as made:
        yield made


def test_what_is_there_is_found_and_fetched(remote: ObjectRemote, clone: Clone) -> None:
    """With the same checks as everywhere."""
    assert set() == remote.missing(clone.all, clone.sizes())
    assert {"0" * 32} == remote.missing([*clone.all, "0" * 32])
    other = clone.other_cache()

    moved = remote.download(other, [*clone.all, "0" * 32])

    assert ["0" * 32] == list(moved.failed)
    assert isinstance(moved.errors["0" * 32], ArtifactNotFound)
    assert all(other.check(oid) for oid in clone.all)
    assert remote.verify(clone.large)
    with pytest.raises(ArtifactNotFound):
        remote.verify("0" * 32)


def test_what_was_damaged_is_noticed(remote: ObjectRemote, clone: Clone, store: Path) -> None:
    """Whoever has the web server may have written there."""
    file = store / "files" / "md5" / clone.large[:2] / clone.large[2:]
    file.chmod(0o644)
    file.write_bytes(b"!" * clone.cache.size(clone.large))

    assert not remote.verify(clone.large)
    moved = remote.download(clone.other_cache(), [clone.large])
    assert isinstance(moved.errors[clone.large], ArtifactDamaged)


def test_a_web_server_takes_nothing(remote: ObjectRemote, clone: Clone) -> None:
    """Sending is one sentence."""
    moved = remote.upload(clone.cache, [clone.large])

    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert "it is read-only: this server takes no uploads" in moved.failed[clone.large]


def test_a_refusal_that_is_lost_with_its_connection(clone: Clone, store: Path, tmp_path: Path) -> None:
    """A server that closes while it is still sent to says no, and is asked for the word."""
    with (
        http_server(store.parent, tmp_path / "log", "resets") as address,
        clone.remote(f"{address}/store") as remote,
    ):
        moved = remote.upload(clone.cache, [clone.large])

    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert "it is read-only: this server takes no uploads" in moved.failed[clone.large]


def test_a_web_server_can_not_be_listed(remote: ObjectRemote) -> None:
    """So there is no sweeping of it."""
    with pytest.raises(RemoteError, match="can't be listed"):
        list(remote.objects())


def test_nobody_answers(clone: Clone) -> None:
    """Within seconds, and without the password."""
    with socket.socket() as deaf, Clock() as clock:  # bound, so that nobody else gets the port; never listens
        deaf.bind(("127.0.0.1", 0))
        with clone.remote(f"http://ada:sesame@127.0.0.1:{deaf.getsockname()[1]}/store") as remote:
            moved = remote.download(clone.other_cache(), clone.all)

    assert set(clone.all) == set(moved.failed)
    assert all(isinstance(error, Unreachable) for error in moved.errors.values())
    assert "sesame" not in str(moved)
    assert clock.seconds < 60
