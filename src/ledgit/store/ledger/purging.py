"""Purge: runs go for good, and a tombstone stands in their place.

In the clone it is one move of one ref: to a ledger whose table has the tombstones and whose history
begins anew without the runs. Before it nothing has happened; what comes after it (loose refs, notes,
caches) is done again by whoever finds it undone. The remote's half is `store.sync.purging`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ledgit.errors import Conflict, RefMoved, RunStateError
from ledgit.records.entry import encode_tombstone
from ledgit.records.table import parse_line
from ledgit.store.chain import active_ref
from ledgit.store.ledger.check import check_writable
from ledgit.store.ledger.commits import root_of, tombstones_beyond
from ledgit.store.ledger.going import drop_notes, note_going, notes_left
from ledgit.store.ledger.local import drop_covered, local_ledger, move_ledger
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.ledger.loose import RUNS, busy, loose_runs, read_loose
from ledgit.store.ledger.rerooting import reroot
from ledgit.store.ledger.tree import add_lines, on_other_days

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

__all__ = ["PurgedHere", "finish_going", "forget", "purge", "tombstones_of_twins"]

_ATTEMPTS = 5

#: Called with the name of each point between two durable steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class PurgedHere:
    """What a purge did in the clone.

    Attributes:
        commit: The clone's ledger now.
        runs: Ids of the runs that have a new tombstone.
        dropped: Ids of those of them that had a ref of their own.
    """

    commit: str | None
    runs: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def purge(repo: Repo, folder: Folder, runs: Mapping[str, int]) -> PurgedHere:
    """Put tombstones for *runs* into the clone's ledger, and let its history begin anew without them.

    Who else holds their commits is not looked at: see `store.gc`. A run that has a tombstone already
    is done again, which completes a purge that was interrupted.

    Args:
        repo: The clone; it must have the runs' commits, and not the ledger's tip alone.
        folder: Ledgit's folder.
        runs: Run id → start, ms since the epoch: the place of its line. May be empty.

    Raises:
        RunStateError: One of them is being written; nothing has changed.
        Conflict: Another process is working on the ledger.
        NewerFormat: The ledger asks for a newer Ledgit to write to it.
        StorageError: The disk is full or failing.
    """
    from ledgit.git import Objects

    with LedgerLock(folder), Objects(repo, own=True) as objects:
        note = ""
        for attempt in range(_ATTEMPTS):
            is_busy = busy(folder)
            writing = sorted(run_id for run_id in runs if is_busy(run_id))
            if writing:
                listed = ", ".join(run_id[:8] for run_id in writing[:5])
                raise RunStateError(f"being written, and so can't be purged: {listed}; end them first")
            note = note or (note_going(folder, runs) if runs else "")
            try:
                done = _purge(repo, folder, objects, runs)
                break
            except RefMoved:  # by somebody without our lock
                if attempt + 1 == _ATTEMPTS:
                    raise
        _drop_snapshots(repo, runs)
        checkpoint("refs")
        forget(repo, folder, runs)
        drop_notes([note])
    checkpoint("forgotten")
    return done


def _purge(repo: Repo, folder: Folder, objects: Objects, runs: Mapping[str, int]) -> PurgedHere:
    from ledgit.git import ObjectSet, identity
    from ledgit.store.journal import now_ms

    tip = local_ledger(repo)
    before = objects.commit(tip).tree if tip is not None else None
    check_writable(objects, before)
    fresh = ObjectSet()
    starts = {**runs, **_said_by_commits(repo, runs)}
    stones = [parse_line(encode_tombstone(run_id, start)) for run_id, start in starts.items()]
    stones += tombstones_of_twins(objects, fresh, before, stones)
    tree = add_lines(objects, fresh, before, stones).tree if stones else before
    if tree is None:
        return PurgedHere(None)
    new = tip
    if tree != before or tip is None or _is_owed(objects, tip):
        name, address = identity(repo)
        who = (name or "ledgit", address)
        new = reroot(objects, fresh, tree, who=who, when=now_ms() // 1000, lenient=True)
        move_ledger(repo, folder, fresh, new, tip)
    checkpoint("ledger")
    landed = drop_covered(repo, folder, objects, new)
    added = tombstones_beyond(objects, before, tree)
    return PurgedHere(new, tuple(sorted(added)), tuple(run_id for run_id in landed.purged if run_id in runs))


def _said_by_commits(repo: Repo, runs: Collection[str]) -> dict[str, int]:
    """Return the starts of those of *runs* that are loose: a tombstone on another day than its run is refused."""
    heads = {run_id: head for run_id, head in loose_runs(repo).items() if run_id in runs}
    found = read_loose(repo, heads) if heads else []
    return {run.id: run.line.start for run in found if run.line is not None and run.line.start is not None}


def tombstones_of_twins(objects: Objects, fresh: ObjectSet, tree: str | None, stones: Iterable[Line]) -> list[Line]:
    """Return further tombstones, for the other days on which the runs of *stones* have lines in *tree*.

    A run has one day, but where two clones imported it with different starts.
    """
    twins = on_other_days(objects, tree, {stone.id: stone.day for stone in stones if stone.day}, fresh)
    return [
        parse_line(encode_tombstone(line.id, line.start))
        for lines in twins.values()
        for line in lines
        if not line.purged and line.start is not None
    ]


def _is_owed(objects: Objects, tip: str) -> bool:
    """Whether the ledger's history still has purged runs; where nobody can say, it may."""
    root = root_of(objects, tip)
    if root == tip:
        return False
    return not objects.exists(root) or bool(
        tombstones_beyond(objects, objects.commit(root).tree, objects.commit(tip).tree)
    )


