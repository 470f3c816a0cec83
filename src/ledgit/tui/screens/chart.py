"""One chart on all of the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ledgit.tui.data.curves import Series
from ledgit.tui.data.histories import Source
from ledgit.tui.data.watching import Change
from ledgit.tui.screen import LedgitScreen
from ledgit.tui.widgets.chart import Chart

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.widgets.plot import Plot

__all__ = ["ChartScreen"]

#: Seconds that reading the part in sight may take if it is to follow a run that is being written.
_QUICK = 0.1


class ChartScreen(LedgitScreen):
    """A chart alone, which goes on moving while runs are written; zoomed in it has more points.

    Args:
        plot: What another chart shows, and how.
        source: Reads the series anew, in a thread; None: they stay as they are.
    """

    NAME = "chart"
    DEFAULT_CSS = """
    ChartScreen #chart { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "back", "Back", show=False, id="chart.back"),
    ]

    def __init__(self, plot: Plot, source: Callable[[], Sequence[Series]] | None = None) -> None:
        super().__init__()
        self._plot = replace(plot, series=list(plot.series))
        self._source = source
        self._last = 0.0

    def body(self) -> ComposeResult:
        """Make the chart."""
        chart = Chart(id="chart")
        chart.full_screen = False
        chart.plot = self._plot
        yield chart

    def on_mount(self) -> None:
        """Give it the keys."""
        self.headline = self._plot.title
        self.query_one(Chart).focus()

    def changed(self, change: Change) -> None:
        """Follow runs that are being written."""
        source = self._source
        if source is None:
            return
        mine = {series.key for series in self._plot.series}
        if not change.everything and not mine & change.ids:
            return
        if self._plot.zoom is not None and self._last > _QUICK:
            return
        self._read()

    def on_chart_zoomed(self, event: Chart.Zoomed) -> None:
        """Get the points of what is in sight."""
        event.stop()
        if self._source is not None:
            self._read()

    def _read(self) -> None:
        source, plot = self._source, self._plot
        assert source is not None
        zoom, kind = plot.zoom, plot.x_kind

        def work() -> tuple[list[Series], tuple[float, float] | None, float]:
            began = time.monotonic()
            whole = list(source())
            if zoom is None or not isinstance(source, Source) or all(series.means is None for series in whole):
                return whole, None, 0.0
            span = replace(plot, series=whole, whole=None).span()
            return source.zoomed(kind, *zoom), span, time.monotonic() - began

        def then(found: tuple[list[Series], tuple[float, float] | None, float]) -> None:
            series, plot.whole, self._last = found
            self.query_one(Chart).show(series, title=plot.title, x_label=plot.x_label)

        self.ask(work, then, group="chart", what="reading the history")
