"""Axes: where a value stands between two ends, and which round numbers are written beside it. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10
from typing import Literal, NamedTuple

__all__ = ["Kind", "Scale", "Tick", "number_text", "span_of"]

Kind = Literal["number", "step", "elapsed", "wall", "names"]
"""What an axis counts: any number, whole steps, seconds since a start, ms since the epoch, or positions with names."""

_HUGE = 1.7976931348623157e308
# Seconds between two ticks that people read at a glance, up to thirty days.
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
          86400, 172800, 432000, 864000, 2592000)  # fmt: skip


class Tick(NamedTuple):
    """A place on an axis.

    Attributes:
        at: Where, from 0 (the low end) to 1.
        text: What stands there.
    """

    at: float
    text: str


def number_text(value: float, digits: int = 4) -> str:
    """Return *value* in few characters: ``0.3127``, ``1.2e-5``, ``nan``."""
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1_000_000:
        return str(int(value))
    mantissa, e, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def span_of(columns: Iterable[Iterable[float]], *, log: bool = False) -> tuple[float, float] | None:
    """Return the least and the greatest number that can be drawn, None if there is none.

    Args:
        columns: Values; what is not finite is left out.
        log: Leave out what has no logarithm.
    """
    low, high = _HUGE, -_HUGE
    found = False
    for values in columns:
        numbers = [value for value in values if value - value == 0 and (not log or value > 0)]
        if numbers:
            found = True
            low, high = min(low, min(numbers)), max(high, max(numbers))  # noqa: PLW3301 - of two levels
    return (low, high) if found else None


class Scale:
    """An axis from *low* to *high*, both finite; equal ends are moved apart.

    Args:
        low: Value at the beginning.
        high: Value at the end.
        log: By orders of magnitude; for ends above 0 only, else the axis is linear.
        kind: What it counts.
        names: What stands at 0, 1, 2 … where *kind* is ``names``.
    """

    __slots__ = ("_high", "_low", "high", "kind", "log", "low", "names")

    def __init__(
        self, low: float, high: float, *, log: bool = False, kind: Kind = "number", names: Sequence[str] = ()
    ) -> None:
        self.log = log and low > 0
        self.kind: Kind = kind
        self.names = names
        if kind == "names":
            low, high = -0.5, max(len(names) - 0.5, 0.5)
        elif not low < high:
            room = abs(low) / 10 or 1.0
            if kind in ("step", "elapsed", "wall"):
                room = 1.0
            low, high = max(low - room, -_HUGE), min(low + room, _HUGE)
            if not low < high:  # numbers so great that one more is the same
                low, high = low - abs(low) * 1e-9, high + abs(high) * 1e-9
            if self.log and low <= 0:
                low = high / 10
        self.low, self.high = low, high
        self._low, self._high = (log10(low), log10(high)) if self.log else (low, high)
        if self.log and not self._low < self._high:
            self._low, self._high = self._low - 0.5, self._high + 0.5

    def place(self, value: float) -> float | None:
        """Return where *value* stands, 0 to 1 between the ends; None if it can't be drawn on this axis."""
        if value - value != 0:
            return None
        if self.log:
            if value <= 0:
                return None
            value = log10(value)
        # Halved, so that the span of ±1.8e308 does not overflow.
        return (value / 2 - self._low / 2) / (self._high / 2 - self._low / 2)

    def places(self, values: Iterable[float]) -> list[float | None]:
        """Return where each of *values* stands, as :meth:`place` has it; many at once take a third of the time."""
        if self.log:
            return [self.place(value) for value in values]
        low, span = self._low / 2, self._high / 2 - self._low / 2
        return [(value / 2 - low) / span if value - value == 0 else None for value in values]

    def value(self, place: float) -> float:
        """Return the value at *place*."""
        found = self._low * (1 - place) + self._high * place
        return 10.0**found if self.log else found

    def ticks(self, most: int) -> list[Tick]:
        """Return at most *most* round places, low to high; at least one where *most* is 1 or more."""
        if most < 1:
            return []
        if self.kind == "names":
            every = max(1, ceil(len(self.names) / most))
            values: list[tuple[float, str]] = [(n, self.names[n]) for n in range(0, len(self.names), every)]
        elif self.kind == "elapsed":
            values = [(value, _elapsed_text(value)) for value in _time_values(self.low, self.high, most)]
        elif self.kind == "wall":
            values = self._wall(most)
        elif self.log:
            values = self._decades(most)
        else:
            values = _linear(self.low, self.high, most, whole=self.kind == "step")
        placed = [(self.place(value), text) for value, text in values]
        found = [Tick(at, text) for at, text in placed if at is not None and -1e-9 <= at <= 1 + 1e-9]
        if found:
            return found[:most]
        return [Tick(0.5, number_text(self.value(0.5)))]

    def text(self, value: float) -> str:
        """Return how a *value* of this axis is written."""
        if self.kind == "names":
            return self.names[round(value)] if 0 <= round(value) < len(self.names) else ""
        if value - value != 0:
            return number_text(value)
        if self.kind == "elapsed":
            return _elapsed_text(value)
        if self.kind == "wall":
            return time.strftime("%m-%d %H:%M:%S", time.localtime(_seconds(value)))
        return f"{value:,.0f}" if self.kind == "step" else number_text(value)

    def _wall(self, most: int) -> list[tuple[float, str]]:
        low, high = self.low / 1000, self.high / 1000
        shift = time.localtime(_seconds(low * 1000)).tm_gmtoff  # so that days begin at midnight
        values = _time_values(low + shift, high + shift, most)
        step = values[1] - values[0] if len(values) > 1 else high - low
        form = (
            "%m-%d" if step >= 86400 else "%m-%d %H:%M" if high - low > 86400 else "%H:%M" if step >= 60 else "%H:%M:%S"
        )
        if high - low > 300 * 86400:
            form = "%Y-%m-%d"
        return [((value - shift) * 1000, time.strftime(form, time.gmtime(_seconds(value * 1000)))) for value in values]

    def _decades(self, most: int) -> list[tuple[float, str]]:
        first, last = ceil(self._low - 1e-9), floor(self._high + 1e-9)
        if last - first >= (2 if most > 3 else 1):
            every = max(1, ceil((last - first + 1) / most))
            powers = [power for power in range(first, last + 1) if power % every == 0] or [first]
            return [(_power(power), _power_text(power)) for power in powers]
        values = [
            (factor * _power(power), number_text(factor * _power(power)))
            for power in range(first - 1, last + 1)
            for factor in (1, 2, 5)
            if self._low <= log10(factor) + power <= self._high
        ]
        if len(values) >= 2:
            return values[:: ceil(len(values) / most)]
        return _linear(self.low, self.high, most)


