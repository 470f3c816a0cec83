"""The law of lines: whoever unites what in whatever order, the same lines are left."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from orjson import dumps
from tests.ledger.kit import run_id, tombstone
from tests.ledger.strategies import IDS, History, play, steps, written

from ledgit.records import Entry, decode_entry, encode_entry, union_entries, with_head
from ledgit.records.table import (
    Line,
    claims,
    day_of,
    decode_leaf,
    encode_leaf,
    parse_line,
    place_of,
    union_lines,
    unite_leaf,
)
from ledgit.store.chain import join_past

RUN = "0123456789abcdef0123456789abcdef"


def table(*parts: list[Line]) -> list[Line]:
    """Unite lines of any runs, part by part."""
    found: list[Line] = []
    for part in parts:
        found, _, _ = unite_leaf(found, part)
    return found


def again(lines: list[Line]) -> list[Line]:
    """The same lines, none of them parsed yet."""
    return [parse_line(line.raw) for line in lines]


def kinds(lines: list[Line]) -> set[str]:
    """What is special about a table."""
    heads = Counter(line.id for line in lines if not line.opaque and not line.purged)
    found = {"several heads" for count in heads.values() if count > 1}
    found |= {"three heads" for count in heads.values() if count > 2}
    found |= {"tombstone" for line in lines if line.purged}
    found |= {"edited" for line in lines if line.past}
    found |= {"opaque" for line in lines if line.opaque}
    found |= {"opaque beside others" for line in lines if line.opaque and heads[line.id]}
    found |= {"cut past" for line in lines if len(line.past) > 16}
    return found


def oracle(history: History, lines: list[Line]) -> set[bytes]:
    """What must be left of *lines*, said in another way than the law's code does."""
    left: set[bytes] = set()
    by_key: dict[str, list[Line]] = {}
    for line in lines:
        by_key.setdefault(line.key, []).append(line)
    for mine in by_key.values():
        stones = [line.raw for line in mine if line.purged]
        if stones:
            left.add(max(stones))
            continue
        left |= {line.raw for line in mine if line.opaque}
        heads = {line.head for line in mine if not line.opaque}
        covered = {oid for head in heads for oid in history.pasts[head]}
        for head in heads - covered:
            left.add(max((line.v, line.raw) for line in mine if not line.opaque and line.head == head)[1])
    return left


def test_every_order_and_grouping_leaves_the_same_lines() -> None:
    """Commutative, associative, idempotent, and what an oracle says: in thousands of histories."""
    seen: Counter[str] = Counter()

    @settings(max_examples=1000)
    @given(steps, st.booleans(), st.randoms(use_true_random=True))
    def check(steps: list[tuple[str, int, int]], long: bool, dice: random.Random) -> None:
        history = play(steps, long)
        lines = again(history.lines)
        a, b, c = ([line for line in lines if dice.random() < 0.6] for _ in range(3))

        whole = table(a + b + c)

        for kind in kinds(whole):
            event(kind)
            seen[kind] += 1
        assert oracle(history, again(a + b + c)) == {line.raw for line in whole}
        assert whole == table(a, b, c) == table(c, b, a) == table(table(b, c), a) == table(table(a), table(c), table(b))
        assert whole == table(whole, whole) == table(whole, a)
        one_by_one = again(a + b + c)
        dice.shuffle(one_by_one)
        assert whole == table(*([line] for line in one_by_one))
        assert decode_leaf(encode_leaf(whole)) == whole

    check()
    # A generator must be watched: without these it would show nothing.
    for kind in ("several heads", "three heads", "tombstone", "edited", "opaque", "opaque beside others", "cut past"):
        assert seen[kind] > 10, seen


@settings(max_examples=500)
@given(steps, st.randoms(use_true_random=True))
def test_what_was_added_and_dropped_is_the_difference(steps: list[tuple[str, int, int]], dice: random.Random) -> None:
    """Callers read only that, and never the whole table."""
    lines = play(steps).lines
    a, b = (table([line for line in again(lines) if dice.random() < 0.6]) for _ in range(2))

    united, added, dropped = unite_leaf(a, b)

    assert set(added) == set(united) - set(a)
    assert set(dropped) == set(a) - set(united)
    assert len(added) == len(set(added))
    assert [line.raw for line in united] == sorted(line.raw for line in united)


@settings(max_examples=500)
@given(steps, st.booleans())
def test_a_run_is_never_lost(steps: list[tuple[str, int, int]], long: bool) -> None:
    """So a file that was split is never to be joined again."""
    lines = play(steps, long).lines

    assert {line.key for line in lines} == {line.key for line in table(lines)}


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 5))), max_size=8), st.randoms(use_true_random=True))
def test_forged_pasts_lose_no_run_and_know_no_order(lines: list[tuple[int, set[int]]], dice: random.Random) -> None:
    """Heads that claim each other, themselves, or in circles."""
    forged = [
        parse_line(dumps({"id": RUN, "head": f"{head:040x}", "past": [f"{below:040x}" for below in sorted(past)]}))
        for head, past in lines
    ]
    left = union_lines(forged)
    dice.shuffle(forged)

    assert left == union_lines(forged) == union_lines([*left, *left])
    assert bool(left) == bool(lines)


def test_heads_that_claim_each_other_both_stay_and_one_below_both_goes() -> None:
    a, b, c = "a" * 40, "b" * 40, "c" * 40
    lines = [
        parse_line(dumps({"id": RUN, "head": head, "past": past})) for head, past in ((a, [b, c]), (b, [a]), (c, []))
    ]

    assert {a, b} == {line.head for line in union_lines(lines)}


