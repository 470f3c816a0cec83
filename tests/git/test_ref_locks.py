"""Refs changed by several processes at once, and by processes that die."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.git.kit import by_git, locks, loose

from ledgit.errors import Conflict, ReadOnlyRepository, RefMoved
from ledgit.git import RefUpdate, Repo, list_refs, read_ref, remove_left_lock, update_refs
from ledgit.git.reflock import OURS, lock_ref, no_cleaning

Git = Callable[..., str]
NAME = "refs/ledgit/runs/" + "0" * 32


def test_a_held_lock_is_waited_for(repo: Path, opened: Repo, commits: list[str]) -> None:
    lock = Path(f"{loose(repo, NAME)}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    timer = threading.Timer(0.2, lock.unlink)
    timer.start()

    update_refs(opened, [RefUpdate(NAME, commits[0])])

    timer.join()
    assert read_ref(opened, NAME) == commits[0]


def test_a_lock_that_stays_is_named_in_the_error(
    repo: Path, opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgit.git.reflock.PATIENCE", 0.05)
    lock = Path(f"{loose(repo, NAME)}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()

    with pytest.raises(Conflict, match="remove that file") as caught:
        update_refs(opened, [RefUpdate(f"{NAME}a", commits[0]), RefUpdate(NAME, commits[0])])

    assert str(lock) in str(caught.value)
    assert lock.exists()
    assert locks(repo) == [lock]


def test_a_lock_left_by_a_killed_process_is_removed_after_a_second(
    repo: Path, opened: Repo, commits: list[str]
) -> None:
    lock = Path(f"{loose(repo, NAME)}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (time.time() - 1.1, time.time() - 1.1))

    update_refs(opened, [RefUpdate(NAME, commits[0])])

    assert read_ref(opened, NAME) == commits[0]


def test_a_lock_of_a_process_that_lives_is_not_removed_however_old_it_is(
    repo: Path, opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process holds it by flock, and goes on where it was."""
    monkeypatch.setattr("ledgit.git.reflock.PATIENCE", 0.05)
    lock = Path(f"{loose(repo, NAME)}.lock")
    holder = lock_ref(opened, str(loose(repo, NAME)))
    os.utime(lock, (1, 1))

    with pytest.raises(Conflict, match="remove that file"):
        update_refs(opened, [RefUpdate(NAME, commits[0])])

    assert lock.exists()
    os.close(holder)
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    assert read_ref(opened, NAME) == commits[0]


def test_a_lock_on_packed_refs_goes_at_once_if_a_killed_process_of_ours_left_it(
    repo: Path, opened: Repo, git: Git, commits: list[str]
) -> None:
    """It would stop the user's own git; one of Git's, or of a live process, stays."""
    lock = repo / ".git/packed-refs.lock"
    lock.touch()
    remove_left_lock(opened)
    assert lock.exists()

    lock.write_bytes(OURS)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_left_lock(opened)
        assert lock.exists()
    remove_left_lock(opened)

    assert not lock.exists()
    git(repo, "pack-refs", "--all")


