"""Which of the runs that one command makes is the repetition of which: a script may start many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ledgit.projects.repro.executing import BY, REPRO

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run

__all__ = ["further_runs", "partner"]


def further_runs(repository: Repository, run_id: str) -> list[Run]:
    """Return the runs that the command of the repetition *run_id* started besides, in their order."""
    found = repository.runs.filter(f"tags.\"{BY}\" = '{run_id}'").sort("start_time")[:]
    return sorted((run for run in found if run.id != run_id), key=lambda run: (run.start, run.id))


def partner(repository: Repository, original: Run, made: Sequence[Run]) -> Run:
    """Return the one of *made*, the runs of one execution in their order, that repeats *original*.

    It is the only one with the same params; among several, or none, the one at the same place in the order.

    Args:
        repository: Where they are.
        original: The run that is repeated.
        made: What its command made, at least one run.
    """
    if len(made) == 1:
        return made[0]
    wanted = _texts(original.params)
    same = [run for run in made if _texts(run.params) == wanted]
    if len(same) == 1:
        return same[0]
    place = _place(repository, original, len(made))
    if place is not None and (not same or made[place] in same):
        return made[place]
    return (same or list(made))[0]


def _place(repository: Repository, original: Run, count: int) -> int | None:
    """Return which of the *count* runs of its command *original* is; None where that can't be told."""
    siblings = [
        run
        for run in repository.runs.experiment(original.experiment)
        if run.code.tree == original.code.tree
        and run.user == original.user
        and REPRO not in run.tags
        and BY not in run.tags
    ]
    if len(siblings) > 1:
        command = original.record().info.command
        siblings = [run for run in siblings if run.record().info.command == command]
    siblings.sort(key=lambda run: (run.start, run.id))
    ids = [run.id for run in siblings]
    if original.id not in ids or len(ids) % count:
        return None
    return ids.index(original.id) % count


def _texts(params: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in params.items()}
