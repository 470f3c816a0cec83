"""A local folder as artifact remote: whole objects or none, whatever the disk does."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.remote_kit import MIB, Clone, dvc, files_below, object_files
from tests.artifacts.servers import make_read_only, small_disk

from ledgit.artifacts import encode_list, open_remote
from ledgit.errors import (
    AccessDenied,
    ArtifactDamaged,
    ArtifactNotFound,
    ConfigError,
    MissingDependency,
    RemoteFull,
    StorageError,
    UnsafePath,
)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    with small_disk(tmp_path / "disk", "2m") as folder:
        yield folder


def test_what_is_sent_is_there_and_comes_back(clone: Clone, tmp_path: Path) -> None:
    """Sent, listed, verified, fetched into another cache: the same bytes, and nothing else on either side."""
    remote = clone.remote(tmp_path / "store")
    said: list[tuple[str, int, int | None]] = []

    assert set(clone.all) == remote.missing(clone.all)
    moved = remote.upload(clone.cache, clone.all, lambda *told: said.append(told))

    assert sorted(clone.all) == sorted(moved.done)
    assert {} == moved.failed
    total = sum(clone.cache.size(oid) for oid in clone.all)
    assert total == moved.bytes
    assert ("sending artifacts", total, total) == said[-1]
    assert set() == remote.missing(clone.all, clone.sizes())
    assert {oid: clone.cache.size(oid) for oid in clone.all} == dict(remote.objects())
    assert object_files(clone.cache, clone.all) == files_below(tmp_path / "store")
    assert all(remote.verify(oid) for oid in clone.all)
    other = clone.other_cache()
    fetched = remote.download(other, clone.all)
    assert ({}, total) == (fetched.failed, fetched.bytes)
    assert all(other.check(oid) for oid in clone.all)
    assert object_files(clone.cache, clone.all) == files_below(tmp_path / "clone" / "other-cache")


def test_objects_on_a_local_remote_are_read_only(clone: Clone, tmp_path: Path) -> None:
    """DVC takes an object with any other mode for one that somebody may have written to."""
    clone.remote(tmp_path / "store").upload(clone.cache, [clone.large])

    file = tmp_path / "store" / "files" / "md5" / clone.large[:2] / clone.large[2:]
    assert 0o444 == stat.S_IMODE(file.stat().st_mode)


def test_a_list_waits_for_its_files(clone: Clone, tmp_path: Path) -> None:
    """Whoever sees the list of a folder may take all its files for there."""
    broken = clone.small[7]
    path = Path(clone.cache.location(broken))
    path.chmod(0o644)
    path.write_bytes(b"damaged")

    moved = clone.remote(tmp_path / "store").upload(clone.cache, clone.all)

    assert {broken, clone.list} == set(moved.failed)
    assert isinstance(moved.errors[clone.list], ArtifactDamaged)
    sent = [oid for oid in clone.all if oid not in (broken, clone.list)]
    assert object_files(clone.cache, sent) == files_below(tmp_path / "store")


def test_an_object_that_is_not_in_the_cache_is_one_failure(clone: Clone, tmp_path: Path) -> None:
    """The others go."""
    moved = clone.remote(tmp_path / "store").upload(clone.cache, [clone.large, "0" * 32])

    assert [clone.large] == moved.done
    assert isinstance(moved.errors["0" * 32], ArtifactNotFound)


def test_half_an_object_counts_as_missing(clone: Clone, tmp_path: Path) -> None:
    """A copy that somebody's cp left half done is sent again; its size tells."""
    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.all)
    file = tmp_path / "store" / "files" / "md5" / clone.large[:2] / clone.large[2:]
    file.chmod(0o644)
    os.truncate(file, MIB)

    assert {clone.large} == remote.missing(clone.all, clone.sizes())
    remote.upload(clone.cache, [clone.large])
    assert remote.verify(clone.large)


