"""Points in time as people type them."""

from __future__ import annotations

import re
import time

from ledgit.errors import InvalidValue

_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w|y)(?:\s+ago)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EARLIEST = -62_135_596_800.0  # the year 1, where dates begin too
EXPECTED = "a span such as 90min, 3h, 2d or 1w, 'today', 'yesterday', or a date such as 2026-11-23 or 2026-11-23T06:00Z"


def parse_since(given: str, now: float | None = None) -> int:
    """Return the time that *given* names, in ms since the epoch.

    A date without an offset is in local time; a span counts back from *now* (seconds).

    Raises:
        InvalidValue: It is neither.
    """
    now = time.time() if now is None else now
    words = given.strip().lower()
    if words in ("today", "yesterday"):
        day = time.localtime(now - (86_400 if words == "yesterday" else 0))
        return int(time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1)) * 1000)
    span = _SPAN.fullmatch(words)
    if span:
        return int(max(now - float(span[1]) * _SPANS[span[2]], _EARLIEST) * 1000)
    if _DATE.fullmatch(given.strip()):
        from datetime import datetime

        try:
            return int(datetime.fromisoformat(given.strip()).astimezone().timestamp() * 1000)
        except (ValueError, OverflowError):
            pass
    raise InvalidValue("time", given, EXPECTED)


def parse_until(given: str, now: float | None = None) -> int:
    """Return the time that *given* names as :func:`parse_since` does; a date alone is the last moment of that day.

    Raises:
        InvalidValue: It is neither.
    """
    found = parse_since(given, now)
    words = given.strip()
    if len(words) == 10 and words[4] == words[7] == "-":
        from datetime import datetime, timedelta

        try:
            found = int((datetime.fromtimestamp(found / 1000).astimezone() + timedelta(days=1)).timestamp() * 1000) - 1
        except (ValueError, OverflowError, OSError):
            raise InvalidValue("time", given, EXPECTED) from None
    return found
