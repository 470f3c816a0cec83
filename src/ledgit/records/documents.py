"""Nested YAML with the same scalars as the flat files: run, inputs, environment, artifacts."""

from __future__ import annotations

from collections.abc import Mapping

from ledgit.errors import InvalidValue, RecordError
from ledgit.records.flat import NotOurs, dump_key, load_key, split_line
from ledgit.records.scalars import clean_text, dump_scalar, load_scalar

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["dump_document", "load_document"]

# YAML's readers want the colon of a simple key within 1,024 characters of its start.
_LONG_KEY = 1000
_MAX_DEPTH = 8


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
    try:
        return _Reader(text).read()
    except (NotOurs, RecordError, ValueError, IndexError):
        from ledgit.records.safeyaml import load_yaml

        return load_yaml(text, where)


class _Reader:
    """Reads exactly what `dump_document` writes, but for long keys and lists in lists."""

    def __init__(self, text: str) -> None:
        self._lines = text.removesuffix("\n").split("\n")
        self._next = 0

    def read(self) -> Any:
        first = self._lines[0]
        if len(self._lines) == 1 and first in ("{}", "[]"):
            return _scalar(first)
        value = self._block(0, _MAX_DEPTH)
        if self._next < len(self._lines):
            raise NotOurs
        return value

    def _block(self, indent: int, depth: int) -> Any:
        """Read the block whose lines are indented by *indent* spaces."""
        if depth == 0:
            raise NotOurs
        line = self._lines[self._next]
        if len(line) > indent + 1 and line[indent] == "-" and line[indent + 1] == " ":
            return self._list(indent, depth)
        return self._mapping(indent, depth)

    def _here(self, indent: int) -> str | None:
        """Return the next line without its indentation; None if the block ended before it."""
        if self._next == len(self._lines):
            return None
        line = self._lines[self._next]
        content = line.lstrip(" ")
        if not content:
            raise NotOurs
        found = len(line) - len(content)
        if found > indent:
            raise NotOurs
        return content if found == indent else None

    def _list(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while (content := self._here(indent)) is not None:
            if not content.startswith("- "):
                raise NotOurs
            rest = content[2:]
            if _opens_mapping(rest):
                # The first key stands beside the dash: as if it stood on a line of its own.
                self._lines[self._next] = " " * (indent + 2) + rest
                items.append(self._mapping(indent + 2, depth - 1))
            else:
                items.append(_scalar(rest))
                self._next += 1
        return items

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while (content := self._here(indent)) is not None:
            self._next += 1
            if content[-1] == ":":
                key = load_key(content[:-1])
                below = self._lines[self._next]
                if len(below) - len(below.lstrip(" ")) != indent + 2:
                    raise NotOurs
                value = self._block(indent + 2, depth - 1)
            else:
                name, rest = split_line(content)
                key, value = load_key(name), _scalar(rest)
            if key in result:
                raise NotOurs
            result[key] = value
        return result


def _opens_mapping(content: str) -> bool:
    if content[:1] != '"':
        return ":" in content
    try:
        load_scalar(content)
    except RecordError:
        return True
    return False


def _scalar(text: str) -> Any:
    if text == "{}":
        return {}
    if text == "[]":
        return []
    return load_scalar(text)
