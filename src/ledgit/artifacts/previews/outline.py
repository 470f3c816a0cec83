"""Nested data in a few lines: deep parts and long lists are counted instead of shown."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ledgit.artifacts.previews.source import shown

__all__ = ["outline"]

_DEEPEST = 12
_SHORT = 200


def outline(value: object, width: int, height: int) -> list[str]:
    """Return *value* (of JSON or YAML) in at most *height* lines, as deep as fits.

    A key and its value stand on a line, an item behind a dash; what is deeper is ``{5 keys}`` or
    ``[300 items]``.
    """
    best: list[str] = []
    for depth in range(_DEEPEST + 1):
        lines = _first(_lines(value, "", depth, width), height + 1)
        if len(lines) > height:
            if not best:  # even the uppermost level is too long
                best = [*lines[: height - 1], "…"]
            break
        if lines == best:
            break
        best = lines
    return [shown(line, width) for line in best]


def _first(lines: Iterator[str], count: int) -> list[str]:
    return [line for line, _ in zip(lines, range(count), strict=False)]


def _lines(value: object, indent: str, depth: int, width: int) -> Iterator[str]:
    """Yield the lines of *value*; *depth* levels of it are opened."""
    short = _inline(value, width - len(indent), depth)
    if short is not None:
        yield indent + short
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _item(f"{indent}{_key(key)}:", item, indent + "  ", depth, width)
    elif isinstance(value, list):
        for item in value:
            yield from _item(f"{indent}-", item, indent + "  ", depth, width)


def _item(start: str, item: object, indent: str, depth: int, width: int) -> Iterator[str]:
    short = _inline(item, width - len(start) - 1, depth - 1)
    if short is not None:
        yield f"{start} {short}"
        return
    yield start
    yield from _lines(item, indent, depth - 1, width)


def _inline(value: object, width: int, depth: int) -> str | None:
    """Return *value* for one line; None if it is to be opened."""
    if isinstance(value, str):
        return json.dumps(value[:2000], ensure_ascii=False)
    if not isinstance(value, dict | list):
        return json.dumps(value) if value is None or isinstance(value, bool | int | float) else str(value)
    if not value:
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, list) and len(value) <= _SHORT and not any(isinstance(item, dict | list) for item in value):
        text = f"[{', '.join(_inline(item, width, 0) or '' for item in value)}]"
        if len(text) <= width:
            return text
    if depth > 0:
        return None
    if isinstance(value, dict):
        return f"{{{len(value)} key{'' if len(value) == 1 else 's'}}}"
    return f"[{len(value)} item{'' if len(value) == 1 else 's'}]"


def _key(key: object) -> str:
    text = str(key)[:200]
    return text if text and text.isprintable() and text.strip() == text and ":" not in text else json.dumps(text)
