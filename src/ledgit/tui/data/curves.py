"""Histories made small enough to draw and to keep, also while they grow: the extremes of equal stretches."""

from __future__ import annotations

from array import array
from math import inf, isfinite, isnan, nan
from typing import TYPE_CHECKING, NamedTuple

from ledgit.compare import extremes
from ledgit.records import Points

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Curve", "Drawn", "Series", "latest_text", "series_of", "smoothed"]

STRETCHES = 400
"""A long history is kept as 400 to 800 stretches: more than a wide terminal has columns of dots."""


class Drawn(NamedTuple):
    """What is drawn of a history: real points of it, none of them moved.

    Attributes:
        points: In the order they were logged; NaN where a stretch has nothing finite.
        means: The mean of each stretch where *points* leaves something out, for smoothing; else None.
        total: How many points the history has.
        odd: How many of them are NaN or infinite.
        latest: The newest value: greatest step, then time. NaN or infinite, if that is what was logged.
    """

    points: Points
    means: Points | None
    total: int
    odd: int
    latest: float


class Curve:
    """A history that grows, of which no more is kept than is drawn.

    Up to 800 points are kept as they are; of more, the least and the greatest of each stretch of 2, 4, 8 … points. So a
    peak is never lost, and a million points take 50 KB. Points need not come in the order of their steps.
    """

    __slots__ = ("_high", "_low", "_mean", "_newest", "_rest", "odd", "size", "total")

    def __init__(self) -> None:
        self._low, self._high, self._mean = Points(), Points(), Points()
        self._rest = Points()  # not enough for a stretch yet; all there is while nothing is left out
        self._newest: tuple[int, int, float] | None = None
        self.size, self.total, self.odd = 1, 0, 0

    def __len__(self) -> int:
        """How many points are kept."""
        return len(self._rest) + 2 * len(self._low)

    def add(self, points: Points) -> None:
        """Take *points*, which were logged after those that are here."""
        if not len(points):
            return
        value, step, time = points.latest()
        if self._newest is None or (step, time) >= self._newest[:2]:
            self._newest = (step, time, value)
        self.total += len(points)
        values = points.values
        # Beside an infinity the other values of a stretch would not be its extremes: both are gaps.
        if not isfinite(sum(values)) and not all(map(isfinite, values)):
            values = array("d", [value if isfinite(value) else nan for value in values])
            self.odd += sum(map(isnan, values))
        self._rest.extend(Points(points.steps, points.times, values))
        if self.size == 1:
            if len(self._rest) <= 2 * STRETCHES:
                return
            while len(self._rest) > STRETCHES * self.size:
                self.size *= 2
        self._fold()

    def _fold(self) -> None:
        rest, start = self._rest, 0
        while start + self.size <= len(rest):
            stop = start + self.size
            found = extremes(rest.values, start, stop)
            low, high = sorted((found[0], found[-1]), key=rest.values.__getitem__)
            for index, kept in ((low, self._low), (high, self._high)):
                kept.append(rest.steps[index], rest.times[index], rest.values[index])
            self._mean.append(rest.steps[stop - 1], rest.times[stop - 1], _mean(rest.values[start:stop]))
            start = stop
            if len(self._low) >= 2 * STRETCHES:
                self._halve()
        if start:
            self._rest = Points(rest.steps[start:], rest.times[start:], rest.values[start:])

    def _halve(self) -> None:
        """Make one stretch of each two."""
        low, high, mean = Points(), Points(), Points()
        for left in range(0, len(self._low), 2):
            right = left + 1
            _take(low, self._low, right if _less(self._low.values[right], self._low.values[left]) else left)
            _take(high, self._high, right if _less(self._high.values[left], self._high.values[right]) else left)
            steps, times = self._mean.steps[right], self._mean.times[right]
            mean.append(steps, times, _mean(self._mean.values[left : right + 1]))
        self._low, self._high, self._mean = low, high, mean
        self.size *= 2

    def drawn(self) -> Drawn:
        """Return what there is to draw now; later points don't change it."""
        latest = self._newest[2] if self._newest is not None else nan
        if self.size == 1:
            return Drawn(_copy(self._rest), None, self.total, self.odd, latest)
        points = Points()
        for index in range(len(self._low)):
            low, high = _point(self._low, index), _point(self._high, index)
            first, second = (low, high) if low[:2] <= high[:2] else (high, low)
            points.append(*first)
            if second[:2] != first[:2] or second[2] != first[2] == first[2]:
                points.append(*second)
        means = _copy(self._mean)
        rest = self._rest
        if len(rest):
            for index in extremes(rest.values, 0, len(rest)):
                _take(points, rest, index)
            means.append(rest.steps[-1], rest.times[-1], _mean(rest.values))
            if points.steps[-1] != rest.steps[-1]:
                _take(points, rest, len(rest) - 1)
        return Drawn(points, means, self.total, self.odd, latest)


