"""The registry: models, their versions and stages; promoting, verifying, and how it was on another day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from ledgit.records.harmless import clean
from ledgit.tui.data.registered import (
    Registered,
    chosen_metrics,
    matching_models,
    matching_versions,
    predecessor,
    read_registered,
    runs_of,
)
from ledgit.tui.data.watching import Change
from ledgit.tui.screens.modeldetails import TABS, ModelDetails
from ledgit.tui.screens.modelsshown import (
    EMPTY,
    board_table,
    models_table,
    versions_table,
)
from ledgit.tui.widgets.grid import FixedRows, Grid
from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.tabline import TabLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.records.registry_state import ModelVersion, RegisteredModel
    from ledgit.run import Run

__all__ = ["ModelsScreen"]

_SORTS: dict[str, Callable[[RegisteredModel], object]] = {
    "name": lambda model: model.name,
    "latest": lambda model: model.latest.semver.key if model.latest is not None else (),
    "versions": lambda model: len(model.active),
    "stages": lambda model: ", ".join(model.stages) or "\uffff",
    "changed": lambda model: model.events[-1].time * 1000 if model.events else model.created,
    "about": lambda model: model.description,
}


class ModelsScreen(ModelDetails):
    """Models at the left, the versions of one at the right, everything about one of those below.

    Args:
        model: Where the cursor is at first; "" for the first model.
        version: Likewise, of its versions; "" for the newest.
    """

    NAME = "models"
    DEFAULT_CSS = """
    ModelsScreen #models { width: 41; height: 1fr; background: $surface; }
    ModelsScreen #right { width: 1fr; height: 1fr; }
    ModelsScreen #title {
        height: 1; padding: 0 2; background: $surface; color: $text-primary; text-style: bold;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    ModelsScreen #versions { height: 2fr; min-height: 4; }
    ModelsScreen #details { height: 3fr; padding: 0 1; }
    ModelsScreen #board, ModelsScreen #nothing { display: none; height: 1fr; width: 1fr; }
    ModelsScreen #nothing { padding: 1 2; }
    ModelsScreen.-wide #models { width: 56; }
    ModelsScreen.-board #board { display: block; }
    ModelsScreen.-board #parts, ModelsScreen.-empty #parts, ModelsScreen.-empty #board { display: none; }
    ModelsScreen.-empty #nothing { display: block; }
    ModelsScreen.-narrow #models, ModelsScreen.-tiny #models { width: 1fr; }
    ModelsScreen.-narrow #right, ModelsScreen.-tiny #right { display: none; }
    ModelsScreen.-narrow.-inside #right, ModelsScreen.-tiny.-inside #right { display: block; }
    ModelsScreen.-narrow.-inside #models, ModelsScreen.-tiny.-inside #models { display: none; }
    ModelsScreen.-small #details, ModelsScreen.-small #tabs { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="models.filter"),
        Binding("left_square_bracket", "tab(-1)", "Tab before", show=False, id="models.tab_before"),
        Binding("right_square_bracket", "tab(1)", "Next tab", show=False, id="models.tab_next"),
        Binding("tab", "part(1)", "Next part", show=False, id="models.part"),
        Binding("shift+tab", "part(-1)", "Part before", show=False, id="models.part_before"),
        Binding("s", "sort", "Sort", show=False, id="models.sort"),
        Binding("S", "reverse", "Reverse the order", show=False, id="models.reverse"),
        Binding("B", "board", "board", id="models.board"),
        Binding("at", "as_of", "As of a date", show=False, id="models.as_of"),
    ]

    def __init__(self, model: str = "", version: str = "") -> None:
        super().__init__()
        self._wanted = (model, version)
        self.found: Registered | None = None
        self.at: int | None = None
        self._models: Sequence[RegisteredModel] = ()
        self._versions: Sequence[ModelVersion] = ()
        self._filters = {"models": "", "versions": ""}
        self._sort = ("name", False)
        self._oldest_first = False
        self._shown_model = ""

    def body(self) -> ComposeResult:
        """Make the parts."""
        unicode = self.session.unicode
        with Horizontal(id="parts"):
            yield Grid(unicode=unicode, empty="no model matches", id="models")
            with Vertical(id="right"):
                yield Static(id="title", markup=False)
                yield Grid(unicode=unicode, empty="no version matches", id="versions")
                yield TabLine(TABS, id="tabs")
                yield Lines(id="details")
        yield Grid(unicode=unicode, empty="nothing stands at any stage", id="board")
        yield Lines(id="nothing")

    def on_mount(self) -> None:
        """Read the registry."""
        self.models_grid.focus()
        self._read()

    # ------------------------------------------------------------------ the parts

    @property
    def models_grid(self) -> Grid:
        """The table of models."""
        return self.query_one("#models", Grid)

    @property
    def versions_grid(self) -> Grid:
        """The table of versions."""
        return self.query_one("#versions", Grid)

    def model(self) -> RegisteredModel | None:
        """Return the model under the cursor."""
        key = self.query_one("#board", Grid).cursor_key if self.has_class("-board") else self.models_grid.cursor_key
        return self.found.model(key) if self.found is not None and key is not None else None

    def version(self) -> ModelVersion | None:
        """Return the version under the cursor; on the board, the one at the stage under it."""
        model = self.model()
        if model is None:
            return None
        if self.has_class("-board"):
            board = self.query_one("#board", Grid)
            column = board.columns[board.cursor_column].key if board.columns else ""
            return model.stages.get(column[6:]) if column.startswith("stage.") else model.latest
        key = self.versions_grid.cursor_key
        return model.versions.get(key) if key is not None and model.name == self._shown_model else None

    def versions_shown(self) -> Sequence[ModelVersion]:
        """Return the versions in the table."""
        return self._versions

    def about_model(self) -> bool:
        """Whether the model as a whole is meant: the cursor's in the list of models."""
        return self.models_grid.has_focus

    # ------------------------------------------------------------------ reading

    def changed(self, change: Change) -> None:
        """Read again when tags moved, or a run that a version came from ended."""
        if change.everything or change.ids & self.runs.keys():
            self._read()

    def _read(self) -> None:
        repository, at = self.session.repository, self.at
        self.ask(lambda: read_registered(repository, at), self._take, group="registry", what="reading the registry")

    def reread(self) -> None:
        """Read again, after something was written."""
        self._read()

    def _take(self, found: Registered) -> None:
        self.found = found
        was = self.has_class("-empty")
        self.set_class(not found.models, "-empty")
        if was and found.models:
            self.call_after_refresh(self.models_grid.focus)
        if not found.models:
            words = EMPTY if self.at is None else ("Nothing was registered at that time; escape goes back to now.",)
            self.query_one("#nothing", Lines).show([Text(words[0], "head"), *map(Text, words[1:])])
        self._show_models()

    def _show_models(self, cursor: str | None = None) -> None:
        if self.found is None:
            return
        models = matching_models(self.found.models, self._filters["models"])
        key, down = self._sort
        models.sort(key=lambda model: model.name)
        models.sort(key=_SORTS[key], reverse=down)  # type: ignore[arg-type]
        self._models = models
        grid = self.models_grid
        columns, rows = models_table(models, self.session, grid.size.width or 38)
        wanted, self._wanted = self._wanted[0], ("", self._wanted[1])
        grid.show(columns, rows, cursor=cursor or wanted or grid.cursor_key, sort=self._sort)
        if self.has_class("-board"):
            self._show_board()
        self._say_headline()
        self._show_versions(keep=True)

    def _show_board(self) -> None:
        columns, rows = board_table(self._models, self.session)
        board = self.query_one("#board", Grid)
        board.show(columns, rows, cursor=board.cursor_key)

    def _say_headline(self) -> None:
        assert self.found is not None
        many, shown = len(self.found.models), len(self._models)
        said = f"{many:,} {'model' if many == 1 else 'models'}" if shown == many else f"{shown:,} of {many:,} models"
        if self._filters["models"]:
            said += f" with {self._filters['models']!r}"
        problems = len(self.found.state.problems)
        if problems:
            said += (
                f"   {self.session.glyph('warning')} {problems:,} {'tag is' if problems == 1 else 'tags are'} not right"
            )
        if self.at is not None:
            from ledgit.records.wording import moment

            said += f"   as of {moment(self.at)[:16].replace('T', ' ')} UTC"
        self.headline = said

    def _show_versions(self, *, keep: bool = False) -> None:
        model = self.found.model(self.models_grid.cursor_key or "") if self.found is not None else None
        if model is None:
            self.versions_grid.show((), FixedRows(()))
            self._shown_model = ""
            self.query_one("#title", Static).update("")
            self.details.show([])
            return
        same = keep and self._shown_model == model.name
        cursor = self.versions_grid.cursor_key if same else self._wanted[1] or None
        self._wanted = ("", "")
        self._shown_model = model.name
        self._fill_versions(model, cursor, first=not same)
        repository, versions = self.session.repository, list(model.versions.values())

        def taken(runs: Mapping[str, Run]) -> None:
            self.runs = runs
            if self._shown_model == model.name:
                self._fill_versions(model, self.versions_grid.cursor_key)

        def after() -> None:
            if self._shown_model == model.name:
                self.ask(lambda: runs_of(repository, versions), taken, group="runs", what="reading the versions' runs")

        # A moment's pause, so that a key that is held down does not read the runs of each model on its way.
        self.set_timer(0.04, after)

    def _fill_versions(self, model: RegisteredModel, cursor: str | None, *, first: bool = False) -> None:
        versions = list(model.versions.values())
        if not self._oldest_first:
            versions.reverse()
        versions.sort(key=lambda version: not version.active)
        self._versions = matching_versions(versions, self._filters["versions"], self.runs)
        metrics = chosen_metrics(
            [run for one in self._versions if (run := self.runs.get(one.run or "")) is not None],
            self.session.directions,
            3 if self.size.width >= 140 else 2,
        )
        columns, rows = versions_table(self._versions, self.runs, metrics, self.checked, self.session)
        grid = self.versions_grid
        if first and cursor is None:
            grid.move(0)
        grid.show(columns, rows, cursor=cursor, marked=self._marked())
        said = f"{model.name}   {len(self._versions):,} of {len(model.versions):,} versions"
        if len(self._versions) == len(model.versions):
            said = f"{model.name}   {len(versions):,} {'version' if len(versions) == 1 else 'versions'}"
        if model.deprecated is not None:
            said += "   deprecated"
        self.query_one("#title", Static).update(Text(clean(said), no_wrap=True, overflow="ellipsis"))
        self.draw_details(keep=not first)

    def _marked(self) -> set[str]:
        return {one.version for one in self._versions if one.run in self.session.marks}

    def show_checked(self) -> None:
        """Draw the marks of versions that were verified."""
        model = self.model()
        if model is not None:
            self._fill_versions(model, self.versions_grid.cursor_key)

    # ------------------------------------------------------------------ events

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Show what belongs to the row the cursor came to."""
        event.stop()
        if event.grid.id == "models" and event.key != self._shown_model:
            self._show_versions()
        elif event.grid.id == "versions":
            self.draw_details()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Go one deeper: from a model to its versions, from a version to its run."""
        event.stop()
        if event.grid.id == "versions":
            self.open_run()
            return
        if event.grid.id == "board":
            version = self.version()
            self.remove_class("-board")
            self._wanted = (event.key, version.version if version is not None else "")
            self._shown_model = ""
            self._show_models(event.key)
        self.add_class("-inside")
        self.versions_grid.focus()
        self.call_after_refresh(self.show_details)

    def on_grid_ranged(self, event: Grid.Ranged) -> None:
        """Mark the runs of a range of versions."""
        event.stop()
        if event.grid.id == "versions":
            keys = set(event.keys)
            self.mark_range([one.run for one in self._versions if one.version in keys and one.run])

    def on_grid_header_pressed(self, event: Grid.HeaderPressed) -> None:
        """Sort by the column that was pressed."""
        event.stop()
        if event.grid.id == "models":
            self._sort_by(event.column)
        elif event.grid.id == "versions":
            self.action_reverse()

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        """Show other details."""
        event.stop()
        self.draw_details()

    def on_resize(self) -> None:
        """Have as many columns as there is room for."""
        self.call_after_refresh(self._show_models)

    # ------------------------------------------------------------------ keys

    def action_tab(self, step: int) -> None:
        """Show the next details: version, signature, files, model, history, verification."""
        self.tabs.step(step)

    def action_part(self, step: int) -> None:
        """Go to the next part: models, versions, details."""
        if self.has_class("-board") or self.has_class("-empty"):
            return
        parts = [self.models_grid, self.versions_grid, self.details]
        at = next((place for place, part in enumerate(parts) if part.has_focus), 0)
        to = parts[(at + step) % len(parts)]
        self.set_class(to is not parts[0], "-inside")
        to.focus()
        self.call_after_refresh(self.show_details)

    def action_back(self) -> None:
        """Give up a verification, a filter, a day, or go back to the list of models."""
        if self.verifying is not None:
            self.verifying.cancel()
        elif self.has_class("-board"):
            self.action_board()
        elif self.has_class("-inside") and not self.models_grid.display:
            self.remove_class("-inside")
            self.models_grid.focus()
        elif self._filters["versions"] or self._filters["models"]:
            self._filters = {"models": "", "versions": ""}
            self._show_models()
        elif self.at is not None:
            self._as_of(None)
        elif not self.models_grid.has_focus and self.models_grid.display:
            self.models_grid.focus()
        else:
            super().action_back()

    def action_filter(self) -> None:
        """Show only what has the typed words in it: models, or versions where the cursor is among them."""
        part = "versions" if self.versions_grid.has_focus or self.details.has_focus else "models"

        def live(text: str) -> None:
            self._filters[part] = text
            if part == "models":
                self._show_models()
            elif (model := self.model()) is not None:
                self._fill_versions(model, self.versions_grid.cursor_key)

        self.prompt(f"filter {part}", live, value=self._filters[part], live=live)

    def action_sort(self) -> None:
        """Sort the models by the column under the cursor, again the other way round; versions by their age."""
        grid = self.models_grid
        if grid.has_focus and grid.columns:
            self._sort_by(grid.columns[grid.cursor_column].key)
        else:
            self.action_reverse()

    def action_reverse(self) -> None:
        """Have the order the other way round."""
        if self.models_grid.has_focus:
            self._sort_by(self._sort[0])
        elif (model := self.model()) is not None:
            self._oldest_first = not self._oldest_first
            self._fill_versions(model, self.versions_grid.cursor_key)

    def _sort_by(self, key: str) -> None:
        self._sort = (key, not self._sort[1]) if key == self._sort[0] else (key, key in ("changed", "versions"))
        self._show_models()

    def action_board(self) -> None:
        """Show which version of each model stands at which stage, as a table."""
        on = not self.has_class("-board")
        if self.has_class("-empty"):
            return
        key = self.models_grid.cursor_key
        self.set_class(on, "-board")
        board = self.query_one("#board", Grid)
        if on:
            self._show_board()
            place = board.rows.find(key) if key is not None else None
            board.move(place or 0)
            board.focus()
        else:
            self._show_models(board.cursor_key)
            self.models_grid.focus()

    def action_as_of(self) -> None:
        """Show the registry as it was on another day, by the dates of its tags; an empty line is now."""
        from ledgit.errors import InvalidValue
        from ledgit.records.times import EXPECTED, parse_until
        from ledgit.tui.data.asking import Problem

        def check(text: str) -> Problem | None:
            try:
                parse_until(text, self.session.now() / 1000)
            except InvalidValue:
                return Problem(0, f"expected {EXPECTED}") if text.strip() else None
            return None

        def done(text: str) -> None:
            self._as_of(parse_until(text, self.session.now() / 1000) if text.strip() else None)

        self.prompt("as of", done, check=check)

    def _as_of(self, at: int | None) -> None:
        self.at = at
        self._shown_model = ""
        self._read()

    # ------------------------------------------------------------------ marks

    def run_at_cursor(self) -> str | None:
        """Return the run of the version under the cursor."""
        version = self.version()
        return version.run if version is not None else None

    def runs_shown(self) -> Sequence[str]:
        """Return the runs of the versions that are shown."""
        return list(dict.fromkeys(one.run for one in self._versions if one.run))

    def marks_changed(self) -> None:
        """Draw the marks of the versions again."""
        grid = self.versions_grid
        grid.marked = self._marked()
        grid.refresh_rows()

    def step_down(self) -> None:
        """Go to the next version."""
        self.versions_grid.action_down()

    def other_run(self) -> str | None:
        """Return the baseline, else the run of the version before the one under the cursor."""
        model, version = self.model(), self.version()
        if self.session.baseline is not None or model is None or version is None:
            return self.session.baseline
        before = predecessor(model, version)
        return before.run if before is not None else None
