"""Lines of text as widgets get them: with styles by name, and harmless whatever they say."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol, runtime_checkable

from rich.text import Text

__all__ = ["LONGEST", "NAMED_STYLES", "JoinedLines", "Line", "LineSource", "MadeLines", "PlainLines", "harmless"]

#: Names that a span's style may have besides Rich's own: they become the theme's colours.
NAMED_STYLES = (
    *("good", "bad", "dim", "mark", "live", "warn", "head", "match", "key", "added", "removed", "hunk"),
    *(f"series-{number}" for number in range(8)),
)
#: Characters of a line that are drawn: no screen is wider, and a log may be one line of a gigabyte.
LONGEST = 20_000


class Line(NamedTuple):
    """A line, and what it stands for."""

    text: Text
    key: str = ""


@runtime_checkable
class LineSource(Protocol):
    """Lines that are made when they are asked for."""

    def __len__(self) -> int: ...

    def line(self, position: int) -> Text | None:
        """Return a line; None while it is being read: then :meth:`Lines.redraw` when it has come."""


class PlainLines:
    """A sequence of texts as a source."""

    def __init__(self, lines: Sequence[Text | Line | str]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def line(self, position: int) -> Text:
        """Return a line."""
        line = self.lines[position]
        return line.text if isinstance(line, Line) else Text(line) if isinstance(line, str) else line


class MadeLines:
    """Lines that a function makes, by position.

    Args:
        count: How many there are.
        make: Makes one.
    """

    def __init__(self, count: int, make: Callable[[int], Text]) -> None:
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def line(self, position: int) -> Text:
        """Return a line."""
        return self.make(position)


class JoinedLines:
    """Sources and sequences of lines under each other."""

    def __init__(self, parts: Iterable[LineSource | Sequence[Text | Line | str]]) -> None:
        self._parts = [part if isinstance(part, LineSource) else PlainLines(part) for part in parts]
        self._starts = [0, *accumulate(map(len, self._parts))]

    def __len__(self) -> int:
        return self._starts[-1]

    def line(self, position: int) -> Text | None:
        """Return a line."""
        place = bisect_right(self._starts, position) - 1
        return self._parts[place].line(position - self._starts[place])


def harmless(text: Text) -> Text:
    r"""Return *text* with what could steer a terminal drawn as ``␛`` or ``�``, one for one: styles stay."""
    plain = text.plain
    if plain.isprintable():
        return text
    copy = Text("".join(_drawn(char) for char in plain), style=text.style, end="")
    copy.spans = list(text.spans)
    return copy


def _drawn(char: str) -> str:
    if char.isprintable() or char in "\u00a0\u200c\u200d":
        return char
    code = ord(char)
    return " " if char == "\t" else chr(0x2400 + code) if code < 0x20 else "\ufffd"
