"""What garbage collection wants to know of every finished run: a few columns, and all heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.index import Index

__all__ = ["RunFacts", "all_runs", "heads_of"]


class RunFacts(NamedTuple):
    """One finished run.

    Attributes:
        start: Its start, ms since the epoch.
        commit: The commit that finalizing made.
        code: The commit it was started from.
        tree: Tree id of its code.
        deleted: Marked as deleted.
    """

    id: str
    name: str
    experiment: str
    start: int
    commit: str | None
    code: str | None
    tree: str | None
    deleted: bool


def all_runs(index: Index) -> dict[str, RunFacts]:
    """Return every finished run by its id, newest first."""
    index.refresh()
    columns = ("id", "name", "experiment", "started", "run_commit", "code_commit", "tree", "deleted")
    same: dict[str | None, str | None] = {}  # thousands of runs have the same experiment and code

    def once(text: str | None) -> str | None:
        return same.setdefault(text, text)

    found = [
        RunFacts(run_id, name, once(experiment) or "", start, commit, once(code), once(tree), bool(deleted))
        for run_id, name, experiment, start, commit, code, tree, deleted in index.rows(*columns)
    ]
    return {run.id: run for run in sorted(found, key=lambda run: (-run.start, run.id))}


def heads_of(repo: Repo, objects: Objects) -> dict[str, list[str]]:
    """Return the heads of every run: of the clone's ledger, and of loose refs."""
    from ledgit.store.ledger import every_line, local_ledger
    from ledgit.store.ledger.loose import loose_runs

    found: dict[str, list[str]] = {}
    tip = local_ledger(repo)
    if tip is not None:
        for _, line in every_line(objects, objects.commit(tip).tree):
            if line.head and not line.purged:
                found.setdefault(line.id, []).append(line.head)
    for run_id, head in loose_runs(repo).items():
        found.setdefault(run_id, []).append(head)
    return found
