"""Choosing columns: those that are shown first, in their order, then all others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ledgit.tui.data.columns import ATTRIBUTES
from ledgit.tui.widgets.cells import Cell, Column
from ledgit.tui.widgets.grid import Grid

__all__ = ["ColumnsDialog"]


class _Names:
    """Names of columns, of which runs may have tens of thousands: what stands beside one is made when it is seen."""

    def __init__(self, names: Sequence[str], chosen: Collection[str], mark: str) -> None:
        self._names, self._chosen, self._mark = names, chosen, mark

    def __len__(self) -> int:
        return len(self._names)

    def key(self, position: int) -> str:
        return self._names[position]

    def find(self, key: str) -> int | None:
        return self._names.index(key) if key in self._names else None

    def depth(self, position: int) -> int:  # noqa: ARG002 - nothing folds
        return 0

    def cells(self, position: int) -> list[Cell]:
        name = self._names[position]
        kind, dot, key = name.partition(".")
        on = name in self._chosen
        words = Cell(key if dot else name, "" if on else "dim")
        return [Cell(self._mark if on else "", "good"), words, Cell(kind.removesuffix("s") if dot else "", "dim")]


class ColumnsDialog(ModalScreen["list[str] | None"]):
    """Gives the chosen columns; an empty list: those that tell the runs apart; None: no change.

    Args:
        shown: The columns there are now, in order.
        known: All keys that runs have: ``metrics.loss`` …
        unicode: Whether the terminal can draw more than ASCII.
    """

    NAME: ClassVar[str] = "columns"
    DEFAULT_CSS = """
    ColumnsDialog { align: center middle; }
    ColumnsDialog > Vertical {
        width: 64; max-width: 90%; height: 80%; background: $surface; padding: 1 2; border: round $primary;
    }
    ColumnsDialog Grid { height: 1fr; }
    ColumnsDialog Input { height: 1; border: none; background: $panel; margin: 0 0 1 0; padding: 0 1; }
    ColumnsDialog .hint { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="columns.cancel"),
        Binding("enter", "done", "Show these", priority=True, id="columns.done"),
        Binding("space", "choose", "Choose", id="columns.choose"),
        Binding("K,shift+up", "shift(-1)", "Further left", id="columns.left"),
        Binding("J,shift+down", "shift(1)", "Further right", id="columns.right"),
        Binding("r", "reset", "Those that differ", id="columns.reset"),
        Binding("slash", "search", "Search", id="columns.search"),
        Binding("tab", "search", "Search", show=False, id="columns.part"),
    ]

    def __init__(self, shown: Sequence[str], known: Sequence[str], *, unicode: bool = True) -> None:
        super().__init__()
        self._unicode = unicode
        self.chosen = list(shown)
        self._known = list(dict.fromkeys([*shown, *ATTRIBUTES, *known]))
        self._needle = ""

    def compose(self) -> ComposeResult:
        """A line to search with, and the list."""
        with Vertical():
            yield Input(placeholder="search", id="needle")
            yield Grid(unicode=self._unicode, empty="no column is called so")
            yield Static(Text("space chooses  J K move  r those that differ  enter shows"), classes="hint")

    def on_mount(self) -> None:
        """Show the list."""
        self._fill()
        self.query_one(Grid).focus()

    def _fill(self) -> None:
        grid = self.query_one(Grid)
        needle, chosen = self._needle.lower(), frozenset(self.chosen)
        order = [*self.chosen, *(name for name in self._known if name not in chosen)]
        rows = _Names([name for name in order if needle in name.lower()], chosen, "✓" if self._unicode else "x")
        width = max(grid.size.width - 18, 20)
        columns = [
            Column("on", "", 1, fixed=True), Column("name", "column", width, fixed=True), Column("kind", "", 7)
        ]  # fmt: skip
        grid.show(columns, rows, cursor=grid.cursor_key)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only names with these letters."""
        event.stop()
        self._needle = event.value
        self._fill()

    def on_grid_opened(self, message: Grid.Opened) -> None:
        """Take a second click for a choice."""
        message.stop()
        self.action_choose()

    def action_search(self) -> None:
        """Type a part of a name; again: back to the list."""
        needle = self.query_one(Input)
        (self.query_one(Grid) if needle.has_focus else needle).focus()

    def action_choose(self) -> None:
        """Choose the column under the cursor, or no longer."""
        grid = self.query_one(Grid)
        name, row = grid.cursor_key, grid.cursor_row
        if name is None:
            return
        if name in self.chosen:
            self.chosen.remove(name)
        else:
            self.chosen.append(name)
        self._fill()
        grid.move(min(row + 1, len(grid.rows) - 1))

    def action_shift(self, by: int) -> None:
        """Move the column under the cursor."""
        name = self.query_one(Grid).cursor_key
        if name is not None and name in self.chosen:
            at = self.chosen.index(name)
            self.chosen.insert(max(at + by, 0), self.chosen.pop(at))
            self._fill()

    def action_reset(self) -> None:
        """Show the columns that tell the runs apart."""
        self.dismiss([])

    def action_done(self) -> None:
        """Show the chosen columns."""
        needle = self.query_one(Input)
        if needle.has_focus:
            self.query_one(Grid).focus()
        else:
            self.dismiss(list(self.chosen))

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)