def test_a_killed_deletion_leaves_nothing_in_gits_way(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    code = f"""
import os
from ledgit.git import RefUpdate, Repo, refs
refs.packed_refs = lambda *_: os._exit(137)
refs.update_refs(Repo.discover(), [RefUpdate("{NAME}", None, "{commits[0]}")])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 137
    assert (repo / ".git/packed-refs.lock").exists()

    remove_left_lock(opened)

    git(repo, "pack-refs", "--all")


def test_hundreds_of_refs_change_in_one_transaction(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    names = [f"refs/ledgit/runs/{number:032x}" for number in range(200)]
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names])
    assert list_refs(opened) == dict.fromkeys(names, commits[0]) == by_git(repo, git)
    git(repo, "pack-refs", "--all")

    with pytest.raises(RefMoved) as caught:
        update_refs(opened, [RefUpdate(name, None, commits[name == names[7]]) for name in names])
    assert caught.value.ref == names[7]
    assert list_refs(opened) == dict.fromkeys(names, commits[0])

    update_refs(opened, [RefUpdate(name, None, commits[0]) for name in names])
    assert list_refs(opened) == {}
    assert locks(repo) == []


def test_a_stale_lock_does_not_stop_a_large_transaction(
    repo: Path, opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgit.git.refs.PATIENCE", 0.05)
    names = [f"refs/ledgit/runs/{number:032x}" for number in range(100)]
    lock = Path(f"{loose(repo, names[50])}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(Conflict, match="File exists"):
        update_refs(opened, [RefUpdate(name, commits[0]) for name in names])
    os.utime(lock, (1, 1))

    update_refs(opened, [RefUpdate(name, commits[0]) for name in names])

    assert list_refs(opened) == dict.fromkeys(names, commits[0])


def test_locks_that_git_holds_for_us_are_never_taken_for_stale(
    repo: Path, opened: Repo, git: Git, commits: list[str]
) -> None:
    """A slow transaction of Git's, which knows no flock, against somebody who cleans after a second."""
    lock = Path(f"{loose(repo, NAME)}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (1, 1))

    cleaner = threading.Thread(target=update_refs, args=(opened, [RefUpdate(NAME, commits[0])]))
    with no_cleaning(opened):
        cleaner.start()
        cleaner.join(0.3)
        assert lock.exists()
    cleaner.join()

    assert read_ref(opened, NAME) == commits[0]


@pytest.mark.timeout(120)
def test_eight_processes_lose_no_update(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    """Each adds one parent to a chain; as many commits as additions must be in it."""
    code = f"""
from ledgit.errors import RefMoved
from ledgit.git import ObjectSet, RefUpdate, Repo, read_ref, update_refs
import os
repo, who, done = Repo.discover(), ("a", "b", 1, "+0000"), 0
while done < 15:
    old = read_ref(repo, "{NAME}")
    objects = ObjectSet()
    new = objects.commit(objects.tree([]), [old], who, who, os.urandom(8).hex())
    pack = objects.write(repo, durable=False)
    try:
        update_refs(repo, [RefUpdate("{NAME}", new, old)], durable=False)
        done += 1
    except RefMoved:
        pass
    pack.release()
"""
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(8)]
    packing = subprocess.Popen("for i in 1 2 3 4 5; do git pack-refs --all; done", shell=True)

    assert [process.wait() for process in processes] == [0] * 8
    packing.wait()
    assert git(repo, "rev-list", "--count", NAME) == str(8 * 15 + 1)
    assert locks(repo) == []


@pytest.mark.timeout(120)
def test_refs_deleted_while_git_packs_them_stay_deleted(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    names = [f"refs/ledgit/runs/{number:032x}" for number in range(150)]
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names], durable=False)
    script = "for i in 1 2 3 4 5 6 7 8; do git pack-refs --all || true; done"
    packing = subprocess.Popen(script, shell=True, stderr=subprocess.DEVNULL)

    for name in names:
        update_refs(opened, [RefUpdate(name, None, commits[0])], durable=False)

    packing.wait()
    assert list_refs(opened) == by_git(repo, git) == {}


@pytest.mark.parametrize("point", range(4))
def test_a_process_killed_at_any_point_leaves_old_or_new(
    repo: Path, opened: Repo, git: Git, commits: list[str], point: int
) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    code = f"""
import os
from ledgit.git import RefUpdate, Repo, update_refs
left = {point}
def counted(real):
    def call(*args, **kwargs):
        global left
        if left == 0:
            os._exit(137)
        left -= 1
        return real(*args, **kwargs)
    return call
for name in ("write", "fsync", "rename"):
    setattr(os, name, counted(getattr(os, name)))
update_refs(Repo.discover(), [RefUpdate("{NAME}", "{commits[1]}", "{commits[0]}")])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 137

    value = read_ref(opened, NAME)
    assert value == commits[1 if point == 3 else 0] == git(repo, "rev-parse", NAME)
    for lock in locks(repo):
        os.utime(lock, (1, 1))
    update_refs(opened, [RefUpdate(NAME, commits[2], value)])
    assert git(repo, "rev-parse", NAME) == commits[2]


def test_a_full_disk_leaves_the_old_value(repo: Path, opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    code = f"""
import resource, signal
from ledgit.errors import StorageError
from ledgit.git import RefUpdate, Repo, update_refs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    update_refs(Repo.discover(), [RefUpdate("{NAME}", "{commits[1]}", "{commits[0]}")])
except StorageError as err:
    print(err)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)

    assert "File too large" in done.stdout
    assert read_ref(opened, NAME) == commits[0]
    assert locks(repo) == []


def test_a_read_only_repository_is_told_apart(
    opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(src: str, dst: str) -> None:
        raise OSError(30, "Read-only file system", src)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(ReadOnlyRepository, match="Read-only file system"):
        update_refs(opened, [RefUpdate(NAME, commits[0])])
