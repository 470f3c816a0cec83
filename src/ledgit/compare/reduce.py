"""Fewer points that still show every peak."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.records import Points

SMALLEST = 4


def reduce_points(points: Points, n: int) -> Points:
    """Return at most *n* of the points, in their order: the least and the greatest of each bucket.

    The first, the last, the least and the greatest point are always kept, so a drawing of the
    result has the range of the whole. A bucket of nothing but NaN keeps one, so the gap shows.

    Args:
        points: Steps, times (ms) and values in the order they shall be drawn.
        n: How many to keep at most; fewer than 4 counts as 4.
    """
    count, n = len(points), max(n, SMALLEST)
    if count <= n:
        return points
    values = points.values
    buckets = (n - 2) // 2
    inner = count - 2
    chosen = [0]
    for bucket in range(buckets):
        start = 1 + bucket * inner // buckets
        chosen.extend(extremes(values, start, 1 + (bucket + 1) * inner // buckets))
    chosen.append(count - 1)
    return type(points)(
        array("q", [points.steps[index] for index in chosen]),
        array("q", [points.times[index] for index in chosen]),
        array("d", [values[index] for index in chosen]),
    )


def extremes(values: array[float], start: int, stop: int) -> list[int]:
    """Return the index of the least and of the greatest of ``values[start:stop]``, in their order.

    NaN counts only where there is nothing else: then it is the first one's index. One index where both are the same.
    """
    chunk = values[start:stop]
    if not chunk:
        return []
    # min() and max() run in C but are wrong beside a NaN, which makes the sum one too.
    if math.isnan(sum(chunk)):
        known = [index for index, value in enumerate(chunk) if not math.isnan(value)]
        if not known:
            return [start]
        low, high = min(known, key=chunk.__getitem__), max(known, key=chunk.__getitem__)
    else:
        low, high = chunk.index(min(chunk)), chunk.index(max(chunk))
    return [start + low] if low == high else [start + min(low, high), start + max(low, high)]
