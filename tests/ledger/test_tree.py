"""The table as a tree: a function of its lines, united only where it differs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.ledger.kit import DAY, START, entry_of, run_id, tombstone
from tests.ledger.strategies import play, steps
from tests.ledger.test_table import again, kinds, table

from ledgit.errors import RecordError
from ledgit.git import FILE, Objects, ObjectSet, Repo, edit_tree
from ledgit.records import encode_entry, with_head
from ledgit.records.clocked import decode_clocked, encode_clocked
from ledgit.records.table import Line, parse_line
from ledgit.store.ledger import add_lines, check_tree, differing, every_line, lines_of, tree, union_trees


def line_of(run: str, start: int = START, head: str = "") -> Line:
    """The line of a run that nobody made."""
    return parse_line(with_head(encode_entry(entry_of(run, start)), head or sha1(run.encode()).hexdigest()))


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """The objects of a repository that has none: everything is in the set of new ones."""
    path = tmp_path_factory.mktemp("empty")
    run_git(path, "init", "-q")
    with Objects(Repo.discover(str(path))) as objects:
        yield objects


def paths(objects: Objects, fresh: ObjectSet, top: str) -> list[str]:
    """The files of lines."""
    return [path for path, _, _ in differing(objects, None, top, fresh)]


@pytest.mark.parametrize(("limit", "examples"), [(1, 400), (64, 100)])
def test_the_tree_is_a_function_of_the_lines(
    nowhere: Objects, monkeypatch: pytest.MonkeyPatch, limit: int, examples: int
) -> None:
    """Made from nothing, line by line, or united from any parts in any order: one id."""
    monkeypatch.setattr(tree, "LEAF_RUNS", limit)
    seen: Counter[str] = Counter()

    @settings(max_examples=examples)
    @given(steps, st.randoms(use_true_random=True))
    def check(steps: list[tuple[str, int, int]], dice: random.Random) -> None:
        fresh = ObjectSet()
        lines = [line for line in play(steps).lines if line.day is not None and not line.opaque]
        a, b, c = (
            add_lines(nowhere, fresh, None, again([line for line in lines if dice.random() < 0.6])) for _ in range(3)
        )
        parts = [(line for _, line in every_line(nowhere, one.tree, fresh)) for one in (a, b, c)]
        whole = table(*map(list, parts))

        expected = add_lines(nowhere, fresh, None, whole).tree

        def unite(base: str, other: str) -> str:
            united = union_trees(nowhere, fresh, base, other)
            before, after = table_of(base), table_of(united.tree)
            assert sorted(line.raw for line in united.each_added()) == sorted(line.raw for line in after - before)
            assert set(united.added) == after - before
            assert set(united.dropped) == before - after
            return united.tree

        def table_of(top: str) -> set[Line]:
            return {line for _, line in every_line(nowhere, top, fresh)}

        assert expected == unite(unite(a.tree, b.tree), c.tree)
        assert expected == unite(c.tree, unite(b.tree, a.tree))
        assert expected == unite(expected, b.tree)
        grown = a.tree
        shuffled = again(whole)
        dice.shuffle(shuffled)
        for line in shuffled:
            grown = add_lines(nowhere, fresh, grown, [line]).tree
        assert expected == unite(grown, b.tree)
        assert set(whole) == table_of(expected)
        for path in paths(nowhere, fresh, expected):
            seen[f"{path.count('/')} deep"] += 1
        for kind in kinds(whole):
            seen[kind] += 1
        for line in whole:
            assert line.day is not None
            assert line in lines_of(nowhere, expected, line.id, line.day, fresh)
        if limit == 64:
            check_tree(nowhere, expected, None, fresh)

    check()
    for kind in ("several heads", "tombstone", "edited", "2 deep"):
        assert seen[kind] > examples // 40, seen
    assert limit == 64 or min(seen["3 deep"], seen["4 deep"]) > 40, seen


def test_a_file_is_split_at_65_runs_and_not_at_64(nowhere: Objects) -> None:
    fresh = ObjectSet()
    ids = [run_id(number) for number in range(65)]

    full = add_lines(nowhere, fresh, None, map(line_of, ids[:64]))
    split = add_lines(nowhere, fresh, full.tree, [line_of(ids[64])])

    assert ["segments/2026-11/23.jsonl"] == paths(nowhere, fresh, full.tree)
    assert sorted({f"segments/2026-11/23/{one[0]}.jsonl" for one in ids}) == paths(nowhere, fresh, split.tree)
    assert [ids[64]] == [line.id for line in split.added]
    assert split.tree == add_lines(nowhere, fresh, None, map(line_of, reversed(ids))).tree
    check_tree(nowhere, split.tree, full.tree, fresh)


def test_a_split_counts_runs_and_not_lines(nowhere: Objects) -> None:
    """A run with many heads would else split the file in one clone and not in another."""
    fresh = ObjectSet()
    lines = [line_of(run_id(0), START, f"{number:040x}") for number in range(100)]
    lines += [line_of(run_id(number)) for number in range(1, 64)]

    made = add_lines(nowhere, fresh, None, lines)

    assert ["segments/2026-11/23.jsonl"] == paths(nowhere, fresh, made.tree)
    assert 163 == len(made.added)


def test_ids_that_share_their_first_digits_are_split_as_deep_as_need_be(nowhere: Objects) -> None:
    fresh = ObjectSet()
    lines = [line_of(f"abc{number:029x}") for number in range(70)]

    made = add_lines(nowhere, fresh, None, lines)

    deepest = "segments/2026-11/23/" + "/".join("abc" + "0" * 27)
    assert {f"{deepest}/{digit}.jsonl" for digit in "01234"} == set(paths(nowhere, fresh, made.tree))
    check_tree(nowhere, made.tree, None, fresh)


def test_a_tombstone_absorbs_its_run_in_its_place(nowhere: Objects) -> None:
    fresh = ObjectSet()
    lines = [line_of(run_id(number), START + number % 3 * DAY) for number in range(200)]
    made = add_lines(nowhere, fresh, None, lines)

    purged = add_lines(nowhere, fresh, made.tree, [tombstone(run_id(7), START + DAY)])

    assert [run_id(7)] == [line.id for line in purged.added] == [line.id for line in purged.dropped]
    assert [tombstone(run_id(7), START + DAY)] == lines_of(nowhere, purged.tree, run_id(7), "2026-11/24", fresh)
    assert purged.tree == union_trees(nowhere, fresh, purged.tree, made.tree).tree
    assert paths(nowhere, fresh, made.tree) == paths(nowhere, fresh, purged.tree)


def test_a_run_of_mlflows_is_placed_by_its_hash(nowhere: Objects) -> None:
    fresh = ObjectSet()
    lines = [line_of(run_id(number)) for number in range(64)]
    made = add_lines(nowhere, fresh, None, [*lines, line_of("My-Run")])

    (found,) = lines_of(nowhere, made.tree, "My-Run", "2026-11/23", fresh)

    assert line_of("My-Run") == found
    check_tree(nowhere, made.tree, None, fresh)


def test_only_files_that_differ_are_read(nowhere: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tables of 10,000 runs that differ in one are united by reading two files."""
    fresh = ObjectSet()
    lines = [line_of(run_id(number), START + number % 50 * DAY) for number in range(5000)]
    base = add_lines(nowhere, fresh, None, lines)
    ours = add_lines(nowhere, fresh, base.tree, [line_of("a" * 32)])
    theirs = add_lines(nowhere, fresh, base.tree, [line_of("b" * 32)])
    read: list[str] = []
    real = tree.Reader.lines
    monkeypatch.setattr(tree.Reader, "lines", lambda self, oid: read.append(oid) or real(self, oid))

    united = union_trees(nowhere, fresh, ours.tree, theirs.tree)

    assert ["b" * 32] == [line.id for line in united.added]
    assert 4 >= len(read)
    assert united.tree == union_trees(nowhere, fresh, theirs.tree, ours.tree).tree


