"""Objects on the artifact remote that no run needs: announced in the ledger, then deleted.

Each step is safe whatever others do meanwhile, and wherever a process is killed:

1. What nothing needs becomes a *candidate*, by a fast-forward push of the ledger.
2. After the grace the ledger is fetched again. What still nothing needs is marked as *swept* until a
   time, by another fast-forward push: whoever's run landed before was seen, whoever's lands after
   it has fetched the mark, and sends the object again.
3. The ledger and its inboxes are fetched once more: an inbox is no fast-forward of the ledger. Who
   leaves one looks at the ledger after it; so one of the two has seen the other.
4. What is left is deleted, in portions, until the time that the mark names and not beyond.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import Conflict, LedgitError, NotHere, PushRefused, Unreachable
from ledgit.store.artifacts.known import Known
from ledgit.store.artifacts.marks import (
    CANDIDATE,
    GRACE,
    SWEPT,
    WINDOW,
    Judgement,
    Mark,
    judge,
    read_marks,
    write_marks,
)
from ledgit.store.artifacts.needed import needed_objects
from ledgit.store.journal import now_ms
from ledgit.store.packs import note_pack
from ledgit.store.sync.exchange import SyncLock, check_writable, forget_gone, open_line, take_in
from ledgit.store.sync.opening import UploadLock

if TYPE_CHECKING:
    from ledgit.artifacts import ObjectRemote, Place
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.exchange import Incoming
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["SweepOptions", "SweptThere", "sweep_remote"]

_MOST_LOSSES = 12
_PORTION = 500  # objects that are deleted between two looks at the clock
_MARGIN = 10 * 60_000  # ms before the end: requests that are on their way may take that long
_FEW = 10  # objects of which it doesn't matter that nobody knows most of what is there

#: Called with the name of each point between two durable steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How to sweep.

    Attributes:
        act: Else nothing is changed, only found out.
        grace: Milliseconds between announcing and deleting.
        only: These objects, at once and without a grace: those of purged runs. None: all that nothing needs.
        unshared: No other repository uses this remote, although the runs here know little of what is there.
        prompt: Git may ask for a password.
    """

    act: bool = False
    grace: int = GRACE
    only: Collection[str] | None = None
    unshared: bool = False
    prompt: bool = False


@dataclass(slots=True)
class SweptThere:
    """What a sweep did, or would do.

    Attributes:
        remote: The artifact remote, for people.
        ledger: The ledger that announces it, for people.
        objects: How many objects are there.
        bytes: Their size together.
        fresh: Objects that are announced now → bytes.
        waiting: Objects that were announced before → when they may go (ms since the epoch).
        due: Objects that may go now → bytes.
        marked: How many somebody else is deleting.
        withdrawn: Objects whose mark went: a run needs them, or they are gone.
        deleted: Objects that were deleted.
        failed: Object → why it could not be deleted.
        late: Objects for which there was no time left, or that a run needed at the last moment.
        full: How many could not be announced, as the document has no room: the next sweep does.
        doubt: Why it may be wrong to sweep there; "" if nothing speaks against it.
    """

    remote: str
    ledger: str
    objects: int = 0
    bytes: int = 0
    fresh: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    marked: int = 0
    withdrawn: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    full: int = 0
    doubt: str = ""


def sweep_remote(
    repo: Repo,
    folder: Folder,
    remote: Remote,
    place: Place,
    options: SweepOptions | None = None,
    progress: Progress | None = None,
) -> SweptThere:
    """Announce what no run needs, and delete what was announced long enough.

    Can be interrupted and repeated at any point, and by several people at once.

    Args:
        repo: The clone; it must have the whole ledger.
        folder: Ledgit's folder.
        remote: Where the ledger is.
        place: Where the objects are.
        options: How.
        progress: Is told (what, done, total or None).

    Raises:
        NotHere: This clone has the ledger's tip alone, or lacks commits that it lists.
        ArtifactsMissing: The list of a folder can't be had: nobody knows what is in the folder.
        Conflict: The ledger is not there, something of it can't be read, most of what is there is of no run, or it
            was too busy.
        Unreachable, AccessDenied, RemoteError: One of the two remotes can't be used.
        RecordError, NewerFormat: The ledger can't be used; all is as it was before.
    """
    from ledgit.artifacts import open_remote

    options = options or SweepOptions()
    with UploadLock(folder, progress), SyncLock(folder, progress):
        line = open_line(repo, folder, remote, prompt=options.prompt)
        _check_whole(line)
        try:
            with open_remote(place) as there:
                return _Sweep(line, place, there, options, progress).run()
        finally:
            line.objects.rest()


