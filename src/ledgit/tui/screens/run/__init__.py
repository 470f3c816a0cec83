"""The screen of one run: tabs, edits, stopping."""

from ledgit.tui.screens.run.page import RunScreen

__all__ = ["RunScreen"]
