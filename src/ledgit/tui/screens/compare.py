"""Runs as dots and lines: scatter of any two columns, best so far, parallel coordinates, all charts of a few runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import ContentSwitcher, Static

from ledgit.compare import direction
from ledgit.tui.data.asking import Choice
from ledgit.tui.data.bundles import Axis
from ledgit.tui.data.clouds import Dot
from ledgit.tui.data.comparing import (
    Column,
    Found,
    Placed,
    brightness,
    find_runs,
    placed,
    shades_of,
    spread_is_wide,
)
from ledgit.tui.data.curves import Series, series_of
from ledgit.tui.data.histories import Source, histories
from ledgit.tui.data.watching import Change
from ledgit.tui.screen import LedgitScreen
from ledgit.tui.widgets.multiples import MOST, Multiples
from ledgit.tui.widgets.parallel import Parallel
from ledgit.tui.widgets.scatter import Scatter

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.query import Query
    from ledgit.run import Run

__all__ = ["CompareScreen"]

_VIEWS = {"scatter": "Scatter", "best": "Best so far", "parallel": "Parallel", "charts": "Charts"}
_MOST_LINES = 8
#: With more runs than that, a point of a run that is being written is no reason to read all of them again.
_FEW = 3_000


class CompareScreen(LedgitScreen):
    """Many runs in one picture.

    Args:
        run_ids: The runs; None: all that are not deleted, or those that a filter leaves.
        view: Which picture is shown first: ``scatter``, ``best``, ``parallel`` or ``charts``.
    """

    NAME = "compare"
    DEFAULT_CSS = """
    CompareScreen #views { height: 1; padding: 0 1; color: $text-muted; }
    CompareScreen ContentSwitcher { height: 1fr; }
    CompareScreen Scatter, CompareScreen Parallel { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "view(1)", "View", id="compare.next", key_display="[ ]"),
        Binding("left_square_bracket", "view(-1)", "Previous view", show=False, id="compare.previous"),
        Binding("X", "pick('x')", "x", id="compare.x"),
        Binding("Y", "pick('y')", "y", id="compare.y"),
        Binding("C", "pick('color')", "Colour", id="compare.color"),
        Binding("A", "axes", "Axes", id="compare.axes"),
        Binding("L", "log('y')", "Log", id="compare.log_y"),
        Binding("ctrl+x", "log('x')", "Log x", show=False, id="compare.log_x"),
        Binding("slash", "filter", "Filter", id="compare.filter"),
        Binding("space", "mark", "Mark", id="compare.mark"),
        Binding("M", "clear_marks", "Clear marks", show=False, id="compare.clear_marks"),
        Binding("b", "baseline", "Baseline", show=False, id="compare.baseline"),
        Binding("d", "diff", "Diff", id="compare.diff"),
    ]

    def __init__(self, run_ids: Sequence[str] | None = None, view: str = "") -> None:
        super().__init__()
        self._ids = tuple(run_ids) if run_ids is not None else None
        few = self._ids is not None and len(self._ids) <= _MOST_LINES
        self._view = view or ("charts" if few else "scatter")
        self._filter = ""
        self._wanted: dict[str, Column | None] = {}  # axes that the person chose
        self._axes: list[Column] | None = None
        self._logs: dict[tuple[str, str], bool] = {}  # (axis, column) → what the person chose
        self._found: Found | None = None
        self._names: dict[str, str] = {}

    def body(self) -> ComposeResult:
        """Make the pictures; one of them is seen."""
        yield Static(id="views", markup=False)
        with ContentSwitcher(initial=self._view):
            yield Scatter(id="scatter")
            yield Scatter(id="best")
            yield Parallel(id="parallel")
            yield Multiples(id="charts", empty="no metrics in these runs yet")

    def on_mount(self) -> None:
        """Read the runs."""
        self._filter = self.session.options.filter if self._ids is None else ""
        self._show_views()
        self._read()
        self._focus()

    # ------------------------------------------------------------------ reading

    def changed(self, change: Change) -> None:
        """Show what is new."""
        if self._view == "charts":
            if change.everything or change.ids & set(self._names):
                self._read_charts()
            if not change.everything:
                return
        if change.everything or (self._found is None or len(self._found.runs.ids) <= _FEW):
            self._read()

    def _query(self) -> Query:
        from ledgit.query import Query

        if self._ids is not None:
            return Query(ids=self._ids, filter=self._filter)
        return Query(filter=self._filter, branch=self.session.options.branch)

    def _read(self) -> None:
        session, query = self.session, self._query()
        wanted, axes, parallel = dict(self._wanted), self._axes, self._view == "parallel"

        def work() -> Found:
            session.repository.index.refresh()
            return find_runs(session, query, wanted, axes, parallel=parallel)

        self.ask(work, self._show, group="compare", what="reading the runs")

    def _show(self, found: Found) -> None:
        self._found = found
        count = len(found.runs.ids)
        self.headline = f"{count:,} run{'s' * (count != 1)}" + (f"  {self._filter}" if self._filter else "")
        self._draw()

    def _draw(self) -> None:
        """Give the picture that is seen what it shows."""
        found = self._found
        self._show_views()
        if found is None:
            return
        if self._view == "charts":
            self._read_charts()
        elif self._view == "parallel":
            if all(column in found.runs.values for column in found.axes):
                self._draw_parallel(found)
            else:
                self._read()
        else:
            self._draw_scatter(found)

    def _draw_scatter(self, found: Found) -> None:
        view = self._view

        def work() -> dict[str, Any]:  # 100,000 dots take 0.2 s to make
            return self._scattered(found, best=view == "best")

        def then(shown: dict[str, Any]) -> None:
            scatter = self.query_one(f"#{view}", Scatter)
            scatter.show(**shown)
            scatter.mark(self.session.marks)

        self.ask(work, then, group="draw", what="drawing")

    def _scattered(self, found: Found, *, best: bool) -> dict[str, Any]:
        """Return what a scatter shows of the runs."""
        runs = found.runs
        x = Column("attributes", "start") if best else found.x
        across, up = placed(x, runs.values[x]), placed(found.y, runs.values[found.y])
        shade = shades_of(found)
        numbers = shade.numbers or [0] * len(runs.ids)
        dots = [Dot(*dot) for dot in zip(runs.ids, runs.names, across.values, up.values, numbers, strict=True)]
        way = direction(found.y.name, self.session.directions) if found.y.kind == "metrics" else None
        aim = f" (best: {'least' if way == 'minimize' else 'most'})" if best and way else ""
        return {
            "dots": dots,
            "x_label": x.name,
            "y_label": found.y.name + aim,
            "best": (way or "maximize") if best else None,
            "log_x": self._log("x", x, across),
            "log_y": self._log("y", found.y, up),
            "x_kind": across.kind,
            "y_kind": up.kind,
            "x_names": across.names,
            "y_names": up.names,
            "colored": bool(shade.numbers),
            "shaded": shade.shaded,
            "legend": shade.legend,
            "empty": self._nothing,
        }

    @property
    def _nothing(self) -> str:
        """What to say where there are no runs."""
        if self._filter:
            return "no run matches; / changes the filter"
        return "no runs yet; ledgit run -- python train.py logs one"

    def _draw_parallel(self, found: Found) -> None:
        runs = found.runs

        def work() -> tuple[list[Axis], list[Any], list[float]]:
            axes, columns = [], []
            for column in found.axes:
                at = placed(column, runs.values[column])
                axes.append(Axis(column.key, column.name, self._log("p", column, at), at.names, at.kind))
                columns.append([at.names[int(value)] if at.names and isfinite(value) else value for value in at.values])
            lines = list(zip(runs.ids, zip(*columns, strict=True), strict=True)) if columns else []
            color = placed(found.y, runs.values[found.y]).values
            return axes, lines, brightness(self.session, found.y, color)

        def then(shown: tuple[list[Axis], list[Any], list[float]]) -> None:
            parallel = self.query_one(Parallel)
            parallel.empty = self._nothing
            parallel.show(*shown, runs.names)

        self.ask(work, then, group="draw", what="drawing")

    def _log(self, axis: str, column: Column, at: Placed) -> bool:
        chosen = self._logs.get((axis, column.key))
        if chosen is not None:
            return chosen
        # A param that goes over orders of magnitude was meant to; a metric is shown as it is.
        return at.kind == "number" and column.kind == "params" and spread_is_wide(at.values)

    # ------------------------------------------------------------------ charts

    def _read_charts(self) -> None:
        session, found = self.session, self._found
        ids = self._chart_ids()
        filled = found.offer.metrics if found is not None else []

        def work() -> tuple[list[Run], list[tuple[str, list[Series]]]]:
            from ledgit.query import Query

            if not ids:
                return [], []
            runs = {run.id: run for run in session.repository.search(Query(ids=tuple(ids), view="all"))}
            shown = [runs[one] for one in ids if one in runs]
            names = {name for run in shown for name in run.metrics}
            metrics = [name for name in filled if name in names][:MOST]
            drawn = {
                run.id: histories(session).drawn(run, [name for name in metrics if name in run.metrics])
                for run in shown
            }
            return shown, [
                (
                    name,
                    [
                        series_of(drawn[run.id][name], run.id, run.name, number, run.start)
                        for number, run in enumerate(shown)
                        if name in drawn[run.id]
                    ],
                )
                for name in metrics
            ]

        async def show(found: tuple[list[Run], list[tuple[str, list[Series]]]]) -> None:
            runs, charts = found
            self._names = {run.id: run.name for run in runs}

            def source(metric: str) -> Callable[[], Sequence[Series]]:
                having = [(number, run) for number, run in enumerate(runs) if metric in run.metrics]
                return Source(session, [run for _, run in having], metric, [number for number, _ in having])

            page = self.query_one(Multiples)
            await page.show(charts, source)
            if self._view == "charts" and self.focused is None:
                page.focus_first()

        def then(answer: tuple[list[Run], list[tuple[str, list[Series]]]]) -> None:
            self.call_later(show, answer)

        self.ask(work, then, group="charts", what="reading histories")

    def _chart_ids(self) -> list[str]:
        """Return the runs whose charts are shown: those it was opened with, the marked ones, else the newest."""
        if self._ids is not None:
            return list(self._ids[:_MOST_LINES])
        if self.session.marks:
            return list(self.session.marks)[:_MOST_LINES]
        if self._found is None:
            return []
        runs = self._found.runs
        newest = sorted(zip(runs.starts, runs.ids, strict=True), reverse=True)
        return [run for _, run in newest[:4]]

    # ------------------------------------------------------------------ views

    def _show_views(self) -> None:
        line = Text(no_wrap=True, end="")
        for name, title in _VIEWS.items():
            here = name == self._view
            line.append(f"{title}", "bold underline" if here else "")
            line.append("   ")
        if self._view == "charts" and self._ids is None and not self.session.marks:
            line.append("the newest runs; mark others with space", "italic")
        self.query_one("#views", Static).update(line)

    def action_view(self, by: int) -> None:
        """Go to the next picture: scatter, best so far, parallel coordinates, charts."""
        names = list(_VIEWS)
        self._view = names[(names.index(self._view) + by) % len(names)]
        self.query_one(ContentSwitcher).current = self._view
        self._draw()
        self._focus()

    def _focus(self) -> None:
        if self._view == "charts":
            self.set_focus(None)
            self.query_one(Multiples).focus_first()
        else:
            self.query_one(f"#{self._view}").focus()

    # ------------------------------------------------------------------ choosing

    def action_pick(self, axis: str) -> None:
        """Choose what an axis counts, or what the colour tells."""
        found = self._found
        if found is None:
            return
        items = [Choice(column.key, column.name, column.kind) for column in found.offer.columns()]
        if axis == "color":
            items.insert(0, Choice("", "none", "one colour"))
        titles = {"x": "x axis", "y": "y axis", "color": "Colour by"}

        def done(key: str) -> None:
            self._wanted[axis] = Column.of(key) if key else None
            self._read()

        self.choose(titles[axis], items, done)

    def action_axes(self) -> None:
        """Add an axis to the parallel coordinates, or take one away."""
        found = self._found
        if found is None:
            return
        on = self.session.glyph("check")
        items = [
            Choice(column.key, f"{on if column in found.axes else ' '} {column.name}", column.kind)
            for column in found.offer.columns()
        ]

        def done(key: str) -> None:
            axes = list(found.axes)
            column = Column.of(key)
            if column in axes:
                axes.remove(column)
            else:
                axes.insert(max(len(axes) - 1, 0), column)
            self._axes = axes
            self._read()

        self.choose("Axes: pick one to add it or take it away", items, done)

    def action_log(self, axis: str) -> None:
        """Switch an axis between linear and logarithmic."""
        found = self._found
        if found is None or self._view == "charts":
            return
        if self._view == "parallel":
            parallel = self.query_one(Parallel)
            if not found.axes:
                return
            axis, column = "p", found.axes[min(parallel.axis, len(found.axes) - 1)]
        else:
            column = found.y if axis == "y" else found.x
        at = placed(column, found.runs.values[column])
        if at.kind != "number":
            self.tell(f"{column.name} has no logarithm.", good=False)
            return
        self._logs[axis, column.key] = not self._log(axis, column, at)
        self._draw()

    def action_filter(self) -> None:
        """Show only the runs that match a filter, in the language of ``ledgit ls``."""

        def done(text: str) -> None:
            self._filter = text.strip()
            self._read()

        self.prompt("filter", done, value=self._filter)

    # ------------------------------------------------------------------ the run under the cursor

    @property
    def cursor_key(self) -> str | None:
        """The run under the cursor."""
        if self._view == "charts":
            return None
        if self._view == "parallel":
            return self.query_one(Parallel).cursor_key
        return self.query_one(f"#{self._view}", Scatter).cursor_key

    def on_scatter_opened(self, event: Scatter.Opened) -> None:
        """Open the run."""
        self.app.open_run(event.key)

    def on_parallel_opened(self, event: Parallel.Opened) -> None:
        """Open the run."""
        self.app.open_run(event.key)

    def action_mark(self) -> None:
        """Mark the run under the cursor, for diffs and charts; again takes the mark away."""
        key, marks = self.cursor_key, self.session.marks
        if key is None:
            return
        if key in marks:
            del marks[key]
        else:
            marks[key] = None
        self._marked()

    def action_clear_marks(self) -> None:
        """Take all marks away."""
        self.session.marks.clear()
        self._marked()

    def _marked(self) -> None:
        for scatter in self.query(Scatter):
            scatter.mark(self.session.marks)
        self.tell(f"{len(self.session.marks)} marked.")

    def action_baseline(self) -> None:
        """Make the run under the cursor the one that others are compared with."""
        key = self.cursor_key
        if key is not None:
            self.session.baseline = None if self.session.baseline == key else key
            self.tell("Baseline set." if self.session.baseline else "No baseline.")

    def action_diff(self) -> None:
        """Show what differs between the marked runs; with one or none, against the baseline."""
        chosen = dict.fromkeys([*self.session.marks] or [key for key in [self.cursor_key] if key])
        if self.session.baseline:
            chosen = dict.fromkeys([self.session.baseline, *chosen])
        if len(chosen) < 2:
            self.tell("Mark two runs with space first.", good=False)
            return
        self.app.open_diff(list(chosen)[:8])
