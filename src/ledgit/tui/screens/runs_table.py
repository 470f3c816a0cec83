"""The runs screen's core: what is asked, what has come, and the table that shows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from ledgit.tui.data.runs import ALL, Asked, Loaded, RunRows, Scope, load, ordered, read_states
from ledgit.tui.screen import Change, LedgitScreen
from ledgit.tui.screens.runs_inspector import Inspector
from ledgit.tui.widgets.cells import Column
from ledgit.tui.widgets.grid import Grid
from ledgit.tui.widgets.sidebar import Sidebar

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.records.state import RunState

__all__ = ["RunGrid", "RunsTable"]

#: An order that takes long is asked for again only when this many times as long has passed.
_REST = 20.0
#: Seconds after which the run under the cursor is looked at: when it has come to rest, and while keys keep coming.
_DEBOUNCE, _SCROLLING = 0.06, 0.2


class RunGrid(Grid):
    """The table of runs: some rows are folds."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("minus", "fold(False)", "Fold", show=False, id="runs.fold"),
        Binding("plus", "fold(True)", "Unfold", show=False, id="runs.unfold"),
    ]

    class Folded(Message):
        """A row is to be opened, closed (*way*), or the other of both (None)."""

        def __init__(self, row: int, way: bool | None) -> None:
            super().__init__()
            self.row, self.way = row, way

    def action_open(self) -> None:
        """Open the run, or the group."""
        if self.cursor_key is None:
            self.post_message(self.Folded(self.cursor_row, None))
        else:
            super().action_open()

    def action_fold(self, way: bool) -> None:
        """Show what is in a group, or what is nested in a run; or hide it."""
        self.post_message(self.Folded(self.cursor_row, way))


