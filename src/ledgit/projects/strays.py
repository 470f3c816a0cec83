"""Runs that a project's program logged to a store of MLflow's own, in the work folder: they would go with it.

A program that says ``import mlflow`` and names no store writes ``mlflow.db`` (or ``mlruns``) where it runs. Its runs
are brought along, as children of the project's run, before the folder goes.
"""

from __future__ import annotations

import os

from ledgit.errors import LedgitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.opened import Opened

__all__ = ["stores_in", "take_strays"]

_STORES = ("mlflow.db", "mlruns")


def stores_in(folder: str) -> dict[str, float]:
    """Return the stores below *folder*, and when each was last changed: to be compared with later."""
    return {name: _newest(path) for name in _STORES if os.path.exists(path := os.path.join(folder, name))}


def take_strays(repository: Opened, folder: str, run_id: str, before: dict[str, float]) -> list[str]:
    """Bring along what was logged below *folder* meanwhile, and say so.

    Args:
        repository: Where the runs go.
        folder: Where the program ran.
        run_id: The project's run, whose children they become.
        before: What `stores_in` said before it ran: a store that is part of the project is left alone.

    Returns:
        What is to be said, a sentence each.
    """
    said = []
    for name, changed in stores_in(folder).items():
        if before.get(name) == changed:
            continue
        path = os.path.join(folder, name)
        from ledgit.importing import bring_mlflow
        from ledgit.repository import Repository

        try:
            done = bring_mlflow(Repository(repository.repo), path, parent_run=run_id)
        except LedgitError as error:
            said.append(f"the program logged to {name}, an MLflow store of its own that can't be read: {error}")
            continue
        if done.imported:
            count = f"{len(done.imported)} run{'s' if len(done.imported) > 1 else ''}"
            said.append(f"the program logged {count} to {name}, an MLflow store of its own; brought along as children")
        said += [f"a run in {name} could not be brought along: {why}" for why in done.failed.values()]
    return said


def _newest(path: str) -> float:
    """Return when a file, or one directly in a folder or a folder of it, was last changed."""
    found = os.path.getmtime(path)
    if os.path.isdir(path):
        for here, folders, _ in os.walk(path):
            found = max(found, os.path.getmtime(here))
            if here != path:
                folders.clear()
    return found
