"""What a condition means: literals checked against what the key holds, spelling taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ledgit.errors import FilterError
from ledgit.query.expr import Among, And, Compare, Expr, Membership, Missing, Not, Number, Or
from ledgit.query.keys import Key, unquote

__all__ = ["STATUSES", "Literal", "among_code", "between", "compare", "is_in", "missing"]

STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")

_TEXT = {
    *("id", "name", "status", "user", "experiment", "parent_run", "branch", "commit", "code_commit", "head", "tree"),
    "artifact_uri",
}
_HEX = {"id": 32, "parent_run": 32, "run_commit": 40, "code_commit": 40, "head": 40, "tree": 40}
_TIMES = {"start", "end"}
_SPANS = {"age", "duration"}  # worked out, in no column of their own
_FLAGS = {"deleted", "dirty"}
_ALIASES = {"==": "=", "<>": "!="}
_ANCESTOR = Key("attributes", "ancestor")
_LEAST_ID = 4
_MAX_PATTERN = 5_000
_DAY = 86_400_000
_UNITS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "hour": 3_600_000,
    "d": _DAY,
    "day": _DAY,
    "w": 7 * _DAY,
    "week": 7 * _DAY,
    "mo": 30 * _DAY,
    "y": 365 * _DAY,
}
_WHEN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?\s*(?:(Z)|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: the token's type, its text and where it is."""

    type: str
    raw: str
    position: int

    @property
    def is_text(self) -> bool:
        """Whether it stands in quotes."""
        return self.type in ("SINGLE_QUOTED", "DOUBLE_QUOTED")

    @property
    def text(self) -> str:
        """What stands between the quotes."""
        return unquote(self.raw)


def compare(key: Key, op: str, literal: Literal, text: str, at: int) -> Expr:
    """Return *key* *op* *literal*; *at* is where the operator stands in *text*."""
    op = _ALIASES.get(op, op)
    if op == "!=":
        return Not(compare(key, "=", literal, text, at))
    if op in ("LIKE", "ILIKE"):
        return _like(key, op, literal, text, at)
    if key.kind == "attributes":
        return _attribute(key, op, literal, text, at)
    if literal.type in ("TRUE", "FALSE") and key.kind in ("params", "tags") and op == "=":
        word = literal.raw.lower()
        return Membership(key, (word.capitalize(), word), key.position)
    if literal.is_text and key.kind != "metrics":
        _only_equal(key, op, literal, text, at)
        return Compare(key, op, literal.text, key.position)
    if literal.type == "NUMBER" and key.kind in ("params", "metrics"):
        return Compare(key, op, _number(literal), key.position)
    raise _wrong_type(key, literal, text)


def is_in(key: Key, literals: list[Literal], text: str) -> Expr:
    """Return *key* ``IN`` *literals*."""
    parts = [compare(key, "=", literal, text, literal.position) for literal in literals]
    values: list[str | Number] = []
    others: list[Expr] = []
    for part in parts:
        spans = key.kind == "attributes" and key.name in _SPANS
        if isinstance(part, Compare) and part.op == "=" and part.key == key and not spans:
            values.append(part.value)
        elif isinstance(part, Membership) and part.key == key:
            values.extend(part.values)
        else:
            others.append(part)
    if values:
        others.insert(0, Membership(key, tuple(dict.fromkeys(values)), key.position))
    return others[0] if len(others) == 1 else Or(tuple(others))


def between(key: Key, low: Literal, high: Literal, text: str, at: int) -> Expr:
    """Return *key* ``BETWEEN`` *low* ``AND`` *high*, both ends included."""
    return And((compare(key, ">=", low, text, at), compare(key, "<=", high, text, at)))


