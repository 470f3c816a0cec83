"""Values into text, JSON, CSV and Markdown: the one place that knows how output looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ledgit.cli import text

Paint = Callable[[str], str]
GAP = "  "


class Column:
    """One column of a text table.

    Attributes:
        title: Heading.
        right: Whether cells are right-aligned, as numbers are.
        least: How narrow the column may be cut; 0 never cuts it.
        whole: Cut the heading if need be, but no cell: half a number is another number.
    """

    __slots__ = ("least", "right", "title", "whole")

    def __init__(self, title: str, *, right: bool = False, least: int = 0, whole: bool = False) -> None:
        self.title, self.right, self.least, self.whole = title, right, least, whole


class Painted(str):
    """A cell with a colour, put on after the widths were measured."""

    __slots__ = ("paint",)
    paint: Paint

    def __new__(cls, value: str, paint: Paint) -> Painted:
        """Return *value* to be painted by *paint*."""
        cell = super().__new__(cls, value)
        cell.paint = paint
        return cell


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    style: text.Style,
    limit: int | None = None,
    header: bool = True,
) -> tuple[list[str], int]:
    """Lay out a table.

    Args:
        columns: Headings, the most important first.
        rows: Cells already made harmless by `text.clean`.
        style: Colours.
        limit: Columns of the terminal; the table first cuts what may be cut, then leaves out
            columns from the right. None for no limit.
        header: Whether to print the headings.

    Returns:
        The lines, and how many of the columns are shown.
    """
    measured = [_measure([row[place] for row in rows]) for place in range(len(columns))]
    widths = [
        max(text.width(column.title) if header else 0, max(cells, default=0))
        for column, cells in zip(columns, measured, strict=True)
    ]
    least = [_least(*found) for found in zip(columns, widths, measured, strict=True)]
    shown = len(columns) if limit is None else _squeeze(widths, least, limit)
    lines = []
    if header and shown:
        titles = [
            text.pad(text.fit(column.title, wide), wide, right=column.right)
            for column, wide in zip(columns[:shown], widths, strict=False)
        ]
        lines.append(style.bold(GAP.join(titles).rstrip()))
    layout = [(place, widths[place], columns[place].right, measured[place]) for place in range(shown)]
    for number, row in enumerate(rows):
        cells = []
        for place, wide, right, taken in layout:
            cell = fitted = row[place]
            room = wide - taken[number]
            if room < 0:
                fitted = text.fit(cell, wide)
                room = wide - text.width(fitted)
            if isinstance(cell, Painted):
                fitted = cell.paint(fitted)
            cells.append(" " * room + fitted if right else fitted + " " * room)
        lines.append(GAP.join(cells).rstrip())
    return lines, shown


def _measure(cells: Sequence[str]) -> list[int]:
    """Return the width of each cell; a column of plain ASCII, as most are, is measured in C."""
    return list(map(len, cells)) if "".join(cells).isascii() else [text.width(cell) for cell in cells]


def _squeeze(widths: list[int], least: list[int], limit: int) -> int:
    """Narrow *widths* in place until they fit *limit*; return how many columns are left."""
    shown = len(widths)
    while shown > 1 and sum(least[:shown]) + len(GAP) * (shown - 1) > limit:
        shown -= 1
    surplus = sum(widths[:shown]) + len(GAP) * (shown - 1) - limit
    while surplus > 0:
        wide = max(range(shown), key=lambda place: widths[place] - least[place])
        if widths[wide] <= least[wide]:
            break
        widths[wide] -= 1
        surplus -= 1
    return shown


def _least(column: Column, wide: int, cells: list[int]) -> int:
    """Return how narrow a column may become whose widest cell or heading takes *wide*."""
    if column.whole:
        return min(wide, max(max(cells, default=0), column.least))
    return min(column.least, wide) if column.least else wide


def json_text(value: object) -> str:
    """Return *value* as indented JSON with a final newline; NaN and infinities are tagged.

    JSON has no NaN: it is written ``{"~float": "nan"}``, as everywhere in Ledgit's files.
    """
    import orjson

    plain = _plain(value)
    try:
        shown = orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # an integer beyond 64 bits
        import json

        shown = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    if not shown.replace("\n", "").isprintable():
        # JSON escapes the old controls itself; these are the newer ones and direction overrides.
        shown = "".join(char if char == "\n" or char.isprintable() else _json_escape(char) for char in shown)
    return shown + "\n"


def json_pieces(values: Iterable[object], at_once: int = 1) -> Iterator[str]:
    """Yield the text that :func:`json_text` gives of a list, *at_once* items at a time."""
    from itertools import islice

    begun = False
    items = iter(values)
    while some := list(islice(items, at_once)):
        yield ("," if begun else "[") + json_text(some)[1:-3]
        begun = True
    yield "\n]\n" if begun else "[]\n"


def _json_escape(char: str) -> str:
    digits = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join("\\u" + digits[place : place + 4] for place in range(0, len(digits), 4))


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _unicode(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"~float": str(value)}
    if isinstance(value, Mapping):
        return {_unicode(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _unicode(value: str) -> str:
    """Return *value* without lone surrogates (bytes of a path that were no UTF-8)."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def csv_text(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV: RFC 4180 quoting, Unix line ends, a line a row; an absent value is empty.

    Line breaks and controls in values are spelled out; JSON has them as they are.
    """
    return "".join(csv_pieces(titles, rows))


def csv_pieces(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the text that :func:`csv_text` gives, a row at a time."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in _with_first(titles, rows):
        writer.writerow(["" if cell is None else text.clean(str(cell)) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _with_first(first: Sequence[object], rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    yield first
    yield from rows


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """Return a Markdown table; every cell is escaped, so that no name can become markup."""
    aligned = list(right) or [False] * len(titles)
    lines = [
        "| " + " | ".join(markdown(title) for title in titles) + " |",
        "|" + "|".join(" ---: " if to_right else " --- " for to_right in aligned) + "|",
    ]
    lines += ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


_MARKUP = {char: "\\" + char for char in "\\`*_{}[]()|~!"} | {
    # As character references: a backslash does not stop hosts from linking issues and notifying people.
    "<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "#": "&#35;", ":": "&#58;",
}  # fmt: skip


def markdown(value: str) -> str:
    """Escape *value* for Markdown: no markup, no HTML, no link, no mention, on one line."""
    return "".join(_MARKUP.get(char, char) for char in text.clean(value))
