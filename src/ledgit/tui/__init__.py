"""The terminal UI: browse, compare and steer runs across branches. Imports Textual only when it runs."""

from __future__ import annotations

from ledgit.tui.session import Session, UiOptions
from ledgit.tui.start import run_ui

__all__ = ["Session", "UiOptions", "run_ui"]