def among_code(literals: list[Literal], text: str) -> Expr:
    """Return ``code IN`` the revisions or ranges *literals*."""
    found: list[Expr] = []
    for literal in literals:
        name = literal.text if literal.is_text else literal.raw
        # A revision is handed to git: what begins with a dash would be an option there.
        if not name.strip() or name.startswith("-") or not name.isprintable():
            hint = f"{literal.raw} is no revision; write one as code IN main, 'feature x' or main..HEAD"
            raise FilterError(text, literal.position, hint)
        found.append(Among("code", name, literal.position))
    return found[0] if len(found) == 1 else Or(tuple(found))


def missing(key: Key, nan: bool, text: str, at: int) -> Expr:
    """Return *key* ``IS NULL`` or, with *nan*, ``IS NAN``."""
    if nan and key.kind != "metrics":
        raise FilterError(text, at, "only a metric can be NaN")
    if key == _ANCESTOR:
        raise FilterError(text, at, "ancestor is asked for by id; runs that nobody started are parent_run IS NULL")
    if key == Key("attributes", "commit"):
        return And(tuple(Missing(one, nan, key.position) for one in _commits(key)))
    return Missing(key, nan, key.position)


def _attribute(key: Key, op: str, literal: Literal, text: str, at: int) -> Expr:
    if key.name in _SPANS:
        if literal.type != "DURATION":
            hint = f"{key.name} is compared with a time span, as {key.name} < 7d (ms s min h d w mo y)"
            raise FilterError(text, literal.position, hint)
        return Compare(key, op, _duration(literal), key.position)
    if key.name in _TIMES:
        return _time(key, op, literal, text)
    if key.name in _FLAGS:
        return _flag(key, op, literal, text, at)
    if not literal.is_text:
        raise FilterError(text, literal.position, f"{key.name} is text; put the value in quotes: '{literal.raw}'")
    _only_equal(key, op, literal, text, at)
    value = literal.text
    if key == _ANCESTOR:
        if len(value) < _LEAST_ID or value.strip("0123456789abcdefABCDEF"):
            raise FilterError(text, literal.position, f"{literal.raw} is no run's id, nor its first 4 digits or more")
        return Among("ancestor", value.lower(), key.position)
    if key.name == "status":
        value = value.upper()
        if value not in STATUSES:
            raise FilterError(text, literal.position, f"{literal.raw} is no status; there are {', '.join(STATUSES)}")
    return _each_commit(key, lambda one: _equal(one, value))


def _equal(key: Key, value: str) -> Expr:
    """Ids are shown cut short, so a short one matches the ids that begin with it."""
    if _LEAST_ID <= len(value) < _HEX.get(key.name, 0) and all(c in "0123456789abcdefABCDEF" for c in value):
        return Compare(key, "LIKE", value.lower() + "%", key.position)
    return Compare(key, "=", value, key.position)


def _commits(key: Key) -> tuple[Key, Key]:
    """``commit`` is the run's own commit or the code's: their ids can't be the same."""
    run, code = (Key("attributes", name, position=key.position) for name in ("run_commit", "code_commit"))
    return run, code


def _each_commit(key: Key, make: Callable[[Key], Expr]) -> Expr:
    if key.name != "commit":
        return make(key)
    return Or(tuple(make(one) for one in _commits(key)))


def _like(key: Key, op: str, literal: Literal, text: str, at: int) -> Expr:
    if key.kind == "metrics" or (key.kind == "attributes" and key.name not in _TEXT):
        raise FilterError(text, at, f"{op} compares text, which {_shown(key)} is not")
    if not literal.is_text:
        raise FilterError(text, literal.position, f"{op} needs a pattern in quotes, as '{literal.raw}%'")
    pattern = literal.text
    if len(pattern) > _MAX_PATTERN:
        raise FilterError(text, literal.position, f"the pattern has more than {_MAX_PATTERN} characters")
    return _each_commit(key, lambda one: Compare(one, op, pattern, key.position))


