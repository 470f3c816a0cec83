"""Making the index anew is shown where somebody watches, and leaves nothing on the screen."""

from __future__ import annotations

import io
import sys

import pytest

from ledgit.cli import context
from ledgit.cli import progress as progress_module


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_long_reading_draws_a_bar_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the list is printed the bar is gone."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress_module, "_PATIENCE", 0.0)

    context._show("reading the ledger", 10, 40)
    drawn = screen.getvalue()
    context._show("reading the ledger", 40, 40)

    assert "reading the ledger" in drawn
    assert "25%" in drawn
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_short_reading_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second nobody wonders."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    for done in range(5):
        context._show("reading the ledger", done, 4)

    assert "" == screen.getvalue()
