"""A version that is being verified: what the thread is at, for the screen, and a word for it to give up."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from rich.text import Text

from ledgit.records.harmless import clean

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion
    from ledgit.registry.verify import Chain
    from ledgit.repository import Repository
    from ledgit.tui.session import Session

__all__ = ["Verifying"]


class _Cancelled(Exception):
    """Somebody does not want to know any more."""


class Verifying:
    """A version that is being verified in a thread: what it is at, and whether it is to end.

    Args:
        version: Which.
    """

    def __init__(self, version: ModelVersion) -> None:
        self.version = version
        self.steps: list[str] = []
        self.counted = ""
        self._cancelled = Event()

    def cancel(self) -> None:
        """Have it end at its next step, or within the file it reads."""
        self._cancelled.set()

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Take in what the thread is at; raises where it was cancelled."""
        from ledgit.records.harmless import size

        if self._cancelled.is_set():
            raise _Cancelled
        if what.startswith("looking at the "):
            self.steps.append(what.removeprefix("looking at the ").partition(" of ")[0])
            self.counted = ""
        else:
            self.counted = f"{size(done)} of {size(total)}" if total else size(done)

    def run(self, repository: Repository) -> Chain | None:
        """Do it; None if it was cancelled. Called in a thread."""
        from ledgit.registry.verify import VerifyChainOptions, verify_version

        options = VerifyChainOptions(stage=self.version.stages[0] if self.version.stages else "")
        try:
            return verify_version(repository, self.version, options, self.progress)
        except _Cancelled:
            return None

    def lines(self, session: Session) -> list[Text]:
        """Return what it is at."""
        lines = [Text(f"verifying {clean(self.version.model)} {self.version.version}   escape gives it up", "head")]
        steps = list(self.steps)
        for place, step in enumerate(steps):
            last = place == len(steps) - 1
            line = Text(no_wrap=True)
            line.append(session.glyph("running" if last else "dot") + " ", "live" if last else "dim")
            line.append(step)
            if last and self.counted:
                line.append(f"   {self.counted}", "dim")
            lines.append(line)
        return lines