def _only_equal(key: Key, op: str, literal: Literal, text: str, at: int) -> None:
    if op == "=":
        return
    if key.kind == "params":
        number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", literal.text, re.ASCII)
        hint = f": {_shown(key)} {op} {literal.text}" if number else ", without quotes"
        raise FilterError(text, literal.position, f"{op} compares numbers; write one{hint}")
    raise FilterError(text, at, f"{_shown(key)} is text; {op} can't compare it, use = != LIKE ILIKE or IN")


def _wrong_type(key: Key, literal: Literal, text: str) -> FilterError:
    shown = _shown(key)
    if literal.type == "NAN":
        return FilterError(text, literal.position, f"nothing equals nan; ask {shown} IS NAN")
    if key.kind in ("tags", "datasets"):
        return FilterError(text, literal.position, f"{shown} is text; put the value in quotes: '{literal.raw}'")
    if key.kind == "metrics":
        hint = f"; leave the quotes away: {literal.text}" if literal.is_text and _is_number(literal.text) else ""
        return FilterError(
            text, literal.position, f"{shown} is a number and can't be compared with {literal.raw}{hint}"
        )
    return FilterError(text, literal.position, f"{literal.raw} is no value for {shown}; put text in quotes")


def _time(key: Key, op: str, literal: Literal, text: str) -> Expr:
    if literal.type == "NUMBER":
        return Compare(key, op, _number(literal), key.position)
    if literal.type == "DURATION":
        raise FilterError(text, literal.position, f"{key.name} is a time; for a time span write age {op} {literal.raw}")
    span = _span(literal.text) if literal.is_text or literal.type == "DATE" else None
    if span is None:
        reason = f"{literal.raw} is no time; write one as '2026-11-23', '2026-11-23T06:00:00Z' or milliseconds"
        raise FilterError(text, literal.position, reason)
    first, after = span
    from_first, before = Compare(key, ">=", first, key.position), Compare(key, "<", after, key.position)
    if op == "=":
        return And((from_first, before))
    if op == "<":
        return Compare(key, "<", first, key.position)
    if op == ">":
        return Compare(key, ">=", after, key.position)
    return from_first if op == ">=" else before


def _span(text: str) -> tuple[int, int] | None:
    """Return the milliseconds that a date (a whole day) or time (its last given unit) covers."""
    match = _WHEN.fullmatch(text.strip())
    if match is None:
        return None
    import datetime as dt

    year, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = match.groups()
    try:
        when = dt.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=dt.UTC
        )
    except ValueError:
        return None
    first = (when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if sign:
        offset = (int(off_hours) * 60 + int(off_minutes)) * 60_000
        first += offset if sign == "-" else -offset
    if fraction:
        return first + int(fraction.ljust(3, "0")[:3]), first + int(fraction.ljust(3, "0")[:3]) + 1
    return first, first + (1_000 if second else 60_000 if hour else _DAY)


def _flag(key: Key, op: str, literal: Literal, text: str, at: int) -> Expr:
    word = literal.text.lower()
    if word not in ("true", "false", "1", "0"):
        raise FilterError(text, literal.position, f"{key.name} is true or false, not {literal.raw}")
    if op != "=":
        raise FilterError(text, at, f"{key.name} is true or false; {op} can't compare it")
    return Compare(key, "=", int(word in ("true", "1")), key.position)


def _duration(literal: Literal) -> int:
    match = re.fullmatch(r"([\d.]+)([a-z]+)", literal.raw.lower())
    assert match is not None
    unit = _UNITS.get(match[2]) or _UNITS[match[2].rstrip("s")]
    return int(min(float(match[1]) * unit, float(2**62)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(literal: Literal) -> Number:
    """Integers that SQLite holds stay exact; greater ones become floats, as it would do."""
    try:
        whole = int(literal.raw)
    except ValueError:
        return float(literal.raw)
    return whole if -(2**63) <= whole < 2**63 else float(literal.raw)


def _shown(key: Key) -> str:
    return key.name if key.kind == "attributes" else f"{key.kind}.{key.name}"
