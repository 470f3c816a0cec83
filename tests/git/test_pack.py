"""Writing new objects as one pack."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import ReadOnlyRepository, StorageError
from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, build, read_ref, release_leftovers, update_refs
from ledgit.git.pack import encode_index

Git = Callable[..., str]
WHO = ("Ada", "ada@example.org", 1_700_000_000, "+0000")


def some_run(salt: str = "") -> tuple[ObjectSet, str]:
    """About as many objects as a run has."""
    objectset = ObjectSet()
    files = {f"f{n}.yaml": f"{salt}{n}: {n}\n".encode() * 30 for n in range(12)}
    files |= {f"history/m{n}.tsv": f"step\ttime\tm{n}\n{salt}".encode() * 50 for n in range(20)}
    tree = build(objectset, files)
    return objectset, objectset.commit(tree, [], WHO, WHO, "run")


def packs(repo: Path) -> list[str]:
    return sorted(os.listdir(repo / ".git/objects/pack"))


def fsck(repo: Path, git: Git) -> str:
    return git(repo, "fsck", "--strict", "--full", "--no-dangling", "--no-progress")


def test_a_run_is_readable_by_git_and_passes_every_check(repo: Path, opened: Repo, git: Git) -> None:
    objectset, commit = some_run()

    pack = objectset.write(opened)
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])
    pack.release()

    assert fsck(repo, git) == ""
    git(repo, "verify-pack", f"{pack.path}.idx")
    assert git(repo, "show", f"{commit}:f3.yaml") == ("3: 3\n" * 30).rstrip("\n")
    with Objects(opened) as objects:
        assert len(objects.files(commit)) == 32


@pytest.mark.parametrize("seconds", [-(10**9), -1, 0, 253_402_300_799, 10**18, 10**30])
def test_a_commit_of_any_date_is_one_that_git_and_hosts_take(repo: Path, opened: Repo, git: Git, seconds: int) -> None:
    """Imported runs may be dated before 1970, and parents, whose date ours may not precede, anything."""
    objects = ObjectSet()
    who = ("Ada", "ada@example.org", seconds, "+0000")
    commit = objects.commit(objects.tree([]), [], who, who, "run\n")
    objects.write(opened)
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])

    assert fsck(repo, git) == ""
    assert git(repo, "log", "-1", "--format=%ct", commit) == str(max(0, min(seconds, 253_402_300_799)))


def test_the_index_is_the_one_git_would_write(repo: Path, opened: Repo, git: Git, tmp_path: Path) -> None:
    objectset, _ = some_run()
    pack = objectset.write(opened)

    git(repo, "index-pack", "-o", str(tmp_path / "x.idx"), f"{pack.path}.pack")

    assert Path(f"{pack.path}.idx").read_bytes() == (tmp_path / "x.idx").read_bytes()


@settings(max_examples=25)
@given(blobs=st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(lambda n: b"x" * n)), max_size=20))
def test_any_content_comes_back_with_gits_own_id(repo: Path, opened: Repo, blobs: list[bytes]) -> None:
    objectset = ObjectSet()
    ids = [objectset.blob(data) for data in blobs]
    pack = objectset.write(opened, keep=False, durable=False)

    assert bool(pack) == bool(blobs)
    with Objects(opened) as objects:
        assert [objects.read(oid) for oid in ids] == [("blob", data) for data in blobs]
    if blobs:
        subprocess.run(["git", "verify-pack", f"{pack.path}.idx"], cwd=repo, check=True)


def test_sizes_around_every_boundary_of_the_format_survive(repo: Path, opened: Repo, git: Git) -> None:
    """The size field grows at 16, 2,048 and 262,144; small and large objects are packed differently."""
    objectset = ObjectSet()
    sizes = [0, 1, 15, 16, 2047, 2048, 4095, 4096, 4097, 262_143, 262_144, 1_000_000]
    ids = [objectset.blob(os.urandom(size)) for size in sizes]
    pack = objectset.write(opened)

    git(repo, "verify-pack", f"{pack.path}.idx")
    asked = "\n".join(ids).encode() + b"\n"
    assert git(repo, "cat-file", "--batch-check=%(objectsize)", stdin=asked).split() == [str(size) for size in sizes]


@pytest.mark.parametrize("size", [2047, 2048, 4096, 65_535, 65_536, 200_000])
def test_what_would_not_shrink_is_stored_as_it_is(repo: Path, opened: Repo, git: Git, size: int) -> None:
    """Trying to compress pictures and weights took two thirds of the time of a run with many files."""
    noise, text = os.urandom(size), b"step\t12\t0.1234567\n" * (size // 18)
    fresh = ObjectSet()
    ids = [fresh.blob(noise), fresh.blob(text)]

    pack = fresh.write(opened, keep=False)

    git(repo, "verify-pack", f"{pack.path}.idx")
    sizes = [int(git(repo, "cat-file", "--batch-check=%(objectsize:disk)", stdin=oid.encode())) for oid in ids]
    assert size <= sizes[0] <= size + 32
    assert sizes[1] < size / 5
    assert subprocess.run(["git", "cat-file", "blob", ids[0]], cwd=repo, capture_output=True).stdout == noise


def test_offsets_beyond_two_gigabytes_take_eight_bytes(repo: Path, git: Git) -> None:
    rows = sorted((os.urandom(20), n, 12 + n * (1 << 31)) for n in range(5))

    shown = git(repo, "show-index", stdin=encode_index(rows, b"\0" * 20))

    assert shown.splitlines() == [f"{offset} {oid.hex()} ({crc:08x})" for oid, crc, offset in rows]


def test_nothing_to_write_writes_nothing(repo: Path, opened: Repo) -> None:
    pack = ObjectSet().write(opened)
    pack.sync()
    pack.release()

    assert not pack
    assert packs(repo) == []


def test_known_objects_are_not_stored_again(repo: Path, opened: Repo, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    objectset = ObjectSet(known={blob})

    assert objectset.blob(b"print('train')\n") == blob
    assert len(objectset) == 0


def test_equal_objects_are_stored_once() -> None:
    objectset = ObjectSet()

    assert objectset.blob(b"x") == objectset.blob(b"x")
    assert len(objectset) == 1


def test_writing_the_same_pack_again_is_fine(repo: Path, opened: Repo, git: Git) -> None:
    """A crash between pack and ref repeats the finalizing."""
    first = some_run()[0].write(opened)
    second = some_run()[0].write(opened)

    assert first.path == second.path
    assert len(packs(repo)) == 3
    second.release()
    assert len(packs(repo)) == 2
    first.release()
    first.release()


def test_a_pack_is_readable_by_all_whom_the_umask_allows(opened: Repo) -> None:
    pack = some_run()[0].write(opened)

    for extension in (".pack", ".idx"):
        assert os.stat(pack.path + extension).st_mode & 0o777 == 0o444


def test_a_pack_that_no_ref_reaches_yet_outlives_gc(repo: Path, opened: Repo, git: Git) -> None:
    """``git gc --prune=now`` between writing the objects and writing the ref must not lose the run."""
    objectset, commit = some_run()
    pack = objectset.write(opened)
    git(repo, "gc", "-q", "--prune=now")
    git(repo, "repack", "-adq")
    git(repo, "prune", "--expire=now")
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])
    pack.release()
    git(repo, "gc", "-q", "--prune=now")

    assert fsck(repo, git) == ""
    assert git(repo, "show", f"{commit}:f1.yaml").startswith("1: 1")


def test_a_released_pack_that_no_ref_reaches_goes_with_gc(repo: Path, opened: Repo, git: Git) -> None:
    objectset, commit = some_run()
    objectset.write(opened).release()
    git(repo, "gc", "-q", "--prune=now")

    with Objects(opened) as objects:
        assert not objects.exists(commit)


def test_what_a_killed_process_kept_is_released_after_an_hour(repo: Path, opened: Repo) -> None:
    pack = some_run()[0].write(opened)
    foreign = Path(f"{some_run('x')[0].write(opened, keep=False).path}.keep")
    foreign.write_text("somebody else's reason\n")
    os.utime(foreign, (1, 1))

    assert release_leftovers(opened) == 0
    os.utime(f"{pack.path}.keep", (time.time() - 4000, time.time() - 4000))
    assert release_leftovers(opened) == 1
    assert foreign.exists()
    assert not os.path.exists(f"{pack.path}.keep")


@pytest.mark.parametrize("point", range(6))
def test_a_process_killed_at_any_point_leaves_a_sound_repository(
    repo: Path, opened: Repo, git: Git, point: int
) -> None:
    """Killed before its n-th system call that matters; then the same is written again."""
    code = f"""
