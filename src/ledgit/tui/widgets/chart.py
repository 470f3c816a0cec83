"""A chart of histories: lines of braille with axes, legend, cursor, zoom and smoothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from ledgit.tui.data.curves import Series
from ledgit.tui.widgets.drawing import Drawing
from ledgit.tui.widgets.plot import X_KINDS, Frame, Plot, Row, compose

if TYPE_CHECKING:
    from textual.events import Click, MouseScrollDown, MouseScrollUp

    from ledgit.tui.data.axes import Kind

__all__ = ["SMOOTHING", "Chart", "Series"]

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
"""The weights that ``,`` and ``.`` go through."""


class Chart(Drawing):
    """Lines of up to eight series, told apart by colour and mark.

    Attributes:
        source: Reads the series anew, in a thread, for the chart's own screen (``enter``); None: it shows what is here.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "cursor(-1)", "Previous point", id="chart.left", show=False),
        Binding("l,right", "cursor(1)", "Next point", id="chart.right", show=False),
        Binding("H,shift+left", "cursor(-10)", "Ten points back", id="chart.fast_left", show=False),
        Binding("shift+right", "cursor(10)", "Ten points on", id="chart.fast_right", show=False),
        Binding("g,home", "end(-1)", "First point", id="chart.first", show=False),
        Binding("G,end", "end(1)", "Newest point", id="chart.last", show=False),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", id="chart.zoom_in", key_display="+"),
        Binding("minus", "zoom(2)", "Zoom out", id="chart.zoom_out", key_display="-"),
        Binding("0", "whole", "All of it", id="chart.whole", show=False),
        Binding("x", "x_axis", "X axis", id="chart.x_axis"),
        Binding("L", "log", "Log", id="chart.log"),
        Binding("comma", "smooth(-1)", "Less smooth", id="chart.rougher", key_display=",", show=False),
        Binding("full_stop", "smooth(1)", "Smooth", id="chart.smoother", key_display="."),
        Binding("enter,z", "full", "Full screen", id="chart.full"),
    ]

    class Changed(Message):
        """How the chart is drawn was changed by a key: axis, scale, smoothing, zoom."""

        def __init__(self, chart: Chart) -> None:
            super().__init__()
            self.chart = chart

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    class Zoomed(Changed):
        """Another part of the x axis is shown: there may be more points of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plot = Plot()
        self.frame = Frame([])
        self.full_screen = True
        self.source: Callable[[], Sequence[Series]] | None = None

    def show(
        self,
        series: Sequence[Series],
        *,
        title: str = "",
        log_y: bool | None = None,
        x_label: str = "",
        smooth: float | None = None,
        x_kind: Kind | None = None,
    ) -> None:
        """Show *series*; cursor, zoom and what keys changed stay, but a part at the newest end goes on with it.

        Args:
            series: The lines, the first one on top.
            title: Above the chart.
            log_y: Logarithmic y axis; None: as it is.
            x_label: What the x axis counts; "" for what *x_kind* says.
            smooth: Weight of what has been, 0 to below 1; None: as it is.
            x_kind: ``step``, ``elapsed`` or ``wall``; None: as it is. Series without times show their ``xs``.
        """
        plot, before = self.plot, self.plot.span()
        plot.series, plot.title, plot.x_label = list(series), title, x_label
        plot.log_y = plot.log_y if log_y is None else log_y
        plot.smooth = plot.smooth if smooth is None else smooth
        plot.x_kind = x_kind or plot.x_kind
        if plot.x_kind in ("elapsed", "wall") and not all(len(one.times) for one in series):
            plot.x_kind = "step"
        now = plot.span()
        if plot.zoom is not None and plot.cursor is None and before is not None and now is not None:
            low, high = plot.zoom
            if high >= before[1]:
                plot.zoom = (low + now[1] - high, now[1])
        self.redraw()

    def like(self, other: Plot) -> None:
        """Draw as *other* does: axis, scale, smoothing."""
        plot = self.plot
        if (plot.x_kind, plot.log_y, plot.smooth) != (other.x_kind, other.log_y, other.smooth):
            plot.x_kind, plot.log_y, plot.smooth = other.x_kind, other.log_y, other.smooth
            plot.zoom = plot.cursor = None
            self.redraw()

    def picture(self, columns: int, rows: int) -> list[Row]:
        """Return the chart."""
        self.plot.unicode, self.plot.marks = self.unicode, self.series_marks
        self.frame = compose(self.plot, columns, rows)
        return self.frame.rows

    # ------------------------------------------------------------------ the cursor

    @property
    def cursor(self) -> float | None:
        """Where on the x axis the values are read; None: at the newest point."""
        return self.plot.cursor

    def action_cursor(self, by: int) -> None:
        """Move the value cursor to the next point that stands in another column."""
        plot, across = self.plot, self.frame.across
        if across is None or self.frame.columns < 1:
            return
        xs = sorted({x for series in plot.series for x in plot.xs(series) if x - x == 0})
        if not xs:
            return
        at = xs[-1] if plot.cursor is None else plot.cursor
        if plot.cursor is None and plot.zoom is not None:
            at = plot.zoom[1]
        # What stands in one column can't be told apart: go on to the first point in the next.
        wide = (across.high - across.low) / self.frame.columns
        if by > 0:
            place = min(bisect_left(xs, at + wide * by), len(xs) - 1)
            place = min(max(place, bisect_right(xs, at)), len(xs) - 1)
        else:
            place = max(bisect_right(xs, at + wide * by) - 1, 0)
            place = max(min(place, bisect_left(xs, at) - 1), 0)
        self._put(xs[place])

    def action_end(self, way: int) -> None:
        """Move the value cursor to the first point, or follow the newest one."""
        span = self.plot.span()
        if span is not None:
            self._put(span[0] if way < 0 else None)

    def _put(self, x: float | None) -> None:
        plot = self.plot
        plot.cursor = x
        if plot.zoom is not None:
            low, high = plot.zoom
            span = plot.span()
            at = span[1] if x is None and span is not None else x
            if at is not None and not low <= at <= high:
                shift = at - low if at < low else at - high
                plot.zoom = (low + shift, high + shift)
                self.post_message(self.Zoomed(self))
        self.redraw()

    # ------------------------------------------------------------------ how it is drawn

    def action_zoom(self, factor: float) -> None:
        """Show half as much of the x axis around the cursor, or twice as much."""
        plot, span = self.plot, self.plot.span()
        if span is None or span[0] >= span[1]:
            return
        low, high = plot.zoom or span
        middle = plot.cursor if plot.cursor is not None else (high if factor < 1 else (low + high) / 2)
        half = (high - low) * factor / 2
        whole = span[1] - span[0]
        if half * 2 >= whole:
            self.action_whole()
            return
        if half * 2 < whole * 1e-9:
            return
        low = min(max(middle - half, span[0]), span[1] - 2 * half)
        plot.zoom = (low, low + 2 * half)
        self._changed(self.Zoomed(self))

    def action_whole(self) -> None:
        """Show all of the x axis again."""
        if self.plot.zoom is not None:
            self.plot.zoom = None
            self._changed(self.Zoomed(self))

    def action_x_axis(self) -> None:
        """Count steps, elapsed time or time of day along the x axis."""
        plot = self.plot
        if not all(len(series.times) for series in plot.series):
            return
        plot.x_kind = X_KINDS[(X_KINDS.index(plot.x_kind) + 1) % len(X_KINDS)] if plot.x_kind in X_KINDS else "step"
        plot.zoom = plot.cursor = None
        self._changed(self.Changed(self))

    def action_log(self) -> None:
        """Switch between a linear and a logarithmic y axis."""
        self.plot.log_y = not self.plot.log_y
        self._changed(self.Changed(self))

    def action_smooth(self, by: int) -> None:
        """Smooth the lines more or less; the points themselves stay behind them, dim."""
        near = min(range(len(SMOOTHING)), key=lambda place: abs(SMOOTHING[place] - self.plot.smooth))
        self.plot.smooth = SMOOTHING[min(max(near + by, 0), len(SMOOTHING) - 1)]
        self._changed(self.Changed(self))

    def action_full(self) -> None:
        """Show this chart alone, on all of the terminal."""
        if self.full_screen and self.plot.series:
            # By name, as the app finds its screens: widgets know none.
            screens = import_module("ledgit.tui.screens.chart")
            self.app.push_screen(screens.ChartScreen(self.plot, self.source))

    def _changed(self, message: Changed) -> None:
        self.redraw()
        self.post_message(message)

    # ------------------------------------------------------------------ the mouse

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        frame = self.frame
        if frame.across is None or frame.columns < 2:
            return
        at = (event.x - frame.left) / (frame.columns - 1)
        if not 0 <= at <= 1:
            return
        wanted = frame.across.value(at)
        xs = [x for series in self.plot.series for x in self.plot.xs(series) if x - x == 0]
        if xs:
            self._put(min(xs, key=lambda x: abs(x - wanted)))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Zoom in with control held; else what is around scrolls."""
        if event.ctrl:
            event.stop()
            self.action_zoom(0.5)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Zoom out with control held."""
        if event.ctrl:
            event.stop()
            self.action_zoom(2)
