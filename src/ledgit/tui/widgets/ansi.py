"""Colours that programs print, as styles; what else they say to a terminal is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.color import Color
from rich.style import Style
from rich.text import Text

__all__ = ["ansi_text"]

_ESCAPE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # other control sequences
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # strings: titles, links, the clipboard
    r"|\x1b[ -/]*[0-~]?"
)
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


def ansi_text(line: str) -> Text:
    """Return *line* with the colours that its escape sequences ask for. Nothing blinks, is hidden or is a link."""
    if "\x1b" not in line:
        return Text(line)
    text, at, state = Text(), 0, _State()
    for found in _ESCAPE.finditer(line):
        if found.start() > at:
            text.append(line[at : found.start()], state.style())
        at = found.end()
        if found["sgr"] is not None:
            state.apply(found["sgr"])
    text.append(line[at:], state.style())
    return text


class _State:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.attributes: dict[str, bool] = {}
        self.color: Color | None = None
        self.background: Color | None = None

    def style(self) -> Style | None:
        if not self.attributes and self.color is None and self.background is None:
            return None
        style = Style(**self.attributes)  # type: ignore[arg-type]
        if self.color is not None or self.background is not None:
            style += Style.from_color(self.color, self.background)
        return style

    def apply(self, codes: str) -> None:
        numbers = [int(code) if code else 0 for code in re.split("[;:]", codes[:200]) if len(code) < 5]
        waiting = iter(numbers)
        for code in waiting:
            if code == 0:
                self.clear()
            elif code in _ON:
                self.attributes[_ON[code]] = True
            elif code in _OFF:
                for name in _OFF[code]:
                    self.attributes.pop(name, None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.color = Color.from_ansi(code - (30 if code < 90 else 82))
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.background = Color.from_ansi(code - (40 if code < 100 else 92))
            elif code == 39:
                self.color = None
            elif code == 49:
                self.background = None
            elif code in (38, 48):
                color = _color(next(waiting, -1), waiting)
                if color is not None and code == 38:
                    self.color = color
                elif color is not None:
                    self.background = color


def _color(kind: int, waiting: Iterator[int]) -> Color | None:
    """Return the colour that the codes after ``38;`` name."""
    if kind == 5:
        return Color.from_ansi(next(waiting, 0) & 255)
    if kind == 2:
        red, green, blue = (next(waiting, 0) & 255 for _ in range(3))
        return Color.from_rgb(red, green, blue)
    return None
