"""Fewer points, same picture."""

from __future__ import annotations

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import reduce_points
from ledgit.records import Points


def points(values: list[float]) -> Points:
    count = len(values)
    return Points(array("q", range(count)), array("q", range(0, 10 * count, 10)), array("d", values))


def as_rows(given_points: Points) -> list[tuple[int, int, str]]:
    columns = (given_points.steps, given_points.times, given_points.values)
    return [(step, time, repr(value)) for step, time, value in zip(*columns, strict=True)]


def test_few_points_are_returned_as_they_are() -> None:
    few = points([1.0, 2.0, 3.0])

    assert reduce_points(few, 10) is few


def test_a_single_peak_survives() -> None:
    values = [0.0] * 10_000
    values[4_321] = 7.0
    reduced = reduce_points(points(values), 100)

    assert len(reduced) <= 100
    assert (4_321, 43_210, "7.0") in as_rows(reduced)


def test_a_stretch_of_nan_leaves_one_behind() -> None:
    reduced = reduce_points(points([1.0] * 50 + [math.nan] * 100 + [1.0] * 50), 20)

    assert any(math.isnan(value) for value in reduced.values)


@given(st.lists(st.floats(), min_size=1, max_size=300), st.integers(-1, 60))
def test_reducing_keeps_order_ends_and_extremes(values: list[float], n: int) -> None:
    whole = points(values)
    reduced = reduce_points(whole, n)
    rows, kept = as_rows(whole), as_rows(reduced)
    known = [value for value in values if not math.isnan(value)]

    assert len(kept) <= max(n, 4)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(rows)
    assert (kept[0], kept[-1]) == (rows[0], rows[-1])
    if known:
        left = [value for value in reduced.values if not math.isnan(value)]
        assert (min(left), max(left)) == (min(known), max(known))
