"""Reading and changing refs."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import Conflict, GitFailed, InvalidName, ReadOnlyRepository, RefMoved, StorageError
from ledgit.git import RefUpdate, Repo, list_refs, read_ref, remove_left_lock, stamp, update_refs
from ledgit.git.reflock import OURS, lock_ref, no_cleaning

Git = Callable[..., str]
NAME = "refs/ledgit/runs/" + "0" * 32


@pytest.fixture
def commits(repo: Path, git: Git) -> list[str]:
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    return [git(repo, "commit-tree", tree, "-m", str(n)) for n in range(3)]


def loose(repo: Path, name: str) -> Path:
    return repo / ".git" / name


def by_git(repo: Path, git: Git) -> dict[str, str]:
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/ledgit/").splitlines()
    return dict(line.split(" ") for line in lines)


def locks(repo: Path) -> list[Path]:
    return [
        path for path in (repo / ".git").rglob("*.lock") if path.parent.name != "ledgit" or path.name != "refs.lock"
    ]


def test_a_ref_is_made_moved_and_deleted(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    assert read_ref(opened, NAME) == commits[0] == git(repo, "rev-parse", NAME)

    update_refs(opened, [RefUpdate(NAME, commits[1], commits[0])])
    assert read_ref(opened, NAME) == commits[1] == git(repo, "rev-parse", NAME)

    update_refs(opened, [RefUpdate(NAME, None, commits[1])])
    assert read_ref(opened, NAME) is None
    assert by_git(repo, git) == {}
    assert locks(repo) == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("old", [None, "1" * 40])
@pytest.mark.parametrize("new", [None, 2])
def test_a_ref_that_somebody_else_moved_is_left_alone(
    repo: Path, opened: Repo, git: Git, commits: list[str], packed: bool, old: str | None, new: int | None
) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    if packed:
        git(repo, "pack-refs", "--all")

    with pytest.raises(RefMoved) as caught:
        update_refs(opened, [RefUpdate(NAME, None if new is None else commits[new], old)])

    assert caught.value.ref == NAME
    assert read_ref(opened, NAME) == commits[0]
    assert locks(repo) == []


def test_a_ref_that_does_not_exist_can_not_be_moved(opened: Repo, commits: list[str]) -> None:
    with pytest.raises(RefMoved):
        update_refs(opened, [RefUpdate(NAME, commits[1], commits[0])])


def test_all_refs_change_or_none(repo: Path, opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(f"{NAME}b", commits[0])])
    updates = [RefUpdate(f"{NAME}{end}", commits[1], None) for end in ("a", "b", "c")]

    with pytest.raises(RefMoved):
        update_refs(opened, updates)

    assert list_refs(opened) == {f"{NAME}b": commits[0]}
    assert locks(repo) == []


def test_any_value_can_be_replaced_on_request(opened: Repo, commits: list[str]) -> None:
    for commit in (commits[0], commits[1]):
        update_refs(opened, [RefUpdate(NAME, commit, RefUpdate.ANY)])
        assert read_ref(opened, NAME) == commit
    for _ in range(2):
        update_refs(opened, [RefUpdate(NAME, None, RefUpdate.ANY)])
        assert read_ref(opened, NAME) is None


@pytest.mark.parametrize("loose_too", [False, True])
def test_a_packed_ref_is_read_moved_and_deleted(
    repo: Path, opened: Repo, git: Git, commits: list[str], loose_too: bool
) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    git(repo, "pack-refs", "--all")
    assert not loose(repo, NAME).exists()
    assert read_ref(opened, NAME) == commits[0]
    if loose_too:
        update_refs(opened, [RefUpdate(NAME, commits[1], commits[0])])

    update_refs(opened, [RefUpdate(NAME, None, commits[loose_too])])

    assert read_ref(opened, NAME) is None
    assert by_git(repo, git) == {}
    assert git(repo, "rev-parse", "main")


def test_no_reflog_is_written(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    git(repo, "config", "core.logAllRefUpdates", "always")
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    update_refs(opened, [RefUpdate(NAME, commits[1], commits[0])])

    assert not (repo / ".git/logs/refs/ledgit").exists()


def test_other_refs_are_left_to_git_with_their_reflog(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate("refs/heads/side", commits[0]), RefUpdate(NAME, commits[0])])

    assert git(repo, "rev-parse", "side", NAME).split() == [commits[0]] * 2
    assert git(repo, "reflog", "side") != ""
    with pytest.raises(RefMoved) as caught:
        update_refs(opened, [RefUpdate("refs/heads/side", commits[1], None)])
    assert caught.value.ref == "refs/heads/side"
    with pytest.raises(RefMoved):
        update_refs(opened, [RefUpdate("refs/heads/nothing", None, None)])
    with pytest.raises(GitFailed):
        update_refs(opened, [RefUpdate("refs/heads/side2", "1" * 40, None)])
    update_refs(opened, [RefUpdate("refs/heads/side", None, commits[0])])
    assert read_ref(opened, "refs/heads/side") is None


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 41, b"abc\n", b"0" * 40 + b"\n", b"ref: refs/heads/main\n", b"x" * 40]
)
def test_a_torn_ref_counts_as_absent_and_can_be_written_over(
    repo: Path, opened: Repo, git: Git, commits: list[str], content: bytes
) -> None:
    """The shapes that a power loss leaves."""
    update_refs(opened, [RefUpdate(f"{NAME}x", commits[1])])
    loose(repo, NAME).write_bytes(content)

    assert read_ref(opened, NAME) is None
    assert list_refs(opened) == {f"{NAME}x": commits[1]}
    update_refs(opened, [RefUpdate(NAME, commits[0], None)])
    assert read_ref(opened, NAME) == commits[0] == git(repo, "rev-parse", NAME)


def test_behind_a_torn_ref_the_packed_one_is_seen(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    git(repo, "pack-refs", "--all")
    loose(repo, NAME).parent.mkdir(parents=True, exist_ok=True)
    loose(repo, NAME).write_bytes(b"")

    assert read_ref(opened, NAME) == commits[0]
    assert list_refs(opened) == {NAME: commits[0]}
    update_refs(opened, [RefUpdate(NAME, None, commits[0])])
    assert by_git(repo, git) == {}


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
refs._read_packed = lambda *_: os._exit(137)
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


def test_a_name_can_become_a_folder_and_back(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate("refs/ledgit/x/a", commits[0])])
    with pytest.raises(Conflict, match="other refs are below"):
        update_refs(opened, [RefUpdate("refs/ledgit/x", commits[0])])
    update_refs(opened, [RefUpdate("refs/ledgit/x/a", None, commits[0])])
    update_refs(opened, [RefUpdate("refs/ledgit/x", commits[0])])
    with pytest.raises(Conflict, match="name of one of its folders"):
        update_refs(opened, [RefUpdate("refs/ledgit/x/a", commits[0])])

    assert by_git(repo, git) == {"refs/ledgit/x": commits[0]}
    assert locks(repo) == []


@pytest.mark.parametrize(
    "name",
    [
        "runs/x",
        "refs/x",
        "refs/ledgit/",
        "refs/ledgit//x",
        "refs/ledgit/../heads/main",
        "refs/ledgit/.x",
        "refs/ledgit/x.",
        "refs/ledgit/x.lock",
        "refs/ledgit/x.lock/y",
        "refs/ledgit/a b",
        "refs/ledgit/a~1",
        "refs/ledgit/a^",
        "refs/ledgit/a:b",
        "refs/ledgit/a?",
        "refs/ledgit/a*",
        "refs/ledgit/a[b",
        "refs/ledgit/a\\b",
        "refs/ledgit/a@{b",
        "refs/ledgit/a\nb",
        "refs/ledgit/a\0b",
        "/etc/passwd",
        "refs/ledgit/a\x7f",
    ],
)
def test_names_that_git_refuses_are_refused(repo: Path, opened: Repo, commits: list[str], name: str) -> None:
    with pytest.raises(InvalidName):
        update_refs(opened, [RefUpdate(name, commits[0])])
    if "\0" not in name:
        done = subprocess.run(["git", "check-ref-format", name], cwd=repo, check=False)
        assert done.returncode != 0 or name in ("refs/x", "runs/x")  # Git allows them; we ask for refs/ and a kind


def test_refs_of_a_linked_work_tree_are_the_common_ones(
    repo: Path, opened: Repo, git: Git, commits: list[str], tmp_path: Path
) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))

    update_refs(Repo.discover(str(tmp_path / "linked")), [RefUpdate(NAME, commits[0])])

    assert read_ref(opened, NAME) == commits[0]


ref_names = st.lists(st.sampled_from(["a", "b", "runs", "x-1", "é", "a.b"]), min_size=1, max_size=3).map(
    lambda parts: "refs/ledgit/" + "/".join(parts)
)


@settings(max_examples=30)
@given(names=st.sets(ref_names, max_size=8), packed=st.integers(0, 8), deleted=st.integers(0, 8))
def test_the_list_is_the_one_git_gives(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], packed: int, deleted: int
) -> None:
    """Loose and packed, in folders, with names that look like parts of each other."""
    path = tmp_path_factory.mktemp("refs")

    def git(cwd: Path, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()

    git(path, "init", "-q")
    git(path, "commit", "-q", "--allow-empty", "-m", "x")
    commit = git(path, "rev-parse", "HEAD")
    git(path, "update-ref", "refs/heads/refs/ledgit/a", commit)  # a look-alike
    git(path, "tag", "-a", "v", "-m", "peeled in packed-refs")
    opened = Repo.discover(str(path))
    kept = [name for name in sorted(names) if not any(other.startswith(name + "/") for other in names)]
    for number, name in enumerate(kept):
        if number == packed:
            git(path, "pack-refs", "--all")
        update_refs(opened, [RefUpdate(name, commit)], durable=False)
    for name in kept[:deleted]:
        update_refs(opened, [RefUpdate(name, None, commit)], durable=False)

    assert list_refs(opened) == by_git(path, git)
    assert list_refs(opened, "refs/ledgit/a/") == {
        name: oid for name, oid in by_git(path, git).items() if name.startswith("refs/ledgit/a/")
    }
    assert list_refs(opened, "refs/ledgit/a") == {
        name: oid for name, oid in by_git(path, git).items() if name == "refs/ledgit/a"
    }
    for name in kept:
        assert read_ref(opened, name) == by_git(path, git).get(name)


def settled(opened: Repo, prefix: str = "refs/ledgit/") -> tuple[object, ...]:
    """The stamp, as soon as it isn't "look" any more."""
    for _ in range(200):
        found = stamp(opened, prefix)
        if found is not None:
            return found
        time.sleep(0.01)
    raise AssertionError("the stamp never settles")


