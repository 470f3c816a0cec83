"""``order_by``: what to sort by. Parsed by hand, so that ``ls --sort`` loads no grammar library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledgit.errors import FilterError
from ledgit.query.keys import KEY, Key, make_key

__all__ = ["OrderKey", "parse_order_by"]

_ITEM = (
    rf"\s*(?P<sign>[-+]?)\s*(?:(?P<part>(?i:min|max|last))\s*\(\s*(?P<inner>{KEY})\s*\)|(?P<plain>{KEY}))"
    r"(?:\s+(?P<direction>(?i:asc|desc)))?\s*"
)


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key to sort by."""

    key: Key
    descending: bool = False


def parse_order_by(items: Sequence[str]) -> tuple[OrderKey, ...]:
    """Parse *items*, each one key or several with commas between.

    ``"metrics.acc DESC"`` and ``"-metrics.acc"`` are the same; without either it is ascending.

    Raises:
        FilterError: With the position in the item that doesn't parse.
    """
    return tuple(order for text in items for order in _parse(text))


def _parse(text: str) -> list[OrderKey]:
    if not text.strip():
        raise FilterError(text, 0, "nothing to sort by")
    pattern = re.compile(_ITEM)
    found = []
    position = 0
    while True:
        match = pattern.match(text, position)
        if match is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            reason = "expected a key to sort by, as metrics.accuracy DESC or -metrics.accuracy"
            raise FilterError(text, at, reason)
        part, direction, name = match["part"], match["direction"], "inner" if match["part"] else "plain"
        if match["sign"] and direction:
            raise FilterError(text, match.start("direction"), f"both {match['sign']} and {direction}; one will do")
        key = make_key(match[name], (part or "last").lower(), text, match.start(name))
        if key == Key("attributes", "ancestor"):
            raise FilterError(text, key.position, "runs can't be sorted by ancestor; parent_run puts siblings together")
        if key.kind == "datasets":
            raise FilterError(text, key.position, "runs can't be sorted by data set; a run may have several")
        found.append(OrderKey(key, match["sign"] == "-" or (direction or "").lower() == "desc"))
        position = match.end()
        if position == len(text):
            return found
        if text[position] != ",":
            raise FilterError(text, position, "expected ASC, DESC, a comma or the end")
        position += 1
