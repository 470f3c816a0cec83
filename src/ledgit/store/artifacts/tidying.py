"""This clone's cache of large artifacts loses what no run of it needs, or what the artifact remote has as well.

Nobody is locked out meanwhile: a run may log the content of an object that is about to go. Whoever
puts an object into the cache, or finds it there, sets its time first; here it is moved aside, looked
at again, and put back if that time has changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import NoRemote
from ledgit.store.artifacts.marks import GRACE
from ledgit.store.artifacts.removing import journals, latest_time, names_in, put_back, remove_object
from ledgit.store.artifacts.superseded import drop_superseded
from ledgit.store.journal import now_ms

if TYPE_CHECKING:
    from ledgit.artifacts import Cache, Place
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Tidied", "TidyOptions", "tidy_cache"]

_PORTION = 1000  # objects that the remote is asked for together

#: Called with the name of each point between two steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class TidyOptions:
    """How to tidy.

    Attributes:
        act: Else nothing is changed, only found out.
        grace: Milliseconds for which an object stays after it was put here or used last.
        pushed: Also objects that are needed, but are on the artifact remote, for runs that were pushed.
        only: These alone, without a grace: those of purged runs. None: all.
    """

    act: bool = False
    grace: int = GRACE
    pushed: bool = False
    only: Collection[str] | None = None


@dataclass(slots=True)
class Tidied:
    """What a tidying did, or would do.

    Attributes:
        objects: How many objects are in the cache.
        bytes: Their size together.
        unneeded: Objects that no run of this clone needs and that may go → bytes.
        pushed: Objects that are needed, and are on the artifact remote as well → bytes.
        young: How many more could go if they were older.
        removed: Objects that were removed.
        used: How many stayed because somebody has just used them.
        needed: Those of `TidyOptions.only` that some run needs.
    """

    objects: int = 0
    bytes: int = 0
    unneeded: dict[str, int] = field(default_factory=dict)
    pushed: dict[str, int] = field(default_factory=dict)
    young: int = 0
    removed: list[str] = field(default_factory=list)
    used: int = 0
    needed: set[str] = field(default_factory=set)


def tidy_cache(
    repo: Repo, folder: Folder, options: TidyOptions | None = None, progress: Progress | None = None
) -> Tidied:
    """Find what the cache can do without, and remove it if `options.act` says so.

    Can be interrupted and repeated at any point.

    Raises:
        NotHere: This clone lacks commits, and is to have all.
        ArtifactsMissing, Conflict: Something can't be read, so nobody knows what is needed; nothing was removed.
        RemoteError, MissingDependency: The artifact remote can't be used.
        StorageError: The cache can't be written.
    """
    options = options or TidyOptions()
    if not os.path.isdir(folder.cache):
        return Tidied()
    if not options.act:
        return _Tidying(repo, folder, options, progress).run()
    from ledgit.store.sync.opening import SyncLock, UploadLock

    with UploadLock(folder, progress), SyncLock(folder, progress):
        return _Tidying(repo, folder, options, progress).run()


class _Tidying:
    def __init__(self, repo: Repo, folder: Folder, options: TidyOptions, progress: Progress | None) -> None:
        from ledgit.artifacts import Cache

        self.repo, self.folder, self.options, self.progress = repo, folder, options, progress
        self.cache: Cache = Cache(folder.cache)
        self.done = Tidied()
        self.times: dict[str, float] = {}
        self.place: Place | None = None

    def run(self) -> Tidied:
        """Find out, and act."""
        options, done = self.options, self.done
        if options.act:
            put_back(self.cache)
        sizes: dict[str, int] = {}
        for oid, size, mtime in self.cache.objects():  # before anybody is asked: what comes later is young
            sizes[oid], self.times[oid] = size, mtime
        done.objects, done.bytes = len(sizes), sum(sizes.values())
        if not sizes:
            return done
        needed = self.needed()
        for oid, size in sizes.items():
            if oid in needed:
                if options.only is not None and oid in options.only:
                    done.needed.add(oid)
            elif options.only is not None:
                if oid in options.only:
                    done.unneeded[oid] = size
            elif self.is_old(oid):
                done.unneeded[oid] = size
            else:
                done.young += 1
        if options.only is not None:
            done.needed |= set(options.only) & needed
        free = self.free(needed, sizes) if options.pushed and options.only is None else []
        done.pushed = {oid: sizes[oid] for oid in free}
        if options.act:
            self.act()
        return done

    def is_old(self, oid: str) -> bool:
        """Whether the grace is over."""
        return now_ms() - self.times[oid] * 1000 >= self.options.grace

    def needed(self) -> set[str]:
        """Return what runs need; lists of folders that are not here are fetched."""
        from ledgit.errors import ArtifactsMissing
        from ledgit.store.artifacts.needed import needed_here
        from ledgit.store.artifacts.setting import place_of

        try:
            return needed_here(self.repo, self.folder)
        except ArtifactsMissing:
            self.place = place_of(self.repo)
            if self.place is None:
                raise
        from ledgit.artifacts import open_remote

        with open_remote(self.place) as remote:
            return needed_here(self.repo, self.folder, remote, self.progress)

    # ------------------------------------------------------------------ what the remote has as well

    def free(self, needed: Collection[str], sizes: dict[str, int]) -> list[str]:
        """Return the needed objects that runs elsewhere hold: on the remote, whole, and sure to stay there."""
        from ledgit.store.artifacts.setting import place_of

        place = self.place or place_of(self.repo)
        self.place = place
        if place is None:
            return []
        held = self.held()
        wanted = [
            oid for oid in sizes if oid in needed and oid not in held and not oid.endswith(".dir") and self.is_old(oid)
        ]
        return self.there(wanted, sizes)

    def there(self, oids: Iterable[str], sizes: dict[str, int]) -> list[str]:
        """Return those of *oids* that the remote has now, with the size they have here."""
        from ledgit.artifacts import open_remote

        wanted = list(oids)
        if not wanted or self.place is None:
            return []
        with open_remote(self.place) as remote:
            missing = remote.missing(wanted, sizes)
        return [oid for oid in wanted if oid not in missing]

    def held(self) -> set[str]:
        """Return the objects that have to stay here: of runs that the remote's ledger has not, or that are marked."""
        from ledgit.git import Objects, ObjectSet, read_ref
        from ledgit.store.artifacts.marks import read_marks
        from ledgit.store.artifacts.naming import Unread
        from ledgit.store.artifacts.needed import every_object
        from ledgit.store.artifacts.owed import owed_again
        from ledgit.store.ledger import every_line, local_ledger, union_trees
        from ledgit.store.ledger.loose import loose_runs
        from ledgit.store.sync import find_remote

        objects = Objects.of(self.repo)
        try:
            tip = read_ref(self.repo, find_remote(self.repo).tracking)
        except NoRemote:
            tip = None
        ledger = local_ledger(self.repo)
        theirs = objects.commit(tip).tree if tip is not None else None
        mine = objects.commit(ledger).tree if ledger is not None else None
        shared = {line.id for _, line in every_line(objects, theirs)} if theirs is not None else set()
        if mine is not None:
            shared -= {line.id for line in union_trees(objects, ObjectSet(), theirs, mine).added}
        shared -= loose_runs(self.repo).keys() | owed_again(self.folder).keys() | set(journals(self.folder))
        found = {oid for oid, run_id in every_object(self.repo, self.folder, Unread()) if run_id not in shared}
        return found | read_marks(objects, theirs).keys()

    # ------------------------------------------------------------------ removing

    def act(self) -> None:
        """Remove what was found."""
        from ledgit.store.artifacts.known import Known

        done = self.done
        checkpoint("found")
        latest = latest_time(self.cache, self.folder)
        for oid in sorted(done.unneeded, key=lambda oid: (oid.endswith(".dir"), oid)):
            self.remove(oid, latest)
        free = list(done.pushed)
        for at in range(0, len(free), _PORTION):
            portion = self.there(free[at : at + _PORTION], done.pushed)
            for oid in portion:
                self.remove(oid, latest)
            if self.place is not None:
                with Known(self.folder) as known:
                    known.fetch(self.place.key, portion)
        self.cache.clean()
        self.forget_damaged()
        damaged = {name.rpartition("-")[0] for name in names_in(os.path.join(self.cache.path, "damaged"))}
        drop_superseded(self.folder, lambda oid: oid in damaged or self.cache.has(oid))

    def remove(self, oid: str, latest: int | None) -> None:
        """Remove an object, unless somebody uses it just now."""
        if self.progress is not None:
            self.progress("removing artifacts", len(self.done.removed), len(self.done.unneeded) + len(self.done.pushed))
        removed = remove_object(self.cache, oid, self.times[oid], latest, checkpoint)
        if removed:
            self.done.removed.append(oid)
        elif removed is not None:
            self.done.used += 1

    def forget_damaged(self) -> None:
        """Remove copies that were set aside as damaged: old ones, or those of purged runs."""
        folder = os.path.join(self.cache.path, "damaged")
        for name in names_in(folder):
            path = os.path.join(folder, name)
            oid = name.rpartition("-")[0]
            with contextlib.suppress(OSError):
                old = now_ms() - os.stat(path).st_ctime * 1000 >= self.options.grace
                if oid in self.options.only if self.options.only is not None else old:
                    os.unlink(path)
