"""Words for people: what is harmless, how wide it is, how numbers and times look."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.cli import text

ANY_TEXT = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\r\tand", "two\\nlines\\r\\tand"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\x9b2J", "\\x9b2J"),
        ("caf\udce9", "caf\\xe9"),
        ("line\u2028break", "line\\u2028break"),
        ("naïve 日本語 👩‍🔬", "naïve 日本語 👩‍🔬"),
    ],
)
def test_what_could_steer_a_terminal_is_spelled_out(given: str, shown: str) -> None:
    assert text.clean(given) == shown


@given(ANY_TEXT)
def test_no_text_keeps_a_control_or_a_line_break(value: str) -> None:
    """Whatever a repository holds, a terminal gets letters."""
    bad = {"Cc", "Cs", "Zl", "Zp", "Co", "Cn"}

    assert not [char for char in text.clean(value) if unicodedata.category(char) in bad]
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068") & set(text.clean(value))


@given(ANY_TEXT)
def test_cleaning_twice_is_cleaning_once(value: str) -> None:
    assert text.clean(text.clean(value)) == text.clean(value)


@pytest.mark.parametrize(("given", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("é", 1)])
def test_wide_letters_take_two_columns_and_accents_none(given: str, columns: int) -> None:
    assert text.width(given) == columns


@given(ANY_TEXT.map(text.clean), st.integers(0, 30))
def test_fitted_text_fits(value: str, limit: int) -> None:
    fitted = text.fit(value, limit)

    assert text.width(fitted) <= limit
    assert fitted == value or fitted.endswith("…") or limit == 0


@given(ANY_TEXT.map(text.clean), st.integers(0, 80), st.booleans())
def test_padded_text_has_the_width_asked_for(value: str, columns: int, right: bool) -> None:
    assert text.width(text.pad(value, columns, right=right)) == max(columns, text.width(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (0.1, "0.1"), (1 / 3, "0.33333"), (-0.0, "0"), (float("nan"), "nan"), (float("-inf"), "-inf"),
     (1e-7, "1e-07"), (True, "True"), (123456.0, "123456"),
     (10**20, str(10**20))],
)  # fmt: skip
def test_numbers_are_short(value: float, shown: str) -> None:
    assert text.number(value) == shown


def test_numbers_that_differ_look_different() -> None:
    assert text.apart([0.1234567, 0.1234568]) == ["0.1234567", "0.1234568"]
    assert text.apart([1.0, 1.0]) == ["1", "1"]


@given(st.lists(st.floats(), min_size=1, max_size=4))
def test_any_two_numbers_that_differ_look_different(values: list[float]) -> None:
    shown = text.apart(values)

    for first, one in zip(values, shown, strict=True):
        for second, other in zip(values, shown, strict=True):
            if first != second and not (first != first and second != second):
                assert one != other


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(0, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (61_000, "1 min 1 s"), (3_600_000, "1 h"), (90_061_000, "1 d 1 h"),
     (None, ""), (-1, "")],
)  # fmt: skip
def test_durations_have_two_units_at_most(milliseconds: int | None, shown: str) -> None:
    assert text.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (86_400 * 2, "2 d ago"),
        (86_400 * 40, "2026-10-14"),
    ],
)
def test_ages_turn_into_dates_after_a_month(seconds: int, shown: str) -> None:
    now = 1_795_413_600  # 2026-11-23

    assert text.age((now - seconds) * 1000, now) == shown


def test_a_start_in_the_future_is_a_date() -> None:
    """Clocks of other machines go wrong; "-3 min ago" would say nothing."""
    assert text.age(2_000_000_000_000, 1_795_413_600) == "2033-05-18 03:33"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB"), (1 << 52, "4096.0 TiB")]
)
def test_sizes_have_a_unit(count: int, shown: str) -> None:
    assert text.size(count) == shown