def test_what_is_wholly_new_is_not_read_until_it_is_asked_for(
    nowhere: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first pull takes the remote's tree as it is."""
    fresh = ObjectSet()
    made = add_lines(nowhere, fresh, None, (line_of(run_id(number), START + number * DAY) for number in range(100)))
    objects = len(fresh)
    with monkeypatch.context() as blind:
        blind.setattr(tree.Reader, "lines", None)
        united = union_trees(nowhere, fresh, None, made.tree)
        assert (made.tree, objects) == (united.tree, len(fresh))

    assert 100 == len(list(united.each_added())) == len(united.added) == len(list(united.each_added()))


def test_a_line_without_a_start_has_no_place(nowhere: Objects) -> None:
    with pytest.raises(RecordError, match="without a start"):
        add_lines(nowhere, ObjectSet(), None, [parse_line(b"{}")])


def test_an_empty_ledger_and_nothing_are_the_same(nowhere: Objects) -> None:
    fresh = ObjectSet()
    empty = union_trees(nowhere, fresh, None, None).tree
    made = add_lines(nowhere, fresh, None, [line_of("a" * 32)]).tree

    assert empty == add_lines(nowhere, fresh, None, []).tree == union_trees(nowhere, fresh, empty, None).tree
    assert made == union_trees(nowhere, fresh, empty, made).tree == union_trees(nowhere, fresh, made, empty).tree
    assert ["README.md", "format", "segments"] == sorted(tree.Reader(nowhere, fresh).folder(made))


def test_other_files_are_joined_too(nowhere: Objects) -> None:
    """Experiments key by key, the format by its numbers, what nobody knows by its bytes."""
    fresh = ObjectSet()
    base = add_lines(nowhere, fresh, None, [line_of("a" * 32)]).tree

    def with_files(**files: bytes) -> str:
        named = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
        return edit_tree(nowhere, fresh, base, {name: (FILE, fresh.blob(data)) for name, data in named.items()})

    mine = encode_clocked("owls", {"name": "Eulen", "deleted": True}, {"name": (1, "c"), "deleted": (2, "c")})
    theirs = encode_clocked("owls", {"name": "Uhus"}, {"name": (2, "a"), "deleted": (3, "a")})
    ours = with_files(
        experiments__owls_yaml=mine, format=b"min_reader: 1\nmin_writer: 3\n", other=b"b", only__here=b"1"
    )
    yours = with_files(
        experiments__owls_yaml=theirs, format=b"min_reader: 2\nmin_writer: 1\n", other=b"a", models__m_yaml=theirs
    )

    one, two = (union_trees(nowhere, fresh, *pair).tree for pair in ((ours, yours), (yours, ours)))

    assert one == two
    reader = tree.Reader(nowhere, fresh)
    top = reader.folder(one)
    assert b"min_reader: 2\nmin_writer: 3\n" == reader.read(top["format"].oid, "blob")
    assert b"b" == reader.read(top["other"].oid, "blob")
    joined = decode_clocked(reader.read(reader.folder(top["experiments"].oid)["owls.yaml"].oid, "blob"))
    assert ("owls", {"name": "Uhus"}, {"name": (2, "a"), "deleted": (3, "a")}) == joined
    assert {"README.md", "experiments", "format", "models", "only", "other", "segments"} == set(top)


def test_lines_that_do_not_decode_are_kept_byte_for_byte(nowhere: Objects) -> None:
    """A newer or a broken colleague's."""
    fresh = ObjectSet()
    odd = [b"\xff\xfe", b'{"id":"%s","head":7}' % (b"a" * 32), b"[]", b'{"id":"%s","v":"x"}' % (b"b" * 32)]
    leaf = fresh.blob(b"".join(line + b"\n" for line in sorted([*odd, line_of("b" * 32).raw])))
    base = edit_tree(
        nowhere, fresh, union_trees(nowhere, fresh, None, None).tree, {"segments/2026-11/23.jsonl": (FILE, leaf)}
    )
    check_tree(nowhere, base, None, fresh)

    grown = add_lines(nowhere, fresh, base, (line_of(run_id(number)) for number in range(100))).tree

    check_tree(nowhere, grown, base, fresh)
    assert set(odd) == {line.raw for _, line in every_line(nowhere, grown, fresh) if line.opaque}
    gone = add_lines(nowhere, fresh, grown, [tombstone("b" * 32)]).tree
    assert set(odd[:3]) == {line.raw for _, line in every_line(nowhere, gone, fresh) if line.opaque}


def test_days_are_utc(nowhere: Objects) -> None:
    fresh = ObjectSet()
    late, early = line_of("a" * 32, START - 1), line_of("b" * 32, START)
    made = add_lines(nowhere, fresh, None, [late, early])

    assert ["segments/2026-11/22.jsonl", "segments/2026-11/23.jsonl"] == paths(nowhere, fresh, made.tree)


def test_a_tree_on_disk_reads_as_one_in_memory(repo: Path, opened: Repo) -> None:
    """And plain Git shows it."""
    fresh = ObjectSet()
    with Objects(opened) as objects:
        made = add_lines(objects, fresh, None, [line_of("a" * 32)])
        fresh.write(opened, keep=False)

        assert [("segments/2026-11/23.jsonl", line_of("a" * 32))] == list(every_line(objects, made.tree))
    assert line_of("a" * 32).raw.decode() == run_git(repo, "show", f"{made.tree}:segments/2026-11/23.jsonl")
