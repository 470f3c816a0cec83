"""Compaction: loose runs become lines of the clone's ledger.

The order makes it safe to be killed at any point: the new trees and the commit are durable as one
pack; the ledger's ref moves, by compare-and-swap; the loose refs go, each only if it has not moved.
Before the second step nothing has happened, after it the ledger holds the runs and the rest is
done by the next compaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ledgit.errors import RefMoved
from ledgit.store.ledger import local
from ledgit.store.ledger.check import check_writable
from ledgit.store.ledger.commits import commit_ledger
from ledgit.store.ledger.local import local_ledger, move_ledger
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.ledger.loose import RUNS, busy, cover, drop, loose_runs, reachable, read_loose
from ledgit.store.ledger.tree import add_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder

__all__ = ["Compacted", "compact"]

_ATTEMPTS = 5
BUSY = "is being written"
HELD = "is held back"
STAYS = "is in the ledger too: it was edited just now, or a `git gc` is at work"
NOT_CARRIED = "the ledger has newer heads of it, whose commits are not here"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did.

    Attributes:
        commit: The clone's ledger now; None if there is none.
        runs: Ids of the runs that are no longer loose.
        left: Runs that stay loose: id → why.
        purged: Ids of loose runs that went because a tombstone stands for them.
    """

    commit: str | None
    runs: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    purged: tuple[str, ...] = ()


def compact(
    repo: Repo, folder: Folder, *, only: Collection[str] | None = None, hold: Collection[str] = ()
) -> Compacted:
    """Move finalized runs into the clone's ledger.

    Runs that are being written stay, and those whose commit doesn't read.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        only: Ids of the runs to move; all if None.
        hold: Ids of runs to leave alone.

    Raises:
        Conflict: Another process is working on the ledger.
        NewerFormat: The ledger asks for a newer Ledgit to write to it.
        StorageError: The disk is full or failing; every run is where it was.
        ReadOnlyRepository: The repository can't be written.
    """
    from ledgit.git import Objects
    from ledgit.git.refdrop import sweep_locks

    objects = Objects.of(repo)
    try:
        with LedgerLock(folder):
            sweep_locks(repo, RUNS)
            for attempt in range(_ATTEMPTS):
                try:
                    return _compact(repo, folder, objects, only, hold)
                except RefMoved:  # by somebody without our lock
                    if attempt + 1 == _ATTEMPTS:
                        raise
    finally:
        objects.rest()
    raise AssertionError


def _compact(
    repo: Repo, folder: Folder, objects: Objects, only: Collection[str] | None, hold: Collection[str]
) -> Compacted:
    from ledgit.git import ObjectSet, identity
    from ledgit.store.journal import now_ms

    runs, left = _choose(repo, folder, only, hold)
    tip = local_ledger(repo)
    if not runs:
        return Compacted(tip, left=left)
    loose = []
    for run in read_loose(repo, runs):
        if run.line is None:
            left[run.id] = run.problem
        else:
            loose.append(run)
    fresh = ObjectSet()
    base = objects.commit(tip).tree if tip is not None else None
    check_writable(objects, base)
    union = add_lines(objects, fresh, base, [run.line for run in loose if run.line is not None])
    added = {line.head for line in union.added}
    new = [run for run in loose if run.head in added]
    # Mostly none: those that a killed compaction left, or that were pulled meanwhile.
    found = cover(objects, base, [run for run in loose if run.head not in added])
    carried = reachable(repo, objects, tip, [run.head for run in (*found.listed, *found.passed)])
    new += [run for run in found.listed if run.head not in carried]
    gone = [run for run in (*found.listed, *found.passed) if run.head in carried]
    for run in found.passed:
        if run.head not in carried:
            left[run.id] = NOT_CARRIED
    commit = tip
    if new:
        name, address = identity(repo)
        heads = [run.head for run in new]
        who = (name or "ledgit", address)
        commit = commit_ledger(objects, fresh, union.tree, tip, heads, who=who, when=now_ms() // 1000)
        move_ledger(repo, folder, fresh, commit, tip)
    purged = {run.id for run in found.purged}
    wanted = [*new, *gone, *found.purged]
    dropped = drop(repo, wanted)
    left.update(dict.fromkeys({run.id for run in wanted} - {run.id for run in dropped}, STAYS))
    local.checkpoint("loose")
    return Compacted(
        commit,
        tuple(run.id for run in dropped if run.id not in purged),
        left,
        tuple(run.id for run in dropped if run.id in purged),
    )


def _choose(
    repo: Repo, folder: Folder, only: Collection[str] | None, hold: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the runs to move (id → head), and those to leave (id → why)."""
    runs, left = {}, {}
    found = loose_runs(repo)
    is_busy = busy(folder)
    hold = frozenset(hold)
    only = None if only is None else frozenset(only)
    for run_id in sorted(found):
        if only is not None and run_id not in only:
            continue
        if run_id in hold:
            left[run_id] = HELD
        elif is_busy(run_id):
            left[run_id] = BUSY
        else:
            runs[run_id] = found[run_id]
    return runs, left
