"""Settling: a finished run's commit is made durable a moment after ``finish`` returned.

Finishing needs one sync: the journal's. The commit is a pure function of it, so pack, index
and ref can be written without waiting for the disk, in the order that makes them visible at
once, and be synced beside whatever the process does next. Until then the journal lies in
``settling/``, where no reader looks. After a power cut the next command that writes finds it
there and, should the commit have been torn, makes the same one again.

Five syncs less on the way cut a whole short run by half.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from ledgit.errors import NotFound, RecordError
from ledgit.store import syncer
from ledgit.store.chain import read_commit, run_ref, sessions
from ledgit.store.ledger.due import compact_if_due
from ledgit.store.packs import note_pack

if TYPE_CHECKING:
    from ledgit.git import Objects, Pack, Repo
    from ledgit.store.folder import Folder

__all__ = ["hand_over", "settle_all", "settle_at_exit", "settle_leftovers", "wait_settled"]

#: Seconds after which a journal that waits is taken for a dead process's.
_LEFT = 5.0
#: Commits from which on one sync of everything takes less than five for each: those of a sweep's trials.
_MANY = 16
_PAUSE = 0.02  # seconds between two looks at what waits


class _Unsettled:
    __slots__ = ("directory", "folder", "pack", "ref", "repo")

    def __init__(self, repo: Repo, folder: Folder, directory: str, pack: Pack, ref: str) -> None:
        self.repo, self.folder, self.directory, self.pack, self.ref = repo, folder, directory, pack, ref


class _Settler:
    """What the sync thread calls once a second."""

    def __init__(self) -> None:
        self.waiting: list[_Unsettled] = []
        self.unmerged: dict[str, _Unsettled] = {}  # by repository: packs that a `git gc` kept from being merged
        self.exiting = False
        self.working = threading.Lock()
        self.listing = threading.Lock()

    def tick(self) -> None:
        """Settle what waits; what the disk refuses stays where the next command finds it.

        At exit this waits for the sync thread, which would else be cut off in the middle.
        """
        with self.working:
            with self.listing:
                items, self.waiting = self.waiting, []
            synced = len(items) >= _MANY and sys.platform == "linux"  # elsewhere it only begins to
            if synced:
                os.sync()
            for item in items:
                with contextlib.suppress(Exception):  # one that got out would end the sync thread
                    if not _settle(item, synced=synced):
                        self.unmerged[item.folder.path] = item
            for path, item in [*self.unmerged.items()]:
                if note_pack(item.repo, item.folder, ""):
                    del self.unmerged[path]
            for item in {item.folder.path: item for item in items}.values():
                compact_if_due(item.repo, item.folder)
            with self.listing:
                if not self.waiting and not self.unmerged:
                    syncer.unregister(self)


_settler = _Settler()


def hand_over(repo: Repo, folder: Folder, run_id: str, session: str, pack: Pack) -> None:
    """Take over the journal of a run whose commit is visible but not durable yet."""
    # The name says which pack it is, for whoever finds it after this process died.
    name = os.path.basename(pack.path).removeprefix("pack-")
    directory = os.path.join(folder.make(folder.settling), f"{run_id}-{session}-{name}")
    os.rename(folder.active_dir(run_id), directory)
    with _settler.listing:
        _settler.waiting.append(_Unsettled(repo, folder, directory, pack, run_ref(run_id)))
        if not _settler.exiting:
            syncer.register(_settler)
            return
    _settler.tick()


def _settle(item: _Unsettled, *, synced: bool = False) -> bool:
    """Settle one; False where its pack should be merged with others and a ``git gc`` is at work."""
    from ledgit.git import sync_ref

    if not synced:
        item.pack.sync()
        sync_ref(item.repo, item.ref)
    if not item.pack.stands():
        # Repacked by Git, then the commit is whole elsewhere; or else the journal is the truth.
        run_id, session, _ = _parse(os.path.basename(item.directory))
        if not _is_whole(item.repo, _fresh_objects(item.repo), item.directory, run_id, session):
            item.pack.release()
            os.rename(item.directory, item.folder.active_dir(run_id))
            return True
    item.folder.discard(item.directory)
    item.pack.release()
    return note_pack(item.repo, item.folder, os.path.basename(item.pack.path))


def settle_all() -> None:
    """Settle what waits now, as at exit."""
    _settler.tick()


def settle_at_exit() -> None:
    """Settle what waits and what is still to come at once: the process ends.

    Whoever ends runs at exit calls this: Python forgets handlers that are registered while others run, so ours
    is not called if this module was first needed then.
    """
    _settler.exiting = True
    _settler.tick()


def wait_settled(repo: Repo, folder: Folder) -> None:
    """Wait until the runs that have ended by now, in any process, are on disk; a second or two at most.

    Those of processes that died before they could are looked after. For who is about to send runs away: one that is
    not settled could be torn, so it would be left out.
    """
    settle_all()
    left = set(_settling(folder))
    until = time.monotonic() + _LEFT
    while left and time.monotonic() < until:
        time.sleep(_PAUSE)
        left &= set(_settling(folder))
    if left:
        settle_leftovers(repo, folder, _LEFT)


def _settling(folder: Folder) -> list[str]:
    try:
        return os.listdir(folder.settling)
    except OSError:
        return []


def settle_leftovers(repo: Repo, folder: Folder, older_than: float = _LEFT) -> list[str]:
    """Look after journals whose processes died before they settled.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        older_than: Seconds below which a journal may still be its process's.

    Returns:
        Ids of runs whose commit did not survive: their journals are active again, to be
        finalized once more.
    """
    from ledgit.git import release_pack

    names = _settling(folder)
    torn: list[str] = []
    synced = False
    objects = _fresh_objects(repo)  # one for all: opening thousands of packs takes a while
    for name in names:
        directory = os.path.join(folder.settling, name)
        run_id, session, pack = _parse(name)
        try:
            if time.time() - os.stat(directory).st_ctime < older_than:
                continue
        except FileNotFoundError:
            continue
        if _is_whole(repo, objects, directory, run_id, session):
            if not synced:
                os.sync()  # which files its commit is in is not known any more
                synced = True
            folder.discard(directory)
            if pack:
                release_pack(repo, f"pack-{pack}")
                note_pack(repo, folder, f"pack-{pack}")
            continue
        with contextlib.suppress(OSError):
            os.rename(directory, folder.active_dir(run_id))
            torn.append(run_id)
    return torn


def _parse(name: str) -> tuple[str, str, str]:
    """Return run id, session and pack of a journal that waits."""
    run_id, _, rest = name.partition("-")
    session, _, pack = rest.partition("-")
    return run_id, session, pack


def _fresh_objects(repo: Repo) -> Objects:
    """Return a reader that has nothing open: what it finds is in files that are there."""
    from ledgit.git import Objects

    return Objects(repo)


def _is_whole(repo: Repo, objects: Objects, directory: str, run_id: str, session: str) -> bool:
    """Whether a head of the run leads to the session's commit and everything in it can be read.

    The head is the loose ref's; of a run that was compacted meanwhile the ledger's.
    """
    from ledgit.git import read_ref

    try:
        loose = read_ref(repo, run_ref(run_id))
        for head in [loose] if loose else _compacted(repo, objects, directory, run_id):
            read_commit(objects, head)
            objects.tree(objects.commit(head).tree)
            if session in sessions(objects, [head], run_id):
                return True
    except (NotFound, RecordError):
        return False
    return False


def _compacted(repo: Repo, objects: Objects, directory: str, run_id: str) -> list[str]:
    """Return the heads that the ledger has of the run whose journal lies in *directory*."""
    from ledgit.store.heads import known_heads
    from ledgit.store.journal import read_parts

    start = read_parts(directory).first("start")
    return known_heads(repo, objects, run_id, int(start["start"])) if start else []


def _after_fork() -> None:
    _settler.waiting, _settler.unmerged = [], {}
    _settler.working = threading.Lock()  # the thread that may have held them is the parent's
    _settler.listing = threading.Lock()


atexit.register(settle_at_exit)  # runs may still end after this, in handlers registered before
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
