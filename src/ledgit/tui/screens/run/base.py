"""What the tabs of a run's screen are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Vertical

if TYPE_CHECKING:
    from textual.widget import Widget

    from ledgit.tui.data.details import Details
    from ledgit.tui.screens.run.page import RunScreen
    from ledgit.tui.session import Session

__all__ = ["Tab"]


class Tab(Vertical):
    """One tab. It is made when it is first looked at, and told what to show while it is seen.

    Attributes:
        KEY: How ``open_run(id, tab)`` calls it.
        TITLE: In the line of tabs.
    """

    KEY: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    DEFAULT_CSS = "Tab { height: 1fr; width: 1fr; }"

    @property
    def page(self) -> RunScreen:
        """The screen."""
        return cast("RunScreen", self.screen)

    @property
    def session(self) -> Session:
        """What all screens share."""
        return self.page.session

    @property
    def details(self) -> Details | None:
        """The run as it was read last."""
        return self.page.details

    def on_mount(self) -> None:
        """Be shown what there is."""
        self.page.came(self)

    def show(self, details: Details) -> None:
        """Show the run: called when the tab comes into sight, and when the run changed while it is."""
        raise NotImplementedError

    def hidden(self) -> None:
        """Another tab came into sight."""

    def main(self) -> Widget | None:
        """Return what the keys are for."""
        return next(iter(self.query("Lines, Grid, Chart")), None)
