"""What a sweep tries: one dimension a parameter, written as ``lr=log(1e-4,1e-1)``.

Pure. A dimension turns a number in [0, 1) into a value, so that a random trial is a function of
the sweep's seed, the trial's number and the parameter's name: the same on every machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledgit.errors import UsageError

__all__ = ["Choice", "Dimension", "Number", "Space", "parse_dimension"]

Value = str | int | float | bool

_CALL = re.compile(r"\s*(log|uniform|int|choice|range)\s*\((.*)\)\s*", re.DOTALL)
#: Digits of a drawn float beyond those that tell the range's ends apart: the last ones of exp() differ between
#: machines, and nobody wants to read them.
_DIGITS = 6
_LARGEST_WHOLE = 1 << 53  # beyond, a float is another number
_LONGEST_WHOLE = 300  # digits; more are text: no float is as great
_WAYS = "log(a,b), uniform(a,b), int(a,b), int(a,b,log), choice(a,b,c), range(a,b,step), a,b,c, or one value"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values; one value alone is a constant.

    Attributes:
        name: The parameter.
        values: What it can be.
        text: As it was written.
        step: Distance of numbers that rise evenly; None: they have no order that means something.
    """

    name: str
    values: tuple[Value, ...]
    text: str = ""
    step: float | None = None

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    def at(self, place: float) -> Value:
        """Return the value at *place* in [0, 1)."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def nth(self, index: int) -> Value:
        """Return the value *index*, from 0."""
        return self.values[index]

    def read(self, value: object) -> Value | None:
        """Return which of the values a run's param stands for: the command may have logged 1.0 for 1."""
        for one in self.values:
            if value == one and type(value) is type(one):
                return one
        number = isinstance(value, int | float) and not isinstance(value, bool)
        for one in self.values:
            if (number and value == one and not isinstance(one, bool)) or str(value).lower() == str(one).lower():
                return one
        return None


