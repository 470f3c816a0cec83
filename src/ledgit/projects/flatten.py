"""Nested values as params: named ``a.b.c``, lists as their text, secrets hidden by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledgit.records.redact import REDACTED, is_secret_name, redact_command
from ledgit.records.scalars import Scalar, clean_text

__all__ = ["flatten"]


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """Yield name and scalar of all that is in the mapping *value*, in its order; an empty mapping is no value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix, _scalar(prefix, value)


def _scalar(name: str, value: Any) -> Scalar:
    if any(is_secret_name(part) for part in name.split(".")) and value not in (None, ""):
        return REDACTED
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = clean_text(value if isinstance(value, str) else str(value))
    return redact_command([text])[0] if text else text
