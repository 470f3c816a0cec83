"""The heads of one run, without the index: its loose ref, and its lines in the clone's ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ledgit.store.chain import run_ref

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

__all__ = ["bring_here", "is_purged", "known_heads", "ledger_lines"]

_LEDGER = "refs/ledgit/ledger"


def ledger_lines(repo: Repo, objects: Objects, run_id: str, start: int) -> list[Line]:
    """Return what the clone's ledger says about a run that started at *start* (ms since the epoch).

    Reads the way down to one file: half a dozen objects.
    """
    from ledgit.git import read_ref
    from ledgit.records.table import day_of
    from ledgit.store.ledger import lines_of

    tip = read_ref(repo, _LEDGER)
    return [] if tip is None else lines_of(objects, objects.commit(tip).tree, run_id, day_of(start))


def known_heads(repo: Repo, objects: Objects, run_id: str, start: int) -> list[str]:
    """Return the heads of a run that started at *start*: of its loose ref, then of the ledger's lines."""
    from ledgit.git import read_ref

    loose = read_ref(repo, run_ref(run_id))
    lines = ledger_lines(repo, objects, run_id, start)
    listed = [line.head for line in lines if not line.opaque and not line.purged]
    return list(dict.fromkeys([*([loose] if loose else ()), *filter(None, listed)]))


def is_purged(repo: Repo, objects: Objects, run_id: str, start: int) -> bool:
    """Whether the run was purged: the ledger has nothing but a tombstone of it."""
    return any(line.purged for line in ledger_lines(repo, objects, run_id, start))


def bring_here(repo: Repo, folder: Folder, heads: Iterable[str]) -> None:
    """Fetch the commits *heads* into the clone's own store where only the ledger's tip is here.

    What a new commit stands on must be there, and not in the helper repository beside it. Costs
    one look for a folder in a clone that has the whole ledger.

    Raises:
        NotHere: The remote has one of them no more.
        NoRemote, Unreachable, AccessDenied, RemoteError: The remote can't be used.
    """
    from ledgit.store.sync.tip import tip_exists, wanted

    if tip_exists(repo) or wanted(repo):
        from ledgit.store.sync.ondemand import take_in

        take_in(repo, folder, list(heads))
