"""Reading and changing refs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.git.kit import by_git, locks, loose

from ledgit.errors import Conflict, GitFailed, InvalidName, RefMoved, StorageError
from ledgit.git import RefUpdate, Repo, list_refs, read_ref, stamp, sync_ref, update_refs

Git = Callable[..., str]
NAME = "refs/ledgit/runs/" + "0" * 32


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


def test_a_ref_that_goes_while_it_is_synced_is_no_failure(
    opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compaction deletes the refs of runs, and the folder that is empty then, while another thread syncs them."""
    name = "refs/ledgit/runs/" + "a" * 32
    update_refs(opened, [RefUpdate(name, commits[0])])
    real = os.fsync

    def gone(fd: int) -> None:
        real(fd)
        if os.path.exists(path):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))

    path = os.path.join(opened.common_dir, name)
    monkeypatch.setattr(os, "fsync", gone)
    sync_ref(opened, name)

    assert not os.path.exists(os.path.dirname(path))


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


def test_a_ref_that_can_not_be_read_is_a_storage_error(repo: Path, opened: Repo) -> None:
    loose(repo, NAME).parent.mkdir(parents=True)
    loose(repo, NAME).symlink_to(loose(repo, NAME))

    with pytest.raises(StorageError, match="symbolic links"):
        read_ref(opened, NAME)
