"""Points in time as people type them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import InvalidValue
from ledgit.records.times import parse_since

NOW = 1_795_413_600.0


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("5min", 300), ("5m", 300), ("1.5h", 5400), ("2d", 172_800), ("1w ago", 604_800), (" 3 H ", 10_800)],
)
def test_a_span_counts_back_from_now(given: str, seconds: int) -> None:
    assert parse_since(given, NOW) == (NOW - seconds) * 1000


def test_a_date_with_an_offset_is_that_moment() -> None:
    assert parse_since("2026-11-23T06:00:00Z") == 1_795_413_600_000
    assert parse_since("2026-11-23T07:00+01:00") == 1_795_413_600_000


def test_a_date_without_an_offset_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_since("2026-11-23 15:00") == 1_795_413_600_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_yesterday_begins_at_midnight() -> None:
    assert 86_400_000 - 3_600_000 <= parse_since("today", NOW) - parse_since("yesterday", NOW) <= 86_400_000 + 3_600_000


@pytest.mark.parametrize("given", ["", "soon", "3", "2d4", "2026-13-01", "2026-02-30T99:00", "-2d", "١d"])
def test_anything_else_is_refused_with_examples(given: str) -> None:
    with pytest.raises(InvalidValue, match="expected a span such as"):
        parse_since(given)


@given(st.text(max_size=20))
def test_no_text_breaks_it(given: str) -> None:
    try:
        found = parse_since(given, NOW)
    except InvalidValue:
        return
    assert isinstance(found, int)
