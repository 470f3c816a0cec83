"""The overview of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Horizontal
from textual.events import Resize

from ledgit.tui.data.details import Ties, read_sparks, read_ties
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.screens.run.sections import facts, heading, metrics, note, params, tags
from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.texts import JoinedLines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.data.details import Details

__all__ = ["OverviewTab"]

_WIDE = 96
_SPARK = 14


class OverviewTab(Tab):
    """What it is, params, metrics, tags, note: one column, or two where there is room."""

    KEY: ClassVar[str] = "overview"
    TITLE: ClassVar[str] = "Overview"
    DEFAULT_CSS = """
    OverviewTab Horizontal { height: 1fr; width: 1fr; }
    OverviewTab #left { width: 1fr; height: 1fr; }
    OverviewTab #right { width: 1fr; height: 1fr; margin-left: 2; display: none; }
    OverviewTab.-two #right { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ties: tuple[object, Ties] | None = None
        self._sparks: Mapping[str, str] = {}
        self._looking = False

    def compose(self) -> ComposeResult:
        """Make both columns."""
        with Horizontal():
            yield Lines(id="left")
            yield Lines(id="right")

    def on_resize(self, _: Resize) -> None:
        """One column or two."""
        self.set_class(self.size.width >= _WIDE, "-two")
        self._draw()

    def show(self, details: Details) -> None:
        """Show the run; what takes longer follows."""
        self._draw()
        if self._looking or self.page.gone:
            return
        self._looking = True
        session, known, heads = self.session, self._ties, (details.run.heads, details.run.status)

        def work() -> tuple[Ties, Mapping[str, str]]:
            ties = known[1] if known is not None and known[0] == heads else read_ties(session, details.run)
            return ties, read_sparks(session, details.run, _SPARK)

        def arrived(found: tuple[Ties, Mapping[str, str]] | Exception) -> None:
            self._looking = False
            if isinstance(found, Exception):  # it was finalized or purged meanwhile: what is known stays
                return
            self._ties, self._sparks = (heads, found[0]), found[1]
            self._draw()

        def careful() -> tuple[Ties, Mapping[str, str]] | Exception:
            from ledgit.errors import LedgitError

            try:
                return work()
            except (LedgitError, OSError) as error:
                return error

        self.page.ask(careful, arrived)

    def _draw(self) -> None:
        details = self.details
        if details is None or not self.is_mounted:
            return
        session = self.session
        two = self.has_class("-two")
        run = details.run
        ties = self._ties[1] if self._ties is not None else None
        room = self.size.width // 2 - 2 if two else self.size.width
        blank = [Text("")]
        left = [facts(session, details, ties, self.page.gone), blank]
        main = [
            [heading("Metrics", f"{len(run.metrics):,}" if run.metrics else "")],
            metrics(session, details, self._sparks, room),
            blank,
        ]
        values = [[heading("Params", f"{len(run.params):,}" if run.params else "")], params(details), blank]
        words = [[heading("Tags")], tags(details), blank, [heading("Note")], note(details)]
        if two:
            self.query_one("#left", Lines).show(JoinedLines([*left, *values]))
            self.query_one("#right", Lines).show(JoinedLines([*main, *words]))
        else:
            self.query_one("#left", Lines).show(JoinedLines([*left, *main, *values, *words]))
