"""Filters of registered models and versions: MLflow's grammar for them, joined by AND.

``name = 'churn' AND run_id IN ('1f0c…', '9a31…') AND tags.team LIKE 'fraud%' AND version_number >= 3``

It is a grammar of its own, smaller than that of runs, so that a list of versions loads no grammar library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledgit.errors import FilterError

__all__ = ["Condition", "Lookup", "Order", "matches", "parse", "parse_order"]

Lookup = Callable[[str], "str | int | None"]
"""The value of a key (``name``, ``tags.team``) of one model or version; None where it lacks it."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?\d+(?![\w.]))
      | (?P<key>[A-Za-z_]\w*(?:\.(?:`[^`]*`|"[^"]*"|[\w.:/\-]+))?)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<back>`[^`]*`)
      | (?P<op><=|>=|!=|<>|==|=|<|>)
      | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_WORDS = {"AND", "IN", "LIKE", "ILIKE", "NOT"}
_NUMBERS = {"version_number"}
_TEXT_OPS = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_NUMBER_OPS = ("=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN")


@dataclass(frozen=True, slots=True)
class Condition:
    """*key* *op* one of *values* (one value, unless *op* is ``IN`` or ``NOT IN``)."""

    key: str
    op: str
    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One key to sort by."""

    key: str
    descending: bool


def matches(conditions: Sequence[Condition], lookup: Lookup) -> bool:
    """Whether all conditions hold; one about a key that is lacking never does, as in MLflow."""
    return all(_holds(condition, lookup(condition.key)) for condition in conditions)


def parse(text: str | None, keys: Sequence[str]) -> tuple[Condition, ...]:
    """Parse a filter about *keys* and ``tags.…``; none has no conditions.

    Raises:
        FilterError: It does not parse; with the position.
    """
    if text is None or not text.strip():
        return ()
    return tuple(_Parser(text, keys).conditions())


def parse_order(items: Sequence[str] | None, keys: Sequence[str]) -> tuple[Order, ...]:
    """Parse ``name ASC`` and such.

    Raises:
        FilterError: A key is none of *keys*.
    """
    found = []
    for item in [items] if isinstance(items, str) else items or ():
        match = re.fullmatch(r"\s*([`\"]?)(\w+)\1(?:\s+(asc|desc))?\s*", item, re.IGNORECASE)
        if match is None or match[2] not in keys:
            raise FilterError(item, 0, f"expected one of {', '.join(keys)}, with ASC or DESC behind")
        found.append(Order(match[2], (match[3] or "").lower() == "desc"))
    return tuple(found)


_LONGEST = 300  # digits of a number; Python refuses to read some thousand


class _Parser:
    def __init__(self, text: str, keys: Sequence[str]) -> None:
        self.text, self.keys = text, keys
        self.tokens: list[tuple[str, str, int]] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                at = place + len(text[place:]) - len(text[place:].lstrip())
                quote = text[at] in "'\"`"
                raise FilterError(
                    text, at, f"this {text[at]} is never closed" if quote else f"{text[at]!r} means nothing"
                )
            group = str(match.lastgroup)
            kind, word = group, match[group]
            if kind == "key" and word.upper() in _WORDS:
                kind, word = "word", word.upper()
            self.tokens.append((kind, word, match.start(group)))
            place = match.end()
        self.place = 0

    def conditions(self) -> list[Condition]:
        found = [self.condition()]
        while self.place < len(self.tokens):
            kind, word, at = self.take()
            if (kind, word) != ("word", "AND"):
                raise FilterError(self.text, at, "conditions are joined by AND alone")
            found.append(self.condition())
        return found

    def take(self) -> tuple[str, str, int]:
        if self.place >= len(self.tokens):
            return "end", "", len(self.text.rstrip())
        self.place += 1
        return self.tokens[self.place - 1]

    def condition(self) -> Condition:
        key, at = self.key()
        op, place = self.operator()
        allowed = _NUMBER_OPS if key in _NUMBERS else _TEXT_OPS
        if op not in allowed:
            raise FilterError(self.text, place, f"{key} takes {' '.join(allowed)}")
        if op in ("IN", "NOT IN"):
            return Condition(key, op, tuple(self.several(key)))
        del at
        return Condition(key, op, (self.value(key),))

    def key(self) -> tuple[str, int]:
        kind, word, at = self.take()
        name = word[1:-1] if kind in ("back", "text") and word[:1] in '`"' else word
        if kind not in ("key", "back", "text") or (kind == "text" and word[:1] == "'"):
            raise FilterError(self.text, at, f"a condition begins with its key: {', '.join(self.keys)}, tags.NAME")
        first, dot, rest = name.partition(".")
        if dot and first in ("tag", "tags"):
            return f"tags.{rest.strip('`')}" if rest[:1] != '"' else f"tags.{rest[1:-1]}", at
        name = name.removeprefix("attributes.").removeprefix("attribute.")
        if name not in self.keys:
            from difflib import get_close_matches

            near = get_close_matches(name, self.keys, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(self.keys)} and tags.NAME"
            raise FilterError(self.text, at, f"unknown key {name}{hint}")
        return name, at

    def operator(self) -> tuple[str, int]:
        kind, word, at = self.take()
        if kind == "op":
            return {"==": "=", "<>": "!="}.get(word, word), at
        if kind == "word" and word in ("LIKE", "ILIKE", "IN"):
            return word, at
        if kind == "word" and word == "NOT" and self.take()[1] == "IN":
            return "NOT IN", at
        raise FilterError(self.text, at, "a comparison is needed here: = != < <= > >= LIKE ILIKE IN")

    def several(self, key: str) -> list[str | int]:
        if self.take()[1] != "(":
            raise FilterError(self.text, self.before(), "a list is needed here, as ('a', 'b')")
        found = [self.value(key)]
        while True:
            kind, word, at = self.take()
            if word == ")" and kind == "mark":
                return found
            if word != "," or kind != "mark":
                raise FilterError(self.text, at, "a comma or ) is needed here")
            found.append(self.value(key))

    def before(self) -> int:
        return self.tokens[self.place - 1][2] if 0 < self.place <= len(self.tokens) else len(self.text)

    def value(self, key: str) -> str | int:
        kind, word, at = self.take()
        if kind == "text":
            text = word[1:-1].replace(word[0] * 2, word[0])
            if key not in _NUMBERS:
                return text
            if text.isascii() and text.isdigit() and len(text) < _LONGEST:
                return int(text)
        elif kind == "number" and key in _NUMBERS and len(word) < _LONGEST:
            return int(word)
        expected = "a whole number" if key in _NUMBERS else "text in quotes, as 'churn'"
        raise FilterError(self.text, at, f"{key} is compared with {expected}")


def _holds(condition: Condition, value: str | int | None) -> bool:
    if value is None:
        return False
    op, values = condition.op, condition.values
    if op in ("IN", "="):
        return value in values
    if op in ("NOT IN", "!="):
        return value not in values
    [wanted] = values
    if op in ("LIKE", "ILIKE"):
        return _like(str(wanted), str(value), fold=op == "ILIKE")
    assert isinstance(value, int)
    assert isinstance(wanted, int)
    return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[op]


def _like(pattern: str, text: str, *, fold: bool) -> bool:
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None
