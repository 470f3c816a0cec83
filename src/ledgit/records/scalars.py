"""Scalars: the values of params, metrics and tags, and their text in YAML and JSON.

The text of a string is always a JSON string, that of a number always a JSON number with the
spelling YAML 1.1 needs (a dot in the mantissa, a sign in the exponent). So there is nothing for
the readers to guess: json, PyYAML, ruamel.yaml and the line parser in :mod:`~ledgit.records.flat`
read the same value with the same type. Only ``.nan .inf -.inf`` are YAML alone; JSON gets a tag.
"""

from __future__ import annotations

from functools import lru_cache

from ledgit.errors import InvalidValue, RecordError

TYPE_CHECKING = False  # typing takes 3 ms to import, and re with it: logging a value needs neither
if TYPE_CHECKING:
    import re
    from typing import Any

__all__ = ["Scalar", "clean_text", "dump_scalar", "from_json", "load_scalar", "to_json", "to_metric", "to_scalar"]

Scalar = str | int | float | bool | None

MAX_INT_BITS = 13_000
"""About 3,900 digits. CPython refuses to print or read integers above 4,300."""

_INT64 = 1 << 63

# What YAML would not read back from inside double quotes as it is: controls, the line breaks of
# YAML 1.1 (NEL, LS, PS), the byte order mark and the two non-characters that YAML calls unprintable.
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff"
_UNSAFE = rf'["\\{_UNPRINTABLE}]'
_STRING = rf'"(?:[^"\\{_UNPRINTABLE}]|\\["\\/bfnrt]|\\u[0-9a-f]{{4}})*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(\.[0-9]+(?:e[+-][0-9]+)?)?"
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}

_CONSTANTS: dict[str, Scalar] = {
    "null": None,
    "true": True,
    "false": False,
    ".nan": float("nan"),
    ".inf": float("inf"),
    "-.inf": float("-inf"),
}

_FLOAT_TAG = "~float"
_INT_TAG = "~int"
_FLOAT_WORDS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def clean_text(text: str) -> str:
    r"""Return *text* with lone surrogates (bytes that were no UTF-8) spelled as ``\udce9``.

    Such text comes from file names and command lines. It has no UTF-8 form, so neither a file
    nor SQLite could hold it.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace").decode()
    return text


def _shortest(value: float, code: str) -> float:
    """Return the float with the fewest digits that is *value* in the narrower format *code*."""
    from math import isfinite
    from struct import pack

    if not isfinite(value):
        return value
    packed = pack(code, value)
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        try:
            if pack(code, short) == packed:
                return short
        except OverflowError:  # rounded up beyond the format's greatest number
            continue
    return value


def _unwrap(value: Any) -> Any:
    """Return the Python value of a NumPy, torch or similar scalar or 0-d array; others as they are."""
    item = getattr(value, "item", None)
    if not callable(item):
        return value
    shape = getattr(value, "shape", None)
    if shape is None or len(shape) != 0:
        return value
    dtype = str(getattr(value, "dtype", "")).rpartition(".")[2]
    plain = item()
    if type(plain) is float:
        if dtype in ("float32", "bfloat16"):
            return _shortest(plain, "f")
        if dtype == "float16":
            return _shortest(plain, "e")
    elif not isinstance(plain, (str, bytes, int, float, complex)):
        # Dates and long doubles: their own text says more than what item() makes of them.
        return float(value) if dtype.startswith("float") else value
    return plain


def to_scalar(value: object) -> Scalar:
    r"""Return the typed value of a param or tag; what is no scalar becomes ``str(value)``.

    NumPy and torch scalars become Python's; float32 and narrower ones by their shortest text, so
    that ``numpy.float32(0.1)`` is 0.1. Lone surrogates in text are spelled out (`clean_text`).

    Raises:
        InvalidValue: an integer of more than about 3,900 digits, or ``str(value)`` raised.
    """
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return value  # type: ignore[return-value]
    if kind is str:
        return clean_text(value)  # type: ignore[arg-type]
    if isinstance(value, str):
        return clean_text(str.__str__(str(value)))
    try:
        value = _unwrap(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            number = int(value)
            if number.bit_length() > MAX_INT_BITS:
                raise InvalidValue("the value", f"an integer of {number.bit_length()} bits", "at most 3,900 digits")
            return number
        if isinstance(value, float):
            return float(value)
        return clean_text(str.__str__(str(value)))
    except InvalidValue:
        raise
    except Exception as error:  # whatever a foreign __str__ raises
        raise InvalidValue("the value", f"<{kind.__name__}>", f"something with a text ({error})") from error


def to_metric(value: object) -> float:
    """Return the float of a metric: numbers, bools, numeric strings, arrays and tensors of one element.

    A float32 keeps its exact bits.

    Raises:
        InvalidValue: *value* is no number, or too large for a float.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[return-value]
    if kind is int or kind is bool or isinstance(value, str):
        try:
            return float(value)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            raise InvalidValue("the metric's value", value, "a number") from None
    try:
        item = getattr(value, "item", None)
        plain = item() if callable(item) else value
        if isinstance(plain, (bytes, bytearray)):
            raise TypeError(kind)
        return float(plain)  # type: ignore[arg-type]
    except Exception as error:  # foreign types raise what they like (torch: RuntimeError)
        raise InvalidValue("the metric's value", value, "a number") from error


