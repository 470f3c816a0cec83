"""Colours and marks. Imports Textual only to make its themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.theme import Theme

__all__ = ["GLYPHS", "SERIES_DARK", "SERIES_LIGHT", "SERIES_MARKS", "default_theme", "own_themes"]

#: Marks by name: with Unicode, and without. Each is one column wide.
GLYPHS: dict[str, tuple[str, str]] = {
    "running": ("●", "*"),
    "finished": ("✓", "+"),
    "failed": ("✗", "x"),
    "killed": ("■", "k"),
    "scheduled": ("◌", "."),
    "lost": ("?", "?"),
    "unreadable": ("!", "!"),
    "deleted": ("–", "-"),
    "marked": ("▌", ">"),
    "cursor": ("›", ">"),
    "star": ("★", "*"),
    "baseline": ("◆", "B"),
    "better": ("▲", "^"),
    "worse": ("▼", "v"),
    "same": ("=", "="),
    "up": ("↑", "^"),
    "down": ("↓", "v"),
    "left": ("←", "<"),
    "right": ("→", ">"),
    "open": ("▾", "v"),
    "closed": ("▸", ">"),
    "more": ("…", "~"),
    "dash": ("–", "-"),
    "line": ("─", "-"),
    "bar": ("│", "|"),
    "branch": ("├", "|"),
    "last": ("└", "`"),
    "commit": ("●", "*"),
    "tag": ("◈", "#"),
    "dot": ("·", "."),
    "times": ("×", "x"),
    "delta": ("Δ", "d"),
    "check": ("✓", "+"),
    "warning": ("!", "!"),
}

# Okabe and Ito's colours, which people with any of the usual colour blindnesses tell apart; those too dark or too
# bright for a background are of the same hue, lighter or darker.
SERIES_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#3D9BD9", "#E8743B", "#BBBBBB")
SERIES_LIGHT = ("#0072B2", "#B87700", "#00795A", "#A8507F", "#857A00", "#2C7FB0", "#D55E00", "#555555")
SERIES_MARKS = (("●", "o"), ("×", "x"), ("+", "+"), ("◆", "*"), ("■", "#"), ("▲", "^"), ("▼", "v"), ("○", "%"))


def own_themes() -> list[Theme]:
    """Return Ledgit's themes, for Textual."""
    from textual.theme import Theme

    return [
        Theme(
            "ledgit-dark",
            primary="#56B4E9",
            secondary="#3D9BD9",
            accent="#E69F00",
            success="#2DB98F",
            warning="#E6B450",
            error="#F07178",
            foreground="#D8DEE4",
            background="#14181D",
            surface="#191E24",
            panel="#232A32",
            dark=True,
            variables={"footer-key-foreground": "#E69F00", "block-cursor-text-style": "none"},
        ),
        Theme(
            "ledgit-light",
            primary="#0072B2",
            secondary="#2C7FB0",
            accent="#9A5B00",
            success="#00795A",
            warning="#8A6100",
            error="#B3261E",
            foreground="#1F2328",
            background="#FDFDFC",
            surface="#F4F4F1",
            panel="#E6E7E3",
            dark=False,
            variables={"footer-key-foreground": "#9A5B00", "block-cursor-text-style": "none"},
        ),
        Theme(
            "ledgit-contrast",
            primary="#FFFFFF",
            secondary="#FFFFFF",
            accent="#FFFF00",
            success="#00FF00",
            warning="#FFFF00",
            error="#FF6060",
            foreground="#FFFFFF",
            background="#000000",
            surface="#000000",
            panel="#303030",
            dark=True,
            text_alpha=1.0,
            variables={
                "footer-key-foreground": "#FFFF00",
                "text-muted": "#FFFFFF",
                "text-disabled": "#E0E0E0",
                "block-cursor-background": "#FFFF00",
                "block-cursor-foreground": "#000000",
                "block-cursor-text-style": "bold",
            },
        ),
    ]


def default_theme(environ: Mapping[str, str]) -> str:
    """Return the theme that suits the terminal's background, where ``COLORFGBG`` tells it; else the dark one."""
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "ledgit-light" if background in ("7", "15") else "ledgit-dark"
