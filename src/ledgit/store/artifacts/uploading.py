"""Objects of runs go to the artifact remote before the ledger that names them does.

::

    sending = Sending(repo, folder, progress)
    held = sending.before({run id: heads})      # before the push: runs whose objects can't be sent stay
    ...                                         # the ledger goes
    catch_up(sending, ledger, tip, objects)     # asked once more, and what earlier pushes left here is sent

Everything can be interrupted at any point and repeated: what is there by name and size is not sent
again, and a run counts as sent only after the remote was asked when the run had landed.
"""

from __future__ import annotations

import os

from ledgit.errors import ArtifactNotFound, LedgitError
from ledgit.store.artifacts.known import Known, digest_of
from ledgit.store.artifacts.marks import WINDOW
from ledgit.store.artifacts.naming import objects_of
from ledgit.store.artifacts.owed import look_again
from ledgit.store.artifacts.uploaded import Left, Planned, Uploaded
from ledgit.store.journal import now_ms

TYPE_CHECKING = False  # a push of nothing new comes by here
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from ledgit.artifacts import Cache, ObjectRemote, Place
    from ledgit.git import Repo
    from ledgit.store.artifacts.naming import Need
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Sending", "digests_of", "has_cache", "here_only", "left_here", "without"]

_LATER = 10 * 60_000  # ms after a sweep must have ended before what it may have taken is looked at
_LONG_BYTES, _LONG_COUNT = 8 << 20, 200  # what is more takes so long that others should not wait for it


