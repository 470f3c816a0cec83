"""YAML that a person or a stranger wrote: safe, bounded, without aliases.

PyYAML takes 15 ms to import and 100 times longer a line than our own parsers, so this is what
they fall back to, never the usual path.
"""

from __future__ import annotations

import re
from typing import Any

from ledgit.errors import RecordError

__all__ = ["load_yaml"]

MAX_DEPTH = 32
MAX_SIZE = 16 * 1024 * 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


def load_yaml(text: str, where: str) -> Any:
    """Return what *text* holds: dicts with text keys, lists and scalars; None if it is empty.

    Dates stay text. Aliases, merge keys, tags other than YAML's plain types, several documents,
    repeated keys, more than 32 levels and more than 16 MiB are refused.

    Raises:
        RecordError: for all of these and for what is no YAML.
    """
    import yaml

    if len(text) > MAX_SIZE:
        raise RecordError(where, "is larger than 16 MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Events first: the parser keeps its own stack, while composing recurses in C.
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise RecordError(where, "has a YAML alias, which Ledgit does not read")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise RecordError(where, f"is nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node = yaml.compose(text, Loader=loader)
        return None if node is None else _construct(node, yaml.constructor.SafeConstructor(), where)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0] or type(error).__name__
        raise RecordError(where, f"is not valid YAML{line}: {problem}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        # PyYAML lets such errors of odd scalars (!!int "") through.
        raise RecordError(where, f"has a value that YAML can't read: {error}") from None


def _construct(node: Any, constructor: Any, where: str) -> Any:
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if node.id == "mapping" and kind == "map":
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                raise RecordError(where, f"has a key that is no text at line {key_node.start_mark.line + 1}")
            key = key_node.value
            _check_text(key, where)
            if key in result:
                raise RecordError(where, f"has the key {key!r} twice (line {key_node.start_mark.line + 1})")
            result[key] = _construct(value_node, constructor, where)
        return result
    if node.id == "sequence" and kind == "seq":
        return [_construct(child, constructor, where) for child in node.value]
    if node.id == "scalar":
        if kind in ("str", "timestamp", "value", "merge"):
            _check_text(node.value, where)
            return node.value
        if kind in ("null", "bool", "int", "float"):
            return getattr(constructor, f"construct_yaml_{kind}")(node)
    raise RecordError(where, f"has a value of type {node.tag!r} at line {node.start_mark.line + 1}")


def _check_text(text: str, where: str) -> None:
    if _SURROGATE.search(text):
        raise RecordError(where, "has text that is not valid Unicode")
