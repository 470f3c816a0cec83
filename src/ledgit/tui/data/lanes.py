"""A graph of commits as one line of characters for each: lanes, and where they fork and join."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DOT", "Lanes", "ascii_lanes"]

#: Stands in a drawn line for the commit itself: what marks it is decided when it is shown.
DOT = "\0"
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_SHAPES = {
    0: " ",
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _UP | _LEFT: "╯",
    _UP | _RIGHT: "╰",
    _DOWN | _LEFT: "╮",
    _DOWN | _RIGHT: "╭",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _LEFT | _RIGHT: "┴",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}
_ASCII = str.maketrans(
    {"│": "|", "─": "-", "╯": "'", "╰": "`", "╮": ".", "╭": ".", "┤": "+", "├": "+", "┴": "+", "┬": "+", "┼": "+"}
)


def ascii_lanes(line: str) -> str:
    """Return a drawn line for terminals without Unicode."""
    return line.translate(_ASCII)


class Lanes:
    """Draws commits one by one, none before a child of its; keeps which commit each lane waits for.

    A commit that does stand before a child (dates that lie, and a page's end between the two) costs that child its
    line to it: it is not waited for.
    """

    def __init__(self) -> None:
        self._lanes: list[str | None] = []
        self._drawn: set[str] = set()

    def draw(self, oid: str, parents: Sequence[str]) -> str:
        """Return the line of the commit *oid*: two characters a lane, with :data:`DOT` where the commit stands."""
        lanes = self._lanes
        waiting = [place for place, wanted in enumerate(lanes) if wanted == oid]
        place = waiting[0] if waiting else self._free()
        arms = [_UP | _DOWN if wanted is not None else 0 for wanted in lanes]
        ends = {place}
        for other in waiting[1:]:  # they end here
            arms[other] = _UP
            lanes[other] = None
            ends.add(other)
        self._drawn.add(oid)
        rest = [parent for parent in dict.fromkeys(parents) if parent not in self._drawn]
        lanes[place] = rest[0] if rest else None
        for parent in rest[1:]:
            if parent in lanes:
                joined = lanes.index(parent)
            else:
                joined = self._free(beyond=place)
                lanes[joined] = parent
                if joined >= len(arms):
                    arms += [0] * (joined + 1 - len(arms))
                arms[joined] |= _DOWN
            ends.add(joined)
        line = _joined(arms, place, ends, len(lanes))
        while lanes and lanes[-1] is None:
            lanes.pop()
        return line

    def _free(self, beyond: int = -1) -> int:
        """Return a lane that nobody uses, right of *beyond*."""
        for place in range(beyond + 1, len(self._lanes)):
            if self._lanes[place] is None:
                return place
        self._lanes.append(None)
        return len(self._lanes) - 1


def _joined(arms: list[int], place: int, ends: set[int], count: int) -> str:
    """Return the line with a stroke from the commit to each of *ends*."""
    arms = arms + [0] * (count - len(arms))
    first, last = min(ends), max(ends)
    shown = []
    for number in range(count):
        arm = arms[number]
        if number == place:
            shown.append(DOT)
        else:
            if number in ends:
                arm |= _LEFT if number > place else _RIGHT
            if first < number < last:
                arm |= _LEFT | _RIGHT
            shown.append(_SHAPES.get(arm, "│"))
        shown.append("─" if first <= number < last else " ")
    return "".join(shown).rstrip()