@dataclass(frozen=True, slots=True)
class Number:
    """A number between *low* and *high*, both included.

    Attributes:
        name: The parameter.
        low: Least value.
        high: Greatest value.
        whole: Whole numbers only.
        log: Every order of magnitude is as likely as any other.
        text: As it was written.
    """

    name: str
    low: float
    high: float
    whole: bool = False
    log: bool = False
    text: str = ""

    @property
    def size(self) -> int | None:
        """How many values there are; None: no end of them."""
        return int(self.high) - int(self.low) + 1 if self.whole else None

    def at(self, place: float) -> Value:
        """Return the value at *place* in [0, 1)."""
        if self.whole:
            if not self.log:
                return int(self.low) + min(int(place * (self.high - self.low + 1)), int(self.high - self.low))
            # Half a unit beyond each end, so that the ends are as likely as their neighbours.
            drawn = _between(math.log(self.low - 0.5), math.log(self.high + 0.5), place)
            return min(max(round(math.exp(drawn)), int(self.low)), int(self.high))
        if self.log:
            return self.short(math.exp(_between(math.log(self.low), math.log(self.high), place)))
        return self.short(_between(self.low, self.high, place))

    def nth(self, index: int) -> Value:
        """Return the value *index*, from 0, of whole numbers."""
        return int(self.low) + index

    def short(self, value: float) -> int | float:
        """Return *value* with the digits that matter, within the bounds."""
        if self.whole:
            return int(value)
        span = self.high - self.low
        widest = max(abs(self.low), abs(self.high))
        more = math.log10(widest / span) if span > 0 and not self.log else 0.0
        digits = min(_DIGITS + max(math.ceil(more), 0), 17)
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def read(self, value: object) -> Value | None:
        """Return the number that a run's param stands for, None if it is not in the range."""
        if isinstance(value, str):
            value = typed(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        if not self.whole:
            return float(value)
        return int(value) if value == int(value) else None


def _between(low: float, high: float, place: float) -> float:
    return low + place * (high - low)


Dimension = Choice | Number


class Space:
    """The dimensions of a sweep, in the order they were given."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self.dimensions = tuple(dimensions)
        self.names = tuple(dimension.name for dimension in self.dimensions)

    def __repr__(self) -> str:
        return f"<Space {' '.join(f'{one.name}={one.text}' for one in self.dimensions)}>"

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Space:
        """Read ``{"lr": "log(1e-4,1e-1)", "layers": [2, 3]}``.

        Raises:
            UsageError: A dimension says something impossible.
        """
        return cls([parse_dimension(name, text) for name, text in given.items()])

    def read(self, params: Mapping[str, object]) -> dict[str, Value] | None:
        """Return the point that a run's params stand for, None if they are not of this space."""
        found = {one.name: one.read(params.get(one.name)) for one in self.dimensions}
        point = {name: value for name, value in found.items() if value is not None}
        return point if len(point) == len(found) else None

    def texts(self) -> dict[str, str]:
        """Return name → dimension as it was written: what :meth:`parse` reads again."""
        return {one.name: one.text for one in self.dimensions}

    @property
    def varying(self) -> tuple[Dimension, ...]:
        """The dimensions with more than one value."""
        return tuple(one for one in self.dimensions if one.size != 1)

    def size(self) -> int | None:
        """Return how many points there are; None: no end of them."""
        total = 1
        for dimension in self.dimensions:
            if dimension.size is None:
                return None
            total *= dimension.size
        return total

    def point(self, index: int) -> dict[str, Value]:
        """Return the point *index* of the grid, from 0; the last parameter changes soonest.

        Raises:
            UsageError: A dimension has no end of values.
            IndexError: There are not so many points.
        """
        left = index
        found: dict[str, Value] = {}
        for dimension in reversed(self.dimensions):
            size = dimension.size
            if size is None:
                said = f"{dimension.name}={dimension.text}"
                hint = "give range(a,b,step) or some values, or take another sampler"
                raise UsageError(f"a grid needs a number of values, and {said} has no end of them; {hint}")
            left, place = divmod(left, size)
            found[dimension.name] = dimension.nth(place)
        if left or index < 0:
            raise IndexError(index)
        return dict(reversed(found.items()))

    def grid(self) -> Iterator[dict[str, Value]]:
        """Yield every point.

        Raises:
            UsageError: A dimension has no end of values.
        """
        index = 0
        while True:
            try:
                point = self.point(index)
            except IndexError:
                return
            yield point
            index += 1


def parse_dimension(name: str, given: object) -> Dimension:
    """Read one dimension.

    Args:
        name: The parameter.
        given: ``log(a,b)``, ``uniform(a,b)``, ``int(a,b)``, ``int(a,b,log)``, ``choice(a,b,c)``,
            ``range(a,b,step)`` (both ends included), ``a,b,c``, or one value; quotes keep commas and
            brackets together. From a file also a list, or a number as it is.

    Raises:
        UsageError: It says something impossible.
    """
    if isinstance(given, list | tuple):
        if not given or not all(isinstance(value, str | int | float | bool) for value in given):
            raise _refused(name, given, "a list needs values, and each has to be text, a number or a boolean")
        values = [str(value) if isinstance(value, bool) else value for value in given]
        return _choice(name, values, _written(values))
    if isinstance(given, bool | int | float):
        given = str(given)
    if not isinstance(given, str):
        raise _refused(name, given, f"a dimension is {_WAYS}")
    call = _CALL.fullmatch(given)
    if call is None:
        words = _split(name, given)
        return _choice(name, words, given) if len(words) > 1 else Choice(name, (words[0],), given)
    kind, inside = call.groups()
    words = _split(name, inside)
    if kind == "choice":
        return _choice(name, words, given)
    if kind == "range":
        return _range(name, words, given)
    return _number(name, kind, words, given)


def _choice(name: str, words: list[Any], text: str) -> Choice:
    if any(isinstance(word, float) for word in words) and all(type(word) in (int, float) for word in words):
        # A program that reads one of them as a float does so with all.
        words = [float(word) if abs(word) < _LARGEST_WHOLE else word for word in words]
    for place, word in enumerate(words):
        if any(word == other and type(word) is type(other) for other in words[:place]):
            raise _refused(name, text, f"{word!r} stands there twice")
    if words == [""]:
        raise _refused(name, text, "there are no values")
    return Choice(name, tuple(words), text)


def _number(name: str, kind: str, words: list[Value], text: str) -> Number:
    log = kind == "log"
    if kind == "int" and len(words) == 3:
        if words[2] != "log":
            raise _refused(name, text, "the third word of int can only be log")
        log = True
        words = words[:2]
    if len(words) != 2:
        raise _refused(name, text, f"{kind} has a least and a greatest value")
    low, high = (_bound(name, word, text) for word in words)
    if low > high:
        raise _refused(name, text, "the least value is greater than the greatest")
    if log and low <= 0:
        raise _refused(name, text, "a logarithm needs a least value above 0")
    if kind == "int":
        if low != int(low) or high != int(high):
            raise _refused(name, text, "int has whole numbers")
        low, high = int(low), int(high)
    return Number(name, low, high, kind == "int", log, text)


def _range(name: str, words: list[Value], text: str) -> Choice:
    if len(words) not in (2, 3):
        raise _refused(name, text, "range has a first and a last value, and a step")
    first, last, *rest = (_bound(name, word, text) for word in words)
    step = rest[0] if rest else 1
    if step == 0 or (last - first) / step < 0:
        raise _refused(name, text, "the step has to lead from the first value to the last")
    # A hair of tolerance: 0.3 / 0.1 is 2.9999999999999996.
    count = math.floor((last - first) / step * (1 + 1e-12) + 1e-9) + 1
    if count > 1_000_000:
        raise _refused(name, text, "that are more than a million values")
    rising = step if step > 0 and count > 1 else None
    if all(isinstance(one, int) for one in (first, last, step)):
        return Choice(name, tuple(int(first + place * step) for place in range(count)), text, rising)
    return Choice(name, tuple(float(f"{first + place * step:.12g}") for place in range(count)), text, rising)


def _bound(name: str, word: Value, text: str) -> float:
    if isinstance(word, bool) or not isinstance(word, int | float) or not math.isfinite(word):
        raise _refused(name, text, f"{word!r} is no number")
    return word


def _split(name: str, text: str) -> list[Value]:
    """Split at commas outside of quotes and brackets; those without quotes that are numbers become some."""
    words: list[Value] = []
    word, quote, quoted, depth = "", "", False, 0
    for place, char in enumerate(text):
        if quote:
            if char == quote:
                quote = ""
            else:
                word += char
        elif quoted and char in "\"'" and text[place - 1] == char:  # doubled: the quote itself
            word += char
            quote = char
        elif char in "\"'" and not word.strip():
            word, quote, quoted = "", char, True
        elif char == "," and depth == 0:
            words.append(word if quoted else typed(word.strip()))
            word, quoted = "", False
        elif not quoted or not char.isspace():
            depth += (char in "([{") - (char in ")]}")
            word += char
    if quote:
        raise _refused(name, text, f"the quote {quote} is not closed")
    words.append(word if quoted else typed(word.strip()))
    return words


def typed(text: str) -> Value:
    """Return a number where *text* is spelled as one, else the text: ``007`` and ``true`` reach a program so."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < _LONGEST_WHOLE:
        return int(text) if str(int(text)) == text else text
    if text and text.isascii() and "_" not in text:
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text


def _spell(value: Value) -> str:
    """Return text that is read as *value*."""
    text = str(value)
    if not isinstance(value, str) or (typed(text) == text and not re.search(r"[\s,\"'()\[\]{}]", text) and text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _written(values: Sequence[Value]) -> str:
    return f"choice({','.join(map(_spell, values))})"


def _refused(name: str, given: object, reason: str) -> UsageError:
    return UsageError(f"{name}={given}: {reason}; a dimension is {_WAYS}")