def _drop_snapshots(repo: Repo, runs: Iterable[str]) -> None:
    """Drop what else may lead to the runs: snapshots of unclean ends, damaged refs, what killed fetches left."""
    from ledgit.git import list_refs
    from ledgit.git.refdrop import drop_refs

    wanted = {active_ref(run_id) for run_id in runs} | {RUNS + run_id for run_id in runs}
    found = {**list_refs(repo, "refs/ledgit/active/"), **list_refs(repo, RUNS)}
    found = {name: oid for name, oid in found.items() if name in wanted}
    drop_refs(repo, {**found, **list_refs(repo, "refs/ledgit/incoming/")})


def forget(repo: Repo, folder: Folder, runs: Collection[str]) -> None:
    """Remove what caches and notes have of purged *runs*. All of it can be made again, so all of it goes.

    Never raises for what another process removes at the same moment.
    """
    if not runs:
        return
    import shutil

    from ledgit.store.artifacts.superseded import forget_superseded
    from ledgit.store.index_database import discard
    from ledgit.store.ledger.graph import renew_graph
    from ledgit.store.sync.held import release
    from ledgit.store.sync.ondemand import forget_runs

    release(folder, runs)
    folder.empty_trash()
    shutil.rmtree(folder.columns, ignore_errors=True)
    # Deleted rows stay readable in a database file; a new one is made within seconds.
    discard(os.path.join(folder.path, "index.sqlite3"))
    # With core.logAllRefUpdates=always an older Ledgit, or the user's git, wrote logs; gc heeds them.
    shutil.rmtree(os.path.join(repo.common_dir, "logs", "refs", "ledgit"), ignore_errors=True)
    forget_runs(repo, folder, runs)
    forget_superseded(folder, runs)
    renew_graph(repo)


def finish_going(repo: Repo, folder: Folder) -> None:
    """Do what a killed process left undone: caches and notes lose the runs that it noted before it began.

    Call it under the `SyncLock`. While another process purges nothing is done: the notes may be its own.
    """
    try:
        with LedgerLock(folder, wait=0.0):
            left = notes_left(folder)
            forget(repo, folder, [run_id for _, runs, _ in left for run_id in runs])
            drop_notes(path for path, _, objects in left if not objects)
    except Conflict:
        return
    # Without that lock, which runs that end wait for: all other runs are read, to see what they need.
    objects = {oid for _, _, objects in left for oid in objects}
    if objects:
        from ledgit.store.artifacts.dropping import drop_objects

        drop_objects(repo, folder, objects)
    drop_notes(path for path, _, _ in left)
