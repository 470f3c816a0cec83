"""The cache: objects as DVC lays them out, whole or not there, never handed out damaged."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledgit.artifacts import Cache, files
from ledgit.errors import ArtifactDamaged, ArtifactNotFound, StorageError, UnsafePath

CONTENT = b"content" * 1000
OID = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


def damage(cache: Cache, oid: str) -> None:
    """Flip a byte, as a failing disk does: the size stays."""
    path = Path(cache.location(oid))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def files_in(folder: str) -> list[str]:
    return sorted(os.path.join(here, name) for here, _, names in os.walk(folder) for name in names)


def test_an_object_stands_where_dvc_looks_for_it(cache: Cache) -> None:
    """``files/md5/ab/cdef…``, read-only, and nothing beside it."""
    assert OID == cache.put_bytes(CONTENT)

    assert [os.path.join(cache.path, "files", "md5", OID[:2], OID[2:])] == files_in(cache.path)
    assert 0o444 == stat.S_IMODE(os.stat(cache.location(OID)).st_mode)
    assert cache.has(OID)
    assert len(CONTENT) == cache.size(OID)
    assert CONTENT == cache.read(OID)
    assert [(OID, len(CONTENT))] == [(oid, size) for oid, size, _ in cache.objects()]


def test_a_private_copy_is_linked_and_becomes_read_only(cache: Cache, tmp_path: Path) -> None:
    """No second copy of a large file is written."""
    copy = tmp_path / "copy"
    copy.write_bytes(CONTENT)

    assert cache.put(str(copy), OID)
    assert not cache.put(str(copy), OID)

    assert copy.stat().st_ino == os.stat(cache.location(OID)).st_ino


def test_what_somebody_may_write_to_is_copied(cache: Cache, tmp_path: Path) -> None:
    """A link would change the object with the file."""
    mine = tmp_path / "mine"
    mine.write_bytes(CONTENT)
    cache.put(str(mine), OID, link=False)

    mine.write_bytes(b"changed")

    assert CONTENT == cache.read(OID)


def test_a_copy_that_is_something_else_by_now_is_not_taken(cache: Cache, tmp_path: Path) -> None:
    """The digest was the caller's; the content has changed since."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"changed")

    with pytest.raises(StorageError, match="changed while it was copied"):
        cache.put(str(mine), OID, link=False)
    assert [] == files_in(cache.path)


@pytest.mark.parametrize("way", ["open", "read", "copy_out"])
def test_a_damaged_object_is_set_aside_and_not_handed_out(cache: Cache, tmp_path: Path, way: str) -> None:
    """Not a byte of it; the error says what to do; the same content logged again is whole."""
    cache.put_bytes(CONTENT)
    damage(cache, OID)
    assert not cache.check(OID)

    arguments = (OID, str(tmp_path / "out")) if way == "copy_out" else (OID,)
    with pytest.raises(ArtifactDamaged, match=r"set aside.*get it again") as caught:
        getattr(cache, way)(*arguments)

    assert "\n" not in str(caught.value)
    assert not cache.has(OID)
    assert not (tmp_path / "out").exists()
    assert 1 == len(files_in(os.path.join(cache.path, "damaged")))
    assert [] == list(cache.objects())
    cache.put_bytes(CONTENT)
    assert CONTENT == cache.read(OID)


def test_an_object_that_was_cut_short_is_written_again(cache: Cache) -> None:
    """After a power cut, say: its size says so when the content comes again."""
    cache.put_bytes(CONTENT)
    os.chmod(cache.location(OID), 0o644)
    os.truncate(cache.location(OID), 10)

    cache.put_bytes(CONTENT)

    assert cache.check(OID)


