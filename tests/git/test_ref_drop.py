"""Deleting many refs, each only if it has not moved."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.git.kit import by_git, locks

from ledgit.git import RefUpdate, Repo, list_refs, read_ref, update_refs
from ledgit.git.refdrop import drop_refs, sweep_locks

Git = Callable[..., str]
RUNS = "refs/ledgit/runs/"


def names(count: int) -> list[str]:
    return [f"{RUNS}{number:032x}" for number in range(count)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [1, 5, 450])
def test_refs_go_and_others_stay(
    repo: Path, opened: Repo, git: Git, commits: list[str], count: int, packed: bool
) -> None:
    git(repo, "tag", "-a", "-m", "annotated", "v1")
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names(count + 2)], durable=False)
    if packed:
        git(repo, "pack-refs", "--all")
    before = by_git(repo, git)
    users = git(repo, "show-ref", "-d")

    stay = drop_refs(opened, dict.fromkeys(names(count), commits[0]))

    assert [] == stay
    assert {name: oid for name, oid in before.items() if name not in names(count)} == by_git(repo, git)
    assert [line for line in users.splitlines() if line[41:] not in names(count)] == git(
        repo, "show-ref", "-d"
    ).splitlines()
    assert [] == locks(repo)
    assert not (repo / ".git/packed-refs.ledgit").exists()


def test_one_that_moved_or_is_locked_stays(repo: Path, opened: Repo, git: Git, commits: list[str]) -> None:
    one, two, three, four, five = names(5)
    update_refs(opened, [RefUpdate(name, commits[0]) for name in (one, two, three, four)])
    git(repo, "pack-refs", "--all")
    update_refs(opened, [RefUpdate(two, commits[1], commits[0])])  # loose over packed
    git(repo, "update-ref", f"{RUNS}x", commits[0])
    lock = repo / ".git" / f"{three}.lock"
    lock.touch()
    os.utime(lock, (time.time() + 60, time.time() + 60))  # young as long as this test runs

    stay = drop_refs(opened, dict.fromkeys((one, two, three, four, five), commits[0]))

    assert {two, three} == set(stay)
    assert {two: commits[1], three: commits[0], f"{RUNS}x": commits[0]} == list_refs(opened, RUNS)
    lock.unlink()
    assert [] == locks(repo)


def test_packed_refs_that_somebody_holds_make_all_stay(repo: Path, opened: Repo, commits: list[str], git: Git) -> None:
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names(3)])
    lock = repo / ".git/packed-refs.lock"
    lock.touch()

    assert names(3) == drop_refs(opened, dict.fromkeys(names(3), commits[0]))

    lock.unlink()
    assert commits[0] == read_ref(opened, names(1)[0])
    assert [] == locks(repo)


def test_a_link_to_packed_refs_is_left_a_link(repo: Path, opened: Repo, commits: list[str], git: Git) -> None:
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names(3)])
    git(repo, "pack-refs", "--all")
    packed = repo / ".git/packed-refs"
    packed.rename(repo / ".git/elsewhere")
    packed.symlink_to("elsewhere")

    assert [names(3)[2]] == drop_refs(opened, {**dict.fromkeys(names(2), commits[0]), names(3)[2]: commits[1]})

    assert packed.is_symlink()
    assert {names(3)[2]: commits[0]} == list_refs(opened, RUNS)


def test_locks_of_dead_processes_are_swept_and_others_are_not(repo: Path, opened: Repo, commits: list[str]) -> None:
    update_refs(opened, [RefUpdate(names(1)[0], commits[0])])
    folder = repo / ".git" / RUNS
    for name in ("gone", "fresh"):
        (folder / f"{name}.lock").touch()
    os.utime(folder / "gone.lock", (1, 1))

    sweep_locks(opened, RUNS)

    assert {"fresh.lock"} == {file.name for file in folder.glob("*.lock")}
    sweep_locks(opened, "refs/ledgit/none/")


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 2)), min_size=1, max_size=8),
    st.lists(st.integers(0, 2), min_size=8, max_size=8),
)
def test_a_ref_goes_exactly_if_it_is_what_was_said(
    tmp_path_factory: pytest.TempPathFactory, refs: list[tuple[int, bool, int]], said: list[int]
) -> None:
    """Loose, packed, or loose over packed."""
    folder = tmp_path_factory.mktemp("refs")
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
    opened = Repo.discover(str(folder))
    ids = ["1" * 40, "2" * 40]
    packed, expected, asked = [], {}, {}
    for name, (loose, is_packed, value), old in zip(names(len(refs)), refs, said, strict=False):
        now = None
        if is_packed and value < 2:
            packed.append(f"{ids[value]} {name}\n")
            now = ids[value]
        if loose < 2:
            path = folder / ".git" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{ids[loose]}\n")
            now = ids[loose]
        if old < 2:
            asked[name] = ids[old]
        if now is not None and asked.get(name) != now:
            expected[name] = now
    if packed:
        (folder / ".git/packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + "".join(packed))

    stay = drop_refs(opened, asked)

    assert expected == list_refs(opened, RUNS)
    assert {name for name in expected if name in asked} == set(stay)


def test_a_lock_says_whose_it_is_from_the_first_moment(
    repo: Path, opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right after it came into being, it does not stand in the way of the user's git."""
    from ledgit.git import reflock

    packed = str(repo / ".git/packed-refs")
    seen: list[bytes] = []
    real = os.link
    monkeypatch.setattr(os, "link", lambda *args, **words: real(*args, **words) or seen.append(read(packed)))
    os.close(reflock.lock_ref(opened, packed, reflock.OURS))

    assert [reflock.OURS] == seen
    update_refs(opened, [RefUpdate(name, commits[0]) for name in names(3)])
    assert [] == drop_refs(opened, dict.fromkeys(names(3), commits[0]))
    assert [] == locks(repo)


def read(packed: str) -> bytes:
    return Path(packed + ".lock").read_bytes()


def test_the_lock_of_who_makes_a_ref_again_stays(
    repo: Path, opened: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ref's lock is free as soon as the ref is gone; an edit may take it while the other refs still go."""
    from ledgit.git import refdrop
    from ledgit.git.reflock import lock_ref, unlink

    update_refs(opened, [RefUpdate(name, commits[0]) for name in names(3)])
    first = repo / ".git" / names(3)[0]
    taken: list[int] = []

    def watched(path: str) -> None:
        unlink(path)
        if path.endswith("packed-refs.lock"):
            taken.append(lock_ref(opened, str(first)))

    monkeypatch.setattr(refdrop, "unlink", watched)
    assert [] == drop_refs(opened, dict.fromkeys(names(3), commits[0]))
    assert [f"{first.name}.lock"] == [path.name for path in first.parent.iterdir()]
    os.close(taken[0])
