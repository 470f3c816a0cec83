"""Dots in a plane, sorted into the characters of a terminal: any number of them, each findable again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log10, nan
from typing import NamedTuple

from ledgit.compare import Direction
from ledgit.tui.data.axes import Kind, Scale, span_of

__all__ = ["Cloud", "Dot", "Layout", "arrange", "best_so_far", "nearest", "step_to"]

DENSE = 600
"""From so many dots on cells are drawn by how many dots they have."""


class Dot(NamedTuple):
    """One dot.

    Attributes:
        key: Names it to the program.
        label: What people call it.
        x: NaN or infinite: it is not drawn.
        y: As *x*.
        number: Colour and mark: a series' number, or a shade from 0 to 4.
    """

    key: str
    label: str
    x: float
    y: float
    number: int = 0


@dataclass
class Cloud:
    """What a scatter shows.

    Attributes:
        dots: The dots.
        x_label: What the x axis counts.
        y_label: What the y axis counts.
        x_kind: How it is counted.
        y_kind: How it is counted.
        x_names: Names of the positions 0, 1, 2 … where *x_kind* is ``names``.
        y_names: The same of y.
        log_x: By orders of magnitude.
        log_y: By orders of magnitude.
        best: Draw the best y so far from left to right, and which way is better; None: don't.
        shaded: ``Dot.number`` is a shade, from least to most, and not a series.
        colored: ``Dot.number`` says something.
        legend: (number, text) of what the colours mean.
        title: Of the whole.
        empty: Said where there are no dots.
    """

    dots: Sequence[Dot] = ()
    x_label: str = ""
    y_label: str = ""
    x_kind: Kind = "number"
    y_kind: Kind = "number"
    x_names: Sequence[str] = ()
    y_names: Sequence[str] = ()
    log_x: bool = False
    log_y: bool = False
    best: Direction | None = None
    shaded: bool = False
    colored: bool = False
    legend: Sequence[tuple[int, str]] = ()
    empty: str = "no runs have both values"
    title: str = ""


class Spot(NamedTuple):
    """What is drawn in one character.

    Attributes:
        dots: Places of its dots in ``Cloud.dots``.
        mask: The braille dots.
        number: The number that most of its dots have.
    """

    dots: list[int]
    mask: int
    number: int


@dataclass
class Layout:
    """A cloud at one size.

    Attributes:
        across: The x axis.
        up: The y axis.
        columns: Width in characters.
        rows: Height in characters.
        spots: What is drawn, by (column, row).
        places: The cell of each dot that is drawn.
        best: The corners of the best-so-far line, as x and y.
        out: How many dots can't be drawn.
    """

    cloud: Cloud
    columns: int
    rows: int
    across: Scale | None = None
    up: Scale | None = None
    spots: dict[tuple[int, int], Spot] = field(default_factory=dict)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    best: tuple[Sequence[float], Sequence[float]] = ((), ())
    out: int = 0

    @property
    def dense(self) -> bool:
        """Whether cells are drawn by how many dots they have."""
        return len(self.cloud.dots) > DENSE


def arrange(cloud: Cloud, columns: int, rows: int) -> Layout:
    """Sort the dots of *cloud* into *columns* × *rows* characters. Of 100,000 dots it takes some 0.2 s."""
    layout = Layout(cloud, columns, rows)
    xs, ys = [dot.x for dot in cloud.dots], [dot.y for dot in cloud.dots]
    # A dot that has no place on one axis must not stretch the other.
    drawable = [
        place
        for place, (x, y) in enumerate(zip(xs, ys, strict=True))
        if x - x == 0 and y - y == 0 and (not cloud.log_x or x > 0) and (not cloud.log_y or y > 0)
    ]
    layout.out = len(xs) - len(drawable)
    x_span, y_span = span_of([[xs[place] for place in drawable]]), span_of([[ys[place] for place in drawable]])
    if x_span is None or y_span is None or columns < 1 or rows < 1:
        return layout
    across = _axis(x_span, cloud.log_x, cloud.x_kind, cloud.x_names)
    up = _axis(y_span, cloud.log_y, cloud.y_kind, cloud.y_names)
    layout.across, layout.up = across, up
    wide, tall = 2 * columns - 1, 4 * rows - 1
    bits = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
    members: dict[tuple[int, int], list[int]] = {}
    masks: dict[tuple[int, int], int] = {}
    for place in drawable:
        x_at, y_at = across.place(xs[place]), up.place(ys[place])
        if x_at is None or y_at is None:
            continue
        x = min(max(round(x_at * wide), 0), wide)
        y = min(max(tall - round(y_at * tall), 0), tall)
        cell = (x >> 1, y >> 2)
        layout.places[place] = cell
        members.setdefault(cell, []).append(place)
        masks[cell] = masks.get(cell, 0) | bits[x & 1][y & 3]
    dots = cloud.dots
    for cell, found in members.items():
        number = dots[found[0]].number
        if cloud.colored and len(found) > 1:
            number = Counter(dots[place].number for place in found).most_common(1)[0][0]
        layout.spots[cell] = Spot(found, masks[cell], number)
    if cloud.best is not None:
        layout.best = best_so_far([(xs[place], ys[place]) for place in drawable], cloud.best)
    return layout


def _axis(span: tuple[float, float], log: bool, kind: Kind, names: Sequence[str]) -> Scale:
    return Scale(*_room(span, log, kind), log=log, kind=kind, names=names)


def _room(span: tuple[float, float], log: bool, kind: Kind) -> tuple[float, float]:
    """Return the ends of an axis with some room beside the outermost dots, so that the frame covers none."""
    low, high = span
    if not low < high or kind == "names":
        return span
    if log:
        share = (log10(high) - log10(low)) * 0.03
        return 10 ** max(log10(low) - share, -307.0), 10 ** min(log10(high) + share, 308.0)
    share = (high / 2 - low / 2) * 0.06
    return max(low - share, -1.7e308), min(high + share, 1.7e308)


def best_so_far(pairs: Sequence[tuple[float, float]], way: Direction) -> tuple[list[float], list[float]]:
    """Return x and y of the points that were better than all before them, and the last x."""
    xs: list[float] = []
    ys: list[float] = []
    best, last = nan, nan
    for x, y in sorted(pairs, key=lambda pair: pair[0]):
        last = x
        if not ys or (y < best if way == "minimize" else y > best):
            best = y
            xs.append(x)
            ys.append(y)
    if xs and xs[-1] != last:
        xs.append(last)
        ys.append(best)
    return xs, ys


def nearest(layout: Layout, column: float, row: float) -> int | None:
    """Return the dot nearest to a place, None if there is none. A character is twice as high as wide."""
    if not layout.spots:
        return None
    cell = min(layout.spots, key=lambda spot: abs(spot[0] - column) + 2 * abs(spot[1] - row))
    return layout.spots[cell].dots[0]


def step_to(layout: Layout, dot: int | None, right: int, down: int) -> int | None:
    """Return the dot next to *dot* in a direction, *dot* itself if there is none further on.

    Args:
        layout: The cloud.
        dot: Where to start; None: in the middle.
        right: 1 to the right, -1 to the left, else 0.
        down: 1 downwards, -1 upwards, else 0.
    """
    at = layout.places.get(dot) if dot is not None else None
    if at is None:
        return nearest(layout, layout.columns / 2, layout.rows / 2)
    found, least = dot, 0.0
    for cell, spot in layout.spots.items():
        on = (cell[0] - at[0]) * right + (cell[1] - at[1]) * down
        if on <= 0:
            continue
        aside = abs(cell[1] - at[1]) * 2 if right else abs(cell[0] - at[0]) / 2
        far = on + 2 * aside
        if found == dot or far < least:
            found, least = spot.dots[0], far
    return found
