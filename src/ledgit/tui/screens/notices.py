"""Screens that only say something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from ledgit.tui.screen import LedgitScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

__all__ = ["MissingScreen"]


class MissingScreen(LedgitScreen):
    """A screen that this installation does not have."""

    NAME = "missing"
    DEFAULT_CSS = """
    MissingScreen Static { padding: 1 2; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.missing = name

    def body(self) -> ComposeResult:
        """Say so."""
        yield Static(Text(f"The screen {self.missing} is not in this version."))