@pytest.mark.parametrize("code", [None, errno.EINVAL, errno.ENOSYS], ids=["renameat2", "NFS", "an old kernel"])
def test_an_object_that_another_process_put_here_is_never_replaced(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """It is marked as used; what was written meanwhile goes."""
    if code is not None:
        monkeypatch.setattr(files, "_rename_noreplace", lambda: lambda _source, _target: code)
    Cache(cache.path).put_bytes(CONTENT)
    os.utime(cache.location(OID), (0, 0))
    before = os.stat(cache.location(OID)).st_ino

    new = [cache.put_known(CONTENT, OID) for _ in range(3)]

    assert [False] * 3 == new
    assert before == os.stat(cache.location(OID)).st_ino
    assert os.stat(cache.location(OID)).st_mtime > 0
    assert [cache.location(OID)] == files_in(cache.path)


def test_a_copy_is_private_and_replaces_what_is_there(cache: Cache, tmp_path: Path) -> None:
    """Who writes to it writes to nothing of ours."""
    cache.put_bytes(CONTENT)
    target = tmp_path / "out"
    target.write_bytes(b"old")

    assert len(CONTENT) == cache.copy_out(OID, str(target))

    assert CONTENT == target.read_bytes()
    assert target.stat().st_nlink == 1
    target.write_bytes(b"mine now")
    assert cache.check(OID)
    assert {"out", "cache"} == set(os.listdir(tmp_path))


def test_what_is_not_there_is_said_so(cache: Cache, tmp_path: Path) -> None:
    """Whichever way it is asked for; nothing is left at the target."""
    assert not cache.has(OID)
    assert not cache.check(OID)
    for ask in (cache.size, cache.open, cache.read, lambda oid: cache.copy_out(oid, str(tmp_path / "out"))):
        with pytest.raises(ArtifactNotFound):
            ask(OID)
    cache.remove(OID)
    cache.sync([OID])
    assert "" == cache.quarantine(OID)
    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize("oid", ["", "../../etc/passwd", OID[:-1], OID + "0", OID.upper(), OID + ".dir.dir", OID + "/"])
def test_what_is_no_object_id_names_no_file(cache: Cache, oid: str) -> None:
    """Pointers come from repositories that nobody checked."""
    with pytest.raises(UnsafePath):
        cache.location(oid)


def test_putting_what_is_there_marks_it_as_used(cache: Cache) -> None:
    """Nobody sweeps an old object that a new run counts on."""
    cache.put_bytes(CONTENT)
    os.utime(cache.location(OID), (1, 1))

    cache.put_bytes(CONTENT)

    ((_, _, when),) = cache.objects()
    assert when > 1_000_000


def test_a_descriptor_is_copied_and_hashed_in_one_go(cache: Cache, tmp_path: Path) -> None:
    """Also one that holds more than one piece."""
    large = os.urandom(3 << 20)
    (tmp_path / "large").write_bytes(large)
    for new in (True, False):
        with open(tmp_path / "large", "rb", buffering=0) as file:
            oid, size, was_new = cache.take(file.fileno())
        assert (len(large), new) == (size, was_new)
    assert large == cache.read(oid)
    assert [cache.location(oid)] == files_in(cache.path)


def test_half_written_files_of_the_dead_go_after_a_day(cache: Cache) -> None:
    """A younger one may be somebody's."""
    cache.put_bytes(CONTENT)
    torn = Path(cache.location(OID)).parent / "0123456789ab.tmp"
    torn.write_bytes(b"half")

    cache.clean()
    assert torn.exists()
    cache.clean(older=-1)
    assert not torn.exists()
    assert cache.has(OID)


WRITER = """
import sys
from ledgit.artifacts import Cache, files
cache = Cache(sys.argv[1])
for number in range(300):
    cache.put_bytes(b"%d" % number * 1000)
"""


def test_two_processes_put_the_same_content_at_once(cache: Cache) -> None:
    """Each object is there once and whole, nothing is left beside."""
    command = [sys.executable, "-c", WRITER, cache.path]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [0, 0, 0] == [writer.wait(60) for writer in writers]

    found = [oid for oid, _, _ in cache.objects()]
    assert 300 == len(found) == len(files_in(cache.path))
    assert all(map(cache.check, found))


@pytest.mark.parametrize("count", [3, 100])
def test_any_number_of_objects_is_synced(cache: Cache, count: int) -> None:
    """One by one, or the file system whole; what is not there is no trouble."""
    oids = [cache.put_bytes(b"%d" % number) for number in range(count)]

    cache.sync([*oids, OID])
    cache.sync((), everything=True)
    cache.sync(())

    assert all(map(cache.check, oids))
