"""Documents without commits of their own: joined key by key, in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError
from ledgit.records.clocked import decode_clocked, encode_clocked, join_clocked, join_format
from ledgit.records.documents import dump_document

values = st.sampled_from(["", "a", "ä\n", True, False, 0, 1, 1.0, -0.0, float("nan"), 2**70, None])
clocks = st.tuples(st.integers(0, 3), st.sampled_from(["c1", "c2"]))
keys = st.dictionaries(
    st.sampled_from(["name", "deleted", "tags.a", "tags.b c"]), st.tuples(clocks, st.none() | values)
)


def encoded(items: dict[str, tuple[tuple[int, str], Any]], label: str = "owls") -> bytes:
    return encode_clocked(
        label,
        {key: value for key, (_, value) in items.items() if value is not None},
        {k: c for k, (c, _) in items.items()},
    )


newer = st.builds(
    lambda items, extra: dump_document(
        {
            "label": "owls",
            "keys": {
                key: {"clock": list(clock), "value": value, "why": extra} for key, (clock, value) in items.items()
            },
            "zone": extra,
        }
    ),
    keys,
    st.sampled_from(["x", "y", 3]),
)
odd = st.sampled_from(
    [b"", b"- 1", b"label: 1\nkeys: {}\n", b"label: x\nkeys: {a: {clock: [1]}}\n", b"\xff", b"{", b"a: &a [*a]"]
)
documents = st.builds(encoded, keys, st.just("owls")) | newer | odd


@settings(max_examples=1500)
@given(documents, documents, documents)
def test_every_order_joins_to_the_same_bytes(a: bytes, b: bytes, c: bytes) -> None:
    ab = join_clocked(a, b)

    assert ab == join_clocked(b, a)
    assert join_clocked(ab, c) == join_clocked(a, join_clocked(b, c))
    assert ab == join_clocked(ab, a) == join_clocked(ab, ab)
    assert a == join_clocked(a, a)


@settings(max_examples=500)
@given(keys, keys)
def test_of_each_key_the_greatest_clock_wins(
    a: dict[str, tuple[tuple[int, str], Any]], b: dict[str, tuple[tuple[int, str], Any]]
) -> None:
    """A removal too, if it is the newer one."""
    _, found, times = decode_clocked(join_clocked(encoded(a), encoded(b)))

    assert {*a, *b} == set(times)
    for key, clock in times.items():
        sides = [side[key] for side in (a, b) if key in side]
        assert clock == max(when for when, _ in sides)
        best = [value for when, value in sides if when == clock]
        assert repr(found.get(key)) in map(repr, best)
        assert key in found or all(value is None for value in best)


@settings(max_examples=300)
@given(keys)
def test_a_document_comes_back(items: dict[str, tuple[tuple[int, str], Any]]) -> None:
    label, found, times = decode_clocked(encoded(items))

    assert ("owls", {key: clock for key, (clock, _) in items.items()}) == (label, times)
    assert repr({key: value for key, (_, value) in sorted(items.items()) if value is not None}) == repr(found)


@given(*[st.dictionaries(st.sampled_from(["min_reader", "min_writer", "more"]), st.integers(0, 5)) for _ in range(3)])
def test_formats_join_to_their_maximum(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> None:
    one, two, three = map(dump_document, (a, b, c))

    assert join_format(one, two) == join_format(two, one)
    assert join_format(join_format(one, two), three) == join_format(one, join_format(two, three))
    if a and b:
        assert (
            join_format(one, two) == dump_document({key: max(a.get(key, 0), b.get(key, 0)) for key in sorted({*a, *b})})
            or a == b
        )


@pytest.mark.parametrize(
    "data", [b"", b"- 1", b"label: x", b"label: x\nkeys: {a: {clock: [1.5, c]}}", b"label: x\nkeys: []"]
)
def test_what_is_no_clocked_document_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_clocked(data)
