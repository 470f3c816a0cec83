"""The remote's half of a purge: its ledger begins anew, by the only forced push there is.

What is pushed is what the remote has, its inboxes included, with this clone's tombstones; runs that
only this clone has go with the next plain push, which asks whether they may. The lease names the
ledger that was looked at: whoever pushed meanwhile is taken in, and the push is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import Conflict, NotFound, NotHere, PushRefused
from ledgit.store.journal import now_ms
from ledgit.store.packs import note_pack
from ledgit.store.sync.exchange import Purge, SyncLock, check_writable, follows, forget_gone, open_line, take_in

if TYPE_CHECKING:
    from ledgit.git import ObjectSet, PushResult, PushUpdate, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.exchange import Incoming
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["PurgeOptions", "PurgedThere", "purge_remote"]

_MOST_LOSSES = 12

#: Called with the name of each point between two durable steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class PurgeOptions:
    """How to purge on a remote.

    Attributes:
        tags: Full names of tags and refs to delete there as well, where they exist.
        always: Begin anew even if no tombstone asks for it: commits were replaced.
        accept_purges: Runs that others purged may go here without asking.
        confirm: Asked before runs go here that others purged; None: nobody can be asked.
        prompt: Git may ask for a password.
    """

    tags: Collection[str] = ()
    always: bool = False
    accept_purges: bool = False
    confirm: Callable[[Purge], bool] | None = None
    prompt: bool = False


@dataclass(slots=True)
class PurgedThere:
    """What a purge did on a remote.

    Attributes:
        remote: Which, for people.
        commit: The ledger that was pushed; None if nothing was owed there.
        runs: Ids of the runs that its history no longer has.
        inboxes: Names of the inboxes that were taken in and deleted.
        tags: Names of the tags that were deleted there.
        attempts: How many pushes it took.
        purged: Ids of runs here that went because others had purged them.
        notes: Sentences about what was passed over.
    """

    remote: str
    commit: str | None = None
    runs: tuple[str, ...] = ()
    inboxes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attempts: int = 0
    purged: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def purge_remote(
    repo: Repo, folder: Folder, remote: Remote, options: PurgeOptions | None = None, progress: Progress | None = None
) -> PurgedThere:
    """Let the ledger of *remote* begin anew, with the tombstones of this clone's; nothing, if none is owed.

    Can be interrupted and repeated at any point.

    Args:
        repo: The clone; it must have the whole ledger.
        folder: Ledgit's folder.
        remote: Where.
        options: How.
        progress: Is told (what, done, total or None).

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
        PushRefused: The host lets nobody force this ref, or delete the tags.
        NotHere: This clone has the tip of the ledger alone.
        RecordError, NewerFormat, UnsafePath: Its ledger can't be used; all is as it was before.
        Conflict: Others purged runs that were made here, and nobody agreed; or the ledger was too busy.
    """
    options = options or PurgeOptions()
    with SyncLock(folder, progress):
        line = open_line(repo, folder, remote, prompt=options.prompt)
        line.remote = remote.as_pushed()
        if not line.has_runs:
            raise tip_only()
        try:
            return _Purging(line, options, progress).run()
        finally:
            line.objects.rest()


def tip_only() -> NotHere:
    """Return the error that says why a clone of the tip alone can't purge."""
    reason = "purging needs them all; do it in a full clone"
    return NotHere("most of what the ledger carries", reason=reason)