class RunsTable(LedgitScreen):
    """What is asked, loaded and shown; subclasses have the keys.

    Attributes:
        asked: What the table is asked for.
        rows: What it shows; None before the first answer.
    """

    NAME = "runs"
    DEFAULT_CSS = """
    RunsTable #parts { height: 1fr; layout: horizontal; layers: base over; }
    RunsTable Sidebar { width: 24; height: 1fr; display: none; }
    RunsTable.-normal Sidebar, RunsTable.-wide Sidebar { display: block; }
    RunsTable.-over Sidebar { display: block; layer: over; dock: left; }
    RunsTable #middle { width: 1fr; height: 1fr; }
    RunsTable #table { width: 1fr; height: 1fr; }
    RunsTable RunGrid { width: 1fr; height: 1fr; }
    RunsTable #empty { width: 1fr; height: 1fr; padding: 1 2; display: none; }
    RunsTable.-no-runs RunGrid { display: none; }
    RunsTable.-no-runs #empty { display: block; }
    RunsTable Inspector { display: none; }
    RunsTable.-wide Inspector { display: block; width: 44; height: 1fr; border-left: solid $panel; }
    RunsTable.-below Inspector { display: block; width: 1fr; height: 12; border-top: solid $panel; }
    RunsTable.-bare Inspector { display: none; }
    RunsTable.-small Sidebar, RunsTable.-small Inspector { display: none; }
    """

    def __init__(self, **what: Any) -> None:
        super().__init__()
        self._first = what
        self.asked = Asked()
        self.rows: RunRows | None = None
        self._loaded: Loaded | None = None
        self._opened: set[str | None] = set()
        self._known_above = 0
        self._took = 0.0
        self._not_before = 0.0
        self._waiting_order = False
        self._inspecting: Any = None
        self._scrolls_until = 0.0
        self._pictured: tuple[str | None, str | None] = (None, None)

    # ------------------------------------------------------------------ what is on it

    def body(self) -> ComposeResult:
        """Side bar, table, inspector."""
        unicode = self.session.unicode
        with Horizontal(id="parts"):
            yield Sidebar(unicode=unicode, id="sidebar")
            with Vertical(id="middle"), Vertical(id="table"):
                yield RunGrid(unicode=unicode, id="grid")
                yield Static("", id="empty")
            yield Inspector(self.session, id="inspector")

    @property
    def grid(self) -> RunGrid:
        """The table."""
        return self.query_one("#grid", RunGrid)

    @property
    def inspector(self) -> Inspector:
        """The pane about the run under the cursor."""
        return self.query_one("#inspector", Inspector)

    def on_mount(self) -> None:
        """Ask for the runs."""
        self.grid.cursor_column = 1  # the name
        self.grid.focus()
        self.headline = "reading runs"
        self._begin()

    def on_resize(self) -> None:
        """Put the inspector where there is room for it."""
        super().on_resize()
        width, height = self.app.size
        below = width < 140 and height >= 36 and width >= 60
        self.set_class(below, "-below")
        parts = self.query("#parts")
        if parts:
            inspector = self.inspector
            middle = self.query_one("#middle")
            wanted = middle if below else parts.first()
            if inspector.parent is not wanted and inspector.is_mounted:
                self.call_later(self._move_inspector, wanted)
        self._inspect_soon()

    async def _move_inspector(self, wanted: Any) -> None:
        inspector = self.inspector
        if inspector.parent is not wanted:
            await inspector.remove()
            fresh = Inspector(self.session, id="inspector")
            await wanted.mount(fresh)
            self._pictured = (None, None)
            self._inspect_soon()

    # ------------------------------------------------------------------ asking

    def _begin(self) -> None:
        """Ask for the runs of the current branch, of all where it has none."""
        session, options, what = self.session, self.session.options, self._first
        branch = what.get("branch") or options.branch or session.branch
        told = bool(what.get("branch") or options.branch)
        ids = tuple(what.get("ids") or ())
        scope = Scope("ids", "", ids) if ids else Scope("branch", branch) if branch else ALL
        asked = Asked(scope, filter=str(what.get("filter") or options.filter or ""))

        def work() -> tuple[Loaded, float]:
            begun = time.perf_counter()
            found = load(session, asked)
            if not len(found.window) and scope.kind == "branch" and not told:
                found = load(session, asked._replace(scope=ALL))
            return found, time.perf_counter() - begun

        self.ask(work, lambda found: self._loaded_first(*found), group="runs.load", what="reading runs")

    def _loaded_first(self, loaded: Loaded, took: float) -> None:
        self.asked = loaded.asked
        self._show(loaded, took)
        self.after_first()

    def after_first(self) -> None:
        """Override: the first runs are on the screen; what can wait comes now."""

    def reload(self, *, top: bool = False, lasting: bool = True, keep_columns: bool = True) -> None:
        """Ask again; the cursor stays on its run.

        Args:
            top: The cursor goes to the first row.
            lasting: Whether the question will be asked again.
            keep_columns: Columns that were not chosen stay what they are.
        """
        session, asked = self.session, self.asked
        cursor = None if top else self.grid.cursor_key
        names = [name for name in self._names() if name] if keep_columns and self._loaded is not None else None

        def work() -> tuple[Loaded, float]:
            begun = time.perf_counter()
            found = load(session, asked, around=cursor, names=names, lasting=lasting)
            return found, time.perf_counter() - begun

        def then(found: tuple[Loaded, float]) -> None:
            self._show(*found, top=top)

        self.ask(work, then, group="runs.load", what="reading runs")

    def _names(self) -> list[str]:
        return [column.key for column in self.grid.columns if column.key not in ("state", "name")]

    def _show(self, loaded: Loaded, took: float = 0.0, *, top: bool = False) -> None:
        """Show what a thread found."""
        if loaded.asked != self.asked:
            return
        known = self.rows.known if self.rows is not None and not top else {}
        self._loaded, self._took = loaded, took
        self._not_before = time.monotonic() + took * _REST
        grid = self.grid
        before, first = grid.scroll_offset.y, len(grid.rows)
        fresh = {run: state for run, state in known.items() if run in loaded.states}
        self.rows = RunRows(loaded, ordered(loaded, self._opened), self._need_rows, fresh)
        grid.show(
            loaded.columns, self.rows, cursor=None if top else grid.cursor_key, sort=self.asked.sort,
            marked=self.session.marks,
        )  # fmt: skip
        if top:
            grid.move(0)
            self._known_above = 0
        elif first and grid.scroll_offset.y > before:
            self._known_above += grid.scroll_offset.y - before
        empty = not len(self.rows)
        self.set_class(empty, "-no-runs")
        if empty:
            self._explain(loaded)
        self._say()
        self._inspect_soon()

    def _show_order(self) -> None:
        """Show the same runs in another order: a fold was opened or closed."""
        loaded = self._loaded
        if loaded is None or self.rows is None:
            return
        grid, known, opened = self.grid, self.rows.known, set(self._opened)
        row, key = grid.cursor_row, grid.cursor_key

        def then(order: Any) -> None:
            if loaded is self._loaded:
                self.rows = RunRows(loaded, order, self._need_rows, known)
                grid.show(loaded.columns, self.rows, cursor=key, sort=self.asked.sort, marked=self.session.marks)
                if key is None:
                    grid.move(row)

        self.ask(lambda: ordered(loaded, opened), then, group="runs.order")

    def _need_rows(self) -> None:
        self.call_later(self._read_rows)

    def _read_rows(self) -> None:
        rows = self.rows
        if rows is None:
            return
        visible = self.grid.visible_rows
        ids = rows.missing(visible, around=3 * max(len(visible), 10))
        if not ids:
            return
        session = self.session

        def then(found: tuple[dict[str, RunState], dict[str, str]]) -> None:
            rows.add(ids, *found)
            if rows is self.rows:
                self.grid.refresh_rows()
                self._inspect_soon()

        self.ask(lambda: read_states(session, ids), then, group="runs.rows")

    # ------------------------------------------------------------------ what changes meanwhile

    def changed(self, change: Change) -> None:
        """Take in what other processes did: the cursor, marks, order and place stay."""
        rows = self.rows
        if rows is None:
            return
        known = all(rows.window.find(run) is not None for run in change.ids)
        if change.everything or not known or not change.ids <= change.live:
            self.reload()
            self.after_change()
            return
        if self.asked.sort is not None or self.asked.filter:
            self._order_when_due()
        seen = [run for run in change.ids if rows.state(run) is not None]
        session = self.session

        def work() -> tuple[dict[str, RunState], dict[str, str]]:
            session.repository.index.refresh()
            return read_states(session, seen)

        def then(found: tuple[dict[str, RunState], dict[str, str]]) -> None:
            if rows is self.rows:
                rows.add((), *found)
                self.grid.refresh_rows()
                if self.grid.cursor_key in change.ids:
                    self._inspect(anew=True)

        if seen:
            self.ask(work, then, group="runs.live")

    def after_change(self) -> None:
        """Override: more than values changed."""

    def _order_when_due(self) -> None:
        """Put runs whose values move into order again, but not all the time where that takes long."""
        if self._waiting_order:
            return
        wait = self._not_before - time.monotonic()
        if wait <= 0:
            self.reload()
            return
        self._waiting_order = True

        def due() -> None:
            self._waiting_order = False
            self.reload()

        self.set_timer(wait, due)

    # ------------------------------------------------------------------ words

    def _say(self) -> None:
        """Say what is shown, in the first line."""
        loaded, session = self._loaded, self.session
        if loaded is None:
            return
        scope = self.asked.scope
        place = {
            "all": "", "branch": "this branch" if scope.value == session.branch else f"branch {scope.value}",
            "starred": "starred", "running": "running", "experiment": scope.value, "ids": "chosen runs",
            "view": f"view {scope.value}",
        }[scope.kind]  # fmt: skip
        count, total = len(loaded.window), loaded.total
        parts = [f"{count:,} of {total:,} runs" if count != total else f"{total:,} run{'s' * (total != 1)}"]
        if place:
            parts.append(place)
        if self.asked.filter:
            parts.append(f"/ {self.asked.filter}")
        if self.asked.group:
            parts.append(f"by {self.asked.group}")
        live = len(self.app.live)
        if live:
            parts.append(f"{session.glyph('running')} {live} live")
        if loaded.face.baseline is not None:
            parts.append(f"{session.glyph('baseline')} {loaded.face.baseline.name}")
        if session.marks:
            parts.append(f"{len(session.marks):,} marked")
        if self._known_above and self.grid.scroll_offset.y:
            parts.append(f"{self._known_above} new {session.glyph('up')}")
        self.headline = f" {session.glyph('dot')} ".join(parts)

    def _explain(self, loaded: Loaded) -> None:
        """Say why there is nothing, and what to do."""
        asked, session = self.asked, self.session

        def then(text: str) -> None:
            if loaded is self._loaded:
                self.query_one("#empty", Static).update(Text(text))

        from ledgit.tui.data.emptiness import why_empty

        self.ask(lambda: why_empty(session, asked, loaded.total), then, group="runs.empty")

    # ------------------------------------------------------------------ the inspector

    def on_grid_moved(self, message: Grid.Moved) -> None:
        """Look at the run under the cursor, a moment after the cursor came to rest."""
        message.stop()
        if self._known_above and not self.grid.scroll_offset.y:
            self._known_above = 0
            self._say()
        self._inspect_soon()
        self._scrolls_until = time.monotonic() + 2 * _SCROLLING

    def _inspect_soon(self) -> None:
        if self._inspecting is not None:
            self._inspecting.stop()
        now = time.monotonic()
        self._inspecting = self.set_timer(_SCROLLING if now < self._scrolls_until else _DEBOUNCE, self._inspect)

    def _inspect(self, *, anew: bool = False) -> None:
        """Show the run under the cursor, with the chart of the metric under it."""
        if not self.query("#inspector") or self.rows is None:
            return
        inspector = self.inspector
        if not inspector.is_mounted or not inspector.size.height:
            return
        state = self.rows.state(self.grid.cursor_key)
        metric = self._metric_here(state)
        inspector.show(state, self.rows.face)
        wanted = (state.id if state is not None else None, metric)
        if state is None or metric is None:
            self._pictured = (None, None)
            inspector.picture((), "")
            return
        if wanted == self._pictured and not anew:
            return
        self._pictured = wanted
        session, run = self.session, state

        def work() -> Sequence[Any]:
            from ledgit.repository import Run
            from ledgit.tui.data.histories import series

            return series(session, [Run(session.repository, run)], metric)

        self.ask(work, lambda found: inspector.picture(found, metric), group="runs.chart")

    def _metric_here(self, state: RunState | None) -> str | None:
        """Return the metric of the column the cursor is on; else the first one in the table that the run has."""
        if state is None:
            return None
        columns: Sequence[Column] = self.grid.columns
        here = columns[self.grid.cursor_column].key if self.grid.cursor_column < len(columns) else ""
        shown = [column.key[8:] for column in columns if column.key.startswith("metrics.")]
        wanted = [here[8:]] if here.startswith("metrics.") else []
        return next((key for key in [*wanted, *shown] if key in state.metrics), next(iter(state.metrics), None))