def _power(power: int) -> float:
    return float(f"1e{power}")


def _power_text(power: int) -> str:
    return number_text(_power(power)) if -4 <= power <= 4 else f"1e{power}"


def _linear(low: float, high: float, most: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return round numbers from *low* to *high*: multiples of 1, 2 or 5 times a power of ten."""
    rough = min((high / 2 - low / 2) / most * 2, _HUGE / 4)
    if rough <= 0:
        return []
    lowest = floor(log10(rough))
    for power, factor in [(lowest + more, factor) for more in (0, 1) for factor in (1, 2, 5)]:
        if whole and power < 0:
            continue
        step = factor * _power(power)
        if step == 0 or max(abs(high / step), abs(low / step)) >= 1e17:
            continue
        if floor(high / step) - ceil(low / step) < most:
            break
    else:
        return []
    numbers = range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    # Whole numbers divided as such are rounded once: 3 * 0.1 would be 0.30000000000000004.
    values = [_exact(number * factor, power) for number in numbers]
    texts = _texts(values, power)
    return list(dict(zip(values, texts, strict=True)).items())


def _exact(number: int, power: int) -> float:
    return float(number * 10**power) if power >= 0 else number / 10**-power


def _texts(values: Sequence[float], power: int) -> list[str]:
    """Return all *values*, multiples of ten to *power*, in one form."""
    most = max(map(abs, values), default=0.0)
    if 10_000 <= most < 1e12 and power >= 2:
        unit, letter = (1e9, "G") if most >= 1e9 else (1e6, "M") if most >= 1e6 else (1e3, "k")
        digits = max(0, round(log10(unit)) - power)
        return [f"{value / unit:.{digits}f}{letter}" if value else "0" for value in values]
    if most < 1e6 and power >= -4:
        return [f"{value:.{max(0, -power)}f}" for value in values]
    digits = min(max(floor(log10(most)) - power, 0), 15) if most else 0
    return [_short_exponent(f"{value:.{digits}e}") if value else "0" for value in values]


def _short_exponent(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def _time_values(low: float, high: float, most: int) -> list[float]:
    """Return seconds from *low* to *high* that are whole minutes, hours or days where they can be."""
    span = high - low
    if span < most:
        return [value for value, _ in _linear(low, high, most)]
    step = next((step for step in _TIMES if span / step <= most), None)
    if step is None:
        return [value for value, _ in _linear(low / 86400, high / 86400, most) for value in (value * 86400,)]
    return [float(number * step) for number in range(ceil(low / step), floor(high / step) + 1)]


def _elapsed_text(seconds: float) -> str:
    if abs(seconds) < 60:
        return f"{number_text(seconds, 3)}s"
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    shown = [f"{count}{unit}" for count, unit in parts[first : first + 2] if count]
    return sign + "".join(shown)


def _seconds(ms: float) -> float:
    """Return a time that ``localtime`` takes: years 1 to 9999."""
    return min(max(ms / 1000, -62_000_000_000.0), 253_000_000_000.0)
