"""Parallel coordinates: each run a line through its values on several axes, any number of runs. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from typing import NamedTuple

from ledgit.tui.data.axes import Kind, Scale, span_of

__all__ = ["SHADES", "Axis", "Bundle", "Thread", "bundle"]

SHADES = 5


class Axis(NamedTuple):
    """One axis.

    Attributes:
        key: Names it to the program.
        title: What people call it.
        log: By orders of magnitude.
        names: Texts at the positions 0, 1, 2 …, bottom to top; () for numbers.
        kind: How numbers are counted.
    """

    key: str
    title: str
    log: bool = False
    names: Sequence[str] = ()
    kind: Kind = "number"


class Thread(NamedTuple):
    """Lines between two axes that begin and end at the same dots.

    Attributes:
        start: Dot on the left axis, from the top.
        stop: Dot on the right one.
        shade: The greatest shade of its runs, 0 to 4.
    """

    start: int
    stop: int
    shade: int


@dataclass
class Bundle:
    """Parallel coordinates at one height.

    Attributes:
        axes: The axes.
        keys: The runs.
        values: Each run's position on each axis; NaN where it has none.
        scales: Of each axis; None where no run has a value.
        threads: Between each two neighbouring axes, those of the least shade first.
        lone: Of each axis (dot, shade) of the values that no line leads to: the run has none on the axes beside it.
        shades: Of each run, 0 to 4 by its place among all; -1: it has no value to be ordered by.
        height: In dots.
    """

    axes: Sequence[Axis]
    keys: Sequence[str]
    values: Sequence[Sequence[float]]
    scales: list[Scale | None] = field(default_factory=list)
    threads: list[list[Thread]] = field(default_factory=list)
    lone: list[list[tuple[int, int]]] = field(default_factory=list)
    shades: list[int] = field(default_factory=list)
    height: int = 0

    def dot(self, axis: int, value: float) -> int | None:
        """Return the dot of *value* on an axis, from the top; None: it has no place there."""
        scale = self.scales[axis]
        at = None if scale is None else scale.place(value)
        return None if at is None else (self.height - 1) - round(min(max(at, 0.0), 1.0) * (self.height - 1))

    def order(self, axis: int) -> list[int]:
        """Return the runs that have a value on an axis, from the top down."""
        found = [(self.dot(axis, row[axis]), row[axis], place) for place, row in enumerate(self.values)]
        return [place for dot, _, place in sorted(one for one in found if one[0] is not None)]


def positions(axis: Axis, values: Sequence[float | str | None]) -> list[float]:
    """Return where *values* stand on *axis*: numbers as they are, texts by their place among its names."""
    if axis.names:
        places = {name: float(place) for place, name in enumerate(axis.names)}
        return [nan if value is None else places.get(str(value), nan) for value in values]
    return [nan if value is None or isinstance(value, str) else float(value) for value in values]


def bundle(
    axes: Sequence[Axis],
    lines: Sequence[tuple[str, Sequence[float | str | None]]],
    color: Sequence[float],
    height: int,
) -> Bundle:
    """Lay lines out over *height* dots.

    Args:
        axes: From left to right.
        lines: (key, a value for each axis) of each run; None, NaN or an unknown text: it has none there.
        color: A number for each line: the greater, the brighter. NaN: dim.
        height: In dots.
    """
    columns = [positions(axis, [values[place] for _, values in lines]) for place, axis in enumerate(axes)]
    found = Bundle(axes, [key for key, _ in lines], list(zip(*columns, strict=True)), height=height)
    for axis, column in zip(axes, columns, strict=True):
        span = span_of([column], log=axis.log)
        scale = (
            None
            if span is None
            else Scale(*span, log=axis.log, kind="names" if axis.names else axis.kind, names=axis.names)
        )
        found.scales.append(scale)
    ordered = sorted(value for value in color if value == value)  # noqa: PLR0124 - no NaN
    found.shades = [
        -1 if value != value else min(int((bisect_right(ordered, value) - 1) * SHADES / len(ordered)), SHADES - 1)  # noqa: PLR0124
        for value in color
    ]
    dots = [[found.dot(place, value) for value in column] for place, column in enumerate(columns)]
    for left, right in pairwise(dots):
        best: dict[tuple[int, int], int] = {}
        for start, stop, shade in zip(left, right, found.shades, strict=True):
            if start is not None and stop is not None and best.get((start, stop), -2) < shade:
                best[start, stop] = shade
        found.threads.append(
            sorted((Thread(*ends, max(shade, 0)) for ends, shade in best.items()), key=lambda one: one.shade)
        )
    nothing: list[int | None] = [None] * len(lines)
    for before, here, after in zip([nothing, *dots], dots, [*dots[1:], nothing], strict=False):
        ends = {
            (dot, max(shade, 0))
            for left, dot, right, shade in zip(before, here, after, found.shades, strict=True)
            if dot is not None and left is None and right is None
        }
        found.lone.append(sorted(ends, key=lambda one: one[1]))
    return found
