"""Colours of program text, made line by line where it is looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from rich.syntax import Syntax

__all__ = ["DiffLines", "colored", "language_of"]

_LONGEST = 2_000  # characters of a line that get colours


def language_of(path: str) -> str:
    """Return the language of a file by its name; "" for what has no colours."""
    name = os.path.basename(path).lower()
    if name in ("dockerfile", "makefile"):
        return name
    ending = os.path.splitext(name)[1]
    from ledgit.tui.data.preview import LANGUAGES

    return LANGUAGES.get(ending, "")


@lru_cache(maxsize=16)
def _syntax(language: str, dark: bool) -> Syntax:
    from rich.syntax import Syntax

    return Syntax("", language, theme="ansi_dark" if dark else "ansi_light", background_color="default")


def colored(lines: Sequence[str], language: str, *, dark: bool = True) -> list[Text]:
    """Return *lines* with the colours of *language* ("" for none)."""
    if not language:
        return [Text(line) for line in lines]
    whole = _syntax(language, dark).highlight("\n".join(lines))
    found = [_colors_alone(text) for text in whole.split("\n", allow_blank=True)]
    # A lexer may drop empty lines at the ends: then the text itself says more.
    return found[: len(lines)] if len(found) >= len(lines) else [Text(line) for line in lines]


def _colors_alone(text: Text) -> Text:
    """Return *text* without the backgrounds and lines that come with a theme's colours."""
    plain = Text(text.plain)
    for start, end, style in text.spans:
        if isinstance(style, Style) and (style.color is not None or style.bold or style.italic):
            plain.stylize(Style(color=style.color, bold=style.bold, italic=style.italic), start, end)
    return plain


class DiffLines:
    """A unified diff of one file as lines to draw; each gets its colours when it is looked at.

    Args:
        lines: Of the diff, without the heads of files.
        language: Of the file; "" for none.
        dark: Whether the background is dark.
    """

    def __init__(self, lines: Sequence[str], language: str = "", *, dark: bool = True) -> None:
        self._lines, self._language, self._dark = lines, language, dark

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, position: int) -> Text:
        """Return a line."""
        line = self._lines[position]
        if line.startswith("@@"):
            return Text(line, "hunk")
        sign, rest = line[:1], line[1:]
        style = {"+": "added", "-": "removed"}.get(sign, "")
        text = Text(sign, style)
        if not self._language or len(rest) > _LONGEST or sign not in ("+", "-", " "):
            return text.append(rest, style or ("dim" if sign == "\\" else ""))
        body = _colors_alone(_syntax(self._language, self._dark).highlight(rest))
        body.rstrip()
        if style:
            body = body.copy()
            body.stylize_before(style)
        return text.append_text(body).append(rest[len(body.plain) :])