def test_a_hundred_thousand_forged_heads_of_one_run_are_united_at_once() -> None:
    """A file of a hostile ledger has room for so many, alone or in a chain."""
    chain = [f"{random.Random(number).getrandbits(160):040x}" for number in range(50_000)]
    alone = [Line(b'{"id":"%b","head":"%b","start":0}' % (RUN.encode(), head.encode())) for head in chain]
    above = [
        Line(b'{"id":"%b","head":"%b","past":["%b"]}' % (RUN.encode(), head.encode(), below.encode()))
        for below, head in pairwise(chain)
    ]

    assert len(alone) == len(union_lines(alone))
    assert [chain[-1]] == [line.head for line in union_lines(above)]


def test_a_past_that_was_cut_says_so_however_short_it_is() -> None:
    """Where a newer version's fields leave little room, few of its commits are named."""
    first, old, new = (digit * 40 for digit in "123")
    lines = [Line(dumps({"id": RUN, "head": old})), Line(dumps({"id": RUN, "head": new, "past": [first, old[:16]]}))]

    assert [new] == [line.head for line in union_lines(lines)]


def test_a_head_that_a_long_past_left_out_goes_with_the_next_edit() -> None:
    """It came late, from a clone that had seen nothing of a hundred edits since."""
    commits = [f"{random.Random(number).getrandbits(160):040x}" for number in range(400)]
    stale = Entry(RUN, head=commits[1], past=(commits[0],), clock=(2, "c"))
    newest = Entry(RUN, head=commits[-1], past=tuple(commits[:-1]), clock=(400, "c"))
    stands = decode_entry(with_head(encode_entry(newest), newest.head))
    assert not claims(stands.past, stale.head)

    edited = Entry(RUN, past=tuple(join_past([stands, stale])), clock=(401, "c"))
    lines = [with_head(encode_entry(entry), head) for entry, head in ((stale, stale.head), (edited, "e" * 40))]
    assert ["e" * 40] == [line.head for line in union_lines([parse_line(line) for line in lines])]
    assert (commits[0], commits[1], commits[-1]) == (edited.past[0], *edited.past[-2:])


@settings(max_examples=2000)
@given(
    st.binary(max_size=300)
    | st.builds(lambda a, b: a + b, st.just(b'{"id":"' + b"0" * 32 + b'","head":"'), st.binary(max_size=200))
)
def test_any_bytes_are_a_line(raw: bytes) -> None:
    """Nothing raises, and what can't be read stays as it is."""
    raw = raw.replace(b"\n", b"")
    line = parse_line(raw)
    found = (line.opaque, line.id, line.head, line.v, line.past, line.purged, line.start, line.key)

    assert raw == line.raw
    assert found[-1].strip("0123456789abcdef") == "" != found[-1]
    assert [line] == union_lines([line, parse_line(raw)])


@settings(max_examples=500)
@given(steps)
def test_a_line_says_the_same_before_and_after_it_is_parsed(steps: list[tuple[str, int, int]]) -> None:
    """Ids and heads are taken by their places when that suffices."""
    for raw in {line.raw for line in play(steps).lines}:
        lazy, parsed = parse_line(raw), parse_line(raw)
        assert parsed.opaque in (True, False)  # which parses it
        assert (lazy.key, lazy.id, lazy.head, lazy.purged) == (parsed.key, parsed.id, parsed.head, parsed.purged)


def test_an_edited_run_of_one_line_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what makes a table of 100,000 runs quick."""
    lines = [parse_line(written(run_id(number), 1, [], 0)[1]) for number in range(10)]
    more = [parse_line(written(run_id(number), 1, [], 0)[1]) for number in range(5, 15)]
    monkeypatch.setattr(Line, "_parse", None)

    assert 15 == len(table(lines, more))


@pytest.mark.parametrize("purged", [b'"purged":true', b'"pur\\u0067ed":true', b'"p\\u0075rged": true'])
def test_a_tombstone_is_seen_however_it_is_spelled(purged: bytes) -> None:
    """Also with a head, where no reader would look for it."""
    line = parse_line(b'{"id":"%s","head":"%s",%s}' % (RUN.encode(), b"a" * 40, purged))

    assert line.purged
    assert [line] == union_lines([line, parse_line(written(RUN, 1, [], 0)[1])])


def test_entries_and_lines_follow_one_law() -> None:
    """What the index joins is what the table keeps."""

    @settings(max_examples=300)
    @given(steps)
    def check(steps: list[tuple[str, int, int]]) -> None:
        for run in IDS:
            lines = [line for line in play(steps).lines if line.id == run and not line.opaque and line.v == 1]
            entries = [decode_entry(line.raw) for line in lines]
            assert [entry.raw for entry in union_entries(entries)] == [line.raw for line in union_lines(lines)]

    check()


def test_places_and_days() -> None:
    assert RUN == place_of(RUN)
    assert [64, 64] == [len(place_of("My-Run")), len(place_of(RUN.upper()))]
    assert ["1970-01/01", "1969-12/31", "2026-11/23", "0001-01/01", "9999-12/31"] == [
        day_of(ms) for ms in (0, -1, 1_795_392_000_000, -62_135_596_800_000, 253_402_300_799_999)
    ]


def test_lines_as_ledgit_writes_them_are_read_by_their_places() -> None:
    """The two forms that are written: a commit's, and a tombstone."""
    line = parse_line(with_head(encode_entry(Entry(RUN, 5, name="x")), "b" * 40))

    assert (RUN, "b" * 40, "1970-01/01", False, False) == (line.id, line.head, line.day, line.purged, line.opaque)
    stone = tombstone(RUN, 5)
    assert (RUN, "", "1970-01/01", True, False) == (stone.id, stone.head, stone.day, stone.purged, stone.opaque)
