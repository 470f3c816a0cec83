"""Numbers, times and spans of time for people."""

from __future__ import annotations

import time

from ledgit.records.harmless import clean

__all__ = ["age", "apart", "duration", "exact", "moment", "number", "scalar"]


def number(value: float, digits: int = 5) -> str:
    """Format a metric or param: whole numbers whole, others to *digits* significant digits."""
    if isinstance(value, int) or (value == value and abs(value) < 1e15 and value == int(value)):  # noqa: PLR0124
        return str(int(value)) if not isinstance(value, bool) else str(value)
    return f"{value:.{digits}g}"


def scalar(value: object, digits: int = 5) -> str:
    """Format any param, metric or tag value on one harmless line."""
    if isinstance(value, float):
        return number(value, digits)
    return "" if value is None else clean(str(value))


def exact(value: object) -> str:
    """Format any value on one harmless line, floats with every digit that counts."""
    return clean(repr(value) if isinstance(value, float) else str(value))


def apart(values: list[float], digits: int = 5) -> list[str]:
    """Format numbers so that different ones look different: with more digits where it takes them."""
    for places in range(digits, 18):
        shown = [number(value, places) for value in values]
        if len(set(shown)) == len({repr(value) for value in values}):
            break
    return shown


def age(start: int | None, now: float) -> str:
    """Format how long ago *start* (ms) was; *now* in seconds. After 30 days, the date (UTC)."""
    if start is None:
        return ""
    seconds = int(now - start / 1000)
    if seconds < 0:
        return moment(start)[:16].replace("T", " ")
    for limit, unit, letter in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h"), (2_592_000, 86_400, "d")):
        if seconds < limit:
            return f"{seconds // unit} {letter} ago"
    return moment(start)[:10]


def moment(when: int | None) -> str:
    """Format a time in ms as ``2026-11-23T06:00:00Z``."""
    return "" if when is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when // 1000))


def duration(milliseconds: int | None) -> str:
    """Format a span of time, two units at most."""
    if milliseconds is None or milliseconds < 0:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, letter, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {letter} {rest} {lower}" if rest else f"{whole // unit} {letter}"
    return ""