def test_a_damaged_object_is_not_taken(clone: Clone, tmp_path: Path) -> None:
    """What arrives is hashed before it gets its name; nothing of it stays."""
    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.all)
    file = tmp_path / "store" / "files" / "md5" / clone.large[:2] / clone.large[2:]
    file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.write(b"!")

    other = clone.other_cache()
    moved = remote.download(other, clone.all)

    assert not remote.verify(clone.large)
    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], ArtifactDamaged)
    assert str(tmp_path / "store") in moved.failed[clone.large]
    rest = [oid for oid in clone.all if oid != clone.large]
    assert object_files(clone.cache, rest) == files_below(tmp_path / "clone" / "other-cache")


def test_what_is_not_there_is_not_found(clone: Clone, tmp_path: Path) -> None:
    """One by one; the others come."""
    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, [clone.large])

    moved = remote.download(clone.other_cache(), ["0" * 32, clone.large])

    assert [clone.large] == moved.done
    assert isinstance(moved.errors["0" * 32], ArtifactNotFound)
    with pytest.raises(ArtifactNotFound):
        remote.verify("0" * 32)


def test_deleting_is_for_those_named(clone: Clone, tmp_path: Path) -> None:
    """What is not there counts as deleted."""
    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.all)

    moved = remote.delete([clone.large, "0" * 32])

    assert ({clone.large, "0" * 32}, {}) == (set(moved.done), moved.failed)
    assert {clone.large} == remote.missing(clone.all)


@pytest.mark.parametrize("oid", ["../../../etc/passwd", "ab/cd", "0" * 31, "G" * 32, "0" * 32 + ".dir/x"])
def test_an_id_is_no_path(clone: Clone, tmp_path: Path, oid: str) -> None:
    """Pointers come from repositories that nobody checked."""
    remote = clone.remote(tmp_path / "store")
    for act in (
        lambda: remote.missing([oid]),
        lambda: remote.upload(clone.cache, [oid]),
        lambda: remote.download(clone.cache, [oid]),
        lambda: remote.delete([oid]),
        lambda: remote.verify(oid),
    ):
        with pytest.raises(UnsafePath):
            act()


# ------------------------------------------------------------------ DVC's own


def test_dvc_reads_what_we_sent_and_we_read_what_dvc_sent(clone: Clone, tmp_path: Path) -> None:
    """One layout: `dvc push` and `dvc pull` with the same remote."""
    store = tmp_path / "store"
    project = tmp_path / "project"
    project.mkdir()
    (project / "data").mkdir()
    for number in range(5):
        (project / "data" / f"{number}.bin").write_bytes(b"dvc %d" % number)
    dvc(project, "init", "-q", "--no-scm")
    dvc(project, "add", "-q", "data")
    dvc(project, "remote", "add", "-d", "store", str(store))
    dvc(project, "push", "-q")
    listed = (project / "data.dvc").read_text().split("md5: ")[1].split()[0]

    remote = clone.remote(store)
    there = dict(remote.objects())
    other = clone.other_cache()

    assert 6 == len(there)
    assert listed in there
    assert {} == remote.download(other, there).failed
    assert all(remote.verify(oid) for oid in there)
    # The other way: the same objects, sent by us into another folder.
    assert {} == open_remote(clone.place(tmp_path / "second")).upload(other, there).failed
    assert files_below(store) == files_below(tmp_path / "second")
    dvc(project, "remote", "modify", "store", "url", str(tmp_path / "second"))
    for path in (project / ".dvc" / "cache", project / "data"):
        subprocess.run(["rm", "-rf", str(path)], check=True)
    dvc(project, "pull", "-q")
    assert [b"dvc %d" % number for number in range(5)] == [
        (project / "data" / f"{number}.bin").read_bytes() for number in range(5)
    ]


# ------------------------------------------------------------------ faults