def _check_whole(line: Line) -> None:
    from ledgit.store.sync.tip import tip_exists, wanted

    if not line.has_runs or tip_exists(line.repo) or wanted(line.repo, line.remote):
        reason = "who deletes artifacts must know what every run needs; do it in a full clone"
        raise NotHere("most of what the ledger carries", reason=reason)


class _Sweep:
    """One sweep with all its attempts."""

    def __init__(
        self, line: Line, place: Place, there: ObjectRemote, options: SweepOptions, progress: Progress | None
    ) -> None:
        self.line, self.place, self.there, self.options, self.progress = line, place, there, options, progress
        self.done = SweptThere(place.shown, line.remote.shown)
        self.sizes: dict[str, int] = {}
        self.now = 0
        self.deadline = 0.0

    def run(self) -> SweptThere:
        """Look, announce, mark, look again, delete."""
        done, options = self.done, self.options
        found = self.fetch()
        self.survey()
        needed = self.needed()
        if options.act and needed and not self.sizes:
            raise Conflict(f"{done.remote} is empty, though runs need {len(needed):,} objects; nothing was changed")
        for _ in range(_MOST_LOSSES):
            marks = read_marks(self.line.objects, self.line.tree_of(found.seen.tip))
            plan = self.judge(needed, marks)
            if not options.act or not (plan.fresh or plan.due or plan.withdrawn):
                return done
            self.start_clock()
            changes: dict[str, Mark | None] = dict.fromkeys(plan.withdrawn)
            changes |= dict.fromkeys(plan.fresh, Mark(CANDIDATE, self.now))
            changes |= dict.fromkeys(plan.due, Mark(SWEPT, self.now + WINDOW))
            full = self.publish(found, changes)
            if full is not None:
                done.full = len(full)
                checkpoint("marked")
                gone = self.delete([oid for oid in plan.due if oid not in full])
                self.tidy(gone)
                return done
            found = self.fetch()
            needed = self.needed()
        raise Conflict(f"{done.ledger} is too busy: {_MOST_LOSSES} pushes came too late; try again later")

    # ------------------------------------------------------------------ looking

    def fetch(self) -> Incoming:
        """Fetch the ledger and its inboxes, and bring the clone in line with them.

        Raises:
            Conflict: The ledger is not there, or something of it was passed over.
        """
        from ledgit.store.sync.table import table_changes

        line = self.line
        found = take_in(line, confirm=None, progress=self.progress)
        after = line.adopt(found.seen.tip, found.trees)
        if after.before != after.tree:
            forget_gone(line, table_changes(line.objects, after.before, after.tree), after.purged)
        if found.seen.tip is None:
            raise Conflict(f"{self.done.ledger} has no ledger, so nobody knows what runs need; 'ledgit push' first")
        if found.notes:
            raise Conflict(f"nothing was deleted, since nobody knows what all runs need: {found.notes[0]}")
        check_writable(line, found.seen.tip)
        return found

    def survey(self) -> None:
        """Find out what is on the remote.

        Raises:
            Unreachable: It is a folder that is not there: of a disk that is not mounted everything seems to be gone.
        """
        if self.there.kind == "local" and not os.path.isdir(self.there.connection.path):
            raise Unreachable(self.done.remote, "there is no such folder now; is its disk mounted?")
        for oid, size in self.there.objects():
            self.sizes[oid] = size
            if self.progress is not None and len(self.sizes) % 1000 == 0:
                self.progress("listing artifacts", len(self.sizes), None)
        self.done.objects, self.done.bytes = len(self.sizes), sum(self.sizes.values())

    def needed(self) -> set[str]:
        """Return what runs need, as far as anybody can know."""
        return needed_objects(self.line.repo, self.line.folder, self.there, self.progress)

    def judge(self, needed: set[str], marks: dict[str, Mark]) -> Judgement:
        """Decide, and tell.

        Raises:
            Conflict: Most of what is there is of no run that is known here.
        """
        options, done = self.options, self.done
        at_once = set(options.only or ())
        if options.only is not None:
            there = [oid for oid in self.sizes if oid in at_once]
            marks = {oid: mark for oid, mark in marks.items() if oid in at_once}
        else:
            there = list(self.sizes)
        plan = judge(there, needed, marks, now_ms(), options.grace, at_once)
        if options.only is None and not options.unshared:
            done.doubt = self.doubt(len(plan.fresh))
            if options.act and done.doubt:
                raise Conflict(done.doubt)
        done.fresh = {oid: self.sizes[oid] for oid in plan.fresh}
        done.due = {oid: self.sizes[oid] for oid in plan.due}
        done.waiting, done.marked, done.withdrawn = plan.waiting, len(plan.marked), plan.withdrawn
        return plan

    def doubt(self, unknown: int) -> str:
        """Return why another repository may keep its artifacts there, too; "" if nothing speaks for it.

        Its runs stand in another ledger, so all that is of theirs looks needless.
        """
        where, count = self.done.remote, len(self.sizes)
        if unknown > max(_FEW, count // 2):
            said = f"{unknown:,} of {count:,} objects on {where} are of no run in {self.done.ledger}"
        elif unknown and self.place.url.startswith("remote://"):
            said = f"{where} is below a DVC remote of the project, which other repositories may have as well"
        else:
            return ""
        return (
            f"{said}: if another repository keeps its artifacts there, too, give each a folder of its own; if none"
            " does, --unshared says so"
        )

    # ------------------------------------------------------------------ announcing

    def start_clock(self) -> None:
        """Begin the time in which may be deleted what is marked from now on."""
        self.now = now_ms()
        self.deadline = time.monotonic() + (WINDOW - _MARGIN) / 1000

    def publish(self, found: Incoming, changes: dict[str, Mark | None]) -> list[str] | None:
        """Push the ledger with *changes*; return what had no room in it, or None if somebody else was quicker.

        Raises:
            PushRefused: The host doesn't let it in.
        """
        from ledgit.git import ObjectSet, PushUpdate, identity
        from ledgit.store.ledger import commit_ledger

        line, seen, fresh = self.line, found.seen, ObjectSet()
        tree = line.tree_of(seen.tip)
        assert tree is not None
        assert seen.tip is not None
        new_tree, full = write_marks(line.objects, fresh, tree, changes, line.folder.clone_id)
        if new_tree == tree:
            return full
        name, address = identity(line.repo)
        commit = commit_ledger(
            line.objects,
            fresh,
            new_tree,
            seen.tip,
            (),
            who=(name or "ledgit", address),
            when=self.now // 1000,
            subject=f"artifacts: {len(changes)} marked",
        )
        pack = fresh.write(line.where)
        try:
            checkpoint("before push")
            (result,) = line.push([PushUpdate(line.remote.ledger_ref, commit)], self.progress)
            if result.status == "refused":
                raise PushRefused(self.done.ledger, f"it refuses {line.remote.ledger_ref}: {result.reason}")
            if not result.ok:
                return None
            checkpoint("pushed")
            seen.tip = commit
            line.track(commit, seen.inboxes)
        finally:
            pack.release()
        note_pack(line.repo, line.folder, os.path.basename(pack.path))
        line.adopt(commit, found.trees)
        return full

    # ------------------------------------------------------------------ deleting

    def delete(self, due: list[str]) -> list[str]:
        """Delete what is marked and still not needed; return what is gone."""
        if not due:
            return []
        done = self.done
        self.fetch()
        needed = self.needed()
        checkpoint("looked again")
        done.late += [oid for oid in due if oid in needed]
        todo = [oid for oid in due if oid not in needed]
        # Lists last: as long as a folder's files are there somebody may want to know what they were.
        todo.sort(key=lambda oid: (oid.endswith(".dir"), oid))
        gone: list[str] = []
        with Known(self.line.folder) as known:
            known.forget(self.place.key)
        for at in range(0, len(todo), _PORTION):
            portion = todo[at : at + _PORTION]
            if time.monotonic() >= self.deadline or now_ms() >= self.now + WINDOW - _MARGIN:
                done.late += todo[at:]
                break
            moved = self.there.delete(portion)
            gone += moved.done
            done.failed |= moved.failed
            if self.progress is not None:
                self.progress("deleting artifacts", at + len(portion), len(todo))
            checkpoint("deleted some")
        done.deleted = gone
        return gone

    def tidy(self, gone: list[str]) -> None:
        """Take the marks away that have done their work. What keeps this from it is no trouble: the next sweep does."""
        if not gone:
            return
        checkpoint("before tidying")
        try:
            found = self.fetch()
            self.publish(found, dict.fromkeys(gone))
        except LedgitError:
            return
