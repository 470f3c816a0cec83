"""Parallel coordinates: how params and a metric of many runs go together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from ledgit.records.harmless import clean, fit, width
from ledgit.tui.data.axes import number_text
from ledgit.tui.data.bundles import Axis, Bundle, bundle
from ledgit.tui.widgets.drawing import Drawing
from ledgit.tui.widgets.plot import Piece, Row, note_rows
from ledgit.tui.widgets.raster import NOBODY, Raster

if TYPE_CHECKING:
    from textual.events import Click

__all__ = ["Axis", "Parallel"]

_AT_ONCE = 2_000
_HERE = 99
#: Columns of the line beside its axis that a value has which stands alone.
_STUB = 3


class Parallel(Drawing):
    """Lines through several axes, the brighter the greater a number of theirs is.

    Attributes:
        axes: From left to right.
        axis: Place of the axis along whose values the cursor moves.
        cursor: Place of the run under the cursor; None: none yet.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "axis(-1)", "Axis to the left", show=False, id="parallel.left"),
        Binding("right,l", "axis(1)", "Axis to the right", show=False, id="parallel.right"),
        Binding("up,k", "step(-1)", "Run above", show=False, id="parallel.up"),
        Binding("down,j", "step(1)", "Run below", show=False, id="parallel.down"),
        Binding("pageup,ctrl+u", "step(-10)", "Ten runs up", show=False, id="parallel.page_up"),
        Binding("pagedown,ctrl+d", "step(10)", "Ten runs down", show=False, id="parallel.page_down"),
        Binding("g,home", "step(-1000000000)", "Topmost run", show=False, id="parallel.first"),
        Binding("G,end", "step(1000000000)", "Lowest run", show=False, id="parallel.last"),
        Binding("enter", "open", "Open run", id="parallel.open"),
    ]

    class Moved(Message):
        """The cursor is on another run."""

        def __init__(self, parallel: Parallel, key: str) -> None:
            super().__init__()
            self.parallel, self.key = parallel, key

        @property
        def control(self) -> Parallel:
            """The widget."""
            return self.parallel

    class Opened(Moved):
        """A run is to be opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.axes: Sequence[Axis] = ()
        self.axis = 0
        self.cursor: int | None = None
        self.empty = "no runs yet"
        self._lines: Sequence[tuple[str, Sequence[float | str | None]]] = ()
        self._color: Sequence[float] = ()
        self._labels: Sequence[str] = ()
        self._bundle: Bundle | None = None
        self._raster: Raster | None = None
        self._orders: dict[int, list[int]] = {}

    def show(
        self,
        axes: Sequence[Axis],
        lines: Sequence[tuple[str, Sequence[float | str | None]]],
        color: Sequence[float],
        labels: Sequence[str] = (),
    ) -> None:
        """Show *lines*; the cursor stays on the same key.

        Args:
            axes: From left to right.
            lines: (key, a value for each axis) of each run; None: it has none there.
            color: A number for each line: the greater, the brighter; NaN: dim.
            labels: What people call each run; () for their keys.
        """
        key = self.cursor_key
        self.axes, self._lines, self._color, self._labels = axes, lines, color, labels
        self.axis = min(self.axis, max(len(axes) - 1, 0))
        self.cursor = next((place for place, line in enumerate(lines) if line[0] == key), None) if key else None
        self._bundle = self._raster = None
        self._orders.clear()
        self.redraw()

    @property
    def cursor_key(self) -> str | None:
        """The key of the run under the cursor."""
        return self._lines[self.cursor][0] if self.cursor is not None and self.cursor < len(self._lines) else None

    # ------------------------------------------------------------------ drawing

    def picture(self, columns: int, rows: int) -> list[Row]:
        """Return the picture."""
        if len(self.axes) < 2 or not self._lines:
            return note_rows(
                self.empty if not self._lines else "only one column differs between these runs", columns, rows
            )
        height = max(rows - 4, 1)
        dots = height * (4 if self.unicode else 2)
        if self._bundle is None or self._bundle.height != dots:
            if len(self._lines) > _AT_ONCE:
                self._bundle_beside(dots, columns, height)
                return note_rows(f"{len(self._lines):,} runs", columns, rows)
            self._bundle, self._raster = bundle(self.axes, self._lines, self._color, dots), None
        if self._raster is None or (self._raster.columns, self._raster.rows) != (columns, height):
            self._raster = self._drawn(self._bundle, columns, height)
        return self._rows(self._bundle, self._raster, columns)

    def _bundle_beside(self, dots: int, columns: int, height: int) -> None:
        lines, axes, color = self._lines, self.axes, self._color
        unicode = self.unicode

        def work() -> None:
            found = bundle(axes, lines, color, dots)
            raster = self._drawn(found, columns, height, unicode)
            if self.is_running:
                self.app.call_from_thread(done, found, raster)

        def done(found: Bundle, raster: Raster) -> None:
            if self._lines is lines:
                self._bundle, self._raster = found, raster
                self.redraw()

        self.run_worker(work, thread=True, exclusive=True, group="bundle")

    def _at(self, place: int, columns: int) -> int:
        """Return the column of an axis."""
        edge = min(6, columns // 8)
        return edge + place * (columns - 1 - 2 * edge) // max(len(self.axes) - 1, 1)

    def _drawn(self, found: Bundle, columns: int, height: int, unicode: bool | None = None) -> Raster:
        raster = Raster(columns, height, unicode=self.unicode if unicode is None else unicode)
        wide = 2 if raster.unicode else 1
        # The brightest are drawn last, over all others.
        for shade in range(5):
            for place, threads in enumerate(found.threads):
                left, right = self._at(place, columns) * wide, self._at(place + 1, columns) * wide
                for thread in threads:
                    if thread.shade == shade:
                        raster.line(left, thread.start, right, thread.stop, shade)
            for place, ends in enumerate(found.lone):
                for dot, lone in ends:
                    if lone == shade:
                        self._stub(raster, place, dot, shade)
        return raster

    def _stub(self, raster: Raster, place: int, dot: int, owner: int) -> None:
        """Draw a value that stands alone: a short line beside its axis."""
        wide = 2 if raster.unicode else 1
        at = self._at(place, raster.columns) * wide
        aside = -_STUB * wide if place == len(self.axes) - 1 else _STUB * wide
        raster.line(min(at, at + aside), dot, max(at, at + aside), dot, owner)

    def _rows(self, found: Bundle, raster: Raster, columns: int) -> list[Row]:
        over = self._over(found, raster, columns)
        axes = {self._at(place, columns): place for place in range(len(self.axes))}
        texts = self._names(found, raster, columns)
        body: list[Row] = []
        bar = "│" if raster.unicode else "|"
        for row in range(raster.rows):
            line: Row = []
            for column in range(columns):
                owner = raster.owner(column, row)
                if over is not None and over.owner(column, row) != NOBODY:
                    piece = Piece(over.char(column, row), "title")
                elif (column, row) in texts:
                    piece = Piece(texts[column, row], "dim")
                elif column in axes:
                    piece = Piece(bar, "text" if axes[column] == self.axis and self.has_focus else "axis")
                elif owner == NOBODY:
                    piece = Piece(" ")
                else:
                    piece = Piece(raster.char(column, row), f"shade-{owner}")
                if line and line[-1].style == piece.style:
                    line[-1] = Piece(line[-1].text + piece.text, piece.style)
                else:
                    line.append(piece)
            body.append(line)
        return [
            self._titles(columns),
            self._ends(found, columns, 1.0),
            *body,
            self._ends(found, columns, 0.0),
            self._about(),
        ]

    def _over(self, found: Bundle, raster: Raster, columns: int) -> Raster | None:
        """Return the line of the run under the cursor."""
        if self.cursor is None or self.cursor >= len(found.values):
            return None
        over = Raster(columns, raster.rows, unicode=raster.unicode)
        wide = 2 if raster.unicode else 1
        values = found.values[self.cursor]
        dots = [found.dot(place, value) for place, value in enumerate(values)]
        for place, (start, stop) in enumerate(pairwise(dots)):
            if start is not None and stop is not None:
                over.line(self._at(place, columns) * wide, start, self._at(place + 1, columns) * wide, stop, _HERE)
        for place, (before, dot, after) in enumerate(zip([None, *dots], dots, [*dots[1:], None], strict=False)):
            if dot is not None and before is None and after is None:
                self._stub(over, place, dot, _HERE)
        return over

    def _names(self, found: Bundle, raster: Raster, columns: int) -> dict[tuple[int, int], str]:
        """Return the characters of the texts beside axes of names."""
        texts: dict[tuple[int, int], str] = {}
        ups = raster.height // raster.rows
        for place, axis in enumerate(self.axes):
            if not axis.names or len(axis.names) > raster.rows:
                continue
            last = place == len(self.axes) - 1
            room = min(12, (columns // len(self.axes)) // 2) if not last else columns - self._at(place, columns) - 1
            for name, text in enumerate(axis.names):
                dot = found.dot(place, float(name))
                if dot is None or room < 2:
                    continue
                column = self._at(place, columns) + 1
                for char in fit(clean(text), room):
                    if width(char) == 1:  # wide ones would move what is behind them
                        texts[column, dot // ups] = char
                        column += 1
        return texts

    def _titles(self, columns: int) -> Row:
        return self._beside(
            columns,
            [
                (
                    clean(axis.title) + (" (log)" if axis.log else ""),
                    "title" if place == self.axis and self.has_focus else "text",
                )
                for place, axis in enumerate(self.axes)
            ],
        )

    def _ends(self, found: Bundle, columns: int, at: float) -> Row:
        texts = []
        for axis, scale in zip(self.axes, found.scales, strict=True):
            shown = (
                ""
                if scale is None or axis.names
                else scale.text(scale.value(at))
                if scale.kind != "number"
                else number_text(scale.value(at), 3)
            )
            texts.append((shown, "axis"))
        return self._beside(columns, texts)

    def _beside(self, columns: int, texts: Sequence[tuple[str, str]]) -> Row:
        """Return a row with a text at each axis."""
        row: Row = []
        used = 0
        room = max(columns // max(len(texts), 1) - 1, 1)
        for place, (text, style) in enumerate(texts):
            text = fit(text, room)
            start = min(max(self._at(place, columns) - width(text) // 2, used), max(columns - width(text), 0))
            start = max(start, used)
            row += [Piece(" " * (start - used)), Piece(text, style), Piece(" ")]
            used = start + width(text) + 1
        return row

    def _about(self) -> Row:
        """Return what the run under the cursor has."""
        if self.cursor is None:
            return [Piece(f"{len(self._lines):,} runs", "dim")]
        key, values = self._lines[self.cursor]
        label = self._labels[self.cursor] if self.cursor < len(self._labels) else key
        dot = " · " if self.unicode else ", "
        said = [
            f"{clean(axis.title)} {clean(value) if isinstance(value, str) else number_text(value)}"
            for axis, value in zip(self.axes, values, strict=True)
            if value is not None and value == value  # noqa: PLR0124 - no NaN
        ]
        return [Piece(clean(label) + "  ", "title"), Piece(dot.join(said), "dim")]

    # ------------------------------------------------------------------ the cursor

    def move_to(self, place: int) -> None:
        """Put the cursor on a run."""
        if place != self.cursor:
            self.cursor = place
            self.redraw()
            self.post_message(self.Moved(self, self._lines[place][0]))

    def _order(self) -> list[int]:
        if self._bundle is None:
            return []
        if self.axis not in self._orders:
            self._orders[self.axis] = self._bundle.order(self.axis)
        return self._orders[self.axis]

    def action_axis(self, by: int) -> None:
        """Move along the values of another axis."""
        self.axis = min(max(self.axis + by, 0), max(len(self.axes) - 1, 0))
        self.redraw()

    def action_step(self, by: int) -> None:
        """Go to the run with the next value on this axis."""
        order = self._order()
        if not order:
            return
        if self.cursor not in order:
            self.move_to(order[0] if by > 0 else order[-1])
            return
        self.move_to(order[min(max(order.index(self.cursor) + by, 0), len(order) - 1)])

    def action_open(self) -> None:
        """Open the run under the cursor."""
        key = self.cursor_key
        if key is not None:
            self.post_message(self.Opened(self, key))

    def on_click(self, event: Click) -> None:
        """Pick the run that passes nearest to the mouse on the nearest axis; a second click opens it."""
        found = self._bundle
        if found is None or not self.axes:
            return
        axis = min(range(len(self.axes)), key=lambda place: abs(self._at(place, self.size.width) - event.x))
        ups = found.height // max(self.size.height - 4, 1)
        wanted = (event.y - 2) * ups + ups // 2
        self.axis = axis
        order = self._order()
        if order:
            self.move_to(min(order, key=lambda place: abs((found.dot(axis, found.values[place][axis]) or 0) - wanted)))
        if event.chain == 2:
            self.action_open()
