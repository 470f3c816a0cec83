"""Histories in one line of text."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import sparkline


def test_a_rising_history_rises() -> None:
    assert sparkline(range(8)) == "▁▂▃▄▅▆▇█"


def test_a_constant_is_drawn_in_the_middle() -> None:
    assert sparkline([3.0, 3.0]) == "▄▄"


def test_nan_leaves_a_gap_and_infinities_are_at_the_edges() -> None:
    assert sparkline([0.0, math.nan, math.inf, -math.inf, 1.0]) == "▁ █▁█"


def test_no_values_draw_nothing() -> None:
    assert sparkline([]) == ""
    assert sparkline([math.nan]) == " "


def test_more_values_than_fit_are_averaged() -> None:
    assert sparkline([0.0] * 50 + [1.0] * 50, width=4) == "▁▁██"


def test_braille_draws_two_values_a_character() -> None:
    assert sparkline([0, 3, 3, 0], braille=True) == chr(0x2800 + 0x40 + 0x08) + chr(0x2800 + 0x01 + 0x80)


@given(st.lists(st.floats(), max_size=200), st.integers(1, 40), st.booleans())
def test_any_values_fit_the_width(values: list[float], width: int, braille: bool) -> None:
    drawn = sparkline(values, width, braille=braille)

    assert len(drawn) <= width
    assert bool(drawn) is bool(values)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=40))
def test_the_greatest_value_is_drawn_at_the_top(values: list[float]) -> None:
    drawn = sparkline(values, width=40)

    if max(values) / 2 - min(values) / 2 > 0:
        assert drawn[values.index(max(values))] == "█"
        assert drawn[values.index(min(values))] == "▁"
