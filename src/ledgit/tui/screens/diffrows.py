"""The comparison of runs as rows of a table: what is made of a line when it comes into sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledgit.records.harmless import clean, width
from ledgit.tui.data.differences import Differences, DiffLine
from ledgit.tui.widgets.cells import Cell, Column

__all__ = ["DiffRows", "diff_columns", "plain"]

_ASCII = str.maketrans({"▲": "^", "▼": "v", "–": "-", "×": "x", "÷": "/", "·": "-", "…": "~", "→": ">", "±": "+-"})
_KEY, _LEAST, _MOST, _CHANGE, _REPEATS = 26, 10, 22, 26, 38
#: Lines that are looked at to find out how wide columns have to be.
_SAMPLE = 400


def plain(text: str, *, unicode: bool) -> str:
    """Return *text* as the terminal can draw our own marks."""
    return text if unicode else text.translate(_ASCII)


class DiffRows:
    """Lines of a comparison; heads of sections can't be opened."""

    def __init__(self, differences: Differences, lines: Sequence[DiffLine], *, percent: bool, unicode: bool) -> None:
        self.differences, self.lines, self.percent, self.unicode = differences, lines, percent, unicode
        self._places = {line.key: place for place, line in enumerate(lines) if line.key}

    def __len__(self) -> int:
        return len(self.lines)

    def key(self, position: int) -> str | None:
        """Return a line's key."""
        return self.lines[position].key or f"head/{self.lines[position].section}"

    def find(self, key: str) -> int | None:
        """Return where a line is."""
        return self._places.get(key)

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0: heads tell sections apart."""
        return 0

    def cells(self, position: int) -> list[Cell]:
        """Return a line's cells."""
        line = self.lines[position]
        if not line.key:
            return [Cell(plain(line.title, unicode=self.unicode), "head")]
        title = Cell(f"  {line.title}", "" if line.differs else "dim")
        pieces = self.differences.pieces(line, percent=self.percent)
        quiet = "" if line.differs else "dim"
        return [title, *(Cell(plain(text, unicode=self.unicode), style or quiet) for text, style in pieces)]

    def heads(self) -> list[int]:
        """Return where sections begin."""
        return [place for place, line in enumerate(self.lines) if not line.key]


def diff_columns(rows: DiffRows, room: int, mark: Callable[[int], str]) -> list[Column]:
    """Return the columns: what it is about, one for each run, and of two runs what changed.

    Args:
        rows: What is in them.
        room: How many terminal columns there are.
        mark: Returns the mark of a run's place.
    """
    runs = rows.differences.runs
    needs = [0] * (len(runs) + 2)
    for position in range(min(len(rows), _SAMPLE)):
        if rows.lines[position].key:
            for place, cell in enumerate(rows.cells(position)):
                needs[place] = max(needs[place], width(cell.text))
        else:
            needs[0] = max(needs[0], width(rows.lines[position].title))
    titles = [f"{mark(place)} {clean(run.name)}" for place, run in enumerate(runs)]
    first = min(max(needs[0], 12), max(min(_KEY, room // 3), 12))
    pair, last = len(runs) == 2, rows.differences.last
    change = min(max(needs[len(runs) + 1], 8), _CHANGE if pair else _REPEATS) if last else 0
    free = room - 2 - first - (change + 4 if last else 2)
    fair = max(free // max(len(runs), 1) - 2, _LEAST)
    widths = [
        min(max(needs[place + 1], min(width(title), 16), _LEAST), max(fair, _MOST if not pair else _LEAST))
        for place, title in enumerate(titles)
    ]
    columns = [Column("key", "", first, fixed=True)]
    columns += [Column(run.id, title, size) for run, title, size in zip(runs, titles, widths, strict=True)]
    if last:
        columns.append(Column("change", last, change))
    return columns
