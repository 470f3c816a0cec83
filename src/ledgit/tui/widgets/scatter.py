"""A scatter of runs: a dot a run, a cursor that goes from dot to dot, and density where there are very many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from ledgit.tui.data.clouds import Cloud, Dot, Layout, arrange, nearest, step_to
from ledgit.tui.widgets.cloudface import paint, room_for
from ledgit.tui.widgets.drawing import Drawing
from ledgit.tui.widgets.plot import Row, note_rows

if TYPE_CHECKING:
    from textual.events import Click

    from ledgit.compare import Direction

__all__ = ["Dot", "Scatter"]

_AT_ONCE = 4_000
"""More dots than that are sorted in a thread: a key must not wait for them."""


class Scatter(Drawing):
    """Dots in a plane.

    Attributes:
        cloud: What is shown.
        cursor: Place of the dot under the cursor in ``cloud.dots``; None: none yet.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1,0)", "Left", show=False, id="scatter.left"),
        Binding("right,l", "step(1,0)", "Right", show=False, id="scatter.right"),
        Binding("up,k", "step(0,-1)", "Up", show=False, id="scatter.up"),
        Binding("down,j", "step(0,1)", "Down", show=False, id="scatter.down"),
        Binding("n", "beside(1)", "Next run at the same place", show=False, id="scatter.next"),
        Binding("N", "beside(-1)", "Previous run at the same place", show=False, id="scatter.previous"),
        Binding("enter", "open", "Open run", id="scatter.open"),
    ]

    class Moved(Message):
        """The cursor is on another dot."""

        def __init__(self, scatter: Scatter, key: str) -> None:
            super().__init__()
            self.scatter, self.key = scatter, key

        @property
        def control(self) -> Scatter:
            """The scatter."""
            return self.scatter

    class Opened(Moved):
        """A dot is to be opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cloud = Cloud()
        self.arranged: Layout | None = None
        self.cursor: int | None = None
        self._marked: frozenset[str] = frozenset()

    def show(
        self,
        dots: Sequence[Dot],
        *,
        x_label: str,
        y_label: str,
        best: Direction | None = None,
        log_x: bool = False,
        log_y: bool = False,
        **more: Any,
    ) -> None:
        """Show *dots*; the cursor stays on the same key.

        Args:
            dots: The dots.
            x_label: What the x axis counts.
            y_label: What the y axis counts.
            best: Draw the best y so far, and which way is better.
            log_x: Logarithmic x axis.
            log_y: Logarithmic y axis.
            more: What else `Cloud` has: kinds and names of the axes, shades, legend.
        """
        key = self.cursor_key
        self.cloud = Cloud(dots, x_label, y_label, best=best, log_x=log_x, log_y=log_y, **more)
        self.arranged = None
        self.cursor = None
        if key is not None:
            self.cursor = next((place for place, dot in enumerate(dots) if dot.key == key), None)
        self.redraw()

    def mark(self, keys: Collection[str]) -> None:
        """Show these runs as marked."""
        self._marked = frozenset(keys)
        self.redraw()

    @property
    def cursor_key(self) -> str | None:
        """The key of the dot under the cursor."""
        dots = self.cloud.dots
        return dots[self.cursor].key if self.cursor is not None and self.cursor < len(dots) else None

    def picture(self, columns: int, rows: int) -> list[Row]:
        """Return the scatter."""
        _, _, inner, height = room_for(columns, rows, legend=bool(self.cloud.legend))
        layout = self.arranged
        if layout is None or (layout.columns, layout.rows) != (inner, height):
            if len(self.cloud.dots) <= _AT_ONCE:
                layout = self.arranged = arrange(self.cloud, inner, height)
            else:
                self._arrange_beside(inner, height)
                return note_rows(f"{len(self.cloud.dots):,} runs", columns, rows)
        return paint(layout, columns, rows, self.cursor, self._marked, unicode=self.unicode, marks=self.series_marks)

    def _arrange_beside(self, columns: int, rows: int) -> None:
        cloud = self.cloud

        def work() -> None:
            layout = arrange(cloud, columns, rows)
            if self.is_running:
                self.app.call_from_thread(self._arranged, layout)

        self.run_worker(work, thread=True, exclusive=True, group="arrange")

    def _arranged(self, layout: Layout) -> None:
        if layout.cloud is self.cloud:
            self.arranged = layout
            self.redraw()

    # ------------------------------------------------------------------ the cursor

    def move_to(self, place: int | None) -> None:
        """Put the cursor on a dot."""
        if place is not None and place != self.cursor:
            self.cursor = place
            self.redraw()
            self.post_message(self.Moved(self, self.cloud.dots[place].key))

    def action_step(self, right: int, down: int) -> None:
        """Go to the nearest dot in a direction."""
        if self.arranged is not None:
            self.move_to(step_to(self.arranged, self.cursor, right, down))

    def action_beside(self, by: int) -> None:
        """Go to the next of several runs that are drawn at the same place."""
        if self.arranged is None or self.cursor is None or self.cursor not in self.arranged.places:
            return
        here = self.arranged.spots[self.arranged.places[self.cursor]].dots
        self.move_to(here[(here.index(self.cursor) + by) % len(here)])

    def action_open(self) -> None:
        """Open the run under the cursor."""
        key = self.cursor_key
        if key is not None:
            self.post_message(self.Opened(self, key))

    def on_click(self, event: Click) -> None:
        """Pick the dot nearest to the mouse; a second click opens it."""
        if self.arranged is None:
            return
        left, top, _, _ = room_for(self.size.width, self.size.height, legend=bool(self.cloud.legend))
        self.move_to(nearest(self.arranged, event.x - left, event.y - top))
        if event.chain == 2:
            self.action_open()
