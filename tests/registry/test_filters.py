"""Filters of models and versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import FilterError
from ledgit.registry.filters import matches, parse, parse_order

KEYS = ("name", "run_id", "version_number", "source_path")
VERSION = {"name": "churn", "run_id": "a1", "version_number": 3, "tags.team": "fraud", "tags.a b": "x'y"}


def holds(text: str) -> bool:
    return matches(parse(text, KEYS), VERSION.get)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "name = 'churn'",
        'name = "churn"',
        "name='churn' AND version_number>=3 and tags.team LIKE 'fra%'",
        "attributes.name = 'churn'",
        "name ILIKE 'CH_RN'",
        "run_id IN ('b2', 'a1')",
        "run_id NOT IN ('b2')",
        "version_number != 2",
        "version_number = '3'",
        "version_number < 4",
        "tags.`a b` = 'x''y'",
        "tags.\"a b\" != 'z'",
        "`name` = 'churn'",
    ],
)
def test_a_filter_that_holds(text: str) -> None:
    """MLflow's spellings, and IN for all."""
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "name = 'Churn'",
        "name LIKE 'CH%'",
        "tags.other != 'x'",
        "source_path != 'x'",
        "version_number > 3",
        "name LIKE 'c'",
    ],
)
def test_a_filter_that_does_not(text: str) -> None:
    """What is lacking is neither equal nor different, and LIKE heeds case."""
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "words", "position"),
    [
        ("nam = 'x'", "did you mean name", 0),
        ("name = churn", "text in quotes", 7),
        ("name = 'churn", "never closed", 7),
        ("name 'churn'", "a comparison", 5),
        ("name = 'a' OR name = 'b'", "AND alone", 11),
        ("version_number LIKE '3'", "takes", 15),
        ("version_number = 'x'", "a whole number", 17),
        ("name > 'x'", "takes", 5),
        ("run_id IN 'x'", "a list", 10),
        ("run_id IN ('x' 'y')", "a comma", 15),
        ("run_id IN ('x'", "a comma", 14),
        ("name =", "text in quotes", 6),
        ("'name' = 'x'", "begins with its key", 0),
        ("name = 'a' AND", "begins with its key", 14),
        ("name = 'a' ; x", "means nothing", 11),
    ],
)
def test_what_does_not_parse_says_where(text: str, words: str, position: int) -> None:
    """And what would do."""
    with pytest.raises(FilterError) as error:
        parse(text, KEYS)

    assert words in str(error.value)
    assert position == error.value.position


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    """Whatever it is."""
    place = 0
    try:
        parse(text, KEYS)
    except FilterError as error:
        place = error.position

    assert 0 <= place <= len(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_a_quoted_text_is_itself(text: str) -> None:
    """Quotes are doubled."""
    quoted = text.replace("'", "''")

    assert matches(parse(f"name = '{quoted}'", KEYS), {"name": text}.get)


def test_order() -> None:
    """By keys that are known."""
    found = parse_order(["name DESC", "version_number"], KEYS)

    assert [("name", True), ("version_number", False)] == [(one.key, one.descending) for one in found]
    with pytest.raises(FilterError):
        parse_order(["nothing ASC"], KEYS)
