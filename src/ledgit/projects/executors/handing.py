"""The end of a trial on its worker: its run becomes bytes, or is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.projects.executors.orders import KILLED, TrialReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.projects.executors.orders import TrialOrder
    from ledgit.store import Folder

__all__ = ["hand_back"]

_RUNS = "refs/ledgit/runs/"
#: Where a run stands that a report took along: the worker's clone keeps it, and no later report has it.
_HANDED = "refs/ledgit/handed/"


def hand_back(
    repo: Repo,
    order: TrialOrder,
    runs: Mapping[str, str],
    *,
    status: str,
    state: str,
    exit_code: int,
    seconds: float,
    worker: str,
    problems: Sequence[str],
) -> TrialReport:
    """Return the report of an attempt.

    Args:
        repo: The worker's clone, as seen from the work folder.
        order: The order.
        runs: The attempt's run and its commit. Runs that earlier attempts of the sweep left here are added.
        status: The run's.
        state: The trial's.
        exit_code: The command's.
        seconds: How long it took.
        worker: Its name.
        problems: What went wrong so far.
    """
    from ledgit.store import Folder

    folder = Folder.of(repo)
    told = list(problems)
    runs = {**_owed(repo, order), **runs}
    objects, missing = _large(repo, folder, order, runs)
    pushed = _push(repo, order, runs, told) if order.push else ""
    pack = b"" if pushed else _pack(repo, order, runs)
    # Of one that was stopped nobody may be there to take the report: the next one has it again.
    _note_handed(repo, {run_id: commit for run_id, commit in runs.items() if state != KILLED or run_id != order.run_id})
    return TrialReport(
        order.run_id,
        order.number,
        order.attempt,
        status,
        state,
        exit_code,
        seconds,
        worker,
        runs,
        order.code.tree,
        pack,
        objects,
        tuple(missing),
        pushed,
        tuple(told),
    )


def _owed(repo: Repo, order: TrialOrder) -> dict[str, str]:
    """Return the runs of the sweep that ended here and that no report had: their worker was lost before."""
    from ledgit.git import Objects, list_refs
    from ledgit.store.chain import read_base

    found = {}
    objects = Objects.of(repo)
    for name, commit in list_refs(repo, _RUNS).items():
        run_id = name.removeprefix(_RUNS)
        if run_id == order.run_id or order.parent_run is None:
            continue
        try:
            if read_base(objects, run_id, [commit]).record.info.parent_run == order.parent_run:
                found[run_id] = commit
        except LedgitError:
            continue  # it stays where it is
    return found


def _pack(repo: Repo, order: TrialOrder, runs: Mapping[str, str]) -> bytes:
    from ledgit.git import Objects, ObjectSet
    from ledgit.git.copying import lacking
    from ledgit.git.parcels import pack_objects
    from ledgit.store.chain import run_commits

    objects, wanted = Objects.of(repo), []
    for run_id, head in runs.items():
        for commit in run_commits(objects, [head], run_id):
            wanted += [commit.oid, *lacking(objects, ObjectSet(), order.code.tree, commit.tree)]
    return pack_objects(objects, wanted)


def _large(
    repo: Repo, folder: Folder, order: TrialOrder, runs: Mapping[str, str]
) -> tuple[dict[str, bytes], list[str]]:
    """Return large artifacts by value, the smallest first, and what stays here; the others go to their remote."""
    from ledgit.store.artifacts.naming import is_list, objects_of

    needs = objects_of(repo, folder, {run_id: [head] for run_id, head in runs.items()})
    if not needs:
        return {}, []
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    sizes = {oid: cache.size(oid) for oid in needs if cache.has(oid)}
    missing = [f"{needs[oid].path}: it is not on the worker any more" for oid in needs if oid not in sizes]
    found: dict[str, bytes] = {}
    left = order.limit
    large = []
    # Lists of folders first: without them nobody knows what is in the folder.
    for oid in sorted(sizes, key=lambda oid: (not is_list(oid), sizes[oid])):
        if sizes[oid] <= left:
            found[oid] = cache.read(oid)
            left -= sizes[oid]
        else:
            large.append(oid)
    if large:
        failed = _upload(repo, cache, large)
        missing += [
            f"{needs[oid].path} ({sizes[oid]:,} bytes, more than a report may carry): {why}"
            for oid, why in failed.items()
        ]
    return found, missing


def _upload(repo: Repo, cache: object, oids: list[str]) -> dict[str, str]:
    """Send objects to the artifact remote; return those that did not get there, with the reason."""
    from ledgit.artifacts import open_remote
    from ledgit.store.artifacts.setting import place_of

    try:
        place = place_of(repo)
        if place is None:
            return dict.fromkeys(oids, "there is no artifact remote that this worker knows")
        with open_remote(place) as remote:
            moved = remote.upload(cache, oids)  # type: ignore[arg-type]
    except LedgitError as error:
        return dict.fromkeys(oids, str(error))
    return {oid: str(why) for oid, why in moved.errors.items()}


def _push(repo: Repo, order: TrialOrder, runs: Mapping[str, str], told: list[str]) -> str:
    """Push the runs; return where to, or "" if one did not get there: then they go with the report."""
    from ledgit.repository import Repository
    from ledgit.store.sync import PushOptions

    try:
        done = Repository(repo).push(order.push, PushOptions(runs=list(runs), policy="all"))
    except LedgitError as error:
        told.append(f"the run was not pushed from the worker: {error}")
        return ""
    stayed = {run_id: str(why) for run_id, why in {**done.held, **done.left}.items() if run_id in runs}
    if stayed:
        told.append(f"the run was not pushed from the worker: {'; '.join(stayed.values())}")
        return ""
    return done.remote


def _note_handed(repo: Repo, runs: Mapping[str, str]) -> None:
    from ledgit.git import RefUpdate, read_ref, update_refs

    for run_id, commit in runs.items():
        updates = [RefUpdate(_HANDED + run_id, commit, RefUpdate.ANY)]
        if read_ref(repo, _RUNS + run_id) is not None:
            updates.append(RefUpdate(_RUNS + run_id, None, RefUpdate.ANY))
        update_refs(repo, updates, durable=False)
