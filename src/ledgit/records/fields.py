"""Typed reading of decoded documents: every surprise is a RecordError that names file and key."""

from __future__ import annotations

from ledgit.errors import RecordError

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Fields"]

_MISSING: Any = object()


class Fields:
    """A mapping from a document, read key by key with the type that is wanted."""

    __slots__ = ("_values", "where")

    def __init__(self, values: Any, where: str) -> None:
        if values is None:
            values = {}
        if not isinstance(values, dict):
            raise RecordError(where, "is not a mapping")
        self._values: dict[str, Any] = values
        self.where = where

    def _get(self, key: str, default: Any, kinds: type | tuple[type, ...], wanted: str) -> Any:
        value = self._values.get(key)
        if value is None:
            if default is _MISSING:
                raise RecordError(self.where, f"has no {key}")
            return default
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise RecordError(self.where, f"{key} is {repr(value)[:40]}, expected {wanted}")
        return value

    def text(self, key: str, default: str = _MISSING) -> str:
        """Return a text; a number that a person left unquoted is taken as text."""
        value = self._get(key, default, (str, int, float), "text")
        return value if isinstance(value, str) else str(value)

    def optional_text(self, key: str) -> str | None:
        """Return a text, or None if it is missing."""
        value: str | None = self._get(key, None, str, "text")
        return value

    def integer(self, key: str, default: int = _MISSING) -> int:
        """Return an integer."""
        value: int = self._get(key, default, int, "an integer")
        return value

    def optional_integer(self, key: str) -> int | None:
        """Return an integer, or None if it is missing."""
        value: int | None = self._get(key, None, int, "an integer")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a bool."""
        value: bool = self._get(key, default, bool, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty if it is missing."""
        values = self._get(key, [], list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise RecordError(self.where, f"{key} is not a list of texts")
        return tuple(values)

    def text_map(self, key: str) -> dict[str, str]:
        """Return a mapping of texts; empty if it is missing."""
        values = self._get(key, {}, dict, "a mapping of texts")
        for name, value in values.items():
            if not isinstance(value, str):
                raise RecordError(self.where, f"{key}.{name} is {repr(value)[:40]}, expected text")
        return dict(values)

    def section(self, key: str) -> Fields:
        """Return a mapping below *key*; an empty one if it is missing."""
        return Fields(self._get(key, {}, dict, "a mapping"), self.where)

    def sections(self, key: str) -> list[Fields]:
        """Return the mappings of a list below *key*; none if it is missing."""
        return [Fields(value, self.where) for value in self._get(key, [], list, "a list")]
