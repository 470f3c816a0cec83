"""What a screen looks like, as text: its lines, then which style each run of characters has.

Small enough to be read in a review, and it says in words what an SVG would hide. Renewed by ``LEDGIT_RENEW_LOOKS=1``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

FOLDER = Path(__file__).parent / "looks"
#: Read here: a test sees no variable of Ledgit's.
RENEW = bool(os.environ.get("LEDGIT_RENEW_LOOKS"))


def look(shown: Pilot[Any] | App[Any], *, styles: bool = True) -> str:
    """Return the screen as lines of text; with *styles* followed by one line a run of style that is not the commonest.

    Such a line says row, first and last column (from 0), and the style: ``03 12-20 bold #e69f00 on #14181d``.
    """
    app = shown.app if isinstance(shown, Pilot) else shown
    rows: list[str] = []
    runs: list[tuple[int, int, int, str]] = []
    for row, strip in enumerate(_strips(app)):
        text, column = "", 0
        for segment in strip:
            if segment.control:
                continue
            style = str(segment.style or "")
            end = column + segment.cell_length
            if runs and runs[-1][0] == row and runs[-1][3] == style and runs[-1][2] == column:
                runs[-1] = (row, runs[-1][1], end, style)
            elif end > column:
                runs.append((row, column, end, style))
            text += segment.text
            column = end
        rows.append(text.rstrip())
    plain = "\n".join(rows)
    if not styles:
        return plain
    weights: dict[str, int] = {}
    for _, start, end, style in runs:
        weights[style] = weights.get(style, 0) + end - start
    common = max(weights, key=lambda style: weights[style], default="")
    told = [f"{row:02} {start}-{end - 1} {style}" for row, start, end, style in runs if style != common]
    return "\n".join([plain, f"---- else {common}", *told, ""])


def _strips(app: App[Any]) -> list[Any]:
    """Return what is drawn, with what the app does to colours (NO_COLOR) done."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()[:height]
    filters = [item for item in app._filters if item.enabled]
    background = app.screen.styles.background
    done = []
    for strip in strips:
        for item in filters:
            strip = strip.apply_filter(item, background)
        done.append(strip.adjust_cell_length(width))
    return done


#: What is never the same: when a tag was made, and which commit that made.
PASSING = re.compile(r"(?<=made       )\d{4}-\d\d-\d\d \d\d:\d\d|(?<=commit     )[0-9a-f]{12}")


def same_look(name: str, shown: Pilot[Any] | App[Any], *, styles: bool = True) -> None:
    """Compare with ``looks/NAME.txt``."""
    seen = PASSING.sub(lambda found: "#" * len(found[0]), look(shown, styles=styles))
    path = FOLDER / f"{name}.txt"
    if RENEW:
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen, encoding="utf-8")
    assert path.read_text(encoding="utf-8").split("\n") == seen.split("\n")
