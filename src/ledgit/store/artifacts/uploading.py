"""Objects of runs go to the artifact remote before the ledger that names them does.

::

    sending = Sending(repo, folder, progress)
    held = sending.before({run id: heads})      # before the push: runs whose objects can't be sent stay
    ...                                         # the ledger goes
    sending.after(ledger, tree, sent)           # asked once more, and what earlier pushes left here is sent

Everything can be interrupted at any point and repeated: what is there by name and size is not sent
again, and a run counts as sent only after the remote was asked when the run had landed.
"""

from __future__ import annotations

import os

from ledgit.errors import ArtifactNotFound, LedgitError
from ledgit.store.artifacts.known import Known, digest_of, note_settled, settings_stamp, settled
from ledgit.store.artifacts.marks import WINDOW
from ledgit.store.artifacts.naming import objects_of
from ledgit.store.artifacts.owed import clear_again, due_again, look_again
from ledgit.store.journal import now_ms

TYPE_CHECKING = False  # a push of nothing new comes by here
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ledgit.artifacts import Cache, ObjectRemote, Place
    from ledgit.git import Objects, Repo
    from ledgit.store.artifacts.naming import Need
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Left", "Sending", "Uploaded", "here_only", "place_of", "upload_runs"]

_AT_ONCE = 5000  # runs that are looked at together
_LATER = 10 * 60_000  # ms after a sweep must have ended before what it may have taken is looked at


class Left:
    """Artifacts that are only in this clone.

    Attributes:
        runs: How many runs need them.
        objects: How many objects.
        bytes: Their size together.
    """

    __slots__ = ("bytes", "objects", "runs")

    def __init__(self, runs: int = 0, objects: int = 0, size: int = 0) -> None:
        self.runs, self.objects, self.bytes = runs, objects, size

    def __bool__(self) -> bool:
        return self.objects > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Left) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.runs} {self.objects} {self.bytes}"

    def __repr__(self) -> str:
        return f"Left({self.runs}, {self.objects}, {self.bytes})"

    @classmethod
    def parse(cls, text: str) -> Left:
        """Read what :meth:`__str__` wrote; anything else is nothing."""
        try:
            runs, objects, size = map(int, text.split())
        except ValueError:
            return cls()
        return cls(runs, objects, size)


class Uploaded:
    """What went to the artifact remote.

    Attributes:
        remote: Its address, without credentials; "" where there is none.
        sent: How many objects were sent.
        bytes: Their size together.
        here: What is only in this clone, because there is no remote or it took nothing.
        held: Runs whose objects could not be sent: id → why.
        absent: Runs that need objects which are neither here nor there: id → a path.
        trouble: Why runs that have landed could not be looked after; the next push tries again.
        again: Runs whose objects somebody was deleting: they were sent again, and a later push looks once more.
    """

    __slots__ = ("absent", "again", "bytes", "held", "here", "remote", "sent", "trouble")

    def __init__(self) -> None:
        self.remote = ""
        self.sent = 0
        self.bytes = 0
        self.here = Left()
        self.held: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.trouble = ""
        self.again: set[str] = set()


def place_of(repo: Repo) -> Place | None:
    """Return where Ledgit's artifact remote is, as this clone is set up; None if nothing says so."""
    from ledgit.artifacts import find_place
    from ledgit.store.config import committed_config

    chosen = repo.config().get("ledgit.artifactRemote")
    settings = {"ledgit.artifactRemote": chosen} if chosen else {}
    return find_place(settings, committed_config(repo, "artifacts"), repo.work_tree)


def upload_runs(
    repo: Repo,
    folder: Folder,
    runs: Mapping[str, Iterable[str]],
    progress: Progress | None = None,
    *,
    swept: Collection[str] = (),
) -> Uploaded:
    """Send what *runs* (id → heads) need, as :meth:`Sending.before` does."""
    sending = Sending(repo, folder, progress, swept=swept)
    sending.before(runs)
    return sending.done