def test_the_stamp_changes_with_every_kind_of_change(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    changes: list[Callable[[], object]] = [
        lambda: update_refs(opened, [RefUpdate(NAME, commits[0])]),
        lambda: update_refs(opened, [RefUpdate(NAME, commits[1], commits[0])]),
        lambda: git(repo, "update-ref", NAME, commits[2]),
        lambda: git(repo, "pack-refs", "--all"),
        lambda: update_refs(opened, [RefUpdate("refs/ledgit/deep/er/x", commits[0])]),
        lambda: update_refs(opened, [RefUpdate("refs/ledgit/deep/er/x", commits[1], commits[0])]),
        lambda: git(repo, "update-ref", "-d", NAME),
        lambda: update_refs(opened, [RefUpdate("refs/ledgit/deep/er/x", None, commits[1])]),
    ]
    before = settled(opened)
    for change in changes:
        change()
        assert stamp(opened) != before
        before = settled(opened)
        assert stamp(opened) == before


def test_changes_of_other_refs_do_not_show_in_the_stamp(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    before = settled(opened, "refs/ledgit/runs/")

    git(repo, "update-ref", "refs/heads/side", commits[0])
    update_refs(opened, [RefUpdate("refs/ledgit/active/x", commits[0])])

    assert stamp(opened, "refs/ledgit/runs/") == before


def test_right_after_a_change_the_stamp_says_look(opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])

    assert stamp(opened) is None


def test_a_stamp_with_whole_seconds_stays_unsettled_longer(repo: Path, opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(NAME, commits[0])])
    settled(opened, "refs/ledgit/runs/")
    second = int(time.time()) * 1_000_000_000

    os.utime(repo / ".git/refs/ledgit/runs", ns=(second, second))

    assert stamp(opened, "refs/ledgit/runs/") is None


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


def test_a_ref_that_can_not_be_read_is_a_storage_error(repo: Path, opened: Repo) -> None:
    loose(repo, NAME).parent.mkdir(parents=True)
    loose(repo, NAME).symlink_to(loose(repo, NAME))

    with pytest.raises(StorageError, match="symbolic links"):
        read_ref(opened, NAME)


def test_making_a_ref_takes_a_third_of_a_millisecond_but_for_the_syncs(opened: Repo, commits: list[str]) -> None:
    times = []
    for number in range(50):
        start = time.process_time()
        update_refs(opened, [RefUpdate(f"refs/ledgit/runs/{number:032x}", commits[0])], durable=False)
        times.append(time.process_time() - start)

    assert min(times) < 0.0003


def test_a_stamp_of_a_flat_folder_takes_a_tenth_of_a_millisecond(opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(f"refs/ledgit/runs/{n:032x}", commits[0]) for n in range(500)], durable=False)
    settled(opened, "refs/ledgit/runs/")
    times = []
    for _ in range(20):
        start = time.process_time()
        stamp(opened, "refs/ledgit/runs/")
        times.append(time.process_time() - start)

    assert min(times) < 0.0001
