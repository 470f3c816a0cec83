"""What could go, at a glance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.store.gc.plan import Plan, Selection, make_plan

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["Survey", "caches", "survey"]


@dataclass(slots=True)
class Survey:
    """What could go.

    Attributes:
        deleted: What purging the deleted runs would take.
        orphaned: The same for orphaned ones.
        owed: Where purged runs still are in the history → their ids: ``this clone``, or a remote's name.
        rewritten: Why histories are to begin anew besides; "" if they needn't.
        caches: What can be made again → its bytes.
    """

    deleted: Plan
    orphaned: Plan
    owed: dict[str, set[str]] = field(default_factory=dict)
    rewritten: str = ""
    caches: dict[str, int] = field(default_factory=dict)


def survey(repo: Repo, folder: Folder, index: Index, *, older_than: int = 0) -> Survey:
    """Look for what could go; changes nothing.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        index: Its index.
        older_than: Of deleted and orphaned runs only those untouched for so many ms.
    """
    from ledgit.store.ledger import noted

    return Survey(
        make_plan(repo, folder, index, Selection(deleted=True, older_than=older_than)),
        make_plan(repo, folder, index, Selection(orphaned=True, older_than=older_than)),
        owed_where(repo),
        noted(folder).why,
        {what: size for what, path in caches(repo, folder) if (size := _size(path))},
    )


def owed_where(repo: Repo) -> dict[str, set[str]]:
    """Return where purged runs still are in the history → their ids."""
    from ledgit.git import Objects
    from ledgit.store.ledger import LEDGER_REF, owing

    found = owing(repo, Objects.of(repo))
    prefix, suffix = "refs/ledgit/remotes/", "/ledger"
    return {
        "this clone" if ref == LEDGER_REF else ref.removeprefix(prefix).removesuffix(suffix): runs
        for ref, runs in found.items()
    }


def caches(repo: Repo, folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield (what it is, path) of everything that is made again when it is needed."""
    from ledgit.git import Helper

    yield "index", os.path.join(folder.path, "index.sqlite3")
    yield "histories", folder.columns
    yield "fetched runs", Helper(repo).git_dir
    yield "leftovers", folder.trash


def _size(path: str) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 if it is not there."""
    total = 0
    if os.path.isfile(path):
        return os.stat(path).st_size
    for place, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total
