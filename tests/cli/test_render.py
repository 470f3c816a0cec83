"""Tables, JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.cli import render, text

PLAIN = text.Style(False)
CELLS = st.text(st.characters(), max_size=12).map(text.clean)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5)


def columns(least: int = 3) -> list[render.Column]:
    return [render.Column("id"), render.Column("name", least=least), render.Column("value", right=True, least=least)]


def test_columns_line_up_and_numbers_stand_on_the_right() -> None:
    lines, shown = render.table(columns(), [("1", "calm", "0.5"), ("22", "日本", "10")], style=PLAIN)

    assert lines == ["id  name  value", "1   calm    0.5", "22  日本     10"]
    assert shown == 3


def test_a_colour_does_not_change_the_layout() -> None:
    style = text.Style(True)
    lines, _ = render.table(columns(), [(render.Painted("1", style.red), "calm", "2")], style=style, header=False)

    assert lines == ["\x1b[31m1\x1b[0m  calm  2"]


def test_a_narrow_terminal_cuts_names_before_it_drops_columns() -> None:
    rows = [("1", "a-rather-long-name", "0.5")]

    assert render.table(columns(), rows, style=PLAIN, limit=16, header=False)[0] == ["1  a-rathe…  0.5"]
    assert render.table(columns(), rows, style=PLAIN, limit=7, header=False) == (["1  a-r…"], 2)


def test_a_narrow_terminal_cuts_headings_but_no_number() -> None:
    whole = [render.Column("id"), render.Column("learning_rate", right=True, least=3, whole=True)]

    assert render.table(whole, [("1", "0.00125")], style=PLAIN, limit=11)[0] == ["id  learni…", "1   0.00125"]
    assert render.table(whole, [("1", "0.00125")], style=PLAIN, limit=10)[0] == ["id", "1"]


@given(ROWS, st.integers(12, 60))
def test_a_table_never_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], limit: int) -> None:
    lines, shown = render.table([render.Column("x", least=4), *columns()[1:]], rows, style=PLAIN, limit=limit)

    assert all(text.width(line) <= limit for line in lines)
    assert len(lines) == len(rows) + 1
    assert shown >= 1


def test_json_tags_what_json_cannot_say() -> None:
    shown = render.json_text(
        {"loss": float("nan"), "best": float("-inf"), "path": "caf\udce9", "n": [1, True, None, 2**70]}
    )

    assert json.loads(shown) == {
        "loss": {"~float": "nan"},
        "best": {"~float": "-inf"},
        "path": "caf\\udce9",
        "n": [1, True, None, 2**70],
    }


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=4))
def test_json_reads_back_and_steers_no_terminal(value: dict[str, str]) -> None:
    """Also the controls that JSON itself lets through."""
    shown = render.json_text(value)

    assert json.loads(shown) == value
    assert shown.replace("\n", "").isprintable()


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=4))
def test_csv_reads_back_a_line_a_row(rows: list[tuple[str, str]]) -> None:
    shown = render.csv_text(["a", "b"], rows)

    assert len(shown.splitlines()) == len(rows) + 1
    expected = [("a", "b"), *((text.clean(left), text.clean(right)) for left, right in rows)]
    assert [tuple(row) for row in csv.reader(io.StringIO(shown, newline=""))] == expected


def test_markdown_cells_cannot_leave_their_cell() -> None:
    shown = render.markdown_table(["name"], [["a|b\n# <img src=x> [x](http://y) `z` @all"]])

    assert shown.splitlines()[2:] == [
        "| a\\|b\\\\n&#35; &lt;img src=x&gt; \\[x\\]\\(http&#58;//y\\) \\`z\\` &#64;all |"
    ]


@given(st.text(max_size=30))
def test_no_text_becomes_markup(value: str) -> None:
    shown = render.markdown(value)

    assert "\n" not in shown
    assert not set("<>@") & set(shown)
    bare = shown.replace("\\\\", "")
    assert all(bare[place - 1] == "\\" for place, char in enumerate(bare) if char in "|`*_[]")


@pytest.mark.parametrize(
    "values", [[], [{}], [{"a": [1, 2], "b": {"c": "x\ny"}}, {"a": math.nan}, 2**70, "text\u202e"]]
)
def test_a_list_written_item_by_item_is_the_same_text(values: list[object]) -> None:
    """100,000 runs as JSON need not be in memory at once."""
    assert render.json_text(values) == "".join(render.json_pieces(iter(values)))
    assert render.json_text(values) == "".join(render.json_pieces(iter(values), at_once=2))
