"""The runs screen's keys about what is shown: filter, order, groups, columns, scopes, saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from ledgit.tui.data.columns import sort_key, title_of
from ledgit.tui.data.places import Places, read_places
from ledgit.tui.data.runs import ALL, Scope
from ledgit.tui.data.views import View
from ledgit.tui.screen import Choice, Problem
from ledgit.tui.screens.runs_table import RunGrid, RunsTable
from ledgit.tui.widgets.grid import Grid
from ledgit.tui.widgets.sidebar import Sidebar

__all__ = ["RunsAsking"]


class RunsAsking(RunsTable):
    """What is asked for, by keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="runs.filter"),
        Binding("s", "sort", "sort", id="runs.sort"),
        Binding("S", "reverse", "Reverse the order", show=False, id="runs.reverse"),
        Binding("B", "group", "Group by", show=False, id="runs.group"),
        Binding("C", "columns", "Columns", show=False, id="runs.columns"),
        Binding("V", "save_view", "Save this view", show=False, id="runs.save_view"),
        Binding("D", "drop_view", "Forget a saved view", show=False, id="runs.drop_view"),
        Binding("i", "inspector", "Inspector", show=False, id="runs.inspector"),
        Binding("tab", "next_part(1)", "Next part", show=False, id="runs.next_part"),
        Binding("shift+tab", "next_part(-1)", "Previous part", show=False, id="runs.previous_part"),
    ]
    places: Places | None = None

    # ------------------------------------------------------------------ the side bar

    def after_first(self) -> None:
        """Fill the side bar once the table is there."""
        self._read_places()

    def after_change(self) -> None:
        """Count again."""
        self._read_places()

    def _read_places(self) -> None:
        session = self.session
        self.ask(lambda: read_places(session), self._show_places, group="runs.places")

    def _show_places(self, places: Places) -> None:
        if places.problem and (self.places is None or self.places.problem != places.problem):
            self.tell(f"Saved views can't be read: {places.problem}", good=False)
        self.places = places
        self.query_one(Sidebar).show(places.entries, self.asked.scope.key)

    def on_sidebar_picked(self, message: Sidebar.Picked) -> None:
        """Show the runs of a scope."""
        message.stop()
        kind, _, value = message.key.partition(":")
        if kind == "view":
            self._take_view(value)
        else:
            self._go_to(Scope(kind, value))
        self.remove_class("-over")
        self.grid.focus()

    def _go_to(self, scope: Scope) -> None:
        self.asked = self.asked._replace(scope=scope)
        self.query_one(Sidebar).mark(scope.key)
        self._opened.clear()
        self.reload(top=True, keep_columns=False)

    def action_next_part(self, by: int) -> None:
        """Go to the side bar, the inspector, and back to the table."""
        sidebar = self.query_one(Sidebar)
        if not sidebar.display and not self.has_class("-small"):
            self.add_class("-over")
        parts: list[Widget] = [self.grid, sidebar]
        if self.inspector.display and self.inspector.size.height:
            parts += [widget for widget in self.inspector.children if widget.display and widget.can_focus]
        here = next((number for number, part in enumerate(parts) if part.has_focus), 0)
        there = parts[(here + by) % len(parts)]
        if there is not sidebar:
            self.remove_class("-over")
        there.focus()

    def action_inspector(self) -> None:
        """Show or hide what there is about the run under the cursor."""
        self.toggle_class("-bare")
        self._inspect_soon()

    # ------------------------------------------------------------------ filtering

    def action_filter(self) -> None:
        """Show only runs that match a filter: metrics.accuracy > 0.9 and params.model = 'forest'."""
        self.prompt(
            "filter", self._filtered, value=self.asked.filter, check=self._check, complete=self._complete,
            live=self._live_filter,
        )  # fmt: skip

    def _check(self, text: str) -> Problem | None:
        """Return what is wrong with a filter; in a thread."""
        from ledgit.errors import FilterError
        from ledgit.query import Query

        if not text.strip():
            return None
        try:
            self.session.repository.index.window(Query(filter=text, limit=0))
        except FilterError as error:
            return Problem(error.position, error.reason)
        return None

    def _complete(self, text: str, cursor: int) -> Sequence[str]:
        """Return the keys that begin like the word before the cursor; in a thread."""
        from ledgit.tui.data.completion import complete_filter

        return complete_filter(self.session, text, cursor)

    def _live_filter(self, text: str) -> None:
        if text.strip() != self.asked.filter:
            self.asked = self.asked._replace(filter=text.strip())
            self.reload(lasting=False)

    def _filtered(self, text: str) -> None:
        self._live_filter(text)
        self.grid.focus()

    def action_back(self) -> None:
        """Give up a range, then the filter, the groups, the scope; on a screen above others go back."""
        grid = self.grid
        if grid.cancel_range():
            return
        if self.has_class("-over"):
            self.remove_class("-over")
            grid.focus()
        elif not grid.has_focus and self.query_one(Sidebar).has_focus:
            grid.focus()
        elif self.asked.filter:
            self.asked = self.asked._replace(filter="")
            self.reload()
        elif self.asked.group:
            self.asked = self.asked._replace(group="")
            self.reload(top=True)
        elif self.asked.scope.kind == "ids" or (self.rows is not None and not len(self.rows)):
            self._go_to(ALL)
        else:
            super().action_back()

    def narrow(
        self,
        *,
        filter: str | None = None,  # noqa: A002
        branch: str | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Show other runs: what another screen wants to be seen here."""
        scope = Scope("ids", "", tuple(ids)) if ids is not None else Scope("branch", branch) if branch else ALL
        self.asked = self.asked._replace(scope=scope, filter=filter or "")
        self.query_one(Sidebar).mark(scope.key)
        self.reload(top=True, keep_columns=False)

    # ------------------------------------------------------------------ order and groups

    def action_sort(self) -> None:
        """Sort by the column under the cursor: the best first where one knows what is better."""
        columns = self.grid.columns
        if columns:
            self._sort_by(columns[self.grid.cursor_column].key)

    def on_grid_header_pressed(self, message: Grid.HeaderPressed) -> None:
        """Sort by the column; pressed again, the other way round."""
        message.stop()
        if self.asked.sort is not None and self.asked.sort[0] == message.column:
            self.action_reverse()
        else:
            self._sort_by(message.column)

    def _sort_by(self, name: str) -> None:
        if sort_key(name) is None:
            return
        if self.asked.sort is not None and self.asked.sort[0] == name:
            self.asked = self.asked._replace(sort=None)  # a third state: newest first, as at the beginning
            self.reload(top=True)
            return
        down = name in ("start", "end", "duration")
        if name.startswith("metrics.") and self.rows is not None:
            from ledgit.compare import direction

            down = direction(name[8:], self.rows.face.directions) != "minimize"
        self.asked = self.asked._replace(sort=(name, down))
        self.reload(top=True)

    def action_reverse(self) -> None:
        """Turn the order round."""
        sort = self.asked.sort or ("start", True)
        self.asked = self.asked._replace(sort=(sort[0], not sort[1]))
        self.reload(top=True)

    def action_group(self) -> None:
        """Group by experiment, branch, commit, a param or a tag, with a count and the best metric of each group."""
        session = self.session

        def then(keys: tuple[list[str], list[str]]) -> None:
            params, tags = keys
            items = [Choice("", "nothing", "every run a row")]
            items += [Choice(name, name) for name in ("experiment", "branch", "commit", "user", "status")]
            items += [Choice(f"params.`{key}`", key, "param") for key in params]
            items += [Choice(f"tags.`{key}`", key, "tag") for key in tags]
            self.choose("Group by", items, self._group_by)

        index = session.repository.index
        self.ask(lambda: (index.keys("params"), index.keys("tags")), then, what="reading names")

    def _group_by(self, key: str) -> None:
        self._opened.clear()
        self.asked = self.asked._replace(group=key)
        self.reload(top=True)

    def on_run_grid_folded(self, message: RunGrid.Folded) -> None:
        """Open or close a fold."""
        message.stop()
        rows, row = self.rows, message.row
        if rows is None or not 0 <= row < len(rows):
            return
        order = rows.order
        number = order.group(row)
        if number is None and not order.inside(row) and message.way is False:
            # A run in a fold: close what it is in.
            row = next((up for up in range(row, -1, -1) if order.depth(up) < order.depth(row)), row)
            number = order.group(row)
            self.grid.move(row)
        if not order.inside(row):
            return
        key = rows.key(row) if number is None else rows.window.groups[number].value
        opened = not order.is_open(row) if message.way is None else message.way
        if opened:
            self._opened.add(key)
        else:
            self._opened.discard(key)
        self._show_order()

    # ------------------------------------------------------------------ columns

    def action_columns(self) -> None:
        """Choose the columns, and their order."""
        session, shown = self.session, self._names()
        index = session.repository.index

        def work() -> list[str]:
            return [f"{kind}.{key}" for kind in ("metrics", "params", "tags") for key in index.keys(kind)]

        def then(known: list[str]) -> None:
            from ledgit.tui.screens.runs_columns import ColumnsDialog

            self.app.push_screen(ColumnsDialog(shown, known, unicode=session.unicode), self._columns_chosen)

        self.ask(work, then, what="reading names")

    def _columns_chosen(self, names: list[str] | None) -> None:
        if names is None:
            return
        self.asked = self.asked._replace(names=tuple(names) if names else None)
        self.reload(keep_columns=False)

    # ------------------------------------------------------------------ saved views

    def _take_view(self, name: str) -> None:
        view = self.places.views.get(name) if self.places is not None else None
        if view is None:
            return
        from ledgit.errors import LedgitError
        from ledgit.query import parse_order_by

        scope = (
            Scope("branch", view.branch)
            if view.branch
            else Scope("experiment", view.experiment) if view.experiment else ALL
        )  # fmt: skip
        sort = None
        try:
            for order in parse_order_by(view.sort[:1]):
                kind, key = order.key.kind, order.key.name
                sort = (key if kind == "attributes" else f"{kind}.{key}", order.descending)
        except LedgitError as error:
            self.problem(error)
        self.asked = self.asked._replace(
            scope=scope, filter=view.filter, sort=sort, group=view.group, names=view.columns or None
        )
        self._opened.clear()
        self.query_one(Sidebar).mark(f"view:{name}")
        self.reload(top=True, keep_columns=False)

    def action_save_view(self) -> None:
        """Save filter, scope, order, columns and groups under a name, in .ledgit/config.yaml."""
        if not self._may_write():
            return
        asked = self.asked
        sort = (f"{'-' * asked.sort[1]}{sort_key(asked.sort[0])}",) if asked.sort is not None else ()
        scope = asked.scope
        view = View(
            filter=asked.query().filter if scope.kind in ("starred", "running") else asked.filter,
            branch=scope.value if scope.kind == "branch" else "",
            experiment=scope.value if scope.kind == "experiment" else "",
            sort=sort,
            columns=asked.names or (),
            group=asked.group,
        )
        repo = self.session.repository.repo

        def done(name: str) -> None:
            from ledgit.tui.data.views import save_view

            if not name.strip():
                return

            def then(path: str) -> None:
                self.tell(f"Saved the view {name.strip()} in {path}; a commit of that file shares it")
                self._read_places()

            self.ask(lambda: save_view(repo, name, view), then, what="writing")

        self.prompt("save this view as", done)

    def action_drop_view(self) -> None:
        """Take a saved view out of .ledgit/config.yaml."""
        if not self._may_write():
            return
        names = list(self.places.views) if self.places is not None else []
        if not names:
            self.tell("No views are saved; V saves what is shown as one", good=False)
            return
        repo = self.session.repository.repo

        def done(name: str) -> None:
            from ledgit.tui.data.views import drop_view

            def then(path: str) -> None:
                self.tell(f"Took the view {name} out of {path}")
                self._read_places()

            self.ask(lambda: drop_view(repo, name), then, what="writing")

        self.choose("Forget a saved view", [Choice(name, title_of(name)) for name in names], done)
