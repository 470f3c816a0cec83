"""clock.json: who wrote each editable key last."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledgit.errors import RecordError

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["GREATEST", "Clock", "Clocks", "decode_clocks", "encode_clocks"]

Clock = tuple[int, str]
"""Lamport counter and clone id: (counter, clone). Greater wins."""

GREATEST = 2**63 - 1
"""Of counters; a record with a greater one does not decode."""


@dataclass(slots=True)
class Clocks:
    """A clock for every key: *default*, and *keys* for those that differ.

    A removed tag keeps its clock in *keys*.
    """

    default: Clock = (0, "")
    keys: dict[str, Clock] = field(default_factory=dict)

    def get(self, key: str) -> Clock:
        """Return the clock of *key*."""
        return self.keys.get(key, self.default)

    def set(self, key: str, clock: Clock) -> None:
        """Give *key* its own clock; one that equals the default is kept too (a key may be removed)."""
        self.keys[key] = clock

    def greatest(self) -> Clock:
        """Return the greatest clock there is."""
        return max(self.default, *self.keys.values()) if self.keys else self.default

    def next(self, clone: str) -> Clock:
        """Return the clock of what *clone* changes now: later than all there are.

        Where somebody forged one that leaves no room, it stays there: what is written must decode.
        """
        return min(self.greatest()[0] + 1, GREATEST), clone

    def copy(self) -> Clocks:
        """Return an independent copy."""
        return Clocks(self.default, dict(self.keys))


def encode_clocks(clocks: Clocks) -> bytes:
    """Return clock.json: a line a key, sorted."""
    from orjson import OPT_APPEND_NEWLINE, OPT_INDENT_2, OPT_SORT_KEYS, dumps

    document = {
        "default": _text(clocks.default),
        "keys": {key: _text(clock) for key, clock in clocks.keys.items()},
    }
    return dumps(document, option=OPT_INDENT_2 | OPT_SORT_KEYS | OPT_APPEND_NEWLINE)


def _text(clock: Clock) -> str:
    return f"{clock[0]} {clock[1]}"


def decode_clocks(data: bytes, where: str = "clock.json") -> Clocks:
    """Return the clocks. Raises RecordError if it does not decode."""
    from orjson import JSONDecodeError, loads

    try:
        document = loads(data)
    except JSONDecodeError as error:
        raise RecordError(where, f"is not valid JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("keys", {}), dict):
        raise RecordError(where, "is not a mapping of keys to clocks")
    return Clocks(
        _clock(document.get("default", "0 "), where),
        {key: _clock(value, where) for key, value in document.get("keys", {}).items()},
    )


def _clock(text: Any, where: str) -> Clock:
    if isinstance(text, str):
        counter, _, clone = text.partition(" ")
        if counter.isascii() and counter.isdigit() and len(counter) < 20 and int(counter) <= GREATEST:
            return int(counter), clone
    raise RecordError(where, f"{repr(text)[:40]} is no clock")