class _Purging:
    """One purge with all its attempts."""

    def __init__(self, line: Line, options: PurgeOptions, progress: Progress | None) -> None:
        self.line, self.options, self.progress = line, options, progress
        self.done = PurgedThere(line.remote.shown)
        self.last: str | None = None  # the remote's ledger as it was seen before

    def run(self) -> PurgedThere:
        from ledgit.git import ObjectSet
        from ledgit.store.sync.pushing import _wait

        losses = 0
        while True:
            found = take_in(
                self.line,
                confirm=self.options.confirm,
                accept_purges=self.options.accept_purges,
                progress=self.progress,
            )
            check_writable(self.line, found.seen.tip)
            if not losses:
                self.last = found.seen.before
            fresh = ObjectSet()
            new, owed = self.compose(fresh, found)
            if self.push(fresh, found, new, owed):
                return self.finish(found)
            losses += 1
            if losses >= _MOST_LOSSES:
                raise Conflict(f"{self.done.remote} is too busy: {losses} pushes came too late; try again later")
            _wait(losses)

    def compose(self, fresh: ObjectSet, found: Incoming) -> tuple[str | None, set[str]]:
        """Return the new ledger and the runs it purges; None if the remote's needs no new one."""
        from ledgit.git import identity
        from ledgit.store.ledger import local_ledger
        from ledgit.store.ledger.commits import root_of, tombstones_beyond
        from ledgit.store.ledger.rerooting import reroot
        from ledgit.store.sync.compose import united

        line, objects, tip = self.line, self.line.objects, found.seen.tip
        tree = line.tree_of(tip)
        if self.last is not None and self.last != tip and (tip is None or follows(objects, self.last, tip)):
            tree = united(objects, fresh, tree, line.tree_of(self.last))  # the remote has lost it
        for other in found.trees:
            tree = united(objects, fresh, tree, other)
        if tree is None:
            return None, set()
        tree = self.with_tombstones(fresh, tree, line.tree_of(local_ledger(line.repo)))
        root = None if tip is None else root_of(objects, tip)
        before = line.tree_of(root) if root is not None and objects.exists(root) else None
        owed = tombstones_beyond(objects, before, tree, fresh)
        owed |= self.boxed(fresh, found.trees, tree)
        if not owed and not self.options.always:
            return None, set()
        if self.options.always:
            self.check_sent(fresh, tree, line.tree_of(local_ledger(line.repo)))
        name, mail = identity(line.repo)
        try:
            new = reroot(objects, fresh, tree, who=(name or "ledgit", mail), when=now_ms() // 1000)
        except NotFound as error:
            reason = "purging needs all of them; do it in a clone that has it"
            raise NotHere(f"the run commit {error.ref[:12]} that the ledger lists", reason=reason) from error
        return new, owed

    def boxed(self, fresh: ObjectSet, trees: Sequence[str], tree: str) -> set[str]:
        """Return the runs that *tree* purges and inboxes carry: kept where a host can't change all refs or none."""
        from ledgit.store.ledger import every_line, lines_of

        objects = self.line.objects
        carried = {
            (item.id, item.day)
            for other in trees
            for _, item in every_line(objects, other, fresh)
            if item.head and not item.purged and item.day
        }
        return {run for run, day in carried if any(item.purged for item in lines_of(objects, tree, run, day, fresh))}

    def with_tombstones(self, fresh: ObjectSet, tree: str, local: str | None) -> str:
        from ledgit.store.ledger import add_lines
        from ledgit.store.ledger.purging import tombstones_of_twins
        from ledgit.store.sync.table import new_lines

        stones = [item for item in new_lines(self.line.objects, tree, local, fresh) if item.purged and item.day]
        stones += tombstones_of_twins(self.line.objects, fresh, tree, stones)
        return add_lines(self.line.objects, fresh, tree, stones).tree if stones else tree

    def check_sent(self, fresh: ObjectSet, tree: str, local: str | None) -> None:
        """See to it that the remote lists the new commits before the old ones lose their history.

        Raises:
            Conflict: It lists heads that the clone's ledger has replaced.
        """
        from ledgit.store.ledger import union_trees

        dropped = union_trees(self.line.objects, fresh, tree, local).dropped
        if any(item.head and not item.purged for item in dropped):
            raise Conflict(f"{self.done.remote} still lists runs by their old commits; 'ledgit push' first")

    def push(self, fresh: ObjectSet, found: Incoming, new: str | None, owed: set[str]) -> bool:
        """Push once; return whether it arrived."""
        from ledgit.git import PushUpdate

        line, seen = self.line, found.seen
        tags = self.tags()
        updates: list[PushUpdate] = []
        if new is not None:
            updates.append(PushUpdate(line.remote.ledger_ref, new, force=seen.tip or ""))
            updates += [PushUpdate(name, None, force=oid) for name, oid in seen.inboxes.items()]
        updates += [PushUpdate(name, None, force=oid) for name, oid in tags.items()]  # not one that was moved since
        if not updates:
            return True
        pack = fresh.write(line.where)
        try:
            checkpoint("before push")
            self.done.attempts += 1
            results = line.push(updates, self.progress)
            refused = next((result for result in results if _is_refused(result)), None)
            if refused is not None:
                raise PushRefused(self.done.remote, _why(refused.ref, refused.reason, refused.said))
            if not all(result.ok for result in results):
                return False
            checkpoint("pushed")
            self.done.tags = tuple(tags)
            if new is not None:
                self.done.commit, self.done.runs = new, tuple(sorted(owed))
                self.done.inboxes = tuple(seen.inboxes)
                found.trees, seen.tip, seen.inboxes = [], new, {}
                line.track(new, {})
        finally:
            pack.release()
        note_pack(line.repo, line.folder, os.path.basename(pack.path))
        return True

    def tags(self) -> dict[str, str]:
        """Return those of the tags to delete that the remote has: name → what it names."""
        from ledgit.git import list_remote

        names = sorted(self.options.tags)
        if not names:
            return {}
        found = list_remote(self.line.repo, self.line.remote.url, names, prompt=self.options.prompt)
        return dict(sorted(found.items()))

    def finish(self, found: Incoming) -> PurgedThere:
        """Bring the clone in line with the remote."""
        from ledgit.store.sync.table import table_changes

        line, done = self.line, self.done
        after = line.adopt(found.seen.tip, found.trees)
        checkpoint("adopted")
        if after.before != after.tree:
            changes = table_changes(line.objects, after.before, after.tree)
            forget_gone(line, changes, after.purged)
            done.purged = tuple(changes.purged)
        done.notes += found.notes
        return done


def _is_refused(result: PushResult) -> bool:
    """Whether the host's rules are against it. A lease that was lost is told in other words than these."""
    return result.status == "refused" or "non-fast-forward" in result.reason


def _why(ref: str, reason: str, said: Collection[str]) -> str:
    heard = f" ({' '.join(said)[:300]})" if said else ""
    return (
        f"it refuses to have {ref} replaced or deleted: {reason}{heard}; allow a forced push of this ref for a moment,"
        " then repeat 'ledgit gc --purge'"
    )
