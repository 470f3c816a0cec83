"""The page on filters says what the parsers take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledgit.errors import FilterError
from ledgit.query import ATTRIBUTES, parse_filter, parse_order_by

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "query.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (.+?) \| (.+)", re.MULTILINE)


def rows(heading: str) -> list[tuple[str, str]]:
    """The first cell and the rest of every row below *heading*."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [found for found in ROW.findall(section) if "`" in found[0]]


@pytest.mark.parametrize(
    "text", [cell.strip("`") for name in ("Conditions", "Data sets", "Reachable from") for cell, _ in rows(name)]
)
def test_a_condition_on_the_page_parses(text: str) -> None:
    """As it stands."""
    assert parse_filter(text) is not None


@pytest.mark.parametrize("text", [word for cell, _ in rows("Order") for word in re.findall(r"`([^`]+)`", cell)])
def test_an_order_on_the_page_parses(text: str) -> None:
    """As it stands."""
    assert parse_order_by([text])


def test_every_attribute_is_on_the_page_and_no_other() -> None:
    """In one of the ways it can be spelt."""
    shown = {word for cell, _ in rows("Attributes") for word in re.findall(r"`([^`]+)`", cell)}

    assert set(ATTRIBUTES.values()) <= shown
    assert [] == [word for word in shown if "unknown" in reason(word)]


def reason(word: str) -> str:
    """What is said of a comparison with *word*; its kind of value may be wrong, its name not."""
    try:
        parse_filter(f"{word} = 'abcd'")
    except FilterError as error:
        return error.reason
    return ""
