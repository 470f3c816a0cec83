"""JSON as orjson reads it, the first lines without orjson: its import takes 15 ms, with all that it looks up."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["loads"]

_MOST = 20  # texts in a process; more are worth the import
_LONGEST = 18  # digits of an integer that both take for one
_INF = float("inf")
_left = _MOST


def loads(data: bytes) -> Any:
    """Return what *data* says.

    Every version and every process must take a line for the same: what Python's own reader might take
    otherwise is left to orjson.

    Raises:
        ValueError: It is no JSON.
    """
    global _left  # noqa: PLW0603 - of the process
    if _left > 0 and "orjson" not in sys.modules and b"\\u" not in data:  # half a surrogate
        from json import loads as read

        _left -= 1
        try:
            return read(data.decode("utf-8"), parse_int=_int, parse_float=_float, parse_constant=_constant)
        except (ValueError, RecursionError):
            pass
    from orjson import loads as orjson_loads

    return orjson_loads(data)


def _int(text: str) -> int:
    if len(text) > _LONGEST or text == "-0":
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (_INF, -_INF):
        raise ValueError(text)
    return value


def _constant(text: str) -> float:
    raise ValueError(text)
