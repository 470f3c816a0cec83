"""A chart as rows of text: title, axes, lines, legend. Pure, so what it looks like is tested without a terminal."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ledgit.records.harmless import clean, fit, width
from ledgit.tui.data.axes import Kind, Scale, number_text, span_of
from ledgit.tui.data.curves import Series, smoothed
from ledgit.tui.widgets.raster import NOBODY, Raster, draw_line

__all__ = ["X_KINDS", "Frame", "Piece", "Plot", "Row", "compose", "frame_rows", "note_rows"]

X_KINDS: tuple[Kind, ...] = ("step", "elapsed", "wall")
_X_LABELS = {"step": "step", "elapsed": "elapsed", "wall": "time"}
_MARK_EVERY = 14
_RAW = 1000  # added to the owner of a line that stands dim behind its smoothed one


class Piece(NamedTuple):
    """Some text and its style: ``title``, ``text``, ``dim``, ``axis``, ``cursor``, ``note`` or ``series-N``.

    A style may be followed by `` dim`` or `` bold``.
    """

    text: str
    style: str = "text"


Row = list[Piece]


@dataclass
class Plot:
    """What a chart shows, and how.

    Attributes:
        series: The lines; up to eight can be told apart.
        title: Above it.
        x_label: Below it; "" for what *x_kind* says.
        x_kind: What the x axis counts.
        log_y: Logarithmic y axis.
        smooth: Weight of what has been, 0 to below 1.
        zoom: The part of the x axis that is shown; None: all.
        cursor: Where on the x axis the values are read; None: at the newest point.
        marks: The mark of each of the series' numbers.
        unicode: Braille and box characters; else ASCII.
        stairs: A value holds until the next one.
        whole: The ends of the whole x axis where *series* are a part of it; None: theirs.
    """

    series: Sequence[Series] = ()
    title: str = ""
    x_label: str = ""
    x_kind: Kind = "step"
    log_y: bool = False
    smooth: float = 0.0
    zoom: tuple[float, float] | None = None
    cursor: float | None = None
    marks: Sequence[str] = "ox+*#^v%"
    unicode: bool = True
    stairs: bool = False
    whole: tuple[float, float] | None = None

    def xs(self, series: Series) -> Sequence[float]:
        """Return where the points of *series* stand on the x axis as it is now."""
        return _xs_of(series.xs, series.times, series.start, self.x_kind)

    def span(self) -> tuple[float, float] | None:
        """Return the ends of the whole x axis."""
        return self.whole or span_of(self.xs(series) for series in self.series)


def _xs_of(steps: Sequence[float], times: Sequence[float], start: float, kind: Kind) -> Sequence[float]:
    if kind == "elapsed" and times:
        return [(time - start) / 1000 for time in times]
    return times if kind == "wall" and times else steps


@dataclass
class Frame:
    """A chart that was laid out: what mouse and cursor ask about.

    Attributes:
        rows: The finished rows.
        left: Column where the picture begins.
        top: Row where it begins.
        columns: Its width in characters.
        height: Its height.
        across: Its x axis, None if nothing is drawn.
    """

    rows: list[Row]
    left: int = 0
    top: int = 0
    columns: int = 0
    height: int = 0
    across: Scale | None = None


class _Line(NamedTuple):
    series: Series
    xs: list[float]
    ys: list[float]


def compose(plot: Plot, columns: int, rows: int) -> Frame:
    """Lay *plot* out in *columns* × *rows* characters; any size does, 1 × 1 too."""
    if columns < 1 or rows < 1:
        return Frame([])
    lines = [_Line(series, *_sorted(plot.xs(series), series.ys)) for series in plot.series]
    span = span_of(line.xs for line in lines)
    head = [_head(plot, columns)] if rows >= 4 and (plot.title or len(lines) == 1) else []
    if not lines or span is None:
        return Frame(head + note_rows("no points yet", columns, rows - len(head)))
    low, high = plot.zoom or span
    shown = [_window(line, low, high) for line in lines]
    heights = span_of((line.ys for line in shown), log=plot.log_y)
    if heights is None:
        return Frame(head + note_rows(_nothing(plot, shown), columns, rows - len(head)))
    several = len(lines) > 1
    beside = several and columns >= 70
    legend_width = _legend_width(plot, columns) if beside else 0
    # Without room for axes it is a picture alone.
    has_x = rows - len(head) >= 5
    has_y = columns >= 24 and rows - len(head) >= 3
    below = min(len(lines), max(0, rows - len(head) - 8), 8) if several and not beside else 0
    height = max(rows - len(head) - 2 * has_x - below, 1)
    up = Scale(*heights, log=plot.log_y)
    ticks = {round((1 - tick.at) * (height - 1)): tick.text for tick in up.ticks(max(2, height // 2))} if has_y else {}
    labels = min(max((len(text) for text in ticks.values()), default=0), 12)
    left = labels + 2 if has_y else 0
    inner = max(columns - left - legend_width - (1 if beside else 0), 1)
    across = Scale(low, high, kind=plot.x_kind)
    raster = Raster(inner, height, unicode=plot.unicode)
    _draw(plot, raster, lines, low, high, across, up)
    picture = _picture(plot, raster, shown, across, up)
    bar, tee = ("│", "┤") if plot.unicode else ("|", "+")
    body: list[Row] = []
    legend = _legend(plot, legend_width, height) if beside else []
    for row in range(height):
        line: Row = []
        if has_y:
            line.append(Piece(ticks.get(row, "")[:12].rjust(labels) + " " + (tee if row in ticks else bar), "axis"))
        line += picture[row]
        if row < len(legend):
            line += [Piece(" "), *legend[row]]
        body.append(line)
    if has_x:
        body += _x_axis(plot, across, inner, left)
    body += _legend(plot, columns, below) if below else []
    return Frame(head + body, left, len(head), inner, height, across)


def _sorted(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the points by x: times may go back, and so may steps of a run that was resumed."""
    if any(later < earlier for earlier, later in pairwise(xs)):
        order = sorted(range(min(len(xs), len(ys))), key=xs.__getitem__)
        return [xs[place] for place in order], [ys[place] for place in order]
    return list(xs), list(ys)


