"""What the run's command printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Static

from ledgit.errors import LedgitError
from ledgit.records.harmless import size
from ledgit.tui.data.output import OUTPUT, OutputLog, open_output
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.widgets.ansi import ansi_text
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.data.details import Details

__all__ = ["LogLines", "OutputTab"]

#: Seconds between two looks at a log that grows.
_PACE = 0.4
_AT_ONCE = 16  # steps of reading before what is there is drawn


class LogLines:
    """A log as lines to draw."""

    def __init__(self, log: OutputLog) -> None:
        self.log = log

    def __len__(self) -> int:
        return len(self.log)

    def line(self, position: int) -> Text:
        """Return a line with its colours."""
        return ansi_text(self.log.line(position))


class OutputTab(Tab):
    """The log of the command: it follows while it grows, ``F`` switches that."""

    KEY: ClassVar[str] = "output"
    TITLE: ClassVar[str] = "Output"
    DEFAULT_CSS = """
    OutputTab #about { height: 1; width: 1fr; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "fetch", "Fetch it", show=False, id="output.fetch")]

    def __init__(self) -> None:
        super().__init__()
        self._log: OutputLog | None = None
        self._opened: tuple[str, ...] | None = None
        self._timer: Timer | None = None
        self._reading = False
        self._missing = ""

    def compose(self) -> ComposeResult:
        """Make the lines, and one above them that says what they are."""
        yield Static("", id="about", markup=False)
        yield Lines(empty="")

    def show(self, details: Details) -> None:
        """Show the log, and look at it again and again while the run goes on."""
        if details.live and self._timer is None:
            self._timer = self.set_interval(_PACE, self._look)
        elif not details.live and self._timer is not None:
            self._timer.stop()
            self._timer = None
        heads = details.run.heads
        if self._log is None or (self._opened != heads and not self._log.ended):
            self._opened = heads
            self._open(fetch=False)
        else:
            self._look()

    def hidden(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def on_unmount(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _open(self, *, fetch: bool) -> None:
        details = self.details
        if details is None:
            return
        run = details.run

        def work() -> OutputLog | LedgitError | None:
            try:
                log = open_output(run, fetch=fetch)
            except LedgitError as error:
                return error
            if log is not None:
                _read(log)
            return log

        self.page.ask(work, self._came, group="output", what="reading the output")

    def _came(self, found: OutputLog | LedgitError | None) -> None:
        lines = self.query_one(Lines)
        self._missing = ""
        if not isinstance(found, OutputLog):
            if self._log is None:
                details = self.details
                live = details is not None and details.live
                if found is None:
                    lines.empty = (
                        "Nothing was printed yet."
                        if live
                        else "What it printed was not kept. 'ledgit run python train.py' keeps it, as output.log."
                    )
                else:
                    self._missing = str(found)
                    lines.empty = f"{found}  (f fetches it)"
                lines.show([])
            self._about()
            return
        old, self._log = self._log, found
        if old is not None:
            old.close()
        lines.show(LogLines(found), follow=not found.ended, keep=old is not None)
        self._about()
        self._look()

    def _look(self) -> None:
        """Read what was appended."""
        log, details = self._log, self.details
        if log is None:
            if details is not None and details.live and not self._missing and self._timer is not None:
                self._open(fetch=False)
            return
        if self._reading or not self.display:
            return
        self._reading = True
        self.page.ask(lambda: _read(log), self._grown)

    def _grown(self, more: bool) -> None:
        self._reading = False
        log = self._log
        if log is None:
            return
        if more:
            self.query_one(Lines).grown()
            self._look()
        self._about()

    def _about(self) -> None:
        log = self._log
        if log is None:
            said = ""
        else:
            count = len(log)
            said = f"{OUTPUT}  {count:,} line{'' if count == 1 else 's'}  {size(log.size)}"
            if not log.ended:
                said += "  following" if self.query_one(Lines).following else "  F follows"
        self.query_one("#about", Static).update(said)

    def on_lines_followed(self, event: Lines.Followed) -> None:
        """Say whether it follows."""
        event.stop()
        self._about()

    def on_lines_found(self, event: Lines.Found) -> None:
        """Say that nothing was found."""
        event.stop()
        if event.position is None:
            self.page.tell(f"No line has {event.text}.", good=False)

    def action_fetch(self) -> None:
        """Get the log from the artifact remote, if it is not in this clone."""
        if self._missing:
            self._open(fetch=True)


def _read(log: OutputLog) -> bool:
    """Read a good deal of what was appended; return whether there was anything."""
    more = log.read_on()
    for _ in range(_AT_ONCE if more else 0):
        if not log.read_on():
            break
    return more
