"""Deltas give back what they were made of, as we read them and as Git does."""

from __future__ import annotations

import zlib
from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import GitFunction
from tests.faults.kit import check_objects

from ledgit.errors import RecordError
from ledgit.git import ObjectSet, Repo, merge_packs
from ledgit.git.deltas import (
    Base,
    apply_delta,
    copy_from,
    delta_head,
    encode_delta,
    insert,
    pieces_of_text,
    pieces_of_tree,
)

TEXTS = st.lists(
    st.sampled_from([b"a", b"key: ", b"0.123 ", b"\n", b"longer text\n", b"  ", b"x" * 300]), max_size=40
).map(b"".join)


@given(TEXTS, TEXTS)
def test_a_delta_gives_the_object_back(old: bytes, new: bytes) -> None:
    base = Base(bytes(20), pieces_of_text(old))

    delta = encode_delta(base, pieces_of_text(new))

    assert new == apply_delta(old, delta)


@given(TEXTS)
def test_pieces_make_up_the_text(text: bytes) -> None:
    assert text == b"".join(pieces_of_text(text))


@given(st.integers(0, 1 << 26), st.integers(1, 200_000))
def test_a_copy_of_any_place_and_length_is_one(at: int, size: int) -> None:
    """Offsets have up to four bytes, sizes up to two."""
    base = memoryview(_LONG)[: 1 << 17]
    at, size = at % (1 << 17), min(size, (1 << 17) - at % (1 << 17))

    assert base[at : at + size] == apply_delta(bytes(base), delta_head(1 << 17, size) + copy_from(at, size))


_LONG = b"".join(number.to_bytes(4, "big") for number in range(1 << 15))


@given(st.binary(max_size=400))
def test_what_is_new_is_inserted(data: bytes) -> None:
    assert data == apply_delta(b"", delta_head(0, len(data)) + insert(data))


@pytest.mark.parametrize(
    "delta", [b"", b"\x03", b"\x03\x05\x04ab", b"\x03\x02\x90\x03", b"\x04\x03\x90\x03", b"\x03\x03\x91"]
)
def test_a_delta_that_is_none_is_refused(delta: bytes) -> None:
    with pytest.raises(RecordError):
        apply_delta(b"abc", delta)


def test_a_tree_is_cut_at_its_names(repo: Path, git: GitFunction) -> None:
    tree = b"100644 a\0" + bytes(range(20)) + b"40000 b\0" + bytes(20)

    assert [b"100644 a\0", bytes(range(20)), b"40000 b\0", bytes(20)] == pieces_of_tree(tree)
    with pytest.raises(ValueError, match="not found"):
        pieces_of_tree(b"no tree")


class Chosen:
    """A plan that has one answer."""

    def __init__(self, answers: dict[bytes, tuple[bytes, bytes]]) -> None:
        self.answers = answers
        self.seen: list[bytes] = []

    def look(self, oid: bytes, data: bytes) -> None:
        self.seen.append(data)

    def delta(self, oid: bytes, kind: str, data: bytes, whole: int) -> tuple[bytes, bytes] | None:
        return self.answers.get(oid)


def _store(repo: Repo, *blobs: bytes) -> str:
    objects = ObjectSet()
    for data in blobs:
        objects.blob(data)
    return Path(objects.write(repo, keep=False).path).name


def _oid(data: bytes) -> bytes:
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()


def _texts(count: int = 3) -> list[bytes]:
    return [
        b"".join(b"line %d of many\n" % (number * 7919 % 1000) for number in range(100)) + b"%d" % n
        for n in range(count)
    ]


def test_git_reads_packs_of_deltas_and_keeps_them(repo: Path, git: GitFunction) -> None:
    opened, (first, second, third) = Repo.discover(str(repo)), _texts()
    names = [_store(opened, first, second), _store(opened, third)]
    base = Base(_oid(first), pieces_of_text(first))
    plan = Chosen({_oid(one): (base.oid, encode_delta(base, pieces_of_text(one))) for one in (second, third)})

    merged = merge_packs(opened, names, shrink=plan)

    assert {first, second, third} == set(plan.seen)
    assert [f"{merged}.pack"] == [path.name for path in (repo / ".git/objects/pack").glob("*.pack")]
    check_objects(repo)
    for text in (first, second, third):
        assert text.decode() == git(repo, "cat-file", "-p", _oid(text).hex()) + "\n" * text.endswith(b"\n")
    listed = "".join(f"{_oid(text).hex()} text\n" for text in (first, second, third)).encode()
    git(repo, "pack-objects", "-q", ".git/objects/pack/pack", stdin=listed)
    sizes = git(repo, "cat-file", "--batch-check=%(deltabase)", stdin=f"{_oid(second).hex()}\n".encode())
    assert _oid(first).hex() == sizes


def test_packs_of_deltas_are_merged_by_copying(repo: Path) -> None:
    opened, texts = Repo.discover(str(repo)), _texts(4)
    made = []
    for one, other in (texts[:2], texts[2:]):
        base = Base(_oid(one), pieces_of_text(one))
        plan = Chosen({_oid(other): (base.oid, encode_delta(base, pieces_of_text(other)))})
        made.append(str(merge_packs(opened, [_store(opened, one, other)], shrink=plan)))
    before = sum((repo / ".git/objects/pack" / f"{name}.pack").stat().st_size for name in made)

    merged = merge_packs(opened, made)

    assert before - 32 == (repo / ".git/objects/pack" / f"{merged}.pack").stat().st_size
    check_objects(repo)


def test_a_delta_that_does_not_give_the_object_back_is_not_written(repo: Path) -> None:
    opened, (first, second, _) = Repo.discover(str(repo)), _texts()
    wrong = delta_head(len(first), len(second)) + copy_from(0, len(second) - 2) + insert(b"!!")

    merge_packs(opened, [_store(opened, first, second)], shrink=Chosen({_oid(second): (_oid(first), wrong)}))

    check_objects(repo)
    assert second == _read(repo, second)


def test_shrinking_what_is_small_already_changes_nothing(repo: Path) -> None:
    opened = Repo.discover(str(repo))
    name = _store(opened, b"a", b"b")

    assert name == merge_packs(opened, [name], shrink=Chosen({}))
    check_objects(repo)
    assert b"a" == _read(repo, b"a")


def _read(repo: Path, data: bytes) -> bytes:
    import pygit2

    return bytes(pygit2.Odb(str(repo / ".git/objects")).read(_oid(data).hex())[1])


def test_texts_are_deflated_with_more_patience(repo: Path) -> None:
    opened = Repo.discover(str(repo))
    text = b"".join(b"%d\t%d\t%r\n" % (step, 1_795_000_000_000 + step * 997, step / 7) for step in range(500))
    name = _store(opened, text)
    assert len(zlib.compress(text, 6)) < len(zlib.compress(text, 1))

    merged = merge_packs(opened, [name], shrink=Chosen({}))

    assert name != merged
    assert text == _read(repo, text)