class Sending:
    """The artifacts' part of one push.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        progress: Is told (what, done, total).
        swept: Objects that somebody is deleting: they count as absent, whatever the remote says.
        aside: A context in which other pulls and pushes may work in the clone; what takes long is sent in one.

    Attributes:
        heads: Heads of the runs it was asked about.
        again: Objects that were swept, and have been sent since.
        done: What it did so far.
    """

    def __init__(
        self,
        repo: Repo,
        folder: Folder,
        progress: Progress | None = None,
        *,
        swept: Collection[str] = (),
        aside: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        self.repo, self.folder, self.progress, self.swept, self.aside = repo, folder, progress, swept, aside
        self.heads: dict[str, tuple[str, ...]] = {}
        self.again: set[str] = set()
        self.done = Uploaded()
        self._place: Place | None = None
        self._found = False
        self._remote: ObjectRemote | None = None

    # ------------------------------------------------------------------ before the ledger goes

    def before(self, runs: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """Send what *runs* (id → heads) need and the remote lacks; return those that must stay, with the reasons.

        Without a remote all may go. So may a run whose objects are not here either: holding it back
        would bring them to nobody.
        """
        if not runs or not has_cache(self.folder):
            return {}
        self.heads |= {run_id: tuple(heads) for run_id, heads in runs.items()}
        needs = objects_of(self.repo, self.folder, runs)
        try:
            needs = self.unconfirmed(needs)
            failed = self.send(needs) if needs else {}
        except LedgitError as error:
            here = [need for oid, need in needs.items() if self.cache.has(oid)]
            held = dict.fromkeys((run_id for need in here for run_id in need.runs), _reason(str(error)))
        else:
            held = {run_id: _reason(why) for oid, why in failed.items() for run_id in needs[oid].runs}
        self.done.held |= held
        return held

    def unconfirmed(self, needs: Mapping[str, Need]) -> dict[str, Need]:
        """Return what of *needs* the remote has to be asked for; nothing where there is no remote."""
        if not needs or self.place() is None:
            return {}
        with Known(self.folder) as known:
            # What is being swept was there when it was confirmed.
            swept = {run_id for oid in needs.keys() & set(self.swept) for run_id in needs[oid].runs}
            return without(needs, known.confirmed(self.url, digests_of(needs)) - swept)

    def plan(self, needs: Mapping[str, Need]) -> None:
        """Find out which of *needs* would be sent, and note it; nothing is."""
        for oid in self._missing(needs, self._to_be_swept(needs)):
            need = needs[oid]
            self.done.planned.append(Planned(oid, need.path, need.runs, self.cache.size(oid)))

    def send(self, needs: Mapping[str, Need]) -> dict[str, str]:
        """Send those of the objects that the remote lacks and that are here; return those that failed, with reasons.

        Raises:
            LedgitError: The remote can't be used.
        """
        swept = self._to_be_swept(needs)
        here = self._missing(needs, swept)
        self._look_again(needs, swept)
        if self.aside is not None and self._takes_long(here):
            with self.aside():
                return self._upload(self._not_purged(needs, here), swept)
        return self._upload(here, swept)

    def _to_be_swept(self, needs: Mapping[str, Need]) -> set[str]:
        return (set(self.swept) & needs.keys()) - self.again

    def _missing(self, needs: Mapping[str, Need], swept: Collection[str]) -> list[str]:
        """Return what the remote lacks of *needs* and is here; what is nowhere is noted."""
        sizes = {oid: _size(self.cache, oid) or need.size for oid, need in needs.items()}
        here: list[str] = []
        for oid in self.remote().missing(needs, sizes).union(swept):
            if self.cache.has(oid):
                here.append(oid)
            else:
                self.done.absent |= dict.fromkeys(needs[oid].runs, needs[oid].path)
        return here

    def _upload(self, oids: list[str], swept: Collection[str]) -> dict[str, str]:
        if not oids:
            return {}
        moved = self.remote().upload(self.cache, oids, self.progress)
        self.done.sent += len(moved.done)
        self.done.bytes += moved.bytes
        self.again.update(oid for oid in moved.done if oid in swept)
        return moved.failed

    def _takes_long(self, oids: list[str]) -> bool:
        if len(oids) > _LONG_COUNT:
            return True
        return sum(_size(self.cache, oid) or 0 for oid in oids) > _LONG_BYTES

    def _not_purged(self, needs: Mapping[str, Need], oids: Iterable[str]) -> list[str]:
        """Return those of *oids* that a run needs which nobody has purged while others could work here."""
        from ledgit.git import Objects
        from ledgit.store.heads import is_purged

        objects = Objects.of(self.repo)
        gone: dict[str, bool] = {}

        def is_gone(run_id: str) -> bool:
            if run_id not in gone:
                start = self._start(run_id)
                gone[run_id] = start is not None and is_purged(self.repo, objects, run_id, start)
            return gone[run_id]

        return [oid for oid in oids if self.cache.has(oid) and not all(map(is_gone, needs[oid].runs))]

    def _look_again(self, needs: Mapping[str, Need], swept: Collection[str]) -> None:
        """Note, before any of it is sent, that whoever deletes these objects may do so after they were sent."""
        if not swept:
            return
        runs = {run_id for oid in swept for run_id in needs[oid].runs}
        starts = {run_id: start for run_id in runs if (start := self._start(run_id)) is not None}
        look_again(self.folder, self.url, starts, now_ms() + WINDOW + _LATER)
        self.done.again |= starts.keys()

    def _start(self, run_id: str) -> int | None:
        """Return a run's start, as its newest commit has it: its place in the ledger."""
        from ledgit.git import Objects
        from ledgit.records import decode_entry
        from ledgit.records.names import RUN_FOLDER

        objects = Objects.of(self.repo)
        try:
            for head in self.heads.get(run_id, ()):
                entry = objects.find(head, f"{RUN_FOLDER}/entry.json")
                if entry is not None:
                    return decode_entry(objects.read(entry.oid)[1]).start
        except LedgitError:
            return None
        return None

    # ------------------------------------------------------------------ the remote

    @property
    def cache(self) -> Cache:
        """The clone's cache."""
        from ledgit.artifacts import Cache

        return Cache(self.folder.cache)

    @property
    def url(self) -> str:
        """What the remote is known by; "" where there is none."""
        return self._place.key if self._place is not None else ""

    def place(self) -> Place | None:
        """Return where the remote is, found out once."""
        if not self._found:
            from ledgit.store.artifacts.setting import place_of

            self._place = place_of(self.repo)
            self._found = True
            self.done.remote = self._place.shown if self._place is not None else ""
        return self._place

    def close(self) -> None:
        """End the connection to the remote, if there is one."""
        remote, self._remote = self._remote, None
        if remote is not None:
            remote.close()

    def remote(self) -> ObjectRemote:
        """Open the remote, once.

        Raises:
            RemoteError, MissingDependency: It can't be used.
        """
        if self._remote is None:
            from ledgit.artifacts import open_remote

            place = self.place()
            assert place is not None
            self._remote = open_remote(place)
        return self._remote


def here_only(repo: Repo, folder: Folder, runs: Mapping[str, Iterable[str]]) -> dict[str, Need]:
    """Return the objects of *runs* (id → heads) that are here, and that no push was seen to bring to the remote.

    Asks nobody: what somebody else sent is among them.
    """
    from ledgit.artifacts import Cache
    from ledgit.store.artifacts.setting import place_of

    place = place_of(repo)
    needs = objects_of(repo, folder, runs)
    if place is not None:
        with Known(folder) as known:
            needs = without(needs, known.confirmed(place.key, digests_of(needs)))
            there = known.fetched(place.key, needs)
            needs = {oid: need for oid, need in needs.items() if oid not in there}
    cache = Cache(folder.cache)
    return {oid: need for oid, need in needs.items() if cache.has(oid)}


def has_cache(folder: Folder) -> bool:
    """Whether this clone ever had a large artifact."""
    return os.path.isdir(folder.cache)


def _reason(why: str) -> str:
    return (
        f"its artifacts could not be sent: {why}; 'ledgit push' tries again, with --no-artifacts it goes without them"
    )


def digests_of(needs: Mapping[str, Need]) -> dict[str, str]:
    """Return what stands for all objects of each run."""
    runs: dict[str, list[str]] = {}
    for oid, need in needs.items():
        for run_id in need.runs:
            runs.setdefault(run_id, []).append(oid)
    return {run_id: digest_of(oids) for run_id, oids in runs.items()}


def without(needs: Mapping[str, Need], runs: Collection[str]) -> dict[str, Need]:
    """Return the objects that other runs than these need."""
    if not runs:
        return dict(needs)
    return {oid: need for oid, need in needs.items() if not all(run_id in runs for run_id in need.runs)}


def left_here(cache: Cache, needs: Mapping[str, Need]) -> Left:
    """Return how much *needs* are, which are in this clone alone."""
    runs = {run_id for need in needs.values() for run_id in need.runs}
    return Left(len(runs), len(needs), sum(_size(cache, oid) or 0 for oid in needs))


def _size(cache: Cache, oid: str) -> int | None:
    try:
        return cache.size(oid)
    except ArtifactNotFound:
        return None