def test_a_full_disk_keeps_what_fitted(clone: Clone, disk: Path) -> None:
    """The large file fails with a sentence, the small ones go; with more room all is there, once."""
    remote = clone.remote(disk / "store")

    moved = remote.upload(clone.cache, clone.all)

    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert f"{disk}/store: there is no room left" == moved.failed[clone.large]
    sent = [oid for oid in clone.all if oid != clone.large]
    assert object_files(clone.cache, sent) == files_below(disk / "store")
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
    assert {} == remote.upload(clone.cache, remote.missing(clone.all)).failed
    assert object_files(clone.cache, clone.all) == files_below(disk / "store")


def test_a_read_only_remote_can_be_read(clone: Clone, disk: Path) -> None:
    """Sending says so in one sentence for each object; fetching goes on."""
    remote = clone.remote(disk / "store")
    remote.upload(clone.cache, clone.small)
    make_read_only(disk)

    moved = remote.upload(clone.cache, [clone.large])

    assert f"{disk}/store: it is read-only" == moved.failed[clone.large]
    assert isinstance(moved.errors[clone.large], RemoteFull)
    assert {} == remote.download(clone.other_cache(), clone.small).failed


def test_a_folder_without_the_right_to_write_denies(clone: Clone, tmp_path: Path) -> None:
    """As anybody but an almighty root: who may not write there is told so."""
    store = tmp_path / "store"
    store.mkdir(mode=0o555)
    script = (
        "import sys\n"
        "from ledgit.artifacts import Cache, find_place, open_remote\n"
        "place = find_place({'ledgit.artifactRemote': sys.argv[2]}, {}, None)\n"
        "moved = open_remote(place).upload(Cache(sys.argv[1]), sys.argv[3:])\n"
        "print(*(f'{type(error).__name__} {error}' for error in moved.errors.values()))\n"
    )
    humble = ["setpriv", "--bounding-set=-all"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*humble, sys.executable, "-c", script, clone.cache.path, str(store), clone.large],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    expected = f"{store}: it does not let us write; check the credentials, and what they permit"
    assert f"{AccessDenied.__name__} {expected}" == done.stdout.strip(), done.stderr


def test_a_full_disk_here_is_not_the_remotes_fault(clone: Clone, tmp_path: Path, disk: Path) -> None:
    """The cache's disk is full: a StorageError, and nothing half in the cache."""
    from ledgit.artifacts import Cache

    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.all)
    cache = Cache(str(disk / "cache"))

    with pytest.raises(StorageError, match="No space left"):
        remote.download(cache, clone.all)

    assert not cache.has(clone.large)
    assert all(cache.check(oid) for oid, _, _ in cache.objects())
    assert all("unfinished" not in name for name in files_below(disk / "cache"))


