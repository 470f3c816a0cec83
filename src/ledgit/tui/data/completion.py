"""What can stand for the word before the cursor of a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.tui.session import Session

__all__ = ["complete_filter"]

_ATTRIBUTES = (
    *("age", "branch", "code.commit", "dirty", "duration", "end", "experiment", "id", "name", "parent_run", "start"),
    *("status", "user", "ancestor", "deleted"),
)
_KINDS = ("metrics", "params", "tags")
_MOST = 50


def complete_filter(session: Session, text: str, cursor: int) -> Sequence[str]:
    """Return words for the one before *cursor*, best first: keys, and after a kind and a dot its names.

    A bare word is looked for among the names of all kinds too: ``acc`` gives ``metrics.accuracy``. In a thread.
    """
    from ledgit.tui.widgets.prompt import word_before

    word = word_before(text, cursor)
    if not word or word[0] in "'\"" or word[0].isdigit():
        return []
    index = session.repository.index
    kind, dot, start = word.partition(".")
    if dot and kind in _KINDS:
        return [f"{kind}.{_quoted(key)}" for key in _like(index.keys(kind), start.strip('`"'))][:_MOST]
    lower = word.lower()
    found = [name for name in (*_ATTRIBUTES, *(f"{kind}." for kind in _KINDS)) if name.startswith(lower)]
    if len(lower) >= 2:
        found += [f"{kind}.{_quoted(key)}" for kind in _KINDS for key in _like(index.keys(kind), word)]
    return found[:_MOST]


def _like(keys: Sequence[str], start: str) -> list[str]:
    low = start.lower()
    first = [key for key in keys if key.lower().startswith(low)]
    return first + [key for key in keys if low in key.lower() and not key.lower().startswith(low)]


def _quoted(key: str) -> str:
    plain = bool(key) and all(char.isalnum() or char in "_.:/-" for char in key)
    return key if plain else f"`{key.replace('`', '``')}`"