def dump_scalar(value: Scalar) -> str:
    """Return the YAML text of *value*, on one line; but for nan and inf it is JSON too.

    Raises:
        InvalidValue: text with a lone surrogate (see `clean_text`), or no scalar at all.
    """
    kind = type(value)
    if kind is str:
        return _dump_text(value)  # type: ignore[arg-type]
    if kind is float:
        return _dump_float(value)  # type: ignore[arg-type]
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, int):
        try:
            return int.__repr__(value)
        except ValueError:
            raise InvalidValue("the value", "an integer", "at most 3,900 digits") from None
    if isinstance(value, float):
        return _dump_float(float(value))
    if isinstance(value, str):
        return _dump_text(str.__str__(value))
    raise InvalidValue("the value", value, "text, a number, a bool or None")


def _dump_text(text: str) -> str:
    # Printable is narrower than safe: it is a quick test that almost all text passes.
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue("the value", text, "text that UTF-8 can hold") from None
    import re

    return '"' + re.sub(_UNSAFE, _escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def _dump_float(value: float) -> str:
    text = repr(value)
    if "e" in text:
        # PyYAML reads 1e-05 as a string: it wants a dot, and a sign in the exponent (repr writes that).
        return text if "." in text else text.replace("e", ".0e")
    if text[-1] == "n":
        return ".nan"
    if text[-1] == "f":
        return "-.inf" if text[0] == "-" else ".inf"
    return text


@lru_cache(maxsize=1)
def number_pattern() -> re.Pattern[str]:
    """Return the pattern of the numbers we write; group 1 is there in floats."""
    import re

    return re.compile(_NUMBER)


def load_scalar(text: str) -> Scalar:
    """Return the value of one `dump_scalar` text; nothing else is understood.

    Raises:
        RecordError: *text* is not what `dump_scalar` writes.
    """
    if text[:1] == '"':
        inner = text[1:-1]
        if '"' not in inner and "\\" not in inner and inner.isprintable() and text[-1] == '"' and len(text) > 1:
            return inner
        return _load_text(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = number_pattern().fullmatch(text)
    if number:
        try:
            return float(text) if number.group(1) else int(text)
        except ValueError:
            raise RecordError("scalar", "an integer of more than 4,300 digits") from None
    raise RecordError("scalar", f"{text[:40]!r} is not a scalar as Ledgit writes it")


def _load_text(text: str) -> str:
    import re

    # Escapes of surrogates are not ours: JSON would join a pair of them, YAML would not.
    if not re.fullmatch(_STRING, text) or re.search(r"(?<!\\)(?:\\\\)*\\u[d][89a-f]", text):
        raise RecordError("scalar", f"{text[:40]!r} is not text as Ledgit writes it")
    if "\\" not in text:
        return text[1:-1]
    from json import loads  # orjson takes longer to import; escapes are rare

    value: str = loads(text)
    return value


def to_json(value: Scalar) -> Any:
    """Return *value* as JSON can hold it: nan, inf and integers beyond 64 bits get a tag."""
    kind = type(value)
    if kind is float:
        if value - value == 0:  # type: ignore[operator]  # finite
            return value
        return {_FLOAT_TAG: repr(value)}
    if kind is int and not -_INT64 <= value < _INT64:  # type: ignore[operator]
        return {_INT_TAG: str(value)}
    return value


def from_json(value: Any) -> Scalar:
    """Return the scalar that `to_json` made *value* from.

    Raises:
        RecordError: a list, or an object that is no tag.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if type(value) is dict and len(value) == 1:
        ((tag, text),) = value.items()
        if tag == _FLOAT_TAG and isinstance(text, str) and text in _FLOAT_WORDS:
            return _FLOAT_WORDS[text]
        if tag == _INT_TAG and isinstance(text, str) and text.isascii() and text.removeprefix("-").isdigit():
            try:
                return int(text)
            except ValueError:
                pass
    raise RecordError("scalar", f"{repr(value)[:60]} is not a scalar")
