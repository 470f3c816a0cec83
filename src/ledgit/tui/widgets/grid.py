"""A table of any number of rows and columns: only cells on the screen are asked for and drawn."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from ledgit.tui.widgets.cells import CELL_STYLES, Cell, Column, FixedRows, Layout, Rows
from ledgit.tui.widgets.gridface import GridFace

__all__ = ["Cell", "Column", "FixedRows", "Grid", "Rows"]


class Grid(GridFace, can_focus=True):
    """A table with a cursor on a row and a column.

    A key moves the cursor, and nothing waits for rows: those that are on their way are drawn as dots.

    Attributes:
        cursor_row: Position of the row the cursor is on.
        cursor_column: Number of the column it is on, fixed ones counted first.
        columns: The columns, fixed ones first.
        rows: What is shown.
        marked: Keys of marked rows; looked at whenever a row is drawn.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Grid { overflow: auto auto; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; background: transparent; }
    Grid > .grid--header { color: $text-muted; text-style: bold; }
    Grid > .grid--header-cursor { color: $text; text-style: bold underline; }
    Grid > .grid--cursor { background: $primary-muted; }
    Grid > .grid--cell { background: $primary; color: $block-cursor-foreground; text-style: bold; }
    Grid > .grid--blurred { background: $panel; }
    Grid > .grid--range { background: $secondary-muted; }
    Grid > .grid--edge { color: $primary; text-style: bold; }
    Grid > .grid--good, Grid > .grid--live { color: $text-success; }
    Grid > .grid--bad { color: $text-error; }
    Grid > .grid--warn { color: $text-warning; }
    Grid > .grid--dim { color: $text-muted; }
    Grid > .grid--mark { color: $text-accent; text-style: bold; }
    Grid > .grid--head { text-style: bold; }
    Grid > .grid--match { text-style: underline bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"grid--{name}"
        for name in (*CELL_STYLES, "header", "header-cursor", "cursor", "cell", "blurred", "range", "edge")
        if not name.startswith("series")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "down", "Down", show=False, id="grid.down"),
        Binding("up,k", "up", "Up", show=False, id="grid.up"),
        Binding("left,h", "left", "Column to the left", show=False, id="grid.left"),
        Binding("right,l", "right", "Column to the right", show=False, id="grid.right"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("ctrl+d", "half(1)", "Half a page down", show=False, id="grid.half_down"),
        Binding("ctrl+u", "half(-1)", "Half a page up", show=False, id="grid.half_up"),
        Binding("home,g", "top", "First row", show=False, id="grid.top"),
        Binding("end,G", "bottom", "Last row", show=False, id="grid.bottom"),
        Binding("0", "first_column", "First column", show=False, id="grid.first_column"),
        Binding("dollar_sign", "last_column", "Last column", show=False, id="grid.last_column"),
        Binding("enter", "open", "Open", id="grid.open"),
        Binding("v", "range", "Range", show=False, id="grid.range"),
    ]

    class Moved(Message):
        """The cursor is on another row or column."""

        def __init__(self, grid: Grid, key: str | None, row: int, column: int) -> None:
            super().__init__()
            self.grid, self.key, self.row, self.column = grid, key, row, column

        @property
        def control(self) -> Grid:
            """The table."""
            return self.grid

    class Opened(Message):
        """Somebody wants to see the row *key* whole."""

        def __init__(self, grid: Grid, key: str) -> None:
            super().__init__()
            self.grid, self.key = grid, key

        @property
        def control(self) -> Grid:
            """The table."""
            return self.grid

    class Ranged(Message):
        """Rows were marked as a range: *keys*, in order."""

        def __init__(self, grid: Grid, keys: Sequence[str]) -> None:
            super().__init__()
            self.grid, self.keys = grid, keys

        @property
        def control(self) -> Grid:
            """The table."""
            return self.grid

    class HeaderPressed(Message):
        """The head of the column *column* was clicked."""

        def __init__(self, grid: Grid, column: str) -> None:
            super().__init__()
            self.grid, self.column = grid, column

        @property
        def control(self) -> Grid:
            """The table."""
            return self.grid

    # ------------------------------------------------------------------ what is shown

    def show(
        self,
        columns: Sequence[Column],
        rows: Rows,
        *,
        cursor: str | None = None,
        sort: tuple[str, bool] | None = None,
        marked: Collection[str] = (),
    ) -> None:
        """Show *rows*. The cursor stays at its column, and at its place on the screen.

        Args:
            columns: The columns; cells come in this order, fixed ones first.
            rows: The rows.
            cursor: Key of the row the cursor is to be on; without it, or where it is gone, it stays at its position.
            sort: (column, descending) for a mark at the column's head.
            marked: Keys of marked rows: a set that is looked at when rows are drawn.
        """
        before = self._layout_of.columns
        if columns != before:
            on = before[self.cursor_column].key if self.cursor_column < len(before) else None
            self._layout_of = Layout(columns)
            keys = [column.key for column in self._layout_of.columns]
            place = keys.index(on) if on in keys else self.cursor_column
            self.cursor_column = max(0, min(place, len(keys) - 1)) if keys else self.cursor_column
        self.rows, self._sort, self.marked = rows, sort, marked
        found = rows.find(cursor) if cursor is not None else None
        on_screen = self.cursor_row - self.scroll_offset.y
        row = self.cursor_row if found is None else found
        self._anchor = None
        self.cursor_row = max(0, min(row, len(rows) - 1))
        self._forget()
        at_top = not self.scroll_offset.y and self.cursor_row < self.size.height - self._head
        if self.size.height and found is not None and not at_top:
            self.scroll_to(y=max(self.cursor_row - on_screen, 0), animate=False, force=True)
        self._reveal()

    def refresh_rows(self) -> None:
        """Draw again: rows that were on their way have come, marks have changed, or there are other rows."""
        self.cursor_row = max(0, min(self.cursor_row, len(self.rows) - 1))
        self._forget()

    def _forget(self) -> None:
        self._strips.clear()
        self._fit()

    def _fit(self) -> None:
        size = Size(self._layout_of.width, len(self.rows) + self._head)
        if size != self.virtual_size:
            self.virtual_size = size
        self.refresh()

    @property
    def cursor_key(self) -> str | None:
        """The key of the row the cursor is on."""
        return self.rows.key(self.cursor_row) if 0 <= self.cursor_row < len(self.rows) else None

    @property
    def visible_rows(self) -> range:
        """Positions of the rows on the screen."""
        top = self.scroll_offset.y
        return range(top, min(top + max(self.size.height - self._head, 0), len(self.rows)))

    def on_resize(self, _: events.Resize) -> None:
        """Keep the cursor in sight. Lines that were drawn as wide as they are now need not be drawn again."""
        self._fit()
        self._reveal()

    def on_focus(self) -> None:
        """Draw the cursor stronger."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor weaker."""
        self.refresh()

    # ------------------------------------------------------------------ moving

    def move(self, row: int | None = None, column: int | None = None) -> None:
        """Put the cursor on a row and a column, the nearest there is, and bring it into sight."""
        before = self.cursor_row, self.cursor_column
        if row is not None:
            self.cursor_row = max(0, min(row, len(self.rows) - 1))
        if column is not None:
            self.cursor_column = max(0, min(column, len(self.columns) - 1))
        now = self.cursor_row, self.cursor_column
        self._reveal()
        if now == before:
            return
        if self._anchor is not None or now[1] != before[1]:
            self.refresh()
        else:
            for position in (before[0], now[0]):
                self.refresh_lines(position + self._head)
        self.post_message(self.Moved(self, self.cursor_key, *now))

    def _reveal(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        x, y = self.scroll_offset
        room = max(height - self._head, 1)
        to_y = self.cursor_row if self.cursor_row < y else max(self.cursor_row - room + 1, y)
        layout, to_x = self._layout_of, x
        if self.cursor_column >= layout.fixed and self.columns:
            start, end = layout.span(self.cursor_column)
            to_x = max(0, min(max(x, end - max(width - layout.left, 1)), start))
        elif self.columns:
            to_x = x if self.cursor_column else 0
        if (to_x, to_y) != (x, y):
            self.scroll_to(to_x, to_y, animate=False, force=True)

    def action_down(self) -> None:
        """Move one row down."""
        self.move(self.cursor_row + 1)

    def action_up(self) -> None:
        """Move one row up."""
        self.move(self.cursor_row - 1)

    def action_left(self) -> None:
        """Move one column to the left."""
        self.move(column=self.cursor_column - 1)

    def action_right(self) -> None:
        """Move one column to the right."""
        self.move(column=self.cursor_column + 1)

    def action_page(self, sign: int) -> None:
        """Move a page up or down."""
        self._leap(sign * max(self.size.height - self._head - 1, 1))

    def action_half(self, sign: int) -> None:
        """Move half a page up or down."""
        self._leap(sign * max((self.size.height - self._head) // 2, 1))

    def _leap(self, count: int) -> None:
        y = self.scroll_offset.y
        self.scroll_to(y=y + count, animate=False, force=True)
        self.move(self.cursor_row + count)

    def action_top(self) -> None:
        """Go to the first row."""
        self.move(0)

    def action_bottom(self) -> None:
        """Go to the last row."""
        self.move(len(self.rows) - 1)

    def action_first_column(self) -> None:
        """Go to the first column."""
        self.move(column=0)

    def action_last_column(self) -> None:
        """Go to the last column."""
        self.move(column=len(self.columns) - 1)

    def action_open(self) -> None:
        """Open what the cursor is on."""
        key = self.cursor_key
        if key is not None:
            self.post_message(self.Opened(self, key))

    # ------------------------------------------------------------------ ranges

    @property
    def ranging(self) -> bool:
        """Whether a range is being chosen."""
        return self._anchor is not None

    def action_range(self) -> None:
        """Begin a range at the cursor; the same key again marks what is in it."""
        if self._anchor is None:
            self._anchor = self.cursor_row
            self.refresh()
            return
        first, last = sorted((self._anchor, self.cursor_row))
        keys = [
            key
            for position in range(first, min(last + 1, len(self.rows)))
            if (key := self.rows.key(position)) is not None
        ]
        self.cancel_range()
        self.post_message(self.Ranged(self, keys))

    def cancel_range(self) -> bool:
        """Give a range up; return whether there was one."""
        was, self._anchor = self._anchor, None
        self.refresh()
        return was is not None

    # ------------------------------------------------------------------ the mouse

    def on_click(self, event: events.Click) -> None:
        """Move the cursor; a second click opens, one on a column's head is told."""
        column = self._layout_of.at(event.x, self.scroll_offset.x)
        if event.y < self._head:
            if column is not None:
                self.move(column=column)
                self.post_message(self.HeaderPressed(self, self.columns[column].key))
            return
        position = self.scroll_offset.y + event.y - self._head
        if position < len(self.rows):
            self.move(position, column)
            if event.chain == 2:
                self.action_open()
