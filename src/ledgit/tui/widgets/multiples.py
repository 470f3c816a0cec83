"""Many small charts on one page, all drawn alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ledgit.tui.data.curves import Series
from ledgit.tui.widgets.chart import Chart

if TYPE_CHECKING:
    from textual.events import Resize

__all__ = ["MOST", "Multiples"]

MOST = 60
"""How many charts a page has at most."""

_WIDTH, _HEIGHT = 46, 12


class Multiples(VerticalScroll, can_focus=False):
    """A page of charts: axis, scale and smoothing of one are those of all."""

    DEFAULT_CSS = """
    Multiples { layout: grid; grid-gutter: 1 2; grid-size: 1; padding: 0 1; grid-rows: 12; scrollbar-size-vertical: 1; }
    Multiples > Chart { height: 12; }
    Multiples > .none { width: 1fr; height: 3; color: $text-muted; text-align: center; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "next_row(1)", "Chart below", show=False, id="multiples.down"),
        Binding("up,k", "next_row(-1)", "Chart above", show=False, id="multiples.up"),
        Binding("tab", "next(1)", "Next chart", show=False, id="multiples.next"),
        Binding("shift+tab", "next(-1)", "Previous chart", show=False, id="multiples.previous"),
    ]

    def __init__(self, *args: Any, empty: str = "no metrics yet", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.empty = empty
        self._columns = 1

    async def show(
        self,
        charts: Sequence[tuple[str, Sequence[Series]]],
        source: Callable[[str], Callable[[], Sequence[Series]]] | None = None,
    ) -> None:
        """Show *charts*, (title, lines) each; those that are there already keep cursor and zoom.

        Args:
            charts: At most `MOST` are shown.
            source: Returns what reads the lines of a title anew.
        """
        shown = list(charts)[:MOST]
        here = {str(chart.plot.title): chart for chart in self.query(Chart)}
        if list(here) != [title for title, _ in shown]:
            like = next(iter(here.values())).plot if here else None
            focused = next((title for title, chart in here.items() if chart.has_focus), None)
            await self.remove_children()
            made = []
            for title, _ in shown:
                chart = Chart()
                chart.plot.title = title
                if like is not None:
                    chart.like(like)
                made.append(chart)
            await self.mount_all(made or [Static(self.empty, classes="none", markup=False)])
            here = {chart.plot.title: chart for chart in made}
            if focused in here:
                here[focused].focus()
        for title, series in shown:
            here[title].source = None if source is None else source(title)
            here[title].show(series, title=title)

    @property
    def charts(self) -> list[Chart]:
        """The charts, in order."""
        return list(self.query(Chart))

    def focus_first(self) -> None:
        """Give the first chart the keys."""
        for chart in self.charts[:1]:
            chart.focus()

    def on_resize(self, event: Resize) -> None:
        """Put as many beside each other as there is room for."""
        self._columns = max(1, min(4, event.size.width // _WIDTH))
        self.styles.grid_size_columns = self._columns
        height = max(min(_HEIGHT, event.size.height), 4)
        self.styles.grid_rows = str(height)

    def on_chart_changed(self, event: Chart.Changed) -> None:
        """Draw all charts as one is drawn."""
        for chart in self.query(Chart):
            if chart is not event.chart and not isinstance(event, Chart.Zoomed):
                chart.like(event.chart.plot)

    def action_next_row(self, by: int) -> None:
        """Go to the chart above or below."""
        self.action_next(by * self._columns)

    def action_next(self, by: int) -> None:
        """Go to the next chart."""
        charts = self.charts
        if charts:
            here = next((place for place, chart in enumerate(charts) if chart.has_focus), -1)
            charts[min(max(here + by, 0), len(charts) - 1)].focus()