import os
from ledgit.git import Repo
from tests_pack import some_run
left = {point}
def counted(real):
    def call(*args, **kwargs):
        global left
        if left == 0:
            os._exit(137)
        left -= 1
        return real(*args, **kwargs)
    return call
for name in ("fsync", "rename"):
    setattr(os, name, counted(getattr(os, name)))
some_run()[0].write(Repo.discover())
os._exit(0)
"""
    here = repo.parent / "tests_pack.py"
    here.write_text(Path(__file__).read_text())
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(repo.parent)}, check=False)
    assert done.returncode == (137 if point < 5 else 0)
    assert fsck(repo, git) == ""

    objectset, commit = some_run()
    pack = objectset.write(opened)
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])
    pack.release()
    git(repo, "gc", "-q", "--prune=now")

    assert fsck(repo, git) == ""
    assert git(repo, "show", f"{commit}:f1.yaml").startswith("1: 1")
    release_leftovers(opened, older_than=-1)
    assert [name for name in packs(repo) if name.startswith(("tmp_", "ledgit-new-"))] == []


@pytest.mark.parametrize("limit", [100, 2000])
def test_a_full_disk_leaves_nothing_behind(repo: Path, opened: Repo, git: Git, limit: int) -> None:
    """The limit on file size stands for the disk: writes first come back short, then fail."""
    code = f"""