def _window(line: _Line, low: float, high: float) -> _Line:
    """Return the part of a line that is shown."""
    first, last = bisect_left(line.xs, low), bisect_right(line.xs, high)
    return _Line(line.series, line.xs[first:last], line.ys[first:last])


def _draw(
    plot: Plot, raster: Raster, lines: Sequence[_Line], low: float, high: float, across: Scale, up: Scale
) -> None:
    # The last line that is drawn is seen where lines cross: that is the first one.
    for place in range(len(lines) - 1, -1, -1):
        series, xs, ys = lines[place]
        first, last = max(bisect_left(xs, low) - 1, 0), bisect_right(xs, high) + 1
        owner = place + (_RAW if plot.smooth > 0 else 0)
        draw_line(raster, xs[first:last], ys[first:last], across, up, owner, stairs=plot.stairs)
    if plot.smooth > 0:
        for place in range(len(lines) - 1, -1, -1):
            series, xs, ys = lines[place]
            if series.means is not None:
                steps, times, values = series.means
                xs, ys = _sorted(_xs_of(steps, times, series.start, plot.x_kind), values)
            first, last = max(bisect_left(xs, low) - 1, 0), bisect_right(xs, high) + 1
            draw_line(raster, xs[first:last], smoothed(ys, plot.smooth)[first:last], across, up, place)


