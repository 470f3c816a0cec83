"""Nested YAML with the same scalars as the flat files: run, inputs, environment, artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledgit.errors import InvalidValue, RecordError
from ledgit.records.flat import dump_key
from ledgit.records.scalars import clean_text, dump_scalar

__all__ = ["dump_document", "load_document"]

# YAML's readers want the colon of a simple key within 1,024 characters of its start.
_LONG_KEY = 1000


def dump_document(value: Any) -> bytes:
    r"""Return *value* (mappings, lists or tuples, scalars) as block-style YAML, in the order given.

    Lone surrogates in text are spelled out (``\udce9``), in keys too.

    Raises:
        InvalidValue: something in it is none of these.
    """
    lines: list[str] = []
    _dump(value, "", lines)
    lines.append("")
    return "\n".join(lines).encode()


def _dump(value: Any, indent: str, lines: list[str]) -> None:
    """Append *value* as a block; a scalar or an empty collection as one line."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidValue("a key", key, "text")
            name = dump_key(clean_text(key))
            if len(name) > _LONG_KEY:
                lines.append(f"{indent}? {name}")
                name = ""
            _dump_item(f"{indent}{name}:", item, indent, lines)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            _dump_item(f"{indent}-", item, indent, lines)
    else:
        lines.append(indent + _inline(value))


def _dump_item(head: str, item: Any, indent: str, lines: list[str]) -> None:
    if isinstance(item, (Mapping, list, tuple)) and item:
        start = len(lines)
        _dump(item, indent + "  ", lines)
        if head.endswith("-"):
            # "- key: value": the first line of the block moves up beside the dash.
            lines[start] = f"{head} {lines[start][len(indent) + 2 :]}"
        else:
            lines.insert(start, head)
    else:
        lines.append(f"{head} {_inline(item)}")


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return dump_scalar(clean_text(value))
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return dump_scalar(value)


def load_document(data: bytes, where: str = "YAML file") -> Any:
    """Return what *data* holds: dicts with text keys, lists, scalars; None if it is empty.

    Raises:
        RecordError: not UTF-8, not YAML, or more than safe YAML (aliases, tags, deep nesting).
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise RecordError(where, f"is not UTF-8 at byte {error.start}") from None
    from ledgit.records.safeyaml import load_yaml

    return load_yaml(text, where)
