"""Nested values of other trackers as flat names: ``{"net": {"depth": 3}}`` is ``net.depth``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["as_number", "flatten", "keep_params"]

_DEEPEST = 16


def flatten(values: Any, separator: str = ".", before: str = "", depth: int = 0) -> dict[str, Any]:
    """Return leaves by their path; a list, and what is deeper than 16 levels, is one value: its JSON."""
    found: dict[str, Any] = {}
    if not isinstance(values, Mapping):
        return found
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            found.update(flatten(value, separator, f"{name}{separator}", depth + 1))
        elif isinstance(value, Mapping | list | tuple):
            found[name] = json.dumps(value, default=str, ensure_ascii=False)
        else:
            found[name] = value
    return found


def keep_params(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return params as text, and as what they are."""
    typed = {
        key: value if isinstance(value, str | int | float | bool) or value is None else str(value)
        for key, value in values.items()
    }
    return {key: str(value) for key, value in typed.items()}, typed


def as_number(value: Any) -> float | None:
    """Return a metric's value; None for what is no number. JSON's writers of NaN and infinity spell them as text."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, str) and value in ("NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"):
        return float(value.replace("Infinity", "inf"))
    return None