def _picture(plot: Plot, raster: Raster, shown: Sequence[_Line], across: Scale, up: Scale) -> list[Row]:
    """Return the raster's rows, with the lines' marks and the cursor."""
    marks = _marks(plot, raster, shown, across, up) if len(shown) > 1 else {}
    cursor = -1
    if plot.cursor is not None:
        at = across.place(plot.cursor)
        if at is not None and 0 <= at <= 1:
            cursor = round(at * (raster.width - 1)) // (raster.width // raster.columns)
    rows = []
    bar = "┊" if plot.unicode else ":"
    for row in range(raster.rows):
        line: Row = []
        text, style = "", ""
        for column in range(raster.columns):
            owner = raster.owner(column, row)
            place = owner % _RAW if owner != NOBODY else 0
            mark = marks.get((column, row))
            if mark is not None:
                char, now = plot.marks[shown[mark].series.number % len(plot.marks)], _style(shown[mark].series)
            elif owner == NOBODY:
                char, now = (bar, "cursor") if column == cursor else (" ", "text")
            else:
                char, now = raster.char(column, row), _style(shown[place].series)
                if owner >= _RAW:
                    now += " dim"
                if column == cursor:
                    now += " bold"
            if now != style and text:
                line.append(Piece(text, style))
                text = ""
            text, style = text + char, now
        line.append(Piece(text, style))
        rows.append(line)
    return rows


def _style(series: Series) -> str:
    return f"series-{series.number % 8}"


