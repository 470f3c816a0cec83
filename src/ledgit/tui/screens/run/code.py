"""The code of a run beside its commit, the one before, or another run's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.widgets import Static

from ledgit.records.harmless import clean, fit
from ledgit.tui.data.asking import Choice
from ledgit.tui.data.runcode import CodeDiff, Side, read_changes, read_patch, sides
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.widgets.coloring import DiffLines, language_of
from ledgit.tui.widgets.grid import Cell, Column, FixedRows, Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.data.details import Details

__all__ = ["CodeTab"]

_WIDE = 84
_LIST = 40  # columns of the list of files, where the difference is beside it


class CodeTab(Tab):
    """Which files differ, and how the one under the cursor does."""

    KEY: ClassVar[str] = "code"
    TITLE: ClassVar[str] = "Code"
    DEFAULT_CSS = """
    CodeTab #about { height: 1; width: 1fr; color: $text-muted; }
    CodeTab #parts { height: 1fr; width: 1fr; layout: vertical; }
    CodeTab #changed { height: 1fr; max-height: 8; width: 1fr; }
    CodeTab #patch { height: 3fr; width: 1fr; margin-top: 1; }
    CodeTab.-side #parts { layout: horizontal; }
    CodeTab.-side #changed { height: 1fr; max-height: 100%; width: 40; }
    CodeTab.-side #patch { height: 1fr; width: 1fr; margin-left: 2; margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("A", "against", "against", id="code.against")]

    def __init__(self) -> None:
        super().__init__()
        self._sides: list[Side] = []
        self._side = ""
        self._diff: CodeDiff | None = None
        self._stamp: object = None
        self._path = ""

    def compose(self) -> ComposeResult:
        """Make the list of files and room for one's difference."""
        yield Static("", id="about", markup=False)
        with Container(id="parts"):
            yield Grid(unicode=self.session.unicode, id="changed")
            yield Lines(id="patch")

    def on_resize(self, _: Resize) -> None:
        """The difference beside the list, or below it."""
        self.set_class(self.size.width >= _WIDE, "-side")
        self.call_after_refresh(self._draw)

    def show(self, details: Details) -> None:
        """Find out what its code can be compared with, and compare."""
        stamp = (details.run.code, self.session.baseline, self._side)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        session, wanted = self.session, self._side

        def work() -> tuple[list[Side], CodeDiff]:
            found = sides(session, details)
            side = next((one for one in found if one.key == wanted), found[0] if found else None)
            if side is None:
                code = details.run.code
                why = "it has no commit to compare with" if code.tree or code.commit else "its code was not recorded"
                return found, CodeDiff(None, (), why)
            return found, read_changes(session, details, side)

        self.page.ask(work, self._came, group="code", what="comparing the code")

    def _came(self, found: tuple[list[Side], CodeDiff]) -> None:
        self._sides, self._diff = found
        self._path = ""
        self._draw()
        self._look()

    def _draw(self) -> None:
        diff, grid = self._diff, self.query_one("#changed", Grid)
        if diff is None:
            return
        count = len(diff.changes)
        if diff.side is None:
            about = diff.why[:1].upper() + diff.why[1:]
        else:
            much = f"{count:,} file{'' if count == 1 else 's'} differ{'s' if count == 1 else ''}"
            about = f"against {diff.side.title}  {much if not diff.why else ''}"
        self.query_one("#about", Static).update(clean(about))
        room = max((_LIST if self.has_class("-side") else self.size.width) - 23, 10)
        rows = []
        for change in diff.changes:
            path = clean(change.path)
            short = path if len(path) <= room else self.session.glyph("more") + path[-(room - 1) :]
            added = "binary" if change.added is None else f"+{change.added:,}"
            removed = "" if change.removed is None else f"-{change.removed:,}"
            rows.append((change.path, [Cell(fit(short, room)), Cell(added, "good"), Cell(removed, "bad")]))
        columns = [
            Column("path", "File", room),
            Column("added", "", 6, right=True),
            Column("removed", "", 6, right=True),
        ]
        grid.empty = clean(diff.why) if diff.why and diff.side is not None else "No file differs." if diff.side else ""
        grid.show(columns, FixedRows(rows), cursor=grid.cursor_key)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Show the difference of the file the cursor is on."""
        event.stop()
        self._look()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Go into the difference."""
        event.stop()
        self.query_one("#patch").focus()

    def _look(self) -> None:
        details, diff = self.details, self._diff
        path = self.query_one("#changed", Grid).cursor_key
        lines = self.query_one("#patch", Lines)
        if details is None or diff is None or diff.side is None or path is None:
            lines.show([], keep=False)
            return
        if path == self._path:
            return
        self._path = path
        session, side = self.session, diff.side

        def arrived(patch: list[str]) -> None:
            lines.show(DiffLines(patch, language_of(path), dark=not session.light), keep=False)

        self.page.ask(lambda: read_patch(session, details, side, path), arrived, group="patch", what="comparing")

    def action_against(self) -> None:
        """Choose what its code is compared with: its commit, the one before, the baseline, its parent."""
        if not self._sides:
            self.page.tell("There is nothing to compare its code with.", good=False)
            return

        def done(key: str) -> None:
            self._side = key
            if self.details is not None:
                self.show(self.details)

        self.page.choose("Compare its code with", [Choice(side.key, clean(side.title)) for side in self._sides], done)
