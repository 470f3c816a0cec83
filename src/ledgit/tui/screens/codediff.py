"""What differs in the code between two revisions: the files, then their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.color import Color, ColorParseError
from textual.containers import Container
from textual.widgets import Static

from ledgit.records.harmless import clean
from ledgit.tui.data.asking import Choice
from ledgit.tui.data.codechanges import PatchLine, changed_files, file_patch
from ledgit.tui.screen import Change, LedgitScreen
from ledgit.tui.screens.patchlines import PatchSource, lexer_of
from ledgit.tui.screens.terminal import page_changes
from ledgit.tui.widgets.grid import Cell, Column, FixedRows, Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.store.checkout import FileChange

__all__ = ["CodeDiffScreen"]

#: Terminal columns from which on both sides are shown beside each other.
_BESIDE = 110


class CodeDiffScreen(LedgitScreen):
    """The code of two revisions: commits, trees, branches, runs' commits."""

    NAME = "codediff"
    DEFAULT_CSS = """
    CodeDiffScreen #summary { height: 1; padding: 0 1; color: $text-muted; }
    CodeDiffScreen #parts { layout: vertical; height: 1fr; }
    CodeDiffScreen #files { height: 7; max-height: 30%; }
    CodeDiffScreen #patch { height: 1fr; border-top: solid $panel; }
    CodeDiffScreen.-wide #parts { layout: horizontal; }
    CodeDiffScreen.-wide #files { width: 40; height: 1fr; max-height: 100%; }
    CodeDiffScreen.-wide #patch { width: 1fr; height: 1fr; border-top: none; border-left: solid $panel; }
    CodeDiffScreen.-small #files { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "hunk(1)", "next hunk", id="codediff.next_hunk", priority=True),
        Binding("N", "hunk(-1)", "Hunk before", show=False, id="codediff.previous_hunk", priority=True),
        Binding("right_square_bracket", "file(1)", "next file", id="codediff.next_file"),
        Binding("left_square_bracket", "file(-1)", "File before", show=False, id="codediff.previous_file"),
        Binding("s", "beside", "side by side", id="codediff.beside"),
        Binding("D", "pager", "git diff", id="codediff.pager"),
        Binding("y", "copy", "copy", id="codediff.copy"),
        Binding("tab", "app.focus_next", "Next part", show=False, id="codediff.next_part"),
        Binding("shift+tab", "app.focus_previous", "Part before", show=False, id="codediff.previous_part"),
    ]

    def __init__(self, one: str, other: str, title: str, path: str = "") -> None:
        super().__init__()
        self.one, self.other, self.title_of, self.path = one, other, title, path
        self.old = self.new = ""
        self.files: list[FileChange] = []
        self.patch: list[PatchLine] = []
        self.beside: bool | None = None
        self._lexer: Any = None
        self._shown = ""

    def body(self) -> ComposeResult:
        """Make the list of files, and the lines of one."""
        unicode = self.session.unicode
        yield Static(id="summary", markup=False)
        with Container(id="parts"):
            yield Grid(unicode=unicode, id="files", empty="No file of the code differs.")
            yield Lines(id="patch")

    def on_mount(self) -> None:
        """Begin."""
        self.headline = self.title_of
        self.grid.focus()
        self.load()

    def on_resize(self) -> None:
        """Show both sides beside each other where there is room."""
        super().on_resize()
        if self.patch:
            self.call_after_refresh(self.draw)

    @property
    def grid(self) -> Grid:
        """The files."""
        return self.query_one("#files", Grid)

    @property
    def lines(self) -> Lines:
        """The lines of the file."""
        return self.query_one("#patch", Lines)

    # ------------------------------------------------------------------ reading

    def load(self) -> None:
        """Find out which files differ, in a thread."""
        repository, one, other = self.session.repository, self.one, self.other

        def read() -> tuple[str, str, list[FileChange]]:
            from ledgit.git import resolve_commit

            # Branches move: both sides are held as they are now. A tree is no commit.
            old, new = resolve_commit(repository.repo, one) or one, resolve_commit(repository.repo, other) or other
            return old, new, changed_files(repository, old, new)

        self.ask(read, self._read, group="codediff", what="comparing code")

    def _read(self, found: tuple[str, str, list[FileChange]]) -> None:
        if found == (self.old, self.new, self.files):
            return
        self.old, self.new, self.files = found
        rows = [(change.path, self._cells(change)) for change in self.files]
        width = max((len(clean(change.path)) for change in self.files), default=10)
        columns = [
            Column("how", "", 1, fixed=True),
            Column("path", "file", min(max(width, 20), 20 if self.has_class("-wide") else 60)),
            Column("added", "+", 6, right=True),
            Column("removed", "-", 6, right=True),
        ]
        self.grid.show(columns, FixedRows(rows), cursor=self.path or self.grid.cursor_key)
        added = sum(change.added or 0 for change in self.files)
        removed = sum(change.removed or 0 for change in self.files)
        count = len(self.files)
        said = f"{count} file{'' if count == 1 else 's'}  +{added} -{removed}" if count else "the same code"
        self.query_one("#summary", Static).update(f"{clean(self.title_of)}   {said}")
        self._show_file()

    def _cells(self, change: FileChange) -> list[Cell]:
        name = f"{clean(change.old_path)} {self.session.glyph('right')} " if change.old_path else ""
        sign, style = "M", "warn"
        if change.old_path:
            sign = "R"
        elif change.removed == 0 and change.added:
            sign, style = "+", "good"
        elif change.added == 0 and change.removed:
            sign, style = "-", "bad"
        counts = ["bin" if count is None else str(count) for count in (change.added, change.removed)]
        return [Cell(sign, style), Cell(name + clean(change.path)), Cell(counts[0], "good"), Cell(counts[1], "bad")]

    def changed(self, change: Change) -> None:
        """Compare again when a branch moved."""
        if change.everything:
            self.load()

    def on_grid_moved(self, _: Grid.Moved) -> None:
        """Show the file the cursor is on."""
        self._show_file()

    def on_grid_opened(self, _: Grid.Opened) -> None:
        """Go to the lines."""
        self.lines.focus()

    @property
    def change(self) -> FileChange | None:
        """The file the cursor is on."""
        place = self.grid.cursor_row
        return self.files[place] if 0 <= place < len(self.files) else None

    def _show_file(self) -> None:
        change = self.change
        if change is None:
            self.patch = []
            self.lines.show([])
            return
        wanted = f"{self.old} {self.new} {change.path}"
        if wanted == self._shown:
            return
        self._shown = wanted
        repository, old, new = self.session.repository, self.old, self.new

        def read() -> tuple[list[PatchLine], Any]:
            return file_patch(repository, old, new, change), lexer_of(change.path)

        def show(found: tuple[list[PatchLine], Any]) -> None:
            self.patch, self._lexer = found
            self.draw(keep=False)

        self.ask(read, show, group="codediff.file", what=f"reading {change.path}")

    def draw(self, *, keep: bool = True) -> None:
        """Show the lines in one column or two."""
        room = self.lines.size.width
        beside = room >= _BESIDE if self.beside is None else self.beside
        self.lines.show(PatchSource(self.patch, self._lexer, room if beside else 0, self._tints()), keep=keep)

    def _tints(self) -> dict[str, Style]:
        variables = self.app.theme_variables
        tints = {}
        for kind, name in (("added", "success"), ("removed", "error")):
            try:
                color = Color.parse(variables["background"]).blend(Color.parse(variables[name]), 0.16)
            except (ColorParseError, KeyError):  # the terminal's own colours can't be blended
                continue
            if "nocolor" not in self.app.get_pseudo_classes():
                tints[kind] = Style(bgcolor=color.rich_color)
        return tints

    # ------------------------------------------------------------------ keys

    def action_hunk(self, by: int) -> None:
        """Go to the next changed place of this file, then of the next one; of a search, to the next match."""
        if self.lines.needle and self.focused is self.lines:
            self.lines.find(self.lines.needle, by < 0)
            return
        source = self.lines._source
        hunks = source.hunks if isinstance(source, PatchSource) else []
        top = self.lines.top
        rest = [place for place in hunks if place > top] if by > 0 else [place for place in hunks if place < top]
        at_end = by > 0 and top >= self.lines.max_scroll_y
        if rest and not at_end:
            self.lines.goto(rest[0] if by > 0 else rest[-1])
        else:
            self.action_file(by)

    def action_file(self, by: int) -> None:
        """Show the next file, or the one before."""
        self.grid.move(self.grid.cursor_row + by)

    def action_beside(self) -> None:
        """Show both sides beside each other, or one below the other."""
        now = self.lines.size.width >= _BESIDE if self.beside is None else self.beside
        self.beside = not now
        self.draw()

    def action_pager(self) -> None:
        """Hand git diff to your pager: of this file where the lines have the focus, else of all."""
        if self.old:
            change = self.change if self.focused is self.lines else None
            page_changes(self, self.old, self.new, [change.path] if change is not None else [])

    def action_copy(self) -> None:
        """Copy the path, the lines shown, or the git command."""
        change = self.change
        items = [Choice("command", "the command that shows it", "git diff …")]
        if change is not None:
            items = [Choice("path", "the path of this file"), Choice("lines", "what differs in it"), *items]
        self.choose("Copy", items, self._copy)

    def _copy(self, key: str) -> None:
        change = self.change
        if key == "path" and change is not None:
            self.copy(change.path, "the path")
        elif key == "lines":
            signs = {"added": "+", "removed": "-", "same": " ", "hunk": "@@ ", "note": "# "}
            self.copy("\n".join(signs[line.kind] + line.text for line in self.patch), "what differs")
        else:
            self.copy(f"git diff {self.old[:12]} {self.new[:12]}", "the command")
