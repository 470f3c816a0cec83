"""A history drawn in a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
# Dots of a braille cell, from the lowest row up: left column, right column.
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)


def sparkline(values: Sequence[float], width: int = 20, *, braille: bool = False) -> str:
    """Draw *values*, oldest first, in at most *width* characters.

    More values than fit are averaged bucket by bucket; the scale runs from the smallest to the
    greatest finite value. NaN leaves a gap, +inf is drawn at the top, -inf at the bottom, a constant
    in the middle. Braille has two values a character but only four levels; blocks have eight.
    """
    columns = max(width, 1) * (2 if braille else 1)
    heights = _levels(_buckets(values, columns), 4 if braille else len(BLOCKS))
    if not braille:
        return "".join(" " if height is None else BLOCKS[height] for height in heights)
    if len(heights) % 2:
        heights.append(None)
    cells = []
    for left, right in zip(heights[::2], heights[1::2], strict=True):
        dots = (0 if left is None else _LEFT[left]) | (0 if right is None else _RIGHT[right])
        cells.append(chr(0x2800 + dots))
    return "".join(cells)


def _buckets(values: Sequence[float], columns: int) -> list[float]:
    count = len(values)
    if count <= columns:
        return list(values)
    reduced = []
    for column in range(columns):
        chunk = values[column * count // columns : (column + 1) * count // columns]
        finite = [value for value in chunk if math.isfinite(value)]
        if finite:
            # Divided first: the sum of two huge numbers would overflow to infinity.
            reduced.append(sum(value / len(finite) for value in finite))
        else:
            reduced.append(next((value for value in chunk if not math.isnan(value)), math.nan))
    return reduced


def _levels(values: list[float], levels: int) -> list[int | None]:
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    # Halved, so that the span of ±1.8e308 does not overflow.
    span = high / 2 - low / 2
    heights: list[int | None] = []
    for value in values:
        if math.isnan(value):
            heights.append(None)
        elif math.isinf(value):
            heights.append(levels - 1 if value > 0 else 0)
        elif span <= 0:
            heights.append(levels // 2 - 1)
        else:
            heights.append(min(levels - 1, int((value / 2 - low / 2) / span * levels)))
    return heights
