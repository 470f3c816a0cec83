"""What ``ledgit verify --repair`` does: a good copy takes the place of a damaged one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, LedgitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.artifacts import Cache, ObjectRemote
    from ledgit.store.artifacts.verifying import Problem

    Progress = Callable[[str, int, int | None], None]

__all__ = ["repair"]


def repair(
    cache: Cache, remote: ObjectRemote | None, problems: Iterable[Problem], progress: Progress | None = None
) -> None:
    """Mend what has a good copy. A damaged copy in the cache is set aside, never deleted.

    Args:
        cache: The clone's cache.
        remote: The artifact remote, if there is one.
        problems: What is wrong; those that are mended say so afterwards.
        progress: Is told (what, done, total).
    """
    # The cache first: what is mended there may be what the remote needs.
    todo = (problem for problem in problems if not problem.repaired and problem.state != "unreadable")
    ordered = sorted(todo, key=lambda one: one.where != "cache")
    for problem in ordered:
        try:
            if problem.where == "cache":
                _in_cache(cache, remote, problem, progress)
            elif problem.where == "remote" and remote is not None:
                _on_remote(cache, remote, problem, progress)
        except LedgitError as error:
            problem.why = f"it could not be mended: {error}"


def _in_cache(cache: Cache, remote: ObjectRemote | None, problem: Problem, progress: Progress | None) -> None:
    oid = problem.oid
    for copy in problem.copies:
        if problem.state == "damaged" and not cache.check(oid):
            cache.quarantine(oid)
        if remote is not None and copy == remote.shown:
            moved = remote.download(cache, [oid], progress)
            if oid in moved.done:
                cache.sync([oid])
                problem.repaired = copy
                return
            if oid in moved.errors:
                raise moved.errors[oid]
        elif os.path.isabs(copy):
            _take(cache, copy, oid)
            problem.repaired = copy
            return


def _take(cache: Cache, path: str, oid: str) -> None:
    """Take a person's file into the cache, as a private copy.

    Raises:
        ArtifactDamaged: It changed since it was hashed.
    """
    with open(path, "rb", buffering=0) as file:
        is_list = oid.endswith(".dir")
        taken = cache.put_bytes(file.readall(), folder=True) if is_list else cache.take(file.fileno())[0]
    if taken != oid:
        raise ArtifactDamaged(path, "it changed while it was copied")
    cache.sync([oid])


def _on_remote(cache: Cache, remote: ObjectRemote, problem: Problem, progress: Progress | None) -> None:
    oid = problem.oid
    if not cache.check(oid):
        return
    if problem.state == "damaged":
        gone = remote.delete([oid])
        if oid in gone.errors:
            raise gone.errors[oid]
    moved = remote.upload(cache, [oid], progress)
    if oid in moved.errors:
        raise moved.errors[oid]
    problem.repaired = "cache"
