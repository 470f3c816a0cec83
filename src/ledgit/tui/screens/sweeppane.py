"""One sweep on the screen: how far it is, its trials, and pictures of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import Container, Vertical
from textual.widgets import Static

from ledgit.records.harmless import clean_lines
from ledgit.tui.data.bundles import Axis
from ledgit.tui.data.clouds import Dot
from ledgit.tui.data.sweeping import is_log, numeric, shown
from ledgit.tui.screens.sweepshown import TrialRows, summary_lines, trend_lines, trial_columns
from ledgit.tui.widgets.grid import FixedRows, Grid
from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.parallel import Parallel
from ledgit.tui.widgets.scatter import Scatter
from ledgit.tui.widgets.tabline import TabLine

if TYPE_CHECKING:
    from collections.abc import Collection

    from textual.app import ComposeResult
    from textual.widget import Widget

    from ledgit.projects.sweeps import Trial
    from ledgit.tui.app import LedgitApp
    from ledgit.tui.data.sweeping import Pictured

__all__ = ["SweepPane"]

_TABS = (("best", "Best so far"), ("parallel", "Parallel"), ("scatter", "Scatter"), ("matter", "Weights"))


class SweepPane(Vertical):
    """A sweep's summary, the table of its trials, and one of four pictures. It takes values and asks nothing.

    Attributes:
        found: What is shown; None before the first answer.
        param: The parameter of the scatter; "" for the one that matters most.
    """

    app: LedgitApp
    DEFAULT_CSS = """
    SweepPane { height: 1fr; width: 1fr; }
    SweepPane #summary {
        height: 2; padding: 0 2; background: $surface; text-wrap: nowrap; text-overflow: ellipsis;
    }
    SweepPane #area { height: 1fr; width: 1fr; layout: horizontal; }
    SweepPane #trials { width: 55%; height: 1fr; }
    SweepPane #plots { width: 1fr; height: 1fr; }
    SweepPane .plot { height: 1fr; width: 1fr; display: none; padding: 0 1; }
    SweepPane #plots.-best #best, SweepPane #plots.-parallel #parallel { display: block; }
    SweepPane #plots.-scatter #scatter, SweepPane #plots.-matter #matter { display: block; }
    SweepPane #matter { padding: 1 2; }
    .-narrow SweepPane #area, .-tiny SweepPane #area { layout: vertical; }
    .-narrow SweepPane #trials, .-tiny SweepPane #trials { width: 1fr; height: 1fr; }
    .-narrow SweepPane #plots, .-tiny SweepPane #plots { width: 1fr; height: 1fr; }
    .-small SweepPane #plots, .-small SweepPane #summary { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.found: Pictured | None = None
        self.param = ""

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id="summary", markup=False)
        with Container(id="area"):
            yield Grid(unicode=self.app.session.unicode, empty="no trial yet", id="trials")
            with Vertical(id="plots", classes="-best"):
                yield TabLine(_TABS, id="tabs")
                yield Scatter(id="best", classes="plot")
                yield Parallel(id="parallel", classes="plot")
                yield Scatter(id="scatter", classes="plot")
                yield Lines(id="matter", classes="plot")

    # ------------------------------------------------------------------ parts

    @property
    def trials(self) -> Grid:
        """The table of trials."""
        return self.query_one("#trials", Grid)

    @property
    def tabs(self) -> TabLine:
        """Which picture is shown."""
        return self.query_one("#tabs", TabLine)

    @property
    def plot(self) -> Widget:
        """The picture that is shown."""
        return self.query_one(f"#{self.tabs.current}")

    def trial(self) -> Trial | None:
        """Return the trial under the cursor, of the part that has the focus."""
        if self.found is None:
            return None
        plot = self.plot
        key = plot.cursor_key if plot.has_focus and isinstance(plot, Scatter | Parallel) else self.trials.cursor_key
        return self.by_key(key)

    def by_key(self, key: str | None) -> Trial | None:
        """Return a trial by its number, as text."""
        rows = self.trials.rows
        if key is None or not isinstance(rows, TrialRows):
            return None
        place = rows.find(key)
        if place is not None:
            return rows.trial(place)
        trials = self.found.status.trials if self.found is not None else ()
        return next((trial for trial in trials if str(trial.number) == key), None)

    # ------------------------------------------------------------------ showing

    def show(self, found: Pictured | None, *, sort: tuple[str, bool] | None, marks: Collection[str]) -> None:
        """Show a sweep, or the same one as it is now; cursors stay on their trials.

        Args:
            found: The sweep; None: there is none.
            sort: (column, descending) of the table, for the mark at its head.
            marks: Ids of marked runs.
        """
        grid = self.trials
        before = self.found
        other = found is None or before is None or found.status.run != before.status.run
        self.found = found
        if found is None:
            self.query_one("#summary", Static).update("")
            grid.show((), FixedRows(()))
            for scatter in self.query(Scatter):
                scatter.show((), x_label="", y_label="")
            self.query_one("#parallel", Parallel).show((), (), ())
            self.query_one("#matter", Lines).show([])
            return
        self.show_summary()
        rows = TrialRows(found, self.app.session)
        key = None if other else grid.cursor_key
        if other:
            grid.move(0, 0)
            self.param = ""
        grid.show(trial_columns(found), rows, cursor=key, sort=sort, marked=self._marked(marks))
        if before is None or found.best is not before.best:
            self.draw(marks)

    def show_summary(self) -> None:
        """Draw the lines at the top again: time goes on."""
        if self.found is not None:
            room = max(self.size.width - 4, 20)
            lines = summary_lines(self.found.status, self.app.session, room)
            self.query_one("#summary", Static).update(Text("\n").join(lines))

    def say(self, text: str) -> None:
        """Say at the top why there is nothing to show."""
        self.query_one("#summary", Static).update(Text("\n".join(clean_lines(text)[:2]), style="bold"))

    def show_marks(self, marks: Collection[str]) -> None:
        """Draw marks again."""
        marked = self._marked(marks)
        self.trials.marked = marked
        self.trials.refresh_rows()
        for scatter in self.query(Scatter):
            scatter.mark(marked)

    def _marked(self, marks: Collection[str]) -> set[str]:
        if self.found is None or not marks:
            return set()
        return {str(trial.number) for trial in self.found.status.trials if trial.run in marks}

    def draw(self, marks: Collection[str]) -> None:
        """Draw the picture that is shown; the others are drawn when they are."""
        found, tab = self.found, self.tabs.current
        if found is None or not self.query_one("#plots").display:
            return
        if tab == "best":
            self._draw_best(found)
        elif tab == "parallel":
            self._draw_parallel(found)
        elif tab == "scatter":
            self._draw_scatter(found)
        else:
            lines = self.query_one("#matter", Lines)
            lines.show(trend_lines(found.trends, found.status, self.app.session, max(lines.size.width - 4, 30)))
        if marks and tab in ("best", "scatter"):
            self.query_one(f"#{tab}", Scatter).mark(self._marked(marks))

    def _draw_best(self, found: Pictured) -> None:
        plan = found.status.plan
        dots = [Dot(str(one), f"trial {one}", at, value, int(pruned)) for one, at, value, pruned in found.best]
        pruned = any(one[3] for one in found.best)
        self.query_one("#best", Scatter).show(
            dots,
            x_label="trials",
            y_label=plan.metric,
            best=plan.direction,
            x_kind="step",
            colored=pruned,
            legend=[(0, "complete"), (1, "pruned")] if pruned else (),
        )

    def _draw_parallel(self, found: Pictured) -> None:
        axes = [Axis(name, name, log, names) for name, log, names in found.axes]
        labels = [f"trial {key}" for key, _ in found.lines]
        self.query_one("#parallel", Parallel).show(axes, found.lines, found.color, labels)

    def scatter_param(self) -> str:
        """Return which parameter the scatter is of."""
        found = self.found
        if found is None:
            return ""
        if self.param in found.names:
            return self.param
        return found.trends[0].name if found.trends else found.names[0] if found.names else ""

    def _draw_scatter(self, found: Pictured) -> None:
        name, plan = self.scatter_param(), found.status.plan
        values = {number: value for number, _, value, _ in found.best}
        params = {trial.number: trial.params.get(name) for trial in found.status.trials if trial.number in values}
        texts = sorted({shown(value) for value in params.values() if value is not None and numeric(value) is None})
        places = {text: float(place) for place, text in enumerate(texts)}
        dots = []
        for number, _, value, pruned in found.best:
            param = params.get(number)
            x = places.get(shown(param)) if texts else numeric(param)
            if x is not None:
                dots.append(Dot(str(number), f"trial {number}", x, value, int(pruned)))
        pruned = any(one[3] for one in found.best)
        self.query_one("#scatter", Scatter).show(
            dots,
            x_label=name,
            y_label=plan.metric,
            log_x=not texts and is_log(plan.space.get(name, "")) and all(dot.x > 0 for dot in dots),
            x_kind="names" if texts else "number",
            x_names=texts,
            colored=pruned,
            legend=[(0, "complete"), (1, "pruned")] if pruned else (),
        )

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        """Show another picture."""
        event.stop()
        focused = any(plot.has_focus for plot in self.query(".plot"))
        plots = self.query_one("#plots")
        plots.set_classes(f"-{event.key}")
        if focused:
            self.plot.focus()
        self.call_after_refresh(self.draw, self.app.session.marks)
