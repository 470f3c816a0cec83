"""What the ledger says of objects: written and read, joined in any order, and hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError
from ledgit.git import FILE, TREE, Objects, ObjectSet, Repo, TreeEntry
from ledgit.records.clocked import encode_clocked
from ledgit.store.artifacts.marks import (
    CANDIDATE,
    GRACE,
    SWEPT,
    WINDOW,
    Mark,
    decode_marks,
    is_being_swept,
    judge,
    read_marks,
    write_marks,
)
from ledgit.store.ledger import check_tree, union_trees

NOW = 1_795_000_000_000
DAY = 24 * 3_600_000
A, B, C = "aa" + "0" * 30, "aa" + "1" * 30, "bb" + "2" * 30 + ".dir"

oids = st.sampled_from([A, B, C, "cc" + "3" * 30])
mark = st.builds(
    Mark,
    st.sampled_from([CANDIDATE, SWEPT]),
    st.sampled_from([0, NOW - 500 * DAY, NOW - GRACE, NOW - GRACE + 1, NOW - DAY, NOW, NOW + 1, NOW + 99 * DAY]),
)
changes = st.dictionaries(oids, st.none() | mark)


@pytest.fixture
def objects(repo: Path) -> Objects:
    return Objects(Repo.discover(str(repo)))


def empty(objects: Objects, fresh: ObjectSet) -> str:
    return union_trees(objects, fresh, None, None).tree


def with_file(objects: Objects, fresh: ObjectSet, name: str, data: bytes) -> str:
    """A ledger with one document."""
    from ledgit.store.ledger.reader import Reader

    top = Reader(objects, fresh).folder(empty(objects, fresh))
    folder = fresh.tree([TreeEntry(name, FILE, fresh.blob(data))])
    return fresh.tree([*top.values(), TreeEntry("objects", TREE, folder)])


@given(mark)
def test_a_mark_is_read_as_it_was_written(one: Mark) -> None:
    assert one == Mark.parse(str(one))


@given(st.text(max_size=70) | st.integers() | st.none() | st.builds("swept {}".format, st.text(max_size=30)))
def test_anything_else_is_no_mark(value: object) -> None:
    """And no error."""
    found = Mark.parse(value)

    assert found is None or isinstance(found, Mark)


@settings(max_examples=60)
@given(steps=st.lists(changes, max_size=4), other=st.lists(changes, max_size=3))
def test_two_lines_of_marks_join_in_any_order(objects: Objects, steps: list[object], other: list[object]) -> None:
    """And the ledger passes the checks of whoever pulls it."""
    fresh = ObjectSet()
    one = two = empty(objects, fresh)
    for step in steps:
        one, left = write_marks(objects, fresh, one, step, "c1")  # type: ignore[arg-type]
        assert [] == left
    for step in other:
        two, _ = write_marks(objects, fresh, two, step, "c2")  # type: ignore[arg-type]

    joined = union_trees(objects, fresh, one, two).tree

    assert joined == union_trees(objects, fresh, two, one).tree
    assert joined == union_trees(objects, fresh, joined, one).tree
    check_tree(objects, joined, fresh=fresh)
    assert read_marks(objects, joined, fresh).keys() <= {A, B, C, "cc" + "3" * 30}


@given(steps=st.lists(changes, min_size=1, max_size=4))
def test_the_last_word_counts(objects: Objects, steps: list[dict[str, Mark | None]]) -> None:
    """Of each object; one whose mark was taken away is like any other."""
    fresh = ObjectSet()
    tree = empty(objects, fresh)
    expected: dict[str, Mark | None] = {}
    for step in steps:
        tree, _ = write_marks(objects, fresh, tree, step, "c1")
        expected |= step

    assert {oid: one for oid, one in expected.items() if one is not None} == read_marks(objects, tree, fresh)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"- 1",
        b"\xff\xfe",
        b"label: aa\nkeys: {a: &a [*a]}",
        encode_clocked(
            "aa", {"../../x": "swept 2026-01-01T00:00:00.000Z", "aa": 1}, {"../../x": (1, "c"), "aa": (1, "c")}
        ),
        encode_clocked("aa", {C: "candidate 2026-01-01T00:00:00.000Z"}, {C: (1, "c")}),  # in another's document
        encode_clocked("aa", {A: "candidate 99999-01-01", B: "doomed 2026-01-01"}, {A: (1, "c"), B: (1, "c")}),
        encode_clocked("aa", {A: "swept " + "9" * 100}, {A: (1, "c")}),
    ],
)
def test_hostile_documents_say_nothing(objects: Objects, data: bytes) -> None:
    """They are carried along, and written over by who has something to say."""
    fresh = ObjectSet()
    tree = with_file(objects, fresh, "aa.yaml", data)

    check_tree(objects, tree, fresh=fresh)
    assert {} == decode_marks(data, "aa.yaml") == read_marks(objects, tree, fresh)
    new, left = write_marks(objects, fresh, tree, {A: Mark(CANDIDATE, NOW)}, "c1")
    assert ([], {A: Mark(CANDIDATE, NOW)}) == (left, read_marks(objects, new, fresh))
    assert {A: Mark(CANDIDATE, NOW)} == read_marks(objects, union_trees(objects, fresh, tree, new).tree, fresh)


def test_a_giant_document_is_refused(objects: Objects) -> None:
    """As any file of a ledger is."""
    fresh = ObjectSet()

    with pytest.raises(RecordError, match="at most"):
        check_tree(objects, with_file(objects, fresh, "aa.yaml", b"#" * (2 << 20)), fresh=fresh)


def test_a_document_never_grows_beyond_what_is_let_in(objects: Objects) -> None:
    """What has no room waits for the next sweep; keys that say nothing make room."""
    fresh = ObjectSet()
    first = {f"aa{number:030x}": Mark(CANDIDATE, NOW) for number in range(6000)}
    tree, left = write_marks(objects, fresh, empty(objects, fresh), first, "c1")

    assert 1000 == len(left)
    check_tree(objects, tree, fresh=fresh)
    said = read_marks(objects, tree, fresh)
    tree, _ = write_marks(objects, fresh, tree, dict.fromkeys(said), "c1")
    tree, still = write_marks(objects, fresh, tree, {oid: first[oid] for oid in left}, "c1")
    assert ([], set(left)) == (still, set(read_marks(objects, tree, fresh)))


def test_folders_that_a_newer_version_has_join_by_their_clocks(objects: Objects) -> None:
    """Whatever their name: an older reader carries them along without losing a word."""
    from ledgit.records.clocked import decode_clocked
    from ledgit.store.ledger.reader import Reader

    fresh = ObjectSet()
    trees = []
    for key in ("a", "b"):
        data = encode_clocked("x", {key: 1}, {key: (1, "c")})
        folder = fresh.tree([TreeEntry("x.yaml", FILE, fresh.blob(data))])
        top = Reader(objects, fresh).folder(empty(objects, fresh))
        trees.append(fresh.tree([*top.values(), TreeEntry("of-tomorrow", TREE, folder)]))

    joined = union_trees(objects, fresh, *trees).tree

    reader = Reader(objects, fresh)
    (entry,) = reader.folder(reader.folder(joined)["of-tomorrow"].oid).values()
    assert {"a": 1, "b": 1} == decode_clocked(reader.read(entry.oid, "blob"))[1]


@given(
    there=st.sets(oids),
    needed=st.sets(oids),
    marks=st.dictionaries(oids, mark),
    at_once=st.sets(oids),
)
def test_nothing_that_is_needed_goes_and_nothing_without_its_grace(
    there: set[str], needed: set[str], marks: dict[str, Mark], at_once: set[str]
) -> None:
    """Whatever the ledger says."""
    plan = judge(there, needed, marks, NOW, GRACE, at_once)

    assert not {*plan.due, *plan.fresh, *plan.waiting, *plan.marked} & needed
    for oid in set(plan.due) - at_once:
        one = marks[oid]
        assert one.state == SWEPT or NOW - one.when >= GRACE
        assert one.state == CANDIDATE or NOW - one.when <= GRACE + DAY
    assert {*plan.due, *plan.fresh, *plan.waiting, *plan.marked} == there - needed
    for oid in plan.withdrawn:
        assert oid in needed or oid not in there
        assert not is_being_swept(marks[oid], NOW)


def test_what_is_being_swept_counts_as_absent_for_longer_than_anybody_deletes() -> None:
    """The clocks of two people may differ by hours."""
    one = Mark(SWEPT, NOW + WINDOW)

    assert is_being_swept(one, NOW)
    assert is_being_swept(one, NOW + WINDOW + 11 * 3_600_000)
    assert not is_being_swept(one, NOW + WINDOW + 13 * 3_600_000)
    assert not is_being_swept(Mark(CANDIDATE, NOW), NOW)