def test_who_comes_late_after_a_full_disk_leaves_nothing(
    clone: Clone, tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that has not given its part when another one's found the disk full: nobody waits long for it."""
    from ledgit.artifacts import Cache, receiving

    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.all)
    cache = Cache(str(disk / "cache"))
    slow = next(oid for oid in clone.all if oid != clone.large)
    real, over = receiving.get_file, threading.Event()

    def get_file(fs: object, source: str, target: str, *arguments: object, **options: object) -> None:
        if target.endswith(slow):
            over.wait(30)
            os.makedirs(os.path.dirname(target), exist_ok=True)
        real(fs, source, target, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(receiving, "get_file", get_file)
    with pytest.raises(StorageError, match="No space left"):
        remote.download(cache, [clone.large, slow])
    assert all("unfinished" not in name for name in files_below(disk / "cache"))
    over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("ledgit-transfer-"):
            thread.join(30)

    assert not (disk / "cache" / "unfinished").exists()


def test_an_upload_that_was_killed_leaves_nothing_behind(clone: Clone, tmp_path: Path) -> None:
    """The folder of a process that is gone is removed by the next upload; what somebody writes to stays."""
    from ledgit.artifacts.unfinished import new_name, release

    store = tmp_path / "store"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ledgit.artifacts import Cache, find_place, open_remote, sending\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "sending._Sender._settle = die\n"
        "place = find_place({'ledgit.artifactRemote': sys.argv[2]}, {}, None)\n"
        "cache = Cache(sys.argv[1])\n"
        "open_remote(place).upload(cache, [oid for oid, _, _ in cache.objects()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, clone.cache.path, str(store)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert -9 == done.returncode
    assert all(name.startswith("unfinished/") for name in files_below(store))
    assert files_below(store)
    busy = new_name()
    (store / "unfinished" / busy).mkdir()

    assert {} == clone.remote(store).upload(clone.cache, clone.all).failed

    assert object_files(clone.cache, clone.all) == files_below(store)
    assert [busy] == os.listdir(store / "unfinished")
    release(busy)


def test_two_clones_send_the_same_at_once(clone: Clone, tmp_path: Path) -> None:
    """Both succeed, and each object is there once."""
    from concurrent.futures import ThreadPoolExecutor

    other = Clone(tmp_path / "other")
    with ThreadPoolExecutor(2) as pool:
        moved = list(pool.map(lambda who: who.remote(tmp_path / "store").upload(who.cache, who.all), [clone, other]))

    assert [{}, {}] == [result.failed for result in moved]
    assert object_files(clone.cache, clone.all) == files_below(tmp_path / "store")


def test_ctrl_c_in_the_middle_leaves_whole_objects(clone: Clone, tmp_path: Path) -> None:
    """The progress callback is where a user's Ctrl-C arrives."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    remote = clone.remote(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        remote.upload(clone.cache, clone.all, interrupt)

    assert all(remote.verify(oid) for oid, _ in remote.objects())
    assert {} == remote.upload(clone.cache, clone.all).failed
    assert object_files(clone.cache, clone.all) == files_below(tmp_path / "store")


# ------------------------------------------------------------------ opening


@pytest.mark.parametrize(("url", "package"), [("gs://bucket/x", "dvc-gs"), ("azure://container/x", "dvc-azure")])
def test_a_kind_without_its_package_names_it(clone: Clone, url: str, package: str) -> None:
    """DVC has a package for each kind."""
    with pytest.raises(MissingDependency) as caught:
        clone.remote(url)

    assert package == caught.value.package
    assert f"pip install {package}" in str(caught.value)


def test_an_option_that_dvc_does_not_know_is_said(clone: Clone) -> None:
    """With the setting, and DVC's own words."""
    (clone.path / ".dvc" / "config").write_text("['remote \"ledgit\"']\n    url = s3://b/x\n    colour = red\n")
    from ledgit.artifacts import find_place

    place = find_place({}, {}, clone.path)
    assert place is not None
    with pytest.raises(ConfigError, match="colour"):
        open_remote(place)


@pytest.mark.parametrize(
    ("url", "option"),
    [("webdav://h/x", "bearer_token_command = ./evil.sh"), ("s3://b/x", "configpath = ../aws.conf")],
)
def test_a_repository_does_not_name_programs_to_run(clone: Clone, url: str, option: str) -> None:
    """An AWS configuration may name a program that gives the credentials; a person's own file may."""
    from ledgit.artifacts import find_place

    text = f"['remote \"ledgit\"']\n    url = {url}\n    {option}\n"
    (clone.path / ".dvc" / "config").write_text(text)
    place = find_place({}, {}, clone.path)
    assert place is not None

    with pytest.raises(ConfigError, match=option.split(maxsplit=1)[0]):
        open_remote(place)


def test_a_lists_members_that_were_sent_before_count(clone: Clone, tmp_path: Path) -> None:
    """Only what this upload failed at holds a list back."""
    remote = clone.remote(tmp_path / "store")
    remote.upload(clone.cache, clone.small)

    assert [clone.list] == remote.upload(clone.cache, [clone.list]).done
    assert (
        encode_list([(f"part/{n}.txt", oid) for n, oid in enumerate(clone.small)])
        == (tmp_path / "store" / "files" / "md5" / clone.list[:2] / clone.list[2:]).read_bytes()
    )
