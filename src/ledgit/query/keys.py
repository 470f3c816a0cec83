"""The keys a filter or an order can name: ``metrics.acc``, ``params."learning rate"``, ``status``.

Shared by the filter's parser and by ``order_by``, which needs no grammar library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ledgit.errors import FilterError

__all__ = [
    "ATTRIBUTES",
    "BACK_QUOTED",
    "DOUBLE_QUOTED",
    "KEY",
    "KINDS",
    "PLAIN",
    "Key",
    "close_to",
    "make_key",
    "unquote",
]

KINDS = {
    "metric": "metrics",
    "metrics": "metrics",
    "param": "params",
    "params": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "tags": "tags",
    "attribute": "attributes",
    "attributes": "attributes",
    "attr": "attributes",
    "run": "attributes",
    "dataset": "datasets",
    "datasets": "datasets",
    "code": "code",
}
"""How a key may begin, and what that means."""

ATTRIBUTES = {
    "id": "id",
    "run_id": "id",
    "name": "name",
    "run_name": "name",
    "run name": "name",
    "status": "status",
    "start": "start",
    "start_time": "start",
    "created": "start",
    "created_at": "start",
    "end": "end",
    "end_time": "end",
    "age": "age",
    "duration": "duration",
    "user": "user",
    "user_id": "user",
    "experiment": "experiment",
    "experiment_name": "experiment",
    "parent_run": "parent_run",
    "parent_run_id": "parent_run",
    "ancestor": "ancestor",
    "branch": "branch",
    "commit": "commit",
    "head": "head",
    "tree": "tree",
    "dirty": "dirty",
    "deleted": "deleted",
    "artifact_uri": "artifact_uri",
}
"""Every spelling of an attribute, and its own name."""

_CODE = {"commit": "code_commit", "tree": "tree", "branch": "branch", "dirty": "dirty"}

_DATASETS = ("name", "digest", "context")

DOUBLE_QUOTED = r"\"(?:[^\"]|\"\")*\""
BACK_QUOTED = r"`(?:[^`]|``)*`"
_PREFIX = "|".join(sorted(KINDS, key=len, reverse=True))
PLAIN = rf"(?i:{_PREFIX})\.(?:{BACK_QUOTED}|{DOUBLE_QUOTED}|[\w.:/\-]+)|[^\W\d]\w*"
"""Pattern of a key: a prefix and a name, or an attribute's name alone."""
KEY = rf"{PLAIN}|{BACK_QUOTED}|{DOUBLE_QUOTED}"
"""The same, or an attribute's name in quotes."""

_SPLIT = rf"(?is)({_PREFIX})\.(.+)"


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to compare or to sort by.

    Attributes:
        kind: ``metrics``, ``params``, ``tags``, ``datasets`` or ``attributes``.
        name: The key, or the attribute's own name (``start``, not ``start_time``).
        part: For metrics: ``last`` (the latest value), ``min`` or ``max`` of its history.
        position: Offset in the text it came from.
    """

    kind: str
    name: str
    part: str = "last"
    position: int = field(default=0, compare=False)


def unquote(text: str) -> str:
    """Strip the quotes of *text*, if it has any; a doubled quote inside stands for one."""
    if len(text) >= 2 and text[0] in "`\"'" and text[-1] == text[0]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def close_to(word: str, known: list[str]) -> str:
    """Return ``"; did you mean x or y?"`` for a misspelt *word*, or an empty string."""
    import difflib

    near = difflib.get_close_matches(word.lower(), known, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def make_key(token: str, part: str, text: str, position: int) -> Key:
    """Return the key that *token*, found in *text* at *position*, names.

    Raises:
        FilterError: For an unknown attribute, or one that can't be searched.
    """
    match = re.fullmatch(_SPLIT, token)
    if match is None:
        kind, name = "attributes", unquote(token)
    else:
        kind, name = KINDS[match[1].lower()], unquote(match[2])
    if not name:
        raise FilterError(text, position, f"{token} names no key")
    if part != "last" and kind != "metrics":
        raise FilterError(text, position, f"{part}() takes a metric, not {token}")
    if kind == "attributes":
        own = ATTRIBUTES.get(name.lower())
        if own is None:
            raise FilterError(text, position, _unknown(token, name))
        return Key(kind, own, part, position)
    if kind == "code":
        own = _CODE.get(name.lower())
        if own is None:
            raise FilterError(text, position, f"unknown attribute {token}; code has {', '.join(_CODE)}")
        return Key("attributes", own, part, position)
    if kind == "datasets":
        if name.lower() not in _DATASETS:
            raise FilterError(text, position, f"unknown attribute {token}; a data set has {', '.join(_DATASETS)}")
        return Key(kind, name.lower(), part, position)
    return Key(kind, name, part, position)


def _unknown(token: str, name: str) -> str:
    if token.lower() == "code":
        return "code is a place in history: code IN main..HEAD; or compare code.commit, code.tree, code.branch"
    near = close_to(name, list(ATTRIBUTES))
    if near:
        return f"unknown attribute {token}{near}"
    if token == name:
        return f"unknown attribute {token}; write metrics.{name}, params.{name} or tags.{name}"
    return f"unknown attribute {token}; there are {', '.join(dict.fromkeys(ATTRIBUTES.values()))}"
