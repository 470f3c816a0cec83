"""On which line of a YAML file something stands: looked up only when it is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["line_of"]


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line, from 1, of the key or item that *path* leads to; None where it leads nowhere.

    Args:
        text: A file that `load_yaml` has read.
        path: Keys of mappings and places in lists, from the outside in. For a key of a mapping it is the key's line.
    """
    import yaml

    node: Any = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    line = None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line
