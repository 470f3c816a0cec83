"""Which of very many objects are in the cache: one look at its folders where that is quicker than one at each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.artifacts.cache import Cache

__all__ = ["present"]

_MANY = 2_000
_QUICKER = 8  # names that are listed in the time of one look


def present(cache: Cache, oids: Iterable[str]) -> set[str]:
    """Return those of *oids*, whose form was checked, that are in the cache; nothing is said of their content."""
    wanted = set(oids)
    heads: dict[str, list[str]] = {}
    for oid in wanted if len(wanted) >= _MANY else ():
        heads.setdefault(oid[:2], []).append(oid)
    found: set[str] = set()
    for number, (head, some) in enumerate(heads.items()):
        folder = os.path.dirname(cache.location(some[0]))
        names = _names(folder)
        if number == 0 and len(names) > _QUICKER * len(some):  # as digests go, each folder has about as many
            break
        found.update(set(some).intersection(map(head.__add__, names)))
    else:
        if heads:
            return found
    return {oid for oid in wanted if cache.has(oid)}


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
