"""YAML that people write for projects: safe, bounded, and every value knows its line.

MLflow reads ``MLproject`` with PyYAML's safe loader, so anchors and merge keys are read here as well, up to a
number of values that no honest file has.
"""

from __future__ import annotations

from ledgit.errors import ProjectError
from ledgit.records.harmless import clean, fit

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Marked", "load_marked", "read_text"]

_LARGEST = 1 << 20
_MOST_VALUES = 20_000
_DEEPEST = 32
_PLAIN = ("str", "null", "bool", "int", "float", "timestamp", "value")


class Marked:
    """A value of a file.

    Attributes:
        value: A dict from text to `Marked`, a list of `Marked`, or a scalar (dates are `datetime` objects).
        line: Where it stands, from 1.
        text: A scalar as it is spelled in the file; "" of others.
        lines: Of a dict: where each key stands.
    """

    __slots__ = ("line", "lines", "text", "value")

    def __init__(self, value: Any, line: int, text: str = "", lines: dict[str, int] | None = None) -> None:
        self.value, self.line, self.text = value, line, text
        self.lines = {} if lines is None else lines

    def plain(self) -> Any:
        """Return the value without marks."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def kind(self) -> str:
        """Say in a word what it is, for a sentence."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "empty" if self.value is None else fit(clean(repr(self.value)), 60)


def read_text(path: str) -> str:
    """Return what the file at *path* says.

    Raises:
        ProjectError: It can't be read, is larger than 1 MiB, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ProjectError(path, f"can't be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise ProjectError(path, "is larger than 1 MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProjectError(path, f"is not UTF-8 at byte {error.start}", line) from None


def load_marked(text: str, file: str) -> Marked:
    """Return what *text*, the content of *file*, holds; an empty file holds None.

    Raises:
        ProjectError: It is no YAML, has a tag that makes objects, a key twice, more than one document, more than
            20,000 values or 32 levels; with the line.
    """
    import yaml

    # The loader in Python: it says what is wrong where, and such files are short.
    loader = yaml.SafeLoader
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ProjectError(file, f"is nested deeper than {_DEEPEST} levels")
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0] or "not valid YAML"
        line = None if mark is None else mark.line + 1
        raise ProjectError(file, _with_line(f"is not valid YAML: {problem}", text, line), line) from None
    except RecursionError:
        raise ProjectError(file, "is nested too deeply") from None
    if node is None:
        return Marked(None, 1)
    return _Construction(file).make(node, 0)


def _with_line(reason: str, text: str, line: int | None) -> str:
    lines = text.splitlines()
    if line is None or line > len(lines):
        return reason
    return f"{reason}\n  {fit(clean(lines[line - 1].expandtabs(4)), 100)}"


class _Construction:
    def __init__(self, file: str) -> None:
        from yaml.constructor import SafeConstructor

        self._file = file
        self._constructor: Any = SafeConstructor()
        self._made = 0

    def make(self, node: Any, depth: int) -> Marked:
        line = node.start_mark.line + 1
        self._made += 1
        # An anchor stands for all it holds each time it is named.
        if self._made > _MOST_VALUES or depth > _DEEPEST:
            raise ProjectError(self._file, "holds too much: are its anchors nested?", line)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if node.id == "mapping" and kind == "map":
            return self._mapping(node, depth, line)
        if node.id == "sequence" and kind == "seq":
            return Marked([self.make(item, depth + 1) for item in node.value], line)
        if node.id != "scalar" or kind not in _PLAIN:
            raise ProjectError(self._file, f"has a value with the tag {clean(node.tag)!r}, which is not read", line)
        if any("\ud800" <= char <= "\udfff" for char in node.value):
            raise ProjectError(self._file, "has text that is not valid Unicode", line)
        if kind in ("str", "value"):
            return Marked(node.value, line, node.value)
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
            raise ProjectError(self._file, f"has a value that YAML can't read: {clean(node.value)!r}", line) from None
        return Marked(value, line, node.value)

    def _mapping(self, node: Any, depth: int, line: int) -> Marked:
        own: dict[str, Marked] = {}
        merged: dict[str, Marked] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            at = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                below = self.make(value_node, depth + 1)
                for part in below.value if isinstance(below.value, list) else [below]:
                    if not isinstance(part.value, dict):
                        raise ProjectError(self._file, f"merges {part.kind()}, expected a mapping", at)
                    merged = part.value | merged
                    lines = part.lines | lines
                continue
            if key_node.id != "scalar":
                raise ProjectError(self._file, "has a key that is no text", at)
            key = self.make(key_node, depth + 1).text
            if key in own:
                raise ProjectError(self._file, f"has the key {clean(key)!r} twice", at)
            own[key] = self.make(value_node, depth + 1)
            lines[key] = at
        return Marked(merged | own, line, lines=lines)