class Sending:
    """The artifacts' part of one push.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        progress: Is told (what, done, total).
        swept: Objects that somebody is deleting: they count as absent, whatever the remote says.
    """

    def __init__(
        self, repo: Repo, folder: Folder, progress: Progress | None = None, *, swept: Collection[str] = ()
    ) -> None:
        self.repo, self.folder, self.progress, self.swept = repo, folder, progress, swept
        self._heads: dict[str, tuple[str, ...]] = {}  # run → heads
        self._again: set[str] = set()  # objects that were swept, and have been sent since
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
        if not runs or not _has_cache(self.folder):
            return {}
        self._heads |= {run_id: tuple(heads) for run_id, heads in runs.items()}
        needs = objects_of(self.repo, self.folder, runs)
        try:
            if not needs or self.place() is None:
                return {}
            with Known(self.folder) as known:
                # What is being swept was there when it was confirmed.
                swept = {run_id for oid in needs.keys() & set(self.swept) for run_id in needs[oid].runs}
                needs = _without(needs, known.confirmed(self.url, _digests(needs)) - swept)
            failed = self.send(needs) if needs else {}
        except LedgitError as error:
            here = [need for oid, need in needs.items() if self.cache.has(oid)]
            held = dict.fromkeys((run_id for need in here for run_id in need.runs), _reason(str(error)))
        else:
            held = {run_id: _reason(why) for oid, why in failed.items() for run_id in needs[oid].runs}
        self.done.held |= held
        return held

    def send(self, needs: Mapping[str, Need]) -> dict[str, str]:
        """Send those of the objects that the remote lacks and that are here; return those that failed, with reasons.

        Raises:
            LedgitError: The remote can't be used.
        """
        remote = self.remote()
        sizes = {oid: _size(self.cache, oid) or need.size for oid, need in needs.items()}
        swept = (set(self.swept) & needs.keys()) - self._again
        missing = remote.missing(needs, sizes) | swept
        self._look_again(needs, swept)
        if not missing:
            return {}
        here: list[str] = []
        absent: list[str] = []
        for oid in missing:
            (here if self.cache.has(oid) else absent).append(oid)
        for oid in absent:
            self.done.absent |= dict.fromkeys(needs[oid].runs, needs[oid].path)
        moved = remote.upload(self.cache, here, self.progress) if here else None
        if moved is None:
            return {}
        self.done.sent += len(moved.done)
        self.done.bytes += moved.bytes
        self._again |= swept & set(moved.done)
        return moved.failed

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
            for head in self._heads.get(run_id, ()):
                entry = objects.find(head, f"{RUN_FOLDER}/entry.json")
                if entry is not None:
                    return decode_entry(objects.read(entry.oid)[1]).start
        except LedgitError:
            return None
        return None

    # ------------------------------------------------------------------ after it landed

    def after(
        self, ledger: str, tip: str | None, objects: Objects, sent: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """Look again after all runs that have landed, and send what earlier pushes left here.

        Never fails: what can't be done now is done by the next push, and `done.trouble` says why.

        Args:
            ledger: Address of the ledger.
            tip: Its tip; None if there is none.
            objects: Reads it.
            sent: Runs that this push left in an inbox: id → heads.
        """
        stamp = settings_stamp(self.repo)
        said = settled(self.folder, tip, stamp)
        now = now_ms()
        if said is not None and not sent and not due_again(self.folder, now):
            self.done.here = Left.parse(said)
            return
        try:
            whole = self._catch_up(ledger, tip, objects, sent or {}, now)
        except LedgitError as error:
            self.done.trouble = str(error)
            return
        finally:
            self.close()
        if whole and not sent:
            note_settled(self.folder, tip, stamp, str(self.done.here) if self.done.here else "")

    def _catch_up(
        self, ledger: str, tip: str | None, objects: Objects, sent: Mapping[str, Iterable[str]], now: int
    ) -> bool:
        """Return whether nothing is left that another push could do."""
        if not _has_cache(self.folder) and not due_again(self.folder, now):
            return True  # without finding out where the remote is: most pushes end here
        self.place()
        due = due_again(self.folder, now, self.url)
        if not _has_cache(self.folder):
            clear_again(self.folder, self.url, due, now)
            return True  # whatever a run needs, it is not here
        tree = objects.commit(tip).tree if tip is not None else None
        with Known(self.folder) as known:
            known.doubt(self.url, due)
            todo = {run_id: tuple(heads) for run_id, heads in sent.items()}
            starts = known.pending(self.url)
            gone = []
            for run_id, start in starts.items():
                heads = _heads(objects, tree, run_id, start)
                if heads:
                    todo[run_id] = heads
                elif run_id not in todo:
                    gone.append(run_id)
            known.settle(self.url, gone)
            if tree is not None:
                for new in self._unseen(known, ledger, tree, objects):
                    starts |= {run_id: start for run_id, (start, _) in new.items()}
                    todo |= {run_id: heads for run_id, (_, heads) in new.items()}
            whole = self._settle(known, todo, starts, due)
            if whole:
                clear_again(self.folder, self.url, due, now)
            return whole

    def _unseen(
        self, known: Known, ledger: str, tree: str, objects: Objects
    ) -> Iterator[dict[str, tuple[int, tuple[str, ...]]]]:
        """Yield the runs that nobody has looked at and that need something which is here; id → (start, heads)."""
        from ledgit.store.sync.table import new_lines

        before = known.looked(self.url, ledger)
        if before == tree:
            return
        if before is not None and objects.kind(before) != "tree":
            before = None
        looked = 0
        found: dict[str, tuple[int, tuple[str, ...]]] = {}
        for line in new_lines(objects, before, tree):
            if not line.head or line.purged:
                continue
            start, heads = found.get(line.id, (line.start or 0, ()))
            found[line.id] = (start, (*heads, line.head))
            if len(found) >= _AT_ONCE:
                looked += len(found)
                if self.progress is not None:
                    self.progress("looking for artifacts", looked, None)
                yield self._keep(known, found)
                found = {}
        yield self._keep(known, found)
        known.look(self.url, ledger, tree)

    def _keep(
        self, known: Known, runs: dict[str, tuple[int, tuple[str, ...]]]
    ) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Return those of *runs* that need something which is here; they are noted as waiting."""
        needs = objects_of(
            self.repo, self.folder, {run_id: heads for run_id, (_, heads) in runs.items()}, members=False
        )
        here = {run_id for oid, need in needs.items() if self.cache.has(oid) for run_id in need.runs}
        kept = {run_id: runs[run_id] for run_id in runs if run_id in here}
        known.wait(self.url, {run_id: start for run_id, (start, _) in kept.items()})
        return kept

    def _settle(
        self, known: Known, todo: Mapping[str, Sequence[str]], starts: Mapping[str, int], due: Collection[str] = ()
    ) -> bool:
        """Send what the runs *todo* need; note those that have all of it there. Return whether nothing can be done."""
        self._heads |= {run_id: tuple(heads) for run_id, heads in todo.items()}
        needs = objects_of(self.repo, self.folder, todo)
        # A mark stands until both clocks say that it is over. Whoever was deleting when *due* runs were noted has
        # ended by this one, and nobody has begun since, as they are in the ledger: what is there now stays there.
        self._again |= {oid for oid, need in needs.items() if any(run in due for run in need.runs)}
        digests = _digests(needs)
        confirmed = known.confirmed(self.url, digests) if self._place is not None else set()
        confirmed -= {run_id for oid in needs.keys() & set(self.swept) for run_id in needs[oid].runs}
        known.settle(self.url, confirmed | (todo.keys() - digests.keys()))
        waiting = _without(needs, confirmed)
        here = {oid: need for oid, need in waiting.items() if self.cache.has(oid)}
        if not here:
            known.settle(self.url, [run_id for run_id in todo if run_id in starts])
            return True
        if self._place is None:
            self.done.here = _left(self.cache, here)
            return True
        try:
            failed = self.send(waiting)
        except LedgitError:
            self.done.here = _left(self.cache, here)
            raise
        unsent = {run_id for oid in failed for run_id in waiting[oid].runs}
        self.done.here = _left(self.cache, {oid: waiting[oid] for oid in failed})
        if failed:
            self.done.trouble = next(iter(failed.values()))
        known.confirm(self.url, {run_id: digest for run_id, digest in digests.items() if run_id not in unsent})
        return not failed

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

    place = place_of(repo)
    needs = objects_of(repo, folder, runs)
    if place is not None:
        with Known(folder) as known:
            needs = _without(needs, known.confirmed(place.key, _digests(needs)))
            there = known.fetched(place.key, needs)
            needs = {oid: need for oid, need in needs.items() if oid not in there}
    cache = Cache(folder.cache)
    return {oid: need for oid, need in needs.items() if cache.has(oid)}


def _has_cache(folder: Folder) -> bool:
    return os.path.isdir(folder.cache)


def _reason(why: str) -> str:
    return (
        f"its artifacts could not be sent: {why}; 'ledgit push' tries again, with --no-artifacts it goes without them"
    )


def _digests(needs: Mapping[str, Need]) -> dict[str, str]:
    """Return what stands for all objects of each run."""
    runs: dict[str, list[str]] = {}
    for oid, need in needs.items():
        for run_id in need.runs:
            runs.setdefault(run_id, []).append(oid)
    return {run_id: digest_of(oids) for run_id, oids in runs.items()}


def _without(needs: Mapping[str, Need], runs: Collection[str]) -> dict[str, Need]:
    """Return the objects that other runs than these need."""
    if not runs:
        return dict(needs)
    return {oid: need for oid, need in needs.items() if not all(run_id in runs for run_id in need.runs)}


def _left(cache: Cache, needs: Mapping[str, Need]) -> Left:
    runs = {run_id for need in needs.values() for run_id in need.runs}
    return Left(len(runs), len(needs), sum(_size(cache, oid) or 0 for oid in needs))


def _size(cache: Cache, oid: str) -> int | None:
    try:
        return cache.size(oid)
    except ArtifactNotFound:
        return None


def _heads(objects: Objects, tree: str | None, run_id: str, start: int) -> tuple[str, ...]:
    """Return the heads that a table has of a run; none of one that was purged."""
    from ledgit.records.table import day_of
    from ledgit.store.ledger import lines_of

    if tree is None:
        return ()
    lines = lines_of(objects, tree, run_id, day_of(start))
    return () if any(line.purged for line in lines) else tuple(line.head for line in lines if line.head)
