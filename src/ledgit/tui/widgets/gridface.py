"""How a table is drawn: its head, and the cells that are in sight."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ledgit.tui.themes import GLYPHS
from ledgit.tui.widgets.cells import EDGE, GAP, Column, FixedRows, Layout, Rows, fitted
from ledgit.tui.widgets.inks import ink

__all__ = ["GridFace"]

_NORMAL, _CURSOR, _BLURRED, _RANGE = "", "cursor", "blurred", "range"
_HEAD = -1
_SPACES = " " * 400


class GridFace(ScrollView):
    """What a table shows, drawn line by line; :class:`~.grid.Grid` has the keys."""

    def __init__(
        self,
        *,
        unicode: bool = True,
        empty: str = "",
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.unicode = unicode
        self.empty = empty
        self.rows: Rows = FixedRows(())
        self.marked: Collection[str] = ()
        self.cursor_row = 0
        self.cursor_column = 0
        self._layout_of = Layout(())
        self._sort: tuple[str, bool] | None = None
        self._anchor: int | None = None
        self._strips: LRUCache[tuple[int, int, str, int, bool], Strip] = LRUCache(512)
        self._styles: dict[tuple[str, str, bool], Style] = {}
        self._styles_before: dict[tuple[str, str, bool], Style] = {}

    @property
    def columns(self) -> Sequence[Column]:
        """The columns, fixed ones first."""
        return self._layout_of.columns

    @property
    def _head(self) -> int:
        return 1 if self.size.height > 2 or not self.size.height else 0

    def notify_style_update(self) -> None:
        """Forget what was drawn with other colours; a line that gets the focus updates styles, but changes none."""
        super().notify_style_update()
        self._styles_before = self._styles_before or self._styles
        self._styles = {}

    def _compare_styles(self) -> None:
        before, self._styles_before = self._styles_before, {}
        for (name, state, cell), style in before.items():
            now = self._component(state) if name == "*" else self._style(name, state, cell=cell)
            if now != style:
                self._strips.clear()
                return

    # ------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        """Draw the line at *y* of the widget."""
        if self._styles_before:
            self._compare_styles()
        width = self.size.width
        if y < self._head:
            return self._drawn(_HEAD, "header", width)
        position = self.scroll_offset.y + y - self._head
        if position >= len(self.rows):
            if position == 0 and self.empty:
                text = fitted(f"  {self.empty}", width)
                return Strip([Segment(text, self._style("dim", _NORMAL, cell=False))], width)
            return Strip.blank(width, self.rich_style)
        state = _NORMAL
        if position == self.cursor_row:
            state = _CURSOR if self.has_focus else _BLURRED
        elif self._anchor is not None and min(self._anchor, self.cursor_row) <= position <= max(
            self._anchor, self.cursor_row
        ):
            state = _RANGE
        return self._drawn(position, state, width)

    def _drawn(self, position: int, state: str, width: int) -> Strip:
        column = self.cursor_column if state == _CURSOR or position == _HEAD else -1
        key = (position, self.scroll_offset.x, state, column, position == _HEAD and self.has_focus)
        strip = self._strips.get(key)
        if strip is None or strip.cell_length != width:
            strip = self._head_strip(width) if position == _HEAD else self._row_strip(position, state, column, width)
            self._strips.set(key, strip)
        return strip

    def _head_strip(self, width: int) -> Strip:
        x = self.scroll_offset.x
        pieces: list[tuple[str, Style]] = []
        plain = self._component("header")
        strong = self._component("header-cursor")
        for number in range(self._layout_of.fixed):
            pieces += self._title(number, plain, strong)
        moving = [piece for number in self._layout_of.shown(x, width) for piece in self._title(number, plain, strong)]
        strip = self._joined([(" " * EDGE, plain), *pieces], moving, width, plain)
        # Without a scroll bar at the bottom, which would cost a row, the head says that there is more.
        more_left, more_right = x > 0, x + width < self._layout_of.width
        marks = ("‹", "›") if self.unicode else ("<", ">")
        if more_right and width > self._layout_of.left:
            strip = Strip.join([strip.crop(0, width - 1), Strip([Segment(marks[1], plain)], 1)])
        if more_left and EDGE <= self._layout_of.left <= width:
            at = self._layout_of.left - 1
            strip = Strip.join([strip.crop(0, at), Strip([Segment(marks[0], plain)], 1), strip.crop(at + 1, width)])
        return strip

    def _title(self, number: int, plain: Style, strong: Style) -> list[tuple[str, Style]]:
        column = self._layout_of.columns[number]
        title = column.title if column.title.isprintable() else fitted(column.title, column.width)
        ellipsis = GLYPHS["more"][not self.unicode]
        if self._sort is not None and self._sort[0] == column.key:
            arrow = ("▼" if self._sort[1] else "▲") if self.unicode else ("v" if self._sort[1] else "^")
            text = fitted(fitted(title, max(column.width - 2, 1), ellipsis=ellipsis).rstrip() + " " + arrow,
                          column.width, right=column.right)  # fmt: skip
        else:
            text = fitted(title, column.width, right=column.right, ellipsis=ellipsis)
        style = strong if number == self.cursor_column and self.has_focus else plain
        lead, end = len(text) - len(text.lstrip()), len(text.rstrip())
        end = max(lead, end)
        return [(text[:lead], plain), (text[lead:end], style), (text[end:] + " " * GAP, plain)]

    def _row_strip(self, position: int, state: str, cursor: int, width: int) -> Strip:
        layout = self._layout_of
        cells = self.rows.cells(position)
        key = self.rows.key(position)
        base = self._style("", state, cell=False)
        marked = key is not None and key in self.marked
        bar = GLYPHS["cursor"][not self.unicode] if state in (_CURSOR, _BLURRED) else " "
        mark = GLYPHS["marked"][not self.unicode] if marked else " "
        held: list[tuple[str, Style]] = [
            (bar, base + self._component("edge") if bar != " " else base),
            (mark, self._style("mark", state, cell=False) if marked else base),
        ]
        indent = self.rows.depth(position) * 2 if cells is not None and layout.columns else 0
        ellipsis = GLYPHS["more"][not self.unicode]

        def draw(numbers: range) -> list[tuple[str, Style]]:
            pieces: list[tuple[str, Style]] = []
            for number in numbers:
                column = layout.columns[number]
                if cells is None:
                    dots = GLYPHS["dot"][not self.unicode]
                    text, style = fitted(dots, column.width, right=column.right), "dim"
                else:
                    cell = cells[number] if number < len(cells) else ("", "")
                    text, style = cell
                    if indent and number == 0:
                        text = " " * min(indent, column.width // 2) + text
                    text = fitted(text, column.width, right=column.right, ellipsis=ellipsis)
                pieces.append((text, self._style(style, state, cell=number == cursor)))
                pieces.append((_SPACES[:GAP], base))
            return pieces

        return self._joined(
            held + draw(range(layout.fixed)), draw(layout.shown(self.scroll_offset.x, width)), width, base
        )

    def _joined(self, held: list[tuple[str, Style]], moving: list[tuple[str, Style]], width: int, base: Style) -> Strip:
        """Return one line: *held* at the left, what is in sight of *moving* beside it."""
        layout, x = self._layout_of, self.scroll_offset.x
        left = Strip(_merged(held))
        shown = layout.shown(x, width)
        strips = [left if left.cell_length <= width else left.crop(0, width)]
        room = width - layout.left
        if room > 0 and shown:
            skip = x - layout.starts[shown[0] - layout.fixed]
            strips.append(Strip(_merged(moving)).crop_extend(skip, skip + room, base))
        line = Strip.join(strips)
        return line if line.cell_length == width else line.crop_extend(0, width, base)

    def _component(self, name: str) -> Style:
        key = ("*", name, False)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = ink(self, f"grid--{name}")
            if name.startswith("header"):
                style = self._styles[key] = self.rich_style + style
        return style

    def _style(self, name: str, state: str, *, cell: bool) -> Style:
        key = (name, state, cell)
        style = self._styles.get(key)
        if style is None:
            style = self.rich_style
            if state:
                style += self.get_component_rich_style(f"grid--{state}", partial=True)
            if name.startswith("series-"):
                style += self._series(int(name[7:]))
            elif name:
                style += ink(self, f"grid--{name}")
            if cell:
                style += self.get_component_rich_style("grid--cell", partial=True)
            self._styles[key] = style
        return style

    def _series(self, number: int) -> Style:
        session = getattr(self.app, "session", None)
        return Style.parse(session.colors(number)[0]) if session is not None else Style(bold=True)


def _merged(pieces: list[tuple[str, Style]]) -> list[Segment]:
    """Return *pieces* as segments, neighbours of one style as one: fewer bytes for the terminal."""
    found: list[Segment] = []
    text, style = "", None
    for piece, own in pieces:
        if own is style or own == style:
            text += piece
        else:
            if text:
                found.append(Segment(text, style))
            text, style = piece, own
    if text:
        found.append(Segment(text, style))
    return found
