"""Which of the runs that one command makes is the repetition of which: a script may start many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from ledgit.projects.repro.executing import BY, REPRO

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run

__all__ = ["further_runs", "pair", "partners"]


class Seen(Protocol):
    """What is looked at of a run."""

    @property
    def id(self) -> str: ...
    @property
    def parent_run(self) -> str | None: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int | None: ...
    @property
    def params(self) -> Mapping[str, object]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


One = TypeVar("One", bound=Seen)


def further_runs(repository: Repository, run_id: str) -> list[Run]:
    """Return the runs that the command of the repetition *run_id* started besides."""
    found = repository.runs.filter(f"tags.\"{BY}\" = '{run_id}'").sort("start_time")[:]
    return [run for run in found if run.id != run_id]


def partners(repository: Repository, original: Run, made: Sequence[Run]) -> dict[str, Run]:
    """Return which of *made* repeats which run of the command that made *original*: id → run.

    *original* has a partner always; of the others those that its own execution of the command made have one.

    Args:
        repository: Where they are.
        original: The run that is repeated.
        made: All runs that one execution of its command made, at least one.
    """
    if len(made) == 1:
        return {original.id: made[0]}
    found = pair(_execution(_siblings(repository, original), original, made), made)
    if original.id not in found:  # this time there were fewer
        found[original.id] = _nearest(original, made)
    return found


def pair(originals: Sequence[One], made: Sequence[One]) -> dict[str, One]:
    """Pair runs of one execution of a command with those of another: id of the one → the other.

    Runs that are nested are paired below their parents' partners. Among those with one parent the same params make a
    pair; among equals, and those that are left over, the order does.

    Args:
        originals: Runs of one execution, in any order.
        made: Runs of the other.
    """
    found: dict[str, One] = {}
    ours, theirs = _families(originals), _families(made)
    waiting: list[tuple[str, str]] = [("", "")]  # a parent and its partner; "" is above the outermost
    for parent, other in waiting:
        for one, its in _level(ours.get(parent, ()), theirs.get(other, ())):
            found[one.id] = its
            waiting.append((one.id, its.id))
    return found


def _level(originals: Iterable[One], made: Iterable[One]) -> Iterable[tuple[One, One]]:
    """Pair runs that have one parent."""
    equal: dict[tuple[tuple[str, str], ...], list[One]] = {}
    for run in made:
        equal.setdefault(_texts(run), []).append(run)
    left = []
    for run in originals:
        same = equal.get(_texts(run))
        if same:
            yield run, same.pop(0)
        else:
            left.append(run)
    yield from zip(left, _ordered(run for same in equal.values() for run in same), strict=False)


def _nearest(original: One, made: Sequence[One]) -> One:
    """Return the first of *made* with the same params, nested if *original* is; else the first of all."""
    same = [run for run in made if _texts(run) == _texts(original)] or [made[0]]
    return next((run for run in same if bool(run.parent_run) == bool(original.parent_run)), same[0])


def _families(runs: Sequence[One]) -> dict[str, list[One]]:
    """Return the runs below each parent in their order; below "" those whose parent is not among them."""
    ids = {run.id for run in runs}
    found: dict[str, list[One]] = {}
    for run in _ordered(runs):
        found.setdefault(run.parent_run if run.parent_run in ids and run.parent_run else "", []).append(run)
    return found


def _ordered(runs: Iterable[One]) -> list[One]:
    return sorted(runs, key=_moment)


def _moment(run: Seen) -> tuple[object, ...]:
    """Return what runs are ordered by.

    Runs may begin in one millisecond; then one that followed another ended later. Where that does not tell either,
    what they logged does, which is alike in both executions, and only then the id, which is not.
    """
    logged = sorted((name, str(value)) for name, value in run.metrics.items())
    return run.start, run.start if run.end is None else run.end, _texts(run), logged, run.id


def _texts(run: Seen) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, str(value)) for key, value in run.params.items()))


def _siblings(repository: Repository, original: Run) -> list[Run]:
    """Return the runs of the same command and code, *original* among them, repetitions not."""
    found = [
        run
        for run in repository.runs.experiment(original.experiment)
        if run.code.tree == original.code.tree
        and run.user == original.user
        and REPRO not in run.tags
        and BY not in run.tags
    ]
    if len(found) > 1:
        command = original.record().info.command
        found = [run for run in found if run.id == original.id or run.record().info.command == command]
    return found


def _execution(siblings: Sequence[Run], original: Run, made: Sequence[Run]) -> list[Run]:
    """Return those of *siblings* that were made together with *original*: the command may have run several times.

    All of them, where that can't be told.
    """
    families, count = _families(siblings), len(_families(made)[""])
    outer = families.get("", [])
    if len(outer) % count:
        return list(siblings)
    for first in range(0, len(outer), count):
        found = list(outer[first : first + count])
        for run in found:  # grows
            found += families.get(run.id, ())
        if any(run.id == original.id for run in found):
            return found
    return list(siblings)