def _less(one: float, other: float) -> bool:
    """Whether *one* is less; anything is better than NaN."""
    return one < other or (isnan(other) and not isnan(one)) if not isnan(one) else False


def _mean(values: Sequence[float]) -> float:
    total = sum(values)
    if isfinite(total):
        return total / len(values)
    # Divided first: the sum of huge numbers would overflow.
    numbers = [value for value in values if isfinite(value)]
    return sum(value / len(numbers) for value in numbers) if numbers else nan


def _copy(points: Points) -> Points:
    return Points(points.steps[:], points.times[:], points.values[:])


def _point(points: Points, index: int) -> tuple[int, int, float]:
    return points.steps[index], points.times[index], points.values[index]


def _take(target: Points, source: Points, index: int) -> None:
    target.append(source.steps[index], source.times[index], source.values[index])


class Series(NamedTuple):
    """A line of a chart.

    Attributes:
        key: Names it to the program, such as a run's id; the cursor and the order of drawing go by it.
        label: What people read.
        number: Colour and mark: ``Session.colors(number)``.
        xs: Where on the x axis, ascending; steps where *times* are there too.
        ys: As many values; what is not finite is a gap.
        times: When each point was logged, ms since the epoch: the chart can then show time.
        start: When the run began, ms since the epoch, for the elapsed time.
        means: x, time and mean of stretches where points are left out: what is smoothed.
        latest: The newest value; None: the last of *ys*.
        odd: How many of the history's points are NaN or infinite.
    """

    key: str
    label: str
    number: int
    xs: Sequence[float]
    ys: Sequence[float]
    times: Sequence[float] = ()
    start: float = 0.0
    means: tuple[Sequence[float], Sequence[float], Sequence[float]] | None = None
    latest: float | None = None
    odd: int = 0


def series_of(drawn: Drawn, key: str, label: str, number: int, start: float) -> Series:
    """Return the line of a chart that shows *drawn*."""
    points, means = drawn.points, drawn.means
    return Series(
        key,
        label,
        number,
        points.steps,
        points.values,
        points.times,
        start,
        None if means is None else (means.steps, means.times, means.values),
        drawn.latest,
        drawn.odd,
    )


def latest_text(series: Series) -> str:
    """Return the newest value of a line as text; "" if it has none."""
    from ledgit.tui.data.axes import number_text

    if series.latest is not None:
        return number_text(series.latest)
    return number_text(series.ys[-1]) if len(series.ys) else ""


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average of *values*, as TensorBoard has it: without a pull towards 0 at the start.

    Args:
        values: NaN and infinities stay as they are and don't count.
        weight: Of what has been, 0 (nothing changes) to below 1.
    """
    if weight <= 0:
        return list(values)
    average, share = 0.0, 0.0
    found = []
    for value in values:
        if value - value != 0:
            found.append(value)
            continue
        average = average * weight + value * (1 - weight)
        share = share * weight + (1 - weight)
        result = average / share
        found.append(result if -inf < result < inf else value)
    return found
