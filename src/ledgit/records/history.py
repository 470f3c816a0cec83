"""Histories: all points of one metric, as a tab-separated file.

``step<TAB>timestamp<TAB>name`` heads the columns, then a row a point; times in milliseconds,
values by ``repr``, so every bit is kept.

Metrics that were logged once share a file, ``once.tsv``: ``metric<TAB>step<TAB>timestamp``, a row a
metric. Their values stand in metrics.yaml.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import copysign, isnan

from ledgit.errors import RecordError

__all__ = ["Points", "covers", "decode_history", "decode_once", "encode_history", "encode_once", "union"]

_HEADER = "step\ttimestamp\t"
_ONCE = "metric\tstep\ttimestamp"
Key = tuple[int, int, bool, float, float]


def _key(step: int, time: int, value: float) -> Key:
    """Order points: a NaN stands below every number, -0.0 below 0.0."""
    if isnan(value):
        return (step, time, False, 0.0, 0.0)
    return (step, time, True, value, copysign(1.0, value))


def _longs() -> array[int]:
    return array("q")


def _doubles() -> array[float]:
    return array("d")


@dataclass(slots=True, eq=False)
class Points:
    """Points of a metric as three columns: steps, times (ms since the epoch), values."""

    steps: array[int] = field(default_factory=_longs)
    times: array[int] = field(default_factory=_longs)
    values: array[float] = field(default_factory=_doubles)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, float]]) -> Points:
        """Return the points of (step, time, value) rows, in their order."""
        points = cls()
        for step, time, value in rows:
            points.append(step, time, value)
        return points

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[int, int, float]]:
        return zip(self.steps, self.times, self.values, strict=True)

    def __eq__(self, other: object) -> bool:
        """Equal to the bit: a NaN equals itself, -0.0 is not 0.0."""
        if not isinstance(other, Points):
            return NotImplemented
        return (
            self.steps == other.steps and self.times == other.times and self.values.tobytes() == other.values.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]  # it can be appended to

    def append(self, step: int, time: int, value: float) -> None:
        """Add one point. Raises OverflowError if step or time need more than 64 bits."""
        self.steps.append(step)
        try:
            self.times.append(time)
        except OverflowError:
            self.steps.pop()
            raise
        self.values.append(value)

    def extend(self, other: Points) -> None:
        """Add all points of *other*."""
        self.steps.extend(other.steps)
        self.times.extend(other.times)
        self.values.extend(other.values)

    def sorted_unique(self) -> Points:
        """Return the points by (step, time, value), exact duplicates once; self if they are so already."""
        keys = list(zip(self.steps, self.times, strict=True))
        if all(map(tuple.__lt__, keys, keys[1:])):
            return self
        ordered = sorted({_key(*point) for point in self})
        return Points(
            array("q", [key[0] for key in ordered]),
            array("q", [key[1] for key in ordered]),
            array("d", [key[3] if key[2] else float("nan") for key in ordered]),
        )

    def latest(self) -> tuple[float, int, int]:
        """Return (value, step, time) of the greatest (step, time, value), as MLflow has it.

        A NaN loses against a number of the same step and time.

        Raises:
            ValueError: there are no points.
        """
        step = max(self.steps)
        if self.steps.count(step) == 1:
            index = self.steps.index(step)
        else:
            index = max(
                (number for number, other in enumerate(self.steps) if other == step),
                key=lambda number: _key(step, self.times[number], self.values[number]),
            )
        return self.values[index], step, self.times[index]

    def minmax(self) -> tuple[float, float]:
        """Return the least and the greatest value; NaNs count only if there is nothing else.

        Raises:
            ValueError: there are no points.
        """
        numbers = [value for value in self.values if not isnan(value)] or self.values
        return min(numbers), max(numbers)

    def reduced(self, count: int) -> Points:
        """Return at most *count* of the points: the least and the greatest of equal stretches.

        The first and the last point are always among them. *count* is at least 4.
        """
        total = len(self)
        if total <= count:
            return self
        keep = {0, total - 1}
        buckets = (count - 2) // 2
        for bucket in range(buckets):
            stretch = range(bucket * total // buckets, (bucket + 1) * total // buckets)
            numbers = [index for index in stretch if not isnan(self.values[index])] or list(stretch)
            keep.add(min(numbers, key=self.values.__getitem__))
            keep.add(max(numbers, key=self.values.__getitem__))
        chosen = sorted(keep)
        return Points(
            array("q", [self.steps[index] for index in chosen]),
            array("q", [self.times[index] for index in chosen]),
            array("d", [self.values[index] for index in chosen]),
        )


def union(first: Points, second: Points) -> Points:
    """Return the points of both, sorted, each once: commutative, associative, idempotent."""
    both = Points(first.steps[:], first.times[:], first.values[:])
    both.extend(second)
    return both.sorted_unique()


def covers(points: Points, others: Points) -> bool:
    """Whether *points*, which are sorted and unique, have all of *others*: then their union is *points*.

    Looks each of *others* up, where a union sorts all.
    """
    from bisect import bisect_left

    steps, total = points.steps, len(points)
    if len(others) > total:
        return False

    def key_at(index: int) -> Key:
        return _key(steps[index], points.times[index], points.values[index])

    for point in others:
        wanted = _key(*point)
        index = bisect_left(steps, point[0])  # mostly a step has one point
        if index == total:
            return False
        if key_at(index) != wanted:
            index = bisect_left(range(total), wanted, index, key=key_at)
            if index == total or key_at(index) != wanted:
                return False
    return True


def encode_history(name: str, points: Points) -> bytes:
    """Return the file of metric *name*; points in the order they have."""
    rows = map("%d\t%d\t%r\n".__mod__, zip(points.steps, points.times, points.values, strict=True))
    return f"{_HEADER}{name}\n{''.join(rows)}".encode()


def decode_history(data: bytes, where: str = "history") -> tuple[str, Points]:
    """Return the metric's name and its points; a missing last newline is forgiven.

    Raises:
        RecordError: the header or a row is not as it must be.
    """
    try:
        head, _, body = data.decode().partition("\n")
    except UnicodeDecodeError as error:
        raise RecordError(where, f"is not UTF-8 at byte {error.start}") from None
    name = head.removeprefix(_HEADER).removesuffix("\r")
    if not head.startswith(_HEADER) or not name or "\t" in name:
        raise RecordError(where, "does not begin with the columns step, timestamp and the metric's name")
    body = body.removesuffix("\n")
    if not body:
        return name, Points()
    try:
        return name, _decode_numbers(body)
    except (ValueError, TypeError, OverflowError):
        return name, _decode_rows(body, where)


def _decode_numbers(body: str) -> Points:
    """Decode rows of finite numbers as one JSON array, in half the time that int and float take.

    Raises:
        ValueError, TypeError, OverflowError: there is something else in them.
    """
    from orjson import loads

    if body.encode().translate(None, b"0123456789.e+-\t\n"):
        raise ValueError(body[:1])
    # "null" stands where a row ends: at every fourth place, or the rows are ragged.
    fields = loads("[" + body.replace("\t", ",").replace("\n", ",null,") + ",null]")
    rows = len(fields) // 4
    if len(fields) % 4 or fields[3::4].count(None) != rows:
        raise ValueError(rows)
    return Points(array("q", fields[0::4]), array("q", fields[1::4]), array("d", fields[2::4]))


def _decode_rows(body: str, where: str) -> Points:
    """Decode rows with nan or inf, or as a person edited them; say what is wrong with others."""
    rows = body.count("\n") + 1
    # int() and float() would take 1_0, blanks and other scripts' digits: none is ours.
    if not body.isascii() or "_" in body or " " in body:
        raise RecordError(where, "has characters that no number has")
    fields = body.replace("\n", "\t\n\t").split("\t")
    if len(fields) != 4 * rows - 1 or fields[3::4].count("\n") != rows - 1:
        raise RecordError(where, "has a row that is not step, timestamp and value")
    try:
        return Points(
            array("q", list(map(int, fields[0::4]))),
            array("q", list(map(int, fields[1::4]))),
            array("d", list(map(float, fields[2::4]))),
        )
    except (ValueError, OverflowError) as error:
        raise RecordError(where, f"has a row that is not step, timestamp and value ({str(error)[:60]})") from None


def encode_once(places: Mapping[str, tuple[int, int]]) -> bytes:
    """Return once.tsv: for each metric its only point's step and time, by name."""
    rows = [f"{name}\t{places[name][0]}\t{places[name][1]}\n" for name in sorted(places)]
    return f"{_ONCE}\n{''.join(rows)}".encode()


def decode_once(data: bytes, where: str = "once.tsv") -> dict[str, tuple[int, int]]:
    """Return metric → (step, time); a missing last newline is forgiven.

    Raises:
        RecordError: the header or a row is not as it must be, or a metric stands there twice.
    """
    try:
        head, _, body = data.decode().partition("\n")
    except UnicodeDecodeError as error:
        raise RecordError(where, f"is not UTF-8 at byte {error.start}") from None
    if head.removesuffix("\r") != _ONCE:
        raise RecordError(where, "does not begin with the columns metric, step and timestamp")
    found: dict[str, tuple[int, int]] = {}
    for row in body.removesuffix("\n").split("\n") if body else ():
        name, *numbers = row.removesuffix("\r").split("\t")
        if not name or len(numbers) != 2 or not all(map(_is_long, numbers)):
            raise RecordError(where, "has a row that is not metric, step and timestamp")
        if name in found:
            raise RecordError(where, f"names the metric {name!r} twice")
        found[name] = int(numbers[0]), int(numbers[1])
    return found


def _is_long(text: str) -> bool:
    """Whether *text* is an integer of 64 bits as we write it."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and -(1 << 63) <= int(text) < 1 << 63
