"""Artifacts over SSH, against the real sshd on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts.remote_kit import MIB, Clock, Clone, dvc, files_below, object_files
from tests.artifacts.servers import SSHD, Sshd, Wire, make_read_only, small_disk

from ledgit.artifacts import ObjectRemote, sending, settling
from ledgit.errors import AccessDenied, ArtifactDamaged, ArtifactNotFound, RemoteFull, Unreachable

pytestmark = pytest.mark.skipif(SSHD is None, reason="no sshd here; CI installs openssh-server")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")).run() as server:
        yield server


@pytest.fixture
def clone(tmp_path: Path, sshd: Sshd) -> Clone:
    """A clone whose user has a key, and knows the host's."""
    made = Clone(tmp_path / "clone")
    made.personal({"keyfile": str(sshd.keyfile)})
    sshd.trust(Path(os.environ["HOME"]))
    return made


@pytest.fixture
def wire(sshd: Sshd) -> Iterator[Wire]:
    with Wire(sshd.port).run() as made:
        sshd.trust(Path(os.environ["HOME"]), made.port)
        yield made


def over(clone: Clone, sshd: Sshd, wire: Wire | None, store: Path) -> ObjectRemote:
    return clone.remote(sshd.url(store, wire.port if wire else None))


def test_what_is_sent_is_there_and_comes_back(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """Whole objects under DVC's names; nothing else stays on the host."""
    store = tmp_path / "store"
    with over(clone, sshd, None, store) as remote:
        assert set(clone.all) == remote.missing(clone.all)
        assert {} == remote.upload(clone.cache, clone.all).failed
        assert set() == remote.missing(clone.all, clone.sizes())
        assert {oid: clone.cache.size(oid) for oid in clone.all} == dict(remote.objects())
        assert remote.verify(clone.large)
        other = clone.other_cache()
        assert {} == remote.download(other, clone.all).failed
        with pytest.raises(ArtifactNotFound):
            remote.verify("0" * 32)
        assert {} == remote.delete([clone.large, "0" * 32]).failed
        assert {clone.large} == remote.missing(clone.all)

    assert all(other.check(oid) for oid in clone.all)
    left = [oid for oid in clone.all if oid != clone.large]
    assert object_files(clone.cache, left) == files_below(store)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """What the server was told to put on its disk, in order: (how, path, whether it could)."""
    found: list[tuple[str, str, bool]] = []

    def noted(how: Callable[[Any, str], bool]) -> Callable[[Any, str], bool]:
        def sync(fs: Any, path: str) -> bool:
            assert os.path.exists(path)
            could = how(fs, path)
            found.append((how.__name__, path, could))
            return could

        return sync

    for how in (settling.sync_file, settling.sync_folder):
        monkeypatch.setattr(sending, how.__name__, noted(how))
    return found


def many(clone: Clone) -> list[str]:
    return [clone.cache.put_bytes(b"small %d" % number) for number in range(100)]


def test_what_is_sent_is_on_the_servers_disk(
    clone: Clone, sshd: Sshd, tmp_path: Path, synced: list[tuple[str, str, bool]]
) -> None:
    """A large file before it has its name, a few small ones each, many with all that is on their file system."""
    store = tmp_path / "store"
    few = [clone.cache.put_bytes(b"one"), clone.cache.put_bytes(b"two")]
    with over(clone, sshd, None, store) as remote:
        assert {} == remote.upload(clone.cache, [clone.large]).failed
        ((how, path, could),) = synced
        assert ("sync_file", True) == (how, could)
        assert "unfinished" in path
        synced.clear()

        assert {} == remote.upload(clone.cache, few).failed
        assert {("sync_file", str(store / "files" / "md5" / oid[:2] / oid[2:]), True) for oid in few} == set(synced)
        synced.clear()

        assert {} == remote.upload(clone.cache, many(clone)).failed
        assert [("sync_folder", str(store), True)] == synced


@pytest.mark.parametrize("settings", ["ForceCommand internal-sftp\n", "SetEnv PATH=/nowhere\n"])
def test_a_server_that_runs_no_commands_syncs_file_by_file(
    clone: Clone, tmp_path: Path, synced: list[tuple[str, str, bool]], settings: str
) -> None:
    """As many are for nothing but files; it is asked once."""
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", settings).run() as sshd:
        clone.personal({"keyfile": str(sshd.keyfile)})
        sshd.trust(Path(os.environ["HOME"]))
        with over(clone, sshd, None, tmp_path / "store") as remote:
            oids = many(clone)
            assert {} == remote.upload(clone.cache, oids).failed
            assert set() == remote.missing(oids)

    assert [False] == [could for how, _, could in synced if how == "sync_folder"]
    assert 100 == sum(could for how, _, could in synced if how == "sync_file")


def test_a_server_that_can_not_sync_is_trusted(
    clone: Clone, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose SFTP has no such extension, and that runs no commands."""
    asked: list[str] = []

    def cannot(_: Any, path: str) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr(sending, "sync_file", cannot)
    monkeypatch.setattr(sending, "sync_folder", cannot)
    with over(clone, sshd, None, tmp_path / "store") as remote:
        oids = [*many(clone), clone.large]
        assert {} == remote.upload(clone.cache, oids).failed
        assert set() == remote.missing(oids, {oid: clone.cache.size(oid) for oid in oids})
    assert len(asked) < 30  # not once for each


def test_dvc_reads_what_we_sent(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """`dvc pull` from the same address."""
    project = tmp_path / "project"
    project.mkdir()
    with over(clone, sshd, None, tmp_path / "store") as remote:
        remote.upload(clone.cache, clone.all)
    dvc(project, "init", "-q", "--no-scm")
    dvc(project, "remote", "add", "-q", "-d", "store", sshd.url(tmp_path / "store"))
    dvc(project, "remote", "modify", "--local", "store", "keyfile", str(sshd.keyfile))
    (project / "part.dvc").write_text(f"outs:\n- md5: {clone.list}\n  hash: md5\n  path: part\n")

    dvc(project, "pull", "-q")

    assert b"small 7" == (project / "part" / "part" / "7.txt").read_bytes()


def test_damage_and_half_files_are_noticed(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """As on any remote."""
    store = tmp_path / "store"
    with over(clone, sshd, None, store) as remote:
        remote.upload(clone.cache, clone.all)
        (store / "files" / "md5" / clone.large[:2] / clone.large[2:]).write_bytes(b"half")

        assert {clone.large} == remote.missing(clone.all, clone.sizes())
        moved = remote.download(clone.other_cache(), clone.all)

    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], ArtifactDamaged)


def test_what_is_damaged_here_is_not_sent(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """It is found out while it is on its way, before it has its name there; the others go."""
    path = Path(clone.cache.location(clone.large))
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"damage")
    with over(clone, sshd, None, tmp_path / "store") as remote:
        moved = remote.upload(clone.cache, clone.all)

    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], ArtifactDamaged)
    left = [oid for oid in clone.all if oid != clone.large]
    assert object_files(clone.cache, left) == files_below(tmp_path / "store")


# ------------------------------------------------------------------ who we are


def test_a_key_that_the_host_does_not_know_is_denied(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """One sentence; nobody is asked for a password where nobody can answer."""
    clone.personal({"keyfile": str(sshd.folder / "stranger")})

    with pytest.raises(AccessDenied) as caught:
        over(clone, sshd, None, tmp_path / "store").missing(clone.all)

    assert f"ssh://127.0.0.1:{sshd.port}{tmp_path}/store: the host takes neither our keys nor a password" in str(
        caught.value
    )


def test_a_host_that_nobody_has_seen_is_not_believed(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """DVC takes any host for the right one."""
    (Path(os.environ["HOME"]) / ".ssh" / "known_hosts").write_text("")

    with pytest.raises(AccessDenied, match="known_hosts"):
        over(clone, sshd, None, tmp_path / "store").missing(clone.all)


def test_a_host_with_another_key_is_not_believed(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """Somebody stands in between."""
    stranger = (sshd.folder / "stranger.pub").read_text().split()
    known = Path(os.environ["HOME"]) / ".ssh" / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {stranger[0]} {stranger[1]}\n")

    with pytest.raises(AccessDenied, match="known_hosts"):
        over(clone, sshd, None, tmp_path / "store").missing(clone.all)


def test_a_password_in_the_address_is_never_said(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """Neither in the error nor in what is under it."""
    clone.personal({})
    url = f"ssh://{sshd.user}:sesame@127.0.0.1:{sshd.port}{tmp_path}/store"

    with pytest.raises(AccessDenied) as caught:
        clone.remote(url).missing(clone.all)

    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(clone.place(url))


# ------------------------------------------------------------------ faults


def test_nobody_answers(clone: Clone, sshd: Sshd, wire: Wire, tmp_path: Path) -> None:
    """Refused at once: a sentence within seconds, for all objects together."""
    wire.cut_after(0)
    remote = over(clone, sshd, wire, tmp_path / "store")

    with Clock() as clock:
        moved = remote.upload(clone.cache, clone.all)

    assert set(clone.all) == set(moved.failed)
    assert all(isinstance(error, Unreachable) for error in moved.errors.values())
    assert clock.seconds < 60


def test_a_connection_cut_in_the_middle_is_made_anew(clone: Clone, sshd: Sshd, wire: Wire, tmp_path: Path) -> None:
    """The router forgot it; the host is there: everything goes, each object once."""
    store = tmp_path / "store"
    with over(clone, sshd, wire, store) as remote:
        broken = False

        def shake(*_: object) -> None:
            nonlocal broken
            if not broken and wire.sent > MIB:
                broken = True
                wire.reset()

        moved = remote.upload(clone.cache, clone.all, shake)

    assert broken
    assert {} == moved.failed
    assert object_files(clone.cache, clone.all) == files_below(store)


def test_a_large_upload_that_is_cut_off_can_be_repeated(tmp_path: Path, sshd: Sshd, wire: Wire) -> None:
    """200 MB, cut at 60: the error comes soon, nothing has its name yet, and the next push leaves each object once."""
    clone = Clone(tmp_path / "clone", large=200 * MIB)
    clone.personal({"keyfile": str(sshd.keyfile)})
    store = tmp_path / "store"
    wire.cut_after(60 * MIB)

    with over(clone, sshd, wire, store) as remote, Clock() as clock:
        moved = remote.upload(clone.cache, clone.all)

    assert {clone.large, clone.list} >= set(moved.failed) >= {clone.large}
    assert isinstance(moved.errors[clone.large], Unreachable)
    assert clock.seconds < 60
    there = files_below(store)
    assert object_files(clone.cache, [oid for oid in clone.all if oid not in moved.failed]).items() <= there.items()
    assert f"files/md5/{clone.large[:2]}/{clone.large[2:]}" not in there
    wire.mend()
    with over(clone, sshd, wire, store) as remote:
        missing = remote.missing(clone.all, clone.sizes())
        assert set(moved.failed) == missing
        assert {} == remote.upload(clone.cache, missing).failed
    assert object_files(clone.cache, clone.all) == files_below(store)


def test_a_download_that_is_cut_off_keeps_what_came(clone: Clone, sshd: Sshd, wire: Wire, tmp_path: Path) -> None:
    """And goes on the next time."""
    with over(clone, sshd, None, tmp_path / "store") as remote:
        remote.upload(clone.cache, clone.all)
    other = clone.other_cache()
    with over(clone, sshd, wire, tmp_path / "store") as remote:
        remote.missing(clone.all)
        wire.cut_after(1)
        moved = remote.download(other, clone.all)
        assert all(isinstance(error, Unreachable) for error in moved.errors.values())
        wire.mend()
        rest = [oid for oid in clone.all if not other.has(oid)]
        assert {} == remote.download(other, rest).failed

    assert all(other.check(oid) for oid in clone.all)


def test_a_host_that_falls_silent_is_given_up(
    clone: Clone, sshd: Sshd, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stands but nothing comes: signs of life are asked for."""
    from ledgit.artifacts import connection

    monkeypatch.setattr(connection, "_KEEPALIVE", 0.3)
    monkeypatch.setattr(connection, "_CONNECT", 1)
    monkeypatch.setattr(connection, "_ANSWER", 2)
    with over(clone, sshd, wire, tmp_path / "store") as remote:
        remote.missing(clone.all)
        wire.stall_after(MIB)
        with Clock() as clock:
            moved = remote.upload(clone.cache, clone.all)

    assert isinstance(moved.errors[clone.large], Unreachable)
    assert clock.seconds < 60


def test_a_full_disk_on_the_host(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """SFTP says "failure"; we say what it is. What fits goes."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        with over(clone, sshd, None, disk / "store") as remote:
            moved = remote.upload(clone.cache, clone.all)
        there = files_below(disk / "store")

    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert "there is no room left" in moved.failed[clone.large]
    assert object_files(clone.cache, [oid for oid in clone.all if oid != clone.large]) == there


def test_a_read_only_disk_on_the_host(clone: Clone, sshd: Sshd, tmp_path: Path) -> None:
    """Sending says so; fetching goes on."""
    with small_disk(tmp_path / "disk", "2m") as disk, over(clone, sshd, None, disk / "store") as remote:
        remote.upload(clone.cache, clone.small)
        make_read_only(disk)
        moved = remote.upload(clone.cache, [clone.large])
        fetched = remote.download(clone.other_cache(), clone.small)

    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert "it is read-only" in moved.failed[clone.large]
    assert {} == fetched.failed


def test_nothing_is_printed_and_nothing_hangs_at_the_end(clone: Clone, sshd: Sshd, wire: Wire, tmp_path: Path) -> None:
    """A process whose connection broke says one sentence, and ends."""
    wire.cut_after(MIB)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ledgit.artifacts import Cache, find_place, open_remote\n"
        "place = find_place({'ledgit.artifactRemote': sys.argv[2]}, {}, Path(sys.argv[3]))\n"
        "cache = Cache(sys.argv[1])\n"
        "moved = open_remote(place).upload(cache, [oid for oid, _, _ in cache.objects()])\n"
        "print(sorted({type(error).__name__ for error in moved.errors.values()}))\n"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, clone.cache.path, sshd.url(tmp_path / "store", wire.port), str(clone.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert ("['Unreachable']\n", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert time.monotonic() - start < 60
