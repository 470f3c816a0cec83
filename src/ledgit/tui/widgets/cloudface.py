"""A scatter as rows of text. Pure."""

from __future__ import annotations

from math import log2

from ledgit.records.harmless import clean, fit, width
from ledgit.tui.data.clouds import Layout
from ledgit.tui.widgets.plot import Piece, Row, note_rows
from ledgit.tui.widgets.raster import NOBODY, Raster, draw_line

__all__ = ["LEFT", "paint", "room_for"]

LEFT = 10
"""Columns of the y axis, its numbers among them."""

_SHADES = ".:+*#@"


def room_for(columns: int, rows: int, *, legend: bool) -> tuple[int, int, int, int]:
    """Return where the dots go in a widget of *columns* × *rows*: left, top, width, height."""
    left = LEFT if columns >= 30 else 0
    top = 1 if rows >= 4 else 0
    below = (2 if rows >= 6 else 0) + (1 if legend and rows >= 8 else 0)
    return left, top, max(columns - left, 0), max(rows - top - below, 0)


def paint(
    layout: Layout,
    columns: int,
    rows: int,
    cursor: int | None,
    marked: frozenset[str],
    *,
    unicode: bool,
    marks: list[str],
) -> list[Row]:
    """Return the scatter with the dot under the cursor shown."""
    cloud = layout.cloud
    left, top, inner, height = room_for(columns, rows, legend=bool(cloud.legend))
    head = [_head(layout, columns, cursor, unicode)] if top else []
    if layout.across is None or layout.up is None:
        if layout.out:
            beside = " or not above 0" if cloud.log_x or cloud.log_y else ""
            text = f"{layout.out:,} runs, none with a number for both axes{beside}"
        else:
            text = cloud.empty
        return head + note_rows(text, columns, rows - top)
    ticks = {}
    if left:
        for tick in layout.up.ticks(max(2, height // 3)):
            ticks[round((1 - tick.at) * (height - 1))] = fit(clean(tick.text), left - 3)
    best = Raster(inner, height, unicode=unicode)
    if cloud.best is not None:
        draw_line(best, *layout.best, layout.across, layout.up, 0, stairs=True)
    here = layout.places.get(cursor) if cursor is not None else None
    most = max((len(spot.dots) for spot in layout.spots.values()), default=1)
    chosen = {cell for place, cell in layout.places.items() if cloud.dots[place].key in marked} if marked else set()
    body: list[Row] = []
    bar, tee = ("│", "┤") if unicode else ("|", "+")
    for row in range(height):
        line: Row = []
        if left:
            label = ticks.get(row, "")
            line.append(Piece(" " * (left - 2 - width(label)) + f"{label} {tee if row in ticks else bar}", "axis"))
        for column in range(inner):
            spot = layout.spots.get((column, row))
            if spot is None:
                drawn = best.owner(column, row) != NOBODY
                piece = Piece(best.char(column, row), "good") if drawn else Piece(" ")
            else:
                style = _style(layout, spot.number, len(spot.dots), most)
                if (column, row) in chosen:
                    style = "here"
                char = _char(layout, spot.mask, spot.number, len(spot.dots), unicode, marks)
                piece = Piece(char, style)
            if (column, row) == here:
                piece = Piece(piece.text, "here")
            if line and line[-1].style == piece.style:
                line[-1] = Piece(line[-1].text + piece.text, piece.style)
            else:
                line.append(piece)
        body.append(line)
    if rows >= 6:
        body += _x_axis(layout, inner, left, unicode)
    if cloud.legend and rows >= 8:
        body.append(_legend(layout, columns, unicode, marks))
    return head + body


def _style(layout: Layout, number: int, count: int, most: int) -> str:
    if layout.cloud.colored:
        return f"shade-{min(max(number, 0), 4)}" if layout.cloud.shaded else f"series-{number % 8}"
    if layout.dense:  # how many runs lie there, by powers of two
        share = log2(count) / log2(most) if most > 1 else 0
        return f"shade-{min(1 + int(share * 4), 4)}"
    return "series-0"


def _char(layout: Layout, mask: int, number: int, count: int, unicode: bool, marks: list[str]) -> str:
    if layout.dense:
        return chr(0x2800 + mask) if unicode else _SHADES[min(int(log2(count)), len(_SHADES) - 1)]
    if layout.cloud.shaded:
        return "·○◎◉●"[min(max(number, 0), 4)] if unicode else ".-+*#"[min(max(number, 0), 4)]
    return marks[number % len(marks)]


def _head(layout: Layout, columns: int, cursor: int | None, unicode: bool) -> Row:
    """Return what y counts, and at the right the run under the cursor."""
    cloud = layout.cloud
    flags = [what for what, on in (("log x", cloud.log_x), ("log y", cloud.log_y)) if on]
    if layout.out:
        flags.append(f"{layout.out:,} not drawn")
    title = clean(cloud.y_label) + (f"  ({', '.join(flags)})" if flags else "")
    right = ""
    if cursor is not None and cursor < len(cloud.dots) and layout.across and layout.up:
        dot = cloud.dots[cursor]
        place = layout.places.get(cursor)
        beside = len(layout.spots[place].dots) if place is not None else 1
        mark = "·" if unicode else ","
        right = f"{clean(dot.label)}  {layout.across.text(dot.x)} {mark} {layout.up.text(dot.y)}"
        if beside > 1:
            order = layout.spots[place].dots.index(cursor) + 1  # type: ignore[index]
            right += f"  {order}/{beside} here (n)"
    elif cloud.best is not None and layout.best[1]:
        right = f"best {layout.up.text(layout.best[1][-1])}" if layout.up else ""
    elif len(cloud.dots) > 1:
        right = f"{len(cloud.dots) - layout.out:,} runs"
    right = fit(right, max(columns - 4, 0))
    title = fit(title, max(columns - width(right) - 2, 0))
    gap = max(columns - width(title) - width(right), 0)
    return [Piece(title, "title"), Piece(" " * gap), Piece(right, "text" if cursor is not None else "dim")]


def _x_axis(layout: Layout, inner: int, left: int, unicode: bool) -> list[Row]:
    assert layout.across is not None
    label = fit(clean(layout.cloud.x_label), max(inner // 3, 1))
    corner, line, tee = ("└", "─", "┬") if unicode else ("+", "-", "+")
    rule, texts = [line] * inner, [""] * 0
    row: Row = []
    used = 0
    room = left + inner - width(label) - 2
    each = 13 if layout.across.kind in ("wall", "names") else 9
    for tick in layout.across.ticks(max(2, min(12, inner // each))):
        column = min(round(tick.at * (inner - 1)), inner - 1)
        text = fit(clean(tick.text), each + 3)
        start = max(left + column - width(text) // 2, 0)
        if start < used or start + width(text) > room:
            continue
        rule[column] = tee
        texts.append(" " * (start - used) + text)
        used = start + width(text) + 1
        texts.append(" ")
    below = "".join(texts)
    row.append(Piece(below + " " * max(left + inner - width(label) - width(below), 1), "axis"))
    row.append(Piece(label, "dim"))
    edge = [Piece(" " * (left - 1) + corner, "axis")] if left else []
    return [[*edge, Piece("".join(rule), "axis")], row]


def _legend(layout: Layout, columns: int, unicode: bool, marks: list[str]) -> Row:
    row: Row = [Piece(" " * min(LEFT, columns))]
    used = LEFT
    for place, (number, text) in enumerate(layout.cloud.legend):
        said = fit(clean(text), 24)
        if used + width(said) + 4 > columns:
            row.append(Piece(f"{len(layout.cloud.legend) - place} more", "dim"))
            break
        char = _char(layout, 0xFF, number, 1, unicode, marks)
        row += [Piece(char + " ", _style(layout, number, 1, 1)), Piece(said + "  ", "dim")]
        used += width(said) + 4
    return row
