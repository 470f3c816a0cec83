"""A picture of dots in a terminal: braille, eight dots a character; two a character without Unicode. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledgit.tui.data.axes import Scale

__all__ = ["Raster", "draw_line"]

# The bit of each dot of a braille character: [column][row from the top].
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_ASCII = " '.:"  # by which halves of the cell have a dot: none, upper, lower, both
NOBODY = -1


class Raster:
    """*columns* × *rows* characters to draw dots into; what lies outside is not drawn.

    Args:
        columns: Width in characters.
        rows: Height in characters.
        unicode: Braille; else ``'``, ``.`` and ``:``.

    Attributes:
        width: Dots from left to right.
        height: Dots from top to bottom.
    """

    __slots__ = ("_cells", "_owners", "_ups", "columns", "height", "rows", "unicode", "width")

    def __init__(self, columns: int, rows: int, *, unicode: bool = True) -> None:
        self.columns, self.rows, self.unicode = max(columns, 0), max(rows, 0), unicode
        self.width = self.columns * (2 if unicode else 1)
        self._ups = 4 if unicode else 2
        self.height = self.rows * self._ups
        self._cells = bytearray(self.columns * self.rows)
        self._owners = [NOBODY] * (self.columns * self.rows)

    def dot(self, x: int, y: int, owner: int) -> None:
        """Draw a dot: *x* from the left, *y* from the top, in dots; the cell is then *owner*'s."""
        if 0 <= x < self.width and 0 <= y < self.height:
            if self.unicode:
                cell = (y >> 2) * self.columns + (x >> 1)
                self._cells[cell] |= _BITS[x & 1][y & 3]
            else:
                cell = (y >> 1) * self.columns + x
                self._cells[cell] |= 1 << (y & 1)
            self._owners[cell] = owner

    def column(self, x: int, top: int, bottom: int, owner: int) -> None:
        """Draw the dots of column *x* from *top* to *bottom*, both included."""
        if not 0 <= x < self.width:
            return
        shift, across = (2, x >> 1) if self.unicode else (1, x)
        bits = _BITS[x & 1] if self.unicode else (1, 2)
        cells, owners, last = self._cells, self._owners, (1 << shift) - 1
        for y in range(max(top, 0), min(bottom, self.height - 1) + 1):  # most dots come this way
            cell = (y >> shift) * self.columns + across
            cells[cell] |= bits[y & last]
            owners[cell] = owner

    def line(self, x: int, y: int, to_x: int, to_y: int, owner: int) -> None:
        """Draw a straight line between two dots; each column has all dots that the line passes."""
        if to_x < x:
            x, y, to_x, to_y = to_x, to_y, x, y
        across, down = to_x - x, to_y - y
        if across == 0:
            self.column(x, min(y, to_y), max(y, to_y), owner)
            return
        before = y
        for step in range(max(0, -x), min(across, self.width - 1 - x) + 1):
            # Half a column each way, so that a steep line has no holes.
            here = y + (2 * step * down + across) // (2 * across)
            if step and abs(here - before) > 1:
                middle = (here + before) // 2
                self.column(x + step - 1, min(before, middle), max(before, middle), owner)
                middle += 1 if here > before else 0
                self.column(x + step, min(here, middle), max(here, middle), owner)
            else:
                self.dot(x + step, here, owner)
            before = here

    def owner(self, column: int, row: int) -> int:
        """Return who drew the last dot of a cell, -1 if nobody."""
        return self._owners[row * self.columns + column]

    def char(self, column: int, row: int) -> str:
        """Return a cell's character; a space where nobody drew."""
        mask = self._cells[row * self.columns + column]
        if not mask:
            return " "
        return chr(0x2800 + mask) if self.unicode else _ASCII[mask]

    def mask(self, column: int, row: int) -> int:
        """Return a cell's dots as bits."""
        return self._cells[row * self.columns + column]

    def has(self, x: int, y: int) -> bool:
        """Whether a dot is drawn."""
        if self.unicode:
            return bool(self._cells[(y >> 2) * self.columns + (x >> 1)] & _BITS[x & 1][y & 3])
        return bool(self._cells[(y >> 1) * self.columns + x] & 1 << (y & 1))


def draw_line(
    raster: Raster,
    xs: Sequence[float],
    ys: Sequence[float],
    across: Scale,
    up: Scale,
    owner: int,
    *,
    stairs: bool = False,
) -> None:
    """Draw the points (*xs*, *ys*), each joined with the next one.

    All points of a column of dots are drawn as one stroke from the least to the greatest, so no peak
    is left out however many there are. What can't be drawn (nan, inf, nothing positive on a
    logarithmic axis) is a gap.

    Args:
        raster: Where to.
        xs: Ascending.
        ys: As many.
        across: The x axis over the raster's width.
        up: The y axis over its height.
        owner: Whose line it is.
        stairs: A value holds until the next one.
    """
    right, bottom = raster.width - 1, raster.height - 1
    if right < 0 or bottom < 0:
        return
    column = first = last = low = high = 0
    pen = False  # whether there is a column that has not been drawn yet
    before: tuple[int, int] | None = None  # the last dot of the columns that have been
    # A neighbour far outside gives the line its direction, no more.
    for x_at, y_at in zip(across.places(xs), up.places(ys), strict=False):
        if y_at is None or x_at is None:
            if pen:
                _stroke(raster, before, column, (first, low, high), owner, stairs)
            pen, before = False, None
            continue
        if not -4.0 <= x_at <= 5.0:
            x_at = min(max(x_at, -4.0), 5.0)
        if not -4.0 <= y_at <= 5.0:
            y_at = min(max(y_at, -4.0), 5.0)
        here, there = round(x_at * right), bottom - round(y_at * bottom)
        if pen and here == column:
            last = there
            if there > low:
                low = there
            elif there < high:
                high = there
            continue
        if pen:
            _stroke(raster, before, column, (first, low, high), owner, stairs)
            before = (column, last)
        column, first, last, low, high, pen = here, there, there, there, there, True
    if pen:
        _stroke(raster, before, column, (first, low, high), owner, stairs)


def _stroke(
    raster: Raster, before: tuple[int, int] | None, column: int, dots: tuple[int, int, int], owner: int, stairs: bool
) -> None:
    first, low, high = dots
    if before is not None:
        x, y = before
        if stairs:
            raster.line(x, y, column, y, owner)
            raster.line(column, y, column, first, owner)
        elif column > x:
            raster.line(x, y, column, first, owner)
    raster.column(column, high, low, owner)
