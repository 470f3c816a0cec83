"""The histories of a run's metrics, a chart each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.widgets import Static

from ledgit.errors import LedgitError
from ledgit.tui.data.curves import Series, series_of
from ledgit.tui.data.histories import histories, series
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.widgets.chart import Chart

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.data.details import Details

__all__ = ["ChartsTab"]

_MOST = 24  # charts at once
_WIDE = 96
_LEAST, _HIGHEST = 9, 22  # lines of a chart


class ChartsTab(Tab):
    """A chart a metric; ``enter`` shows one alone, ``/`` chooses by name."""

    KEY: ClassVar[str] = "charts"
    TITLE: ClassVar[str] = "Charts"
    DEFAULT_CSS = """
    ChartsTab #about { height: auto; width: 1fr; color: $text-muted; }
    ChartsTab VerticalScroll { layout: grid; grid-size: 1; grid-rows: 11; grid-gutter: 1 3; scrollbar-size: 1 1; }
    ChartsTab.-two VerticalScroll { grid-size: 2; }
    ChartsTab Chart { height: 11; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "choose", "which", id="charts.choose"),
        Binding("n", "step(1)", "Next chart", show=False, id="charts.next"),
        Binding("N", "step(-1)", "Previous chart", show=False, id="charts.previous"),
        Binding("j,down", "step(1)", "Next chart", show=False, id="charts.down"),
        Binding("k,up", "step(-1)", "Previous chart", show=False, id="charts.up"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted = ""
        self._charts: dict[str, Chart] = {}
        self._reading = False

    def compose(self) -> ComposeResult:
        """Make room for the charts."""
        yield Static("", id="about", markup=False)
        yield VerticalScroll(can_focus=False)

    def on_resize(self, _: Resize) -> None:
        """Charts side by side where there is room."""
        self._spread()

    def _spread(self) -> None:
        """Share the room out: few charts are high, many scroll."""
        two = self.size.width >= _WIDE and len(self._charts) > 1
        self.set_class(two, "-two")
        rows = -(-len(self._charts) // (2 if two else 1)) or 1
        high = min(max((self.size.height - rows) // rows, _LEAST), _HIGHEST)
        room = self.query_one(VerticalScroll)
        room.styles.grid_rows = str(high)
        for chart in self._charts.values():
            chart.styles.height = high

    def show(self, details: Details) -> None:
        """Draw the metrics of the run; of a live one what was appended."""
        names = [name for name in sorted(details.run.metrics) if self._wanted.lower() in name.lower()]
        shown = names[:_MOST]
        self._arrange(shown)
        total = len(details.run.metrics)
        about = ""
        if not total:
            about = "No metric yet." if details.live else "It logged no metric."
        elif self._wanted or len(names) > _MOST:
            about = f"{len(shown):,} of {total:,} metrics" + (
                f" with {self._wanted!r}" if self._wanted else "; / chooses"
            )
        self.query_one("#about", Static).update(about)
        self.query_one("#about", Static).display = bool(about)
        if self._reading or not shown:
            return
        self._reading = True
        session, run = self.session, details.run

        def work() -> dict[str, Series] | LedgitError:
            try:
                drawn = histories(session).drawn(run, shown)
            except LedgitError as error:
                return error
            return {name: series_of(one, run.id, "", 0, run.start) for name, one in drawn.items()}

        self.page.ask(work, self._arrived, what="reading histories")

    def _arrived(self, found: dict[str, Series] | LedgitError) -> None:
        self._reading = False
        if isinstance(found, LedgitError):
            self.query_one("#about", Static).update(str(found))
            self.query_one("#about", Static).display = True
            return
        for name, one in found.items():
            if name in self._charts:
                self._charts[name].show([one], title=name)

    def _arrange(self, names: Sequence[str]) -> None:
        """Have a chart for each of *names*, in their order."""
        if list(self._charts) == list(names):
            return
        room = self.query_one(VerticalScroll)
        fresh = not self._charts
        for name in [name for name in self._charts if name not in names]:
            self._charts.pop(name).remove()
        made: dict[str, Chart] = {}
        for place, name in enumerate(names):
            chart = self._charts.get(name)
            if chart is None:
                chart = Chart()
                chart.source = self._source(name)
                room.mount(chart, before=place if place < len(room.children) else None)
            made[name] = chart
        self._charts = made
        self._spread()
        if fresh and made:
            next(iter(made.values())).focus()

    def _source(self, name: str) -> Callable[[], Sequence[Series]]:
        session, page = self.session, self.page

        def read() -> Sequence[Series]:
            return series(session, [page.details.run], name) if page.details is not None else []

        return read

    def on_chart_changed(self, event: Chart.Changed) -> None:
        """Draw all charts in the same way."""
        event.stop()
        for chart in self._charts.values():
            if chart is not event.chart:
                chart.like(event.chart.plot)

    def action_choose(self) -> None:
        """Show only metrics whose names have a text in them."""
        self.page.prompt("metrics with", self._choose, value=self._wanted, live=self._choose)

    def _choose(self, text: str) -> None:
        self._wanted = text.strip()
        if self.details is not None:
            self.show(self.details)

    def action_step(self, by: int) -> None:
        """Go to the next or the previous chart."""
        charts = list(self._charts.values())
        if charts:
            here = next((place for place, chart in enumerate(charts) if chart.has_focus), -1 if by > 0 else 0)
            charts[(here + by) % len(charts)].focus()
