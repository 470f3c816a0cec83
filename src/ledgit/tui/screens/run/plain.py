"""Tabs that are lists of lines: environment, history, commands to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text

from ledgit.records.harmless import clean
from ledgit.records.wording import age, moment
from ledgit.tui.data.reproduce import Recipe, recipes
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.screens.run.sections import heading, pairs
from ledgit.tui.widgets.grid import Cell, Column, FixedRows, Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.run import LogEntry
    from ledgit.tui.data.details import Details

__all__ = ["EnvironmentTab", "HistoryTab", "ReproduceTab"]


class EnvironmentTab(Tab):
    """What it ran on: Python, machine, packages. ``/`` searches them."""

    KEY: ClassVar[str] = "environment"
    TITLE: ClassVar[str] = "Environment"

    def compose(self) -> ComposeResult:
        """Make the lines."""
        yield Lines(empty="Its environment was not recorded.")

    def show(self, details: Details) -> None:
        """Show what is recorded."""
        record = details.record
        environment = record.environment if record is not None else None
        lines: list[Text] = []
        if details.missing:
            lines += [Text(clean(details.missing), "warn"), Text("")]
        if environment is not None:
            facts = [
                ("python", environment.python),
                ("platform", environment.platform),
                ("host", record.info.host if record is not None else ""),
                *(("gpu", gpu) for gpu in environment.gpus),
            ]
            lines += pairs((name, clean(value)) for name, value in facts if value)
            packages = environment.versions
            if packages:
                lines += [Text(""), heading("Packages", f"{len(packages):,}")]
                lines += pairs(((name, clean(packages[name])) for name in sorted(packages)), 6)
        inputs = record.inputs if record is not None else ()
        if inputs:
            lines += [Text(""), heading("Data", f"{len(inputs):,}")]
            lines += pairs((one.name, clean(f"{one.digest[:16]}  {one.context}")) for one in inputs)
        self.query_one(Lines).show(lines)


class HistoryTab(Tab):
    """Who changed what of it, and when: the run's commits, newest first."""

    KEY: ClassVar[str] = "history"
    TITLE: ClassVar[str] = "History"

    def __init__(self) -> None:
        super().__init__()
        self._heads: tuple[str, ...] | None = None

    def compose(self) -> ComposeResult:
        """Make the lines."""
        yield Lines(empty="It is being written: its history begins with its end.")

    def show(self, details: Details) -> None:
        """Read the commits, if there are others than before."""
        heads = details.run.heads
        if heads == self._heads:
            return
        self._heads = heads
        if not heads:
            self.query_one(Lines).show([])
            return
        self.page.ask(details.run.log, self._arrived, group="history", what="reading its history")

    def _arrived(self, entries: list[LogEntry]) -> None:
        lines: list[Text] = []
        now = self.session.now() / 1000
        for entry in entries:
            name = entry.author.partition(" <")[0]
            line = Text(f"{moment(entry.when)[:16].replace('T', ' ')}  ", "dim").append(clean(name), "key")
            lines.append(line.append(f"  {age(entry.when, now)}  {entry.commit[:8]}", "dim"))
            lines.append(Text(f"  {clean(entry.subject)}"))
            lines += [Text(f"    {clean(change)}", "dim") for change in entry.changes]
            lines.append(Text(""))
        self.query_one(Lines).show(lines[:-1])


class ReproduceTab(Tab):
    """Commands that bring its result, code or files again; ``enter`` copies."""

    KEY: ClassVar[str] = "reproduce"
    TITLE: ClassVar[str] = "Reproduce"

    def __init__(self) -> None:
        super().__init__()
        self._recipes: dict[str, Recipe] = {}

    def compose(self) -> ComposeResult:
        """Make the table."""
        yield Grid(unicode=self.session.unicode)

    def show(self, details: Details) -> None:
        """Show what can be done."""
        self._recipes = {recipe.key: recipe for recipe in recipes(details)}
        rows = [
            (recipe.key, [Cell(recipe.title, "dim"), Cell(clean(recipe.line))]) for recipe in self._recipes.values()
        ]
        first = min(max((len(recipe.title) for recipe in self._recipes.values()), default=0), 44)
        second = max((len(row[1][1].text) for row in rows), default=10)
        columns = [Column("title", "What", first), Column("line", "Line (enter copies it)", max(second, 24))]
        grid = self.query_one(Grid)
        grid.show(columns, FixedRows(rows), cursor=grid.cursor_key)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Copy the line."""
        event.stop()
        recipe = self._recipes.get(event.key)
        if recipe is not None:
            self.page.copy(recipe.line, clean(recipe.line)[:60])