def _marks(plot: Plot, raster: Raster, shown: Sequence[_Line], across: Scale, up: Scale) -> dict[tuple[int, int], int]:
    """Return the cells where a line has its mark: every so often, each line elsewhere, and at its last point."""
    found: dict[tuple[int, int], int] = {}
    wide, tall = raster.width // raster.columns, raster.height // raster.rows
    for place in range(len(shown) - 1, -1, -1):
        for column in range((place * 5) % _MARK_EVERY, raster.columns, _MARK_EVERY):
            rows = [row for row in range(raster.rows) if raster.owner(column, row) == place]
            if rows:
                found[column, rows[len(rows) // 2]] = place
        if plot.smooth > 0:
            continue
        for x, y in zip(reversed(shown[place].xs), reversed(shown[place].ys), strict=False):
            across_at, up_at = across.place(x), up.place(y)
            if across_at is not None and up_at is not None:
                if 0 <= across_at <= 1 and 0 <= up_at <= 1:
                    dot = raster.height - 1 - round(up_at * (raster.height - 1))
                    found[round(across_at * (raster.width - 1)) // wide, dot // tall] = place
                break
    return found


def _head(plot: Plot, columns: int) -> Row:
    """Return the title, and at the right how it is drawn and the value of the only line."""
    flags = []
    if plot.log_y:
        flags.append("log")
    if plot.smooth > 0:
        flags.append(f"smooth {plot.smooth:.2g}")
    if plot.zoom is not None:
        flags.append("zoomed")
    if plot.cursor is not None:
        flags.append(_at(plot))
    value = ""
    if len(plot.series) == 1:
        series = plot.series[0]
        value = _value_text(plot, series)
        if series.odd:
            flags.append(f"{series.odd:,} not finite")
    dot = " · " if plot.unicode else ", "
    right = dot.join(flags)
    room = columns - width(value) - 2
    title = _fit(plot, clean(plot.title), max(room, 1))
    right = right if width(title) + width(right) + 2 <= room else ""
    gap = max(columns - width(title) - width(right) - width(value) - (2 if right and value else 0), 1)
    row = [Piece(title, "title"), Piece(" " * gap), Piece(right + ("  " if right and value else ""), "dim")]
    if value:
        row.append(Piece(value, _style(plot.series[0])))
    return row


def _fit(plot: Plot, text: str, room: int) -> str:
    fitted = fit(text, room)
    return fitted if plot.unicode else fitted.replace("…", "~")


def _at(plot: Plot) -> str:
    assert plot.cursor is not None
    kind = plot.x_kind
    return f"{plot.x_label or _X_LABELS.get(kind, '')} {Scale(0, 1, kind=kind).text(plot.cursor)}".strip()


def value_at(plot: Plot, series: Series) -> float | None:
    """Return the value of the point of *series* nearest to the cursor; the newest without a cursor."""
    if plot.cursor is None:
        if series.latest is not None:
            return series.latest
        return series.ys[-1] if len(series.ys) else None
    xs, ys = _sorted(plot.xs(series), series.ys)
    if not xs:
        return None
    place = bisect_left(xs, plot.cursor)
    near = [index for index in (place - 1, place) if 0 <= index < len(xs)]
    return ys[min(near, key=lambda index: abs(xs[index] - plot.cursor))] if near else None  # type: ignore[operator]


def _value_text(plot: Plot, series: Series) -> str:
    value = value_at(plot, series)
    return "" if value is None else number_text(value)


def _legend_width(plot: Plot, columns: int) -> int:
    values = max(width(_value_text(plot, series)) for series in plot.series)
    return min(max(width(clean(series.label)) for series in plot.series) + max(values, 7) + 4, 40, columns // 3)


def _legend(plot: Plot, columns: int, rows: int) -> list[Row]:
    """Return a line for each series: mark, label, value. The last says how many there is no room for."""
    found: list[Row] = []
    shown = list(plot.series)
    if len(shown) > rows:
        shown = shown[: rows - 1]
    for series in shown:
        mark, value = plot.marks[series.number % len(plot.marks)], _value_text(plot, series)
        room = columns - 3 - width(value)
        label = _fit(plot, clean(series.label), max(room, 1))
        gap = " " * max(room - width(label), 0)
        found.append(
            [Piece(f"{mark} ", _style(series)), Piece(label + gap, "text"), Piece(f" {value}", _style(series))]
        )
    if len(shown) < len(plot.series) and rows > 0:
        found.append([Piece(f"  {len(plot.series) - len(shown)} more", "dim")])
    return found


def frame_rows(rows: list[Row], columns: int) -> list[Row]:
    """Return *rows* cut and filled to *columns*, so that nothing stands outside."""
    found = []
    for row in rows:
        used, line = 0, []
        for text, style in row:
            if used + width(text) > columns:
                text = fit(text, columns - used) if columns > used else ""
            used += width(text)
            line.append(Piece(text, style))
        if used < columns:
            line.append(Piece(" " * (columns - used)))
        found.append(line)
    return found


def _x_axis(plot: Plot, across: Scale, inner: int, left: int) -> list[Row]:
    label = plot.x_label or _X_LABELS.get(plot.x_kind, "")
    room = max(inner - len(label) - 3, 4)
    corner, line, tee = ("└", "─", "┬") if plot.unicode else ("+", "-", "+")
    each = 13 if plot.x_kind == "wall" else 9
    rule, texts = [line] * inner, [" "] * (inner + left)
    taken = -1
    for tick in across.ticks(max(2, min(8, inner // each))):
        column = round(tick.at * (inner - 1))
        start = min(max(left + column - len(tick.text) // 2, 0), left + room - len(tick.text) + 1)
        if start <= taken or start < 0:
            continue
        rule[column] = tee
        texts[start : start + len(tick.text)] = tick.text
        taken = start + len(tick.text)
    if taken + len(label) < left + inner:
        texts[left + inner - len(label) :] = label
    edge = [Piece(" " * (left - 1) + corner, "axis")] if left else []
    return [[*edge, Piece("".join(rule), "axis")], [Piece("".join(texts), "axis")]]


def _nothing(plot: Plot, shown: Sequence[_Line]) -> str:
    values = [value for line in shown for value in line.ys]
    if plot.log_y and span_of([values]) is not None:
        return "nothing above 0 for a logarithmic axis (L: linear)"
    if not values:
        return "no points here (- zooms out)"
    return f"{len(values):,} point{'s' * (len(values) != 1)}, none of them a finite number"


def note_rows(text: str, columns: int, rows: int) -> list[Row]:
    """Return *rows* rows with *text* in their middle."""
    text = fit(text, columns)
    found: list[Row] = [[Piece("")] for _ in range(max(rows, 1))]
    found[(max(rows, 1) - 1) // 2] = [Piece(" " * ((columns - width(text)) // 2) + text, "note")]
    return found
