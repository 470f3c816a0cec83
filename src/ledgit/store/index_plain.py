"""Plain lines as the values of rows, made without the database: by another process, too.

What stands in columns of their own (which run it is, its metrics, params and tags) comes in the
order of :data:`ATTRIBUTES`, ``partial``, metrics, texts of params, numbers of params, tags. Lines
with the same keys come together, so that one statement writes many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ledgit.store.index_codec import number_of
from ledgit.store.index_codes import key_of
from ledgit.store.index_lean import inputs_of

__all__ = ["PARTS", "Group", "Keys", "Lean", "Plain", "Values", "partial_of"]

PARTS = {"params": 1, "metrics": 2, "tags": 4, "inputs": 8}
"""The bit in a row's ``partial`` that says: columns of this kind lack what had no room in the lines."""

_MOST_TEXTS = 50_000
_INT64 = 2**63
_NOTHING: dict[str, Any] = {}

Lean = tuple[bytes, dict[str, Any]]
"""A plain line and what it says."""

Keys = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Of metrics, of params and of tags."""

Plain = tuple[bytes, "tuple[str, str, str, str] | None", "tuple[tuple[str, str, str], ...]", list[Any]]
"""A line, its code as `Codes` has it, its data sets, and its values."""

Group = tuple[Keys, list[Plain]]


def partial_of(left: Iterable[str]) -> int:
    """Return the bits of the kinds of which something is *left* in the run's commit alone."""
    return sum([PARTS.get(section, 0) for section in left])


class Values:
    """Makes values of lines. The same texts and fractions come again and again."""

    def __init__(self) -> None:
        self._numbers: dict[str, int | float | None] = {}
        self._spelled: dict[float, str] = {}

    def groups(self, lines: Iterable[Lean]) -> list[Group]:
        """Return the values of *lines*, those with the same keys together."""
        found: dict[Keys, list[Plain]] = {}
        last: Keys | None = None
        some: list[Plain] = []
        for line, data in lines:
            get = data.get
            metrics, params, tags = get("metrics", _NOTHING), get("params", _NOTHING), get("tags", _NOTHING)
            keys = tuple(metrics), tuple(params), tuple(tags)
            if keys != last:  # hashing fifty keys takes longer than comparing them
                last, some = keys, found.setdefault(keys, [])
            code, past, head = get("code", _NOTHING), get("past"), data["head"]
            texts, numbers = self.texts_and_numbers(params)
            values = [
                data["id"],
                get("name", ""),
                get("experiment", "Default"),
                get("status", "FINISHED"),
                get("user") or None,
                get("parent_run"),
                past[0] if past else head,
                head,
                code.get("commit"),
                code.get("tree"),
                code.get("branch") or None,
                data["start"] or None,
                get("end"),
                int(get("deleted", False)),
                int(code.get("dirty", False)),
                partial_of(data["left"]) if "left" in data else 0,
                *metrics.values(),
                *texts,
                *numbers,
                *tags.values(),
            ]
            some.append((line, key_of(code), inputs_of(data) if "inputs" in data else (), values))
        return list(found.items())

    def texts_and_numbers(self, params: Mapping[str, Any]) -> tuple[list[str], list[int | float | None]]:
        """Return the text of each param, and its number or None."""
        known, spelled = self._numbers, self._spelled
        if len(known) > _MOST_TEXTS or len(spelled) > _MOST_TEXTS:
            known.clear()
            spelled.clear()
        texts: list[str] = []
        numbers: list[int | float | None] = []
        for value in params.values():
            kind = type(value)
            if kind is str:
                if value not in known:
                    known[value] = number_of(value)
                texts.append(value)
                numbers.append(known[value])
            elif kind is float:  # compared with a whole number of that size it would take thrice as long
                if value in spelled:
                    texts.append(spelled[value])
                else:
                    texts.append(str(value))
                    if value:  # zero has a sign, and -0.0 == 0.0
                        spelled[value] = texts[-1]
                numbers.append(value if value == value else None)  # noqa: PLR0124 - NaN
            else:
                texts.append(str(value))
                numbers.append((value if -_INT64 < value < _INT64 else number_of(value)) if kind is int else None)
        return texts, numbers
