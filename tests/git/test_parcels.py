"""Code and runs as bytes: what one clone packs, another has; what is damaged is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import GitFunction

from ledgit.errors import LedgitError, RecordError
from ledgit.git import Objects, ObjectSet, Repo
from ledgit.git.parcels import make_code_clone, pack_code, pack_tree, read_pack, store_code

KINDS = st.sampled_from(["blob", "tree", "commit"])
CONTENT = st.binary(max_size=300) | st.integers(0, 9000).map(lambda size: bytes(range(256)) * (size // 256 + 1))


def _packed(objects: list[tuple[str, bytes]]) -> bytes:
    fresh = ObjectSet()
    for kind, data in objects:
        fresh.add(kind, data)
    return b"".join(fresh._encode()[0])


@given(st.lists(st.tuples(KINDS, CONTENT), max_size=6))
def test_what_was_packed_is_read_again(objects: list[tuple[str, bytes]]) -> None:
    """Each object with its kind and content, by the id that Git has for it."""
    fresh = read_pack(_packed(objects))

    for kind, data in objects:
        assert (kind, data) == fresh.get(ObjectSet().add(kind, data))
    assert len(set(objects)) == len(fresh)


@settings(max_examples=300)
@given(st.lists(st.tuples(KINDS, CONTENT), min_size=1, max_size=4), st.data())
def test_a_pack_that_was_damaged_is_refused(objects: list[tuple[str, bytes]], data: st.DataObject) -> None:
    """Wherever a byte is another one, or the end is missing: also where the checksum was made to fit."""
    from hashlib import sha1

    pack = bytearray(_packed(objects))
    at = data.draw(st.integers(0, len(pack) - 21), label="place")
    pack[at] ^= data.draw(st.integers(1, 255), label="change")
    cut = data.draw(st.integers(0, len(pack) - 1), label="length")
    fitting = bytes(pack[:-20]) + sha1(pack[:-20], usedforsecurity=False).digest()

    for damaged in (bytes(pack), bytes(pack[:cut])):
        with pytest.raises(RecordError):
            read_pack(damaged)
    try:
        fresh = read_pack(fitting)
    except RecordError:
        return
    # Then it is the pack of other objects: of none that was packed by its id with another content.
    for kind, content in objects:
        assert fresh.get(ObjectSet().add(kind, content)) in (None, (kind, content))


def test_code_is_a_commit_with_a_tree_and_no_history(repo: Path, git: GitFunction, tmp_path: Path) -> None:
    """Git finds nothing amiss in the clone that it makes, and checks the tree out."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    (repo / "train.py").write_text("changed\n")
    git(repo, "add", ".")
    tree, commit = git(repo, "write-tree"), git(repo, "rev-parse", "HEAD")
    target = tmp_path / "clone.git"

    make_code_clone(str(target))
    clone = Repo(str(target), str(target), None)
    store_code(clone, pack_code(Repo.discover(str(repo)), commit, tree), commit)

    assert "second" == git(target, "log", "--format=%s", commit)
    assert "changed" == git(target, "show", f"{tree}:train.py")
    git(target, "update-ref", "refs/heads/code", commit)
    git(target, "gc", "-q", "--prune=now")
    assert "" == git(target, "fsck", "--strict", "--no-progress", "--no-dangling")
    assert "changed" == git(target, "show", f"{tree}:train.py")


def test_a_tree_is_packed_as_far_as_another_lacks_it(repo: Path, git: GitFunction) -> None:
    """A changed file, and the folders above it."""
    before = git(repo, "rev-parse", "HEAD^{tree}")
    (repo / "train.py").write_text("changed\n")
    git(repo, "add", ".")
    after = git(repo, "write-tree")
    objects = Objects(Repo.discover(str(repo)))

    fresh = read_pack(pack_tree(objects, before, after))

    assert (2, True, True) == (len(fresh), after in fresh, git(repo, "rev-parse", ":train.py") in fresh)
    assert b"" == pack_tree(objects, after, after)


def test_code_that_is_not_here_is_an_error(repo: Path) -> None:
    """Of ours."""
    with pytest.raises(LedgitError):
        pack_code(Repo.discover(str(repo)), "0" * 40, "1" * 40)