import resource, signal
from tests_pack import some_run
from ledgit.errors import StorageError
from ledgit.git import Repo
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    some_run()[0].write(Repo.discover())
except StorageError as err:
    print(err)
"""
    (repo.parent / "tests_pack.py").write_text(Path(__file__).read_text())
    env = {**os.environ, "PYTHONPATH": str(repo.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert "can't write" in done.stdout
    assert "File too large" in done.stdout
    assert packs(repo) == []


def test_a_failing_sync_is_a_storage_error(repo: Path, opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StorageError, match="Input/output error"):
        some_run()[0].write(opened)
    assert packs(repo) == []
    pack = some_run()[0].write(opened, durable=False)
    with pytest.raises(StorageError, match="Input/output error"):
        pack.sync()


def test_a_broken_pack_folder_is_a_storage_error(repo: Path, opened: Repo) -> None:
    (repo / ".git/objects/pack").rmdir()
    (repo / ".git/objects/pack").touch()

    with pytest.raises(StorageError, match="Not a directory"):
        some_run()[0].write(opened)


def test_a_missing_pack_folder_is_made(repo: Path, opened: Repo) -> None:
    (repo / ".git/objects/pack").rmdir()

    assert some_run()[0].write(opened)


def test_somebody_elses_keep_is_left_alone(opened: Repo) -> None:
    pack = some_run()[0].write(opened, keep=False)
    Path(f"{pack.path}.keep").write_text("backup in progress\n")

    some_run()[0].write(opened).release()

    assert Path(f"{pack.path}.keep").exists()


def test_refusal_of_the_system_is_told_apart_from_a_full_disk(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refused(path: str, flags: int, *args: int, **kwargs: int) -> int:
        if "ledgit-new-" in str(path):
            raise OSError(30, "Read-only file system", path)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(ReadOnlyRepository, match="Read-only file system"):
        some_run()[0].write(opened)


def test_three_syncs_make_a_pack_durable_and_they_can_wait(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    real = os.fsync

    def counting(fd: int) -> None:
        nonlocal count
        count += 1
        real(fd)

    monkeypatch.setattr(os, "fsync", counting)
    some_run("a")[0].write(opened)
    assert count == 3
    later = some_run("b")[0].write(opened, durable=False)
    assert count == 3
    later.sync()
    assert count == 6


def test_syncing_a_pack_that_git_has_repacked_meanwhile_is_fine(repo: Path, opened: Repo, git: Git) -> None:
    objectset, commit = some_run()
    pack = objectset.write(opened, keep=False, durable=False)
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])
    git(repo, "gc", "-q", "--prune=now")

    pack.sync()

    assert read_ref(opened, "refs/ledgit/runs/1") == commit


def test_a_commit_is_encoded_as_git_does(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    head, tree = git(repo, "rev-parse", "HEAD", "HEAD^{tree}").split()
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "1700000000 +0000")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Zoë")
    expected = git(repo, "commit-tree", tree, "-p", head, "-m", "Titel mit Ümlaut\n\nText")

    author = ("Zoë", "ada@example.org", 1_700_000_000, "+0000")
    committer = ("Ada Lovelace", "ada@example.org", 1_700_000_000, "+0000")

    assert ObjectSet().commit(tree, [head], author, committer, "Titel mit Ümlaut\n\nText") == expected


@pytest.mark.parametrize("name", ["", "a\nparent " + "1" * 40, "<b>", "a\0b", " . ", "A. B.", "\udcff"])
def test_no_name_can_break_a_commit(repo: Path, opened: Repo, git: Git, name: str) -> None:
    """Names and messages come from configuration files and imports."""
    objectset = ObjectSet()
    who = (name, name, 1_700_000_000, "+0000")
    commit = objectset.commit(objectset.tree([]), [], who, who, name + "\n\n\n")
    objectset.write(opened, keep=False)
    update_refs(opened, [RefUpdate("refs/ledgit/runs/1", commit)])

    assert fsck(repo, git) == ""
    raw = git(repo, "cat-file", "commit", commit)
    assert raw.startswith("tree ")
    assert raw.count("\nparent ") == (1 if "\n" in name else 0)  # in the message, where it is only text
    with Objects(opened) as objects:
        assert objects.commit(commit).parents == ()


def test_content_is_compressed(opened: Repo) -> None:
    objectset = ObjectSet()
    objectset.blob(b"0123456789\n" * 10_000)
    pack = objectset.write(opened)

    assert os.path.getsize(pack.path + ".pack") < len(zlib.compress(b"0123456789\n" * 10_000, 1)) + 100
