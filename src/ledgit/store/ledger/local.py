"""The clone's own ledger: everything pulled, and what was compacted here."""

from __future__ import annotations

import os
from collections.abc import Callable

from ledgit.records.values import Values
from ledgit.store.ledger import LEDGER_REF
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.ledger.loose import busy, cover, drop, loose_runs, reachable, read_loose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.store.folder import Folder

__all__ = ["Landed", "drop_covered", "local_ledger", "move_ledger", "set_local"]

#: Called with the name of each point between two durable steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


def local_ledger(repo: Repo) -> str | None:
    """Return the commit of the clone's ledger; None if it has none."""
    from ledgit.git import read_ref

    return read_ref(repo, LEDGER_REF)


class Landed(Values):
    """What became of the loose runs when the clone's ledger moved.

    Attributes:
        dropped: Ids of loose runs that the ledger holds, and whose refs are gone.
        purged: Ids of loose runs that a tombstone stands for, and whose refs are gone.
    """

    __slots__ = ("dropped", "purged")

    def __init__(self, dropped: tuple[str, ...] = (), purged: tuple[str, ...] = ()) -> None:
        self.dropped, self.purged = dropped, purged


def move_ledger(repo: Repo, folder: Folder, fresh: ObjectSet, new: str, old: str | None) -> None:
    """Store what is *fresh* as one pack and move the clone's ledger from *old* to *new*.

    Call it under the :class:`LedgerLock`.

    Raises:
        RefMoved: The clone's ledger is not *old* any more.
        StorageError: The disk is full or failing; the ledger is as it was.
    """
    from ledgit.git import RefUpdate, update_refs
    from ledgit.store.packs import note_pack

    pack = fresh.write(repo, keep=True)
    checkpoint("pack")
    try:
        if new != old:
            update_refs(repo, [RefUpdate(LEDGER_REF, new, old)])
        checkpoint("ledger")
        if pack and pack.is_torn():  # by a `git gc` that looked between its two files
            pack = fresh.write(repo, keep=True)
    finally:
        pack.release()
    note_pack(repo, folder, os.path.basename(pack.path))
    checkpoint("noted")


def drop_covered(repo: Repo, folder: Folder, objects: Objects, tip: str | None) -> Landed:
    """Drop the loose runs that the ledger *tip* holds: their heads, newer ones, or a tombstone.

    One whose commit *tip* doesn't reach stays, whatever the table says, unless it was purged; so
    does one that is being written. Call it under the :class:`LedgerLock`.
    """
    runs = loose_runs(repo)
    if tip is None or not runs:
        return Landed()
    is_busy = busy(folder)
    loose = read_loose(repo, {run_id: head for run_id, head in runs.items() if not is_busy(run_id)}, objects)
    found = cover(objects, objects.commit(tip).tree, loose)
    held = [*found.listed, *found.passed]
    carried = reachable(repo, objects, tip, [run.head for run in held])
    gone = drop(repo, [*(run for run in held if run.head in carried), *found.purged])
    purged = {run.id for run in found.purged}
    return Landed(
        tuple(run.id for run in gone if run.id not in purged), tuple(run.id for run in gone if run.id in purged)
    )


def set_local(repo: Repo, folder: Folder, objects: Objects, fresh: ObjectSet, new: str, old: str | None) -> Landed:
    """Move the clone's ledger to the commit *new* and drop the loose runs that it holds.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        objects: Reads what is in the clone.
        fresh: New objects that *new* needs; nothing is written if there are none.
        new: A ledger commit whose parents are all here.
        old: What the clone's ledger must be now; None: there must be none.

    Raises:
        RefMoved: It is another; begin again.
        Conflict: Another process has the :class:`LedgerLock`.
        StorageError: The disk is full or failing.
    """
    with LedgerLock(folder):
        move_ledger(repo, folder, fresh, new, old)
        landed = drop_covered(repo, folder, objects, new)
        checkpoint("loose")
    return landed
