"""Histories: every point kept to the bit, joined the same way in any order."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError
from ledgit.records import Points, decode_history, encode_history, union
from ledgit.records.history import covers, decode_once, encode_once

int64 = st.integers(-(2**63), 2**63 - 1)
values = st.floats() | st.sampled_from([0.0, -0.0, math.nan, 1.0])
rows = st.lists(st.tuples(st.integers(-2, 3) | int64, st.integers(0, 2) | int64, values))
points = rows.map(Points.of)


def canonical(history: Points) -> list[tuple[int, int, str]]:
    return [(step, at, repr(value)) for step, at, value in history]


@given(points)
def test_a_history_comes_back_to_the_bit(history: Points) -> None:
    name, back = decode_history(encode_history("val/loss", history))

    assert name == "val/loss"
    assert canonical(back) == canonical(history)


def test_the_file_is_this_and_stays_this() -> None:
    history = Points.of([(0, 1700000000000, 0.5), (1, 1700000000001, math.nan), (-2, 2, -math.inf), (3, 4, 1e-05)])

    assert encode_history("val loss", history) == (
        b"step\ttimestamp\tval loss\n0\t1700000000000\t0.5\n1\t1700000000001\tnan\n-2\t2\t-inf\n3\t4\t1e-05\n"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"step\ttimestamp\tm\n1\t2\t3.0",
        b"step\ttimestamp\tm\n1\t2\t3.0\n",
        b"step\ttimestamp\tm\r\n1\t2\t3\r\n",
        b"step\ttimestamp\tm\n1\t2\t+3\n",
    ],
)
def test_a_missing_last_newline_and_windows_line_ends_are_forgiven(data: bytes) -> None:
    assert decode_history(data) == ("m", Points.of([(1, 2, 3.0)]))


def test_a_history_without_points_is_empty() -> None:
    assert decode_history(b"step\ttimestamp\tm\n") == ("m", Points())
    assert decode_history(encode_history("m", Points())) == ("m", Points())


@pytest.mark.parametrize(
    "body",
    ["1\t2", "1\t2\t3\t4", "1\t2\n3\t4\t5\t6", "1\t2\t3\t4\n5\t6", "a\t2\t3", "1.5\t2\t3", "1\t2\tx", "1\t2\t", "\t\t",
     "1\t2\t3\n\n4\t5\t6", "1\t2\t3\n\n", f"{2**63}\t2\t3", f"1\t{-(2**63) - 1}\t3", "1_0\t2\t3", "1\t2\t1_0.0",
     "１\t2\t3",
     " 1\t2\t3", "1\t2\t3 ", "1\t2\ttrue", "1\t2\tnull", "1\t2\t[1]", "1e3\t2\t3", "1\t2\t0x1", "9" * 5000 + "\t2\t3",
     "1\t2\t3,4\t5\t6", "nan\t2\t3"],
)  # fmt: skip
def test_a_malformed_row_is_refused(body: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_history(f"step\ttimestamp\tm\n{body}\n".encode(), "history/m.tsv")

    assert caught.value.where == "history/m.tsv"


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"step\ttimestamp\t\n1\t2\t3\n", b"step\ttime\tm\n", b"step\ttimestamp\ta\tb\n", b"\xff"]
)
def test_a_wrong_header_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_history(data)


@settings(max_examples=400)
@given(st.binary(max_size=40) | st.text("0123456789\t\n.-+enaif_ x", max_size=40).map(str.encode))
def test_hostile_rows_are_read_or_refused_but_never_crash(body: bytes) -> None:
    """What the quick way accepts, the careful way reads alike."""
    from ledgit.records import history

    try:
        _, found = decode_history(b"step\ttimestamp\tm\n" + body)
    except RecordError:
        return
    text = body.decode().removesuffix("\n")
    careful = history._decode_rows(text, "m") if text else Points()
    assert canonical(found) == canonical(careful)


@given(points, points, points)
def test_union_is_commutative_associative_and_idempotent(a: Points, b: Points, c: Points) -> None:
    assert canonical(union(a, b)) == canonical(union(b, a))
    assert canonical(union(union(a, b), c)) == canonical(union(a, union(b, c)))
    once = union(a, a)
    assert canonical(once) == canonical(union(once, a)) == canonical(a.sorted_unique())


@given(points, points)
def test_points_cover_others_exactly_if_a_union_adds_nothing(a: Points, b: Points) -> None:
    """To the bit: -0.0 is not 0.0, a NaN is one; of the same step and time several values count."""
    whole = a.sorted_unique()

    assert covers(whole, b.sorted_unique()) == (union(whole, b) == whole)
    assert covers(union(a, b), b.sorted_unique())


def test_a_point_that_differs_in_its_value_alone_is_not_covered() -> None:
    """Several of one step and time; one beyond the last."""
    whole = Points.of([(1, 1, float("nan")), (1, 1, -0.0), (1, 1, 0.0), (2, 1, 5.0)])

    assert all(covers(whole, Points.of([row])) for row in whole)
    assert not covers(whole, Points.of([(1, 1, 1.0)]))
    assert not covers(whole, Points.of([(1, 2, 0.0)]))
    assert not covers(whole, Points.of([(2, 1, 6.0)]))
    assert not covers(whole, Points.of([(3, 0, 5.0)]))


@given(points)
def test_sorting_keeps_every_distinct_point_once(history: Points) -> None:
    ordered = history.sorted_unique()

    assert set(canonical(ordered)) == set(canonical(history))
    assert len(set(canonical(ordered))) == len(ordered)
    assert [(step, at) for step, at, _ in ordered] == sorted((step, at) for step, at, _ in ordered)


@given(points.filter(len))
def test_the_latest_point_is_the_last_of_the_sorted_ones(history: Points) -> None:
    step, at, value = list(history.sorted_unique())[-1]

    assert repr(history.latest()) == repr((value, step, at))


def test_a_nan_loses_against_a_number_of_the_same_step_and_time() -> None:
    assert Points.of([(1, 1, math.nan), (1, 1, -5.0)]).latest() == (-5.0, 1, 1)
    assert math.isnan(Points.of([(1, 1, 3.0), (2, 0, math.nan)]).latest()[0])


def test_the_greatest_step_counts_not_the_last_one_written() -> None:
    assert Points.of([(5, 1, 0.5), (1, 9, 0.9), (5, 0, 0.7)]).latest() == (0.5, 5, 1)


def test_the_range_leaves_nans_out_unless_there_is_nothing_else() -> None:
    assert Points.of([(0, 0, math.nan), (1, 0, 2.0), (2, 0, -1.0)]).minmax() == (-1.0, 2.0)
    assert all(map(math.isnan, Points.of([(0, 0, math.nan)]).minmax()))


@pytest.mark.parametrize("method", ["latest", "minmax"])
def test_no_points_have_no_latest_and_no_range(method: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        getattr(Points(), method)()


@pytest.mark.parametrize("row", [(2**63, 0, 1.0), (0, 2**63, 1.0)])
def test_a_step_beyond_64_bits_is_refused_and_leaves_the_columns_even(row: tuple[int, int, float]) -> None:
    history = Points()

    with pytest.raises(OverflowError):
        history.append(*row)

    assert len(history.steps) == len(history.times) == len(history.values) == 0


@given(st.lists(st.floats(), max_size=300), st.integers(4, 50))
def test_a_reduction_keeps_ends_and_extremes(values: list[float], count: int) -> None:
    history = Points.of((index, index, value) for index, value in enumerate(values))

    reduced = history.reduced(count)

    assert len(reduced) <= max(count, 0) or len(values) <= count
    assert set(canonical(reduced)) <= set(canonical(history))
    if values:
        assert canonical(reduced)[0] == canonical(history)[0]
        assert canonical(reduced)[-1] == canonical(history)[-1]
        assert repr(tuple(map(abs, reduced.minmax()))) == repr(tuple(map(abs, history.minmax())))


def test_columns_have_the_types_that_a_binary_file_needs() -> None:
    history = Points.of([(1, 2, 3.0)])

    assert (history.steps.typecode, history.times.typecode, history.values.typecode) == ("q", "q", "d")
    assert history == Points(array("q", [1]), array("q", [2]), array("d", [3.0]))
    assert history != Points.of([(1, 2, -3.0)])
    assert Points.of([(1, 2, 0.0)]) != Points.of([(1, 2, -0.0)])
    assert Points.of([(1, 2, math.nan)]) == Points.of([(1, 2, math.nan)])


@given(st.dictionaries(st.text("abc/ .\u00e4", min_size=1), st.tuples(int64, int64)))
def test_points_of_metrics_logged_once_come_back(places: dict[str, tuple[int, int]]) -> None:
    assert decode_once(encode_once(places)) == places


def test_the_file_of_metrics_logged_once_is_this_and_stays_this() -> None:
    assert encode_once({"val/loss": (3, 1700000000000), "acc": (-1, 2)}) == (
        b"metric\tstep\ttimestamp\nacc\t-1\t2\nval/loss\t3\t1700000000000\n"
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"metric\tstep\n", b"\xff", b"metric\tstep\ttimestamp\na\t1\n", b"metric\tstep\ttimestamp\n\t1\t2\n",
     b"metric\tstep\ttimestamp\na\t1\t2\na\t1\t2\n", b"metric\tstep\ttimestamp\na\t1_0\t2\n",
     b"metric\tstep\ttimestamp\na\t1\t9223372036854775808\n", b"metric\tstep\ttimestamp\na\t1\t2\n\n"],
)  # fmt: skip
def test_a_file_of_metrics_logged_once_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_once(data)


def test_a_file_of_metrics_logged_once_may_have_been_saved_by_another_editor() -> None:
    assert decode_once(b"metric\tstep\ttimestamp\r\na\t1\t2\r\nb\t3\t4") == {"a": (1, 2), "b": (3, 4)}
