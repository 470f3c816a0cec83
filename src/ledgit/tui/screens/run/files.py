"""The files that a run logged, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.events import Resize
from textual.widgets import Static

from ledgit.errors import LedgitError
from ledgit.records.harmless import clean, fit, size
from ledgit.tui.data.filetree import FileTree, Node, read_tree
from ledgit.tui.data.preview import Preview, preview
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.screens.run.output import LogLines
from ledgit.tui.widgets.coloring import colored
from ledgit.tui.widgets.grid import Cell, Column, FixedRows, Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.data.details import Details

__all__ = ["FilesTab"]

_WIDE = 84
_TREE = 40  # columns of the tree, where the preview is beside it


class FilesTab(Tab):
    """Its files as a tree, and a preview of the one under the cursor."""

    KEY: ClassVar[str] = "artifacts"
    TITLE: ClassVar[str] = "Files"
    DEFAULT_CSS = """
    FilesTab #parts { height: 1fr; width: 1fr; layout: vertical; }
    FilesTab #files { height: 2fr; width: 1fr; }
    FilesTab #seen { height: 3fr; width: 1fr; }
    FilesTab #about { height: 1; width: 1fr; color: $text-muted; }
    FilesTab #text, FilesTab #table { height: 1fr; width: 1fr; }
    FilesTab #table { display: none; }
    FilesTab.-side #parts { layout: horizontal; }
    FilesTab.-side #files { height: 1fr; width: 40; }
    FilesTab.-side #seen { height: 1fr; width: 1fr; margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "save", "download", id="artifacts.save"),
        Binding("f", "fetch", "fetch", id="artifacts.fetch"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tree = FileTree()
        self._stamp: object = None
        self._seen: Preview | None = None
        self._path = ""

    def compose(self) -> ComposeResult:
        """Make the tree and room for what is in a file."""
        with Container(id="parts"):
            yield Grid(unicode=self.session.unicode, id="files")
            with Vertical(id="seen"):
                yield Static("", id="about", markup=False)
                yield Lines(id="text")
                yield Grid(unicode=self.session.unicode, id="table")

    def on_resize(self, _: Resize) -> None:
        """The preview beside the tree, or below it."""
        self.set_class(self.size.width >= _WIDE, "-side")
        self.call_after_refresh(self._draw_tree)

    def on_unmount(self) -> None:
        """Close what was opened."""
        if self._seen is not None and self._seen.log is not None:
            self._seen.log.close()

    # ------------------------------------------------------------------ the tree

    def show(self, details: Details) -> None:
        """Read the files, if they may be others than before."""
        stamp = (details.run.heads, details.run.status)
        if stamp == self._stamp and not details.live:
            return
        first, self._stamp = stamp != self._stamp, stamp
        session, run = self.session, details.run

        def work() -> FileTree | LedgitError:
            try:
                return read_tree(session, run)
            except LedgitError as error:
                return error

        if first or self._may_look_again():
            self.page.ask(work, self._came, group="files", what="reading the files")

    def _may_look_again(self) -> bool:
        """Whether enough time went by: to find the files of a run that is being written its journal is read whole."""
        now = self.session.now()
        last, self._looked = getattr(self, "_looked", 0), now
        if now - last < 5_000:
            self._looked = last
            return False
        return True

    def _came(self, found: FileTree | LedgitError) -> None:
        grid = self.query_one("#files", Grid)
        if isinstance(found, LedgitError):
            self._tree = FileTree()
            grid.empty = clean(str(found))
        else:
            found.opened |= self._tree.opened
            self._tree = found
            live = self.details is not None and self.details.live
            grid.empty = "No files yet." if live else "It logged no files."
        self._draw_tree()
        self._look()

    def _draw_tree(self) -> None:
        grid = self.query_one("#files", Grid)
        glyph = self.session.glyph
        nodes = self._tree.rows()
        room = max((_TREE if self.has_class("-side") else self.size.width) - 21, 10)
        rows = []
        for node in nodes:
            mark = (
                f"{glyph('open' if node.path in self._tree.opened else 'closed')} " if self._is_folder(node) else "  "
            )
            name = fit("  " * min(node.depth, 10) + mark + clean(node.name), room)
            where = "" if node.here else "away"
            count = (
                f"{node.files:,} file{'' if node.files == 1 else 's'}"
                if node.files
                else size(node.size)
                if node.size is not None
                else "?"
            )
            rows.append(
                (node.path, [Cell(name, "head" if node.files else ""), Cell(count, "dim"), Cell(where, "warn")])
            )
        columns = [Column("name", "File", room), Column("size", "Size", 9, right=True), Column("where", "", 4)]
        grid.show(columns, FixedRows(rows), cursor=grid.cursor_key)

    def _is_folder(self, node: Node) -> bool:
        return self._tree.is_folder(node.path)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Show what the cursor is on."""
        event.stop()
        if event.grid.id == "files":
            self._look()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Open or close a folder; go into what is shown of a file."""
        event.stop()
        if event.grid.id != "files":
            return
        if self._tree.is_folder(event.key):
            self._tree.toggle(event.key)
            self._draw_tree()
        else:
            (
                self.query_one("#table") if self._seen is not None and self._seen.table else self.query_one("#text")
            ).focus()

    # ------------------------------------------------------------------ what is in a file

    def _look(self, *, again: bool = False) -> None:
        details, path = self.details, self.query_one("#files", Grid).cursor_key
        if details is None or path is None or (path == self._path and not again):
            return
        self._path = path
        if self._tree.is_folder(path):
            node = self._tree.node(path)
            count = node.files if node is not None else 0
            self._preview(Preview("folder", f"{count:,} file{'' if count == 1 else 's'}"))
            return
        lines = self.query_one("#text", Lines)
        high = lines.size.height if lines.display and lines.size.height > 4 else self.size.height - 2
        room = max(self.query_one("#seen").size.width - 2, 10), max(high, 4)
        run = details.run
        self.page.ask(lambda: preview(run, path, room), self._preview, group="preview", what="reading the file")

    def _preview(self, seen: Preview) -> None:
        if self._seen is not None and self._seen.log is not None:
            self._seen.log.close()
        self._seen = seen
        table, lines = self.query_one("#table", Grid), self.query_one("#text", Lines)
        table.display, lines.display = seen.table is not None, seen.table is None
        self.query_one("#about", Static).update(fit(clean(seen.about), max(self.query_one("#seen").size.width, 10)))
        if seen.table is not None:
            _show_table(table, *seen.table)
        elif seen.pixels:
            lines.show(_picture(seen.pixels, unicode=self.session.unicode), keep=False)
        elif seen.kind == "missing":
            lines.show(
                [*(Text(clean(line), "warn") for line in seen.lines), Text(""), Text("f fetches it.")], keep=False
            )
        elif seen.log is not None and not seen.language:
            lines.show(LogLines(seen.log), keep=False)
        elif seen.log is not None or seen.lines:
            log = seen.log
            texts = list(seen.lines) if log is None else [log.line(at) for at in range(len(log))]
            lines.show(colored(texts, seen.language, dark=not self.session.light), keep=False)
        else:
            lines.show([], keep=False)

    # ------------------------------------------------------------------ what can be done

    def action_save(self) -> None:
        """Write the file or folder under the cursor into a folder of this machine."""
        details, path = self.details, self.query_one("#files", Grid).cursor_key
        if details is None or path is None:
            return
        if not self.page.may_save():
            return
        repository, run = self.session.repository, details.run

        def done(folder: str) -> None:
            import os

            where = os.path.expanduser(folder.strip() or ".")

            def told(written: list[str]) -> None:
                count = f"{len(written):,} files" if len(written) != 1 else clean(written[0])
                self.page.tell(f"Wrote {count} into {clean(where)}.")

            self.page.ask(
                lambda: repository.save_artifacts(run, where, [path], flat=True, overwrite=False),
                told,
                what="writing",
            )

        self.page.prompt("into folder", done, value=".")

    def action_fetch(self) -> None:
        """Get what is under the cursor from the artifact remote."""
        details, path = self.details, self.query_one("#files", Grid).cursor_key
        node = self._tree.node(path) if path is not None else None
        if details is None or path is None or node is None:
            return
        if node.here and (self._seen is None or self._seen.kind != "missing"):
            self.page.tell("It is here already.")
            return
        repository, run = self.session.repository, details.run

        def told(_: object) -> None:
            self._stamp = None
            self.show(details)
            self._look(again=True)
            self.page.tell(f"Fetched {clean(path)}.")

        self.page.ask(lambda: repository.fetch_artifacts([run], path), told, what="fetching")


def _show_table(grid: Grid, head: list[str], rows: list[list[str]]) -> None:
    columns = []
    for place, title in enumerate(head):
        cells = [row[place] for row in rows[:200] if place < len(row)]
        wide = min(max([len(title), *(len(cell) for cell in cells)], default=1), 32)
        right = bool(cells) and all(_is_number(cell) for cell in cells if cell)
        columns.append(Column(str(place), clean(title), max(wide, 1), right=right))
    grid.show(columns, FixedRows([(str(at), [Cell(clean(cell)) for cell in row]) for at, row in enumerate(rows)]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _picture(pixels: object, *, unicode: bool) -> list[Text]:
    """Return an image as half blocks, two pixels a character; without Unicode as characters of more or less ink."""
    rows: list[list[tuple[int, int, int]]] = list(pixels)  # type: ignore[call-overload]
    lines = []
    for at in range(0, len(rows), 2):
        upper = rows[at]
        lower = rows[at + 1] if at + 1 < len(rows) else upper
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            if unicode:
                line.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
            else:
                line.append("@%#*+=-:. "[min(sum(above) + sum(below), 1529) * 10 // 1530])
        lines.append(line)
    return lines
