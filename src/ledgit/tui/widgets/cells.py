"""What a table is made of: columns, cells, rows, and where on a line each column stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from ledgit.records.harmless import clean

__all__ = ["CELL_STYLES", "GAP", "Cell", "Column", "Entry", "FixedRows", "Layout", "Rows", "fitted"]

#: Names that :attr:`Cell.style` may have.
CELL_STYLES = (
    *("good", "bad", "dim", "mark", "live", "warn", "head", "match"),
    *(f"series-{number}" for number in range(8)),
)
#: Columns between two cells.
GAP = 2
#: Columns of the left edge: where the cursor is, and whether the row is marked.
EDGE = 2


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        key: What it is called by code.
        title: What stands at its head.
        width: Terminal columns it takes.
        right: Whether its cells are aligned to the right.
        fixed: Whether it stays at the left while the others scroll sideways.
    """

    key: str
    title: str
    width: int
    right: bool = False
    fixed: bool = False


class Cell(NamedTuple):
    """What stands in a cell, and in which of :data:`CELL_STYLES` ("" is plain)."""

    text: str
    style: str = ""


class Rows(Protocol):
    """The rows of a table, made when they are asked for: only those on the screen are."""

    def __len__(self) -> int:
        """How many there are."""

    def key(self, position: int) -> str | None:
        """Return what identifies a row; None: it is not there yet, or can't be opened."""

    def cells(self, position: int) -> Sequence[Cell] | None:
        """Return a row's cells, those of fixed columns first; None while they are on their way."""

    def find(self, key: str) -> int | None:
        """Return where the row *key* is."""

    def depth(self, position: int) -> int:
        """Return how deep in a fold a row is."""


class FixedRows:
    """A small table at once: ``FixedRows([(key, [Cell, …]), …])``."""

    def __init__(self, rows: Sequence[tuple[str | None, Sequence[Cell]]]) -> None:
        self.rows = rows
        self._places = {key: place for place, (key, _) in enumerate(rows) if key is not None}

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, position: int) -> str | None:
        """Return a row's key."""
        return self.rows[position][0]

    def cells(self, position: int) -> Sequence[Cell]:
        """Return a row's cells."""
        return self.rows[position][1]

    def find(self, key: str) -> int | None:
        """Return where the row *key* is."""
        return self._places.get(key)

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0: nothing is folded."""
        return 0


class Entry(NamedTuple):
    """One line of a side bar.

    Attributes:
        key: What it stands for; "" for a heading, which can't be chosen.
        text: What it says.
        said: Stands at the right, muted.
    """

    key: str
    text: str
    said: str = ""


class Layout:
    """Where columns stand: fixed ones at the left, the others in a strip that scrolls below them.

    Attributes:
        columns: All, fixed ones first.
        fixed: How many are fixed.
        starts: Where each column that is not fixed begins in its strip; one more for the end.
        left: Terminal columns that the edge and the fixed columns take.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        held = [column for column in columns if column.fixed]
        moving = [column for column in columns if not column.fixed]
        self.columns = (*held, *moving)
        self.fixed = len(held)
        self.left = EDGE + sum(column.width + GAP for column in held)
        self.starts = [0, *accumulate(column.width + GAP for column in moving)]

    @property
    def width(self) -> int:
        """Terminal columns of all of it."""
        return self.left + max(self.starts[-1] - GAP, 0)

    def shown(self, x: int, width: int) -> range:
        """Return which columns that are not fixed are in sight, partly at least.

        Args:
            x: How far the strip is scrolled.
            width: Terminal columns of the whole table on the screen.
        """
        room = width - self.left
        if room <= 0 or len(self.columns) == self.fixed:
            return range(0)
        first = max(bisect_right(self.starts, x) - 1, 0)
        last = bisect_right(self.starts, x + room - 1)
        return range(self.fixed + first, min(self.fixed + last, len(self.columns)))

    def span(self, column: int) -> tuple[int, int]:
        """Return where a column that is not fixed begins and ends in the strip."""
        place = column - self.fixed
        return self.starts[place], self.starts[place] + self.columns[column].width

    def at(self, x: int, scrolled: int) -> int | None:
        """Return the column at the place *x* of the screen."""
        if x < self.left:
            start = EDGE
            for number in range(self.fixed):
                start += self.columns[number].width + GAP
                if x < start:
                    return number
            return None
        place = bisect_right(self.starts, x - self.left + scrolled) - 1
        return self.fixed + place if 0 <= place < len(self.columns) - self.fixed else None


def fitted(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """Return *text* harmless and exactly *width* terminal columns wide."""
    if not text.isprintable():
        text = clean(text)
    if text.isascii():
        length = len(text)
        if length > width:
            return text[: width - 1] + ellipsis if width else ""
        return text.rjust(width) if right else text.ljust(width)
    from rich.cells import cell_len, set_cell_size

    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ellipsis if width else ""
    gap = " " * (width - length)
    return gap + text if right else text + gap
