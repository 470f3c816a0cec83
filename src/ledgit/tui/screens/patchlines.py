"""Lines of a patch as they are drawn: numbers, signs, the language's words, one column or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from ledgit.tui.data.codechanges import PatchLine, side_by_side
from ledgit.tui.widgets.texts import harmless

__all__ = ["PatchSource", "lexer_of"]

_SIGNS = {"added": "+", "removed": "-"}
# Pygments' kinds of tokens, by the beginnings of their names, and the styles of ours that they get.
_TOKENS = (
    ("Token.Keyword", "key"),
    ("Token.Operator.Word", "key"),
    ("Token.Literal.String", "warn"),
    ("Token.Literal.Number", "hunk"),
    ("Token.Comment", "dim"),
    ("Token.Name.Function", "mark"),
    ("Token.Name.Class", "mark"),
    ("Token.Name.Decorator", "hunk"),
    ("Token.Name.Tag", "key"),
)
_LONGEST = 2_000


def lexer_of(path: str) -> Any:
    """Return Pygments' lexer for a file of this name; None where it knows none. In a thread: its import takes 30 ms."""
    from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        return get_lexer_for_filename(path.rpartition("/")[2], stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


class PatchSource:
    """A file's patch as lines that are made when they are seen.

    Args:
        lines: The patch.
        lexer: For the colours of its language, or None.
        width: Terminal columns for two columns side by side; 0 for one.
        tints: Backgrounds of added and removed lines; empty without colours.
    """

    def __init__(self, lines: Sequence[PatchLine], lexer: Any, width: int, tints: dict[str, Style]) -> None:
        self.patch, self._lexer, self._tints = lines, lexer, tints
        self._half = (width - 1) // 2 if width else 0
        self._pairs = side_by_side(lines) if width else []
        numbers = [number for line in lines for number in (line.old, line.new) if number is not None]
        self._digits = max(len(str(max(numbers, default=0))), 2)
        shown = [pair[0] for pair in self._pairs] if width else list(lines)
        self.hunks = [place for place, line in enumerate(shown) if line is not None and line.kind == "hunk"]

    def __len__(self) -> int:
        return len(self._pairs) if self._half else len(self.patch)

    def line(self, position: int) -> Text:
        """Return a line."""
        if not self._half:
            line = self.patch[position]
            return self._drawn(line, f"{_number(line.old)} {_number(line.new)}".rjust(0), both=True)
        left, right = self._pairs[position]
        if left is right and left is not None and left.kind != "same":
            return self._drawn(left, "", both=False)
        text = self._cell(left, new=False)
        text.append("│", "dim")
        text.append_text(self._cell(right, new=True))
        return text

    def _cell(self, line: PatchLine | None, *, new: bool) -> Text:
        """Return one side of a line, exactly as wide as there is room."""
        if line is None:
            return Text(" " * self._half)
        text = self._drawn(line, _number(line.new if new else line.old), both=False)
        text = harmless(text)
        if cell_len(text.plain) > self._half:
            text.truncate(self._half, overflow="crop")
            text.plain = set_cell_size(text.plain, self._half)
        gap = self._half - cell_len(text.plain)
        tint = self._tints.get(line.kind)
        text.append(" " * gap, tint or "")
        return text

    def _drawn(self, line: PatchLine, numbers: str, *, both: bool) -> Text:
        if line.kind == "hunk":
            return Text(f"{'─' * 3} {line.text[:_LONGEST]}", "hunk")
        if line.kind == "note":
            return Text(f"  {line.text[:_LONGEST]}", "dim")
        if both:
            numbers = f"{_number(line.old):>{self._digits}} {_number(line.new):>{self._digits}}"
        else:
            numbers = f"{numbers:>{self._digits}}"
        text = Text()
        sign_style = line.kind if line.kind in _SIGNS else "dim"
        text.append(f"{numbers} ", sign_style if line.kind in _SIGNS else "dim")
        text.append(f"{_SIGNS.get(line.kind, ' ')} ", sign_style)
        start = len(text)
        code = line.text.replace("\t", "    ")[:_LONGEST]
        text.append(code)
        for begin, end, style in self._words(code):
            text.stylize(style, start + begin, start + end)
        tint = self._tints.get(line.kind)
        if tint is not None:
            text.stylize(tint, 0, len(text))
        return text

    def _words(self, code: str) -> list[tuple[int, int, str]]:
        if self._lexer is None or not code.strip():
            return []
        found = []
        for place, token, value in self._lexer.get_tokens_unprocessed(code):
            name = str(token)
            style = next((style for beginning, style in _TOKENS if name.startswith(beginning)), "")
            if style:
                found.append((place, place + len(value), style))
        return found


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
