"""The remote's ledger as seen from a full clone: fetched, pushed to, and taken over.

What a fetch brings lands below ``refs/ledgit/incoming/``, which nobody reads, until it was
checked. A clone that has the tip alone keeps the remote's ledger elsewhere: `tip.TipLine`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ledgit.errors import Conflict, RefMoved
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.sync.tip import discard_tip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Fetching, Objects, ObjectSet, PushResult, PushUpdate, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.remote import Remote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Adopted", "Line", "Seen"]

_ATTEMPTS = 8


class Seen:
    """What a fetch brought.

    Attributes:
        tip: The remote's ledger commit; None if it has no ledger.
        before: The same as last seen and checked.
        inboxes: Name of an inbox on the remote → its commit.
    """

    __slots__ = ("before", "inboxes", "tip")

    def __init__(self, tip: str | None, before: str | None = None, inboxes: dict[str, str] | None = None) -> None:
        self.tip, self.before = tip, before
        self.inboxes = {} if inboxes is None else inboxes

    def __repr__(self) -> str:
        return f"Seen({self.tip!r}, {self.before!r}, {self.inboxes!r})"


class Adopted:
    """What became of the clone's ledger.

    Attributes:
        commit: The clone's ledger now; None if there is none.
        before: Tree of what it was; None if there was none, or if nothing has changed.
        tree: Its tree now; the same.
        dropped: Ids of loose runs that the ledger holds now.
        purged: Ids of loose runs that went because they were purged.
    """

    __slots__ = ("before", "commit", "dropped", "purged", "tree")

    def __init__(
        self,
        commit: str | None,
        before: str | None,
        tree: str | None,
        dropped: tuple[str, ...] = (),
        purged: tuple[str, ...] = (),
    ) -> None:
        self.commit, self.before, self.tree = commit, before, tree
        self.dropped, self.purged = dropped, purged

    def __repr__(self) -> str:
        return f"Adopted({self.commit!r}, {self.before!r}, {self.tree!r}, {self.dropped!r}, {self.purged!r})"


class Line:
    """One remote's line of ledgers.

    Attributes:
        where: The repository with its commits; new ones are written there and pushed from there.
        takes_inboxes: Whether push may make heads of inboxes parents.
        going: Notes of runs that go for good with what was fetched: see `store.ledger.going`.
        has_runs: Whether the run commits of the remote's ledger are here, so that they can be checked.
    """

    takes_inboxes = True
    has_runs = True

    def __init__(self, repo: Repo, folder: Folder, remote: Remote, *, prompt: bool = False) -> None:
        self.repo, self.folder, self.remote = repo, folder, remote
        self.prompt = prompt
        self.where = repo
        self._objects: Objects | None = None
        self.going: list[str] = []
        self._own: Objects | None = None
        self._fetching: Fetching | None = None
        self._was_left = True  # an earlier sync may have left `incoming`, because of a gc

    @property
    def objects(self) -> Objects:
        """Reads what is there and what is in the clone."""
        if self._objects is None:
            from ledgit.git import Objects  # not before the connection is under way

            self._objects = Objects.of(self.repo)
        return self._objects

    # ------------------------------------------------------------------ fetching

    def begin(self) -> None:
        """Start the first :meth:`fetch`, so that the caller can get ready meanwhile; see :meth:`stop`."""
        from ledgit.git import start_fetch

        specs = self._specs()
        self._look_for_left()
        self._fetching = start_fetch(self.where, self.remote.url, specs, prune=True, prompt=self.prompt)

    def stop(self) -> None:
        """End what :meth:`begin` started, if nobody has waited for it."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.stop()

    def _specs(self) -> list[str]:
        remote = self.remote
        return [
            f"+{remote.ledger_ref}:{remote.incoming}ledger",
            f"+{remote.inbox_prefix}*:{remote.incoming}inbox/*",
        ]

    def fetch(self, progress: Progress | None) -> Seen:
        """Fetch the ledger and its inboxes over one connection; no ref that anybody reads moves.

        Raises:
            Unreachable, AccessDenied, RemoteError: The remote can't be used.
        """
        from ledgit.git import RefUpdate, list_refs, read_ref, update_refs

        remote, specs = self.remote, self._specs()
        fetching, self._fetching = self._fetching, None
        if fetching is None:
            self._look_for_left()
        if not (fetching.wait(progress) if fetching is not None else self.get(specs, progress)):
            # The remote has no ledger: before the first push, or it was lost.
            self.get(specs[1:], progress)
            if read_ref(self.where, f"{remote.incoming}ledger") is not None:  # a killed process left it
                update_refs(self.where, [RefUpdate(f"{remote.incoming}ledger", None, RefUpdate.ANY)])
        found = list_refs(self.where, remote.incoming)
        tip = found.pop(f"{remote.incoming}ledger", None)
        cut = len(f"{remote.incoming}inbox/")
        return Seen(
            tip,
            read_ref(self.where, remote.tracking),
            {remote.inbox_prefix + name[cut:]: oid for name, oid in found.items()},
        )

    def _look_for_left(self) -> None:
        from ledgit.git import list_refs

        self._was_left = bool(list_refs(self.where, self.remote.incoming))

    def get(self, specs: Sequence[str], progress: Progress | None) -> bool:
        """Fetch *specs* into `where`; False if a ref that is named whole is not on the remote."""
        from ledgit.git import fetch

        return fetch(self.where, self.remote.url, specs, prune=True, prompt=self.prompt, progress=progress)

    def accept(self, seen: Seen) -> None:
        """Make what was seen, and is checked now, what was last seen.

        While a ``git gc`` or ``git repack`` is at work `incoming` stays until the next sync: it may have read the
        tracking ref before that moved, and would look for this one too late. Where nothing moved and no earlier
        sync left it, nothing hangs on it, and nobody looks what is at work (3 ms for 300 processes).
        """
        from ledgit.git import gc_is_running, repack_is_running
        from ledgit.store.sync.lately import note_fetched

        moved = self.track(seen.tip, seen.inboxes)
        if self.has_runs:
            note_fetched(self.folder, self.remote, seen.tip)
        needed = moved or self._was_left
        if not needed or not (gc_is_running(self.where) or repack_is_running(self.where)):
            self.refuse()

    def track(self, tip: str | None, inboxes: Mapping[str, str]) -> bool:
        """Set the tracking refs; return whether one changed.

        The one of a ledger that the remote has lost stays: a push puts it back.
        """
        from ledgit.git import RefUpdate, list_refs, update_refs

        remote = self.remote
        wanted = {remote.inboxes + name[len(remote.inbox_prefix) :]: oid for name, oid in inboxes.items()}
        if tip is not None:
            wanted[remote.tracking] = tip
        found = list_refs(self.where, remote.inboxes) | list_refs(self.where, remote.tracking)
        changes = [RefUpdate(name, oid, RefUpdate.ANY) for name, oid in wanted.items() if found.get(name) != oid]
        gone = [name for name in found if name not in wanted and name != remote.tracking]
        changes += [RefUpdate(name, None, RefUpdate.ANY) for name in gone]
        update_refs(self.where, changes, durable=False)
        return bool(changes)

    def is_settled(self, seen: Seen) -> bool:
        """Whether *seen* was checked before, is the clone's own ledger, and nothing is beside it: there is no work."""
        from ledgit.git import helper_objects, list_refs, read_ref
        from ledgit.store.ledger import LEDGER_REF

        known = seen.tip is not None and seen.tip == seen.before and not seen.inboxes
        if not known or helper_objects(self.repo) is not None:  # from when the clone had the tip alone
            return False
        return read_ref(self.repo, LEDGER_REF) == seen.tip and not list_refs(self.repo, "refs/ledgit/runs/")

    def refuse(self) -> None:
        """Forget what a fetch brought."""
        from ledgit.git import RefUpdate, list_refs, update_refs

        left = list_refs(self.where, self.remote.incoming)
        update_refs(self.where, [RefUpdate(name, None, RefUpdate.ANY) for name in left], durable=False)

    # ------------------------------------------------------------------ pushing

    def push(self, updates: Sequence[PushUpdate], progress: Progress | None) -> list[PushResult]:
        """Push from `where`; see :func:`ledgit.git.push`."""
        from ledgit.git import push

        return push(self.where, self.remote.url, updates, prompt=self.prompt, progress=progress)

    # ------------------------------------------------------------------ taking over

    def holds(self, head: str) -> bool:
        """Whether the run commit *head* is in the clone itself.

        Where the clone has the tip alone, or had so once, its ledger lists runs that it doesn't hold.
        """
        from ledgit.git import Objects, helper_objects

        if helper_objects(self.repo) is None:
            return self.objects.exists(head)  # there is no other place
        if self._own is None:
            self._own = Objects(self.repo, own=True)
        return self._own.exists(head)

    def tree_of(self, commit: str | None) -> str | None:
        """Return the tree of a ledger commit."""
        return None if commit is None else self.objects.commit(commit).tree

    def adopt(
        self, tip: str | None, trees: Collection[str] = (), give_back: Mapping[str, str] | None = None
    ) -> Adopted:
        """Make the clone's ledger the union of its own table, that of *tip*, and *trees*.

        It is *tip* itself, or, if the clone has more, one commit on top of it. Loose runs that it
        holds go. Can be repeated after any interruption.

        Args:
            tip: The remote's ledger, checked; None if it has none.
            trees: Tables of inboxes, checked.
            give_back: Runs that only the clone's ledger lists, and that shall be loose: id → head.

        Raises:
            Conflict: Another process keeps moving the clone's ledger.
            StorageError: The disk is full or failing.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with LedgerLock(self.folder):
                    done = self._adopt(tip, trees, give_back or {})
                if self.has_runs and tip is not None:
                    discard_tip(self.repo, self.folder)  # the clone had the tip alone before
                return done
            except RefMoved as error:
                if attempt + 1 == _ATTEMPTS:
                    raise Conflict(str(error)) from error
        raise AssertionError

    def _adopt(self, tip: str | None, trees: Collection[str], give_back: Mapping[str, str]) -> Adopted:
        from ledgit.git import ObjectSet, identity
        from ledgit.store.journal import now_ms
        from ledgit.store.ledger import commit_ledger, local_ledger, set_local, union_trees
        from ledgit.store.ledger.local import drop_covered

        objects, fresh = self.objects, ObjectSet()
        old = local_ledger(self.repo)
        if (tip is None or old == tip) and not trees and not give_back:
            landed = drop_covered(self.repo, self.folder, objects, old)
            return Adopted(old, None, None, landed.dropped, landed.purged)  # nothing has changed
        before, theirs = self.tree_of(old), self.tree_of(tip)
        tree = theirs
        for other in trees:
            tree = union_trees(objects, fresh, tree, other).tree
        shared = tree
        if before is not None:
            tree = union_trees(objects, fresh, before, tree).tree if tree is not None else before
        if give_back and tree is not None:
            tree = self._give_back(fresh, tree, shared, give_back)
        if tree is None:
            return Adopted(None, None, None)
        if tree == theirs and tip is not None:
            new = tip
        elif old is not None and tree == before and self._stands_on(old, tip):
            new = old
        else:
            # What the remote never had: nothing to stand on but the clone's own ledger.
            below, base = (tip, theirs) if tip is not None else (old, before)
            added = union_trees(objects, fresh, base, tree).each_added()
            heads = [line.head for line in added if line.head and self.holds(line.head)]
            name, address = identity(self.repo)
            who = (name or "ledgit", address)
            new = commit_ledger(objects, fresh, tree, below, heads, who=who, when=now_ms() // 1000)
        if new in (tip, old):
            fresh = ObjectSet()  # what was made is there already
        landed = set_local(self.repo, self.folder, objects, fresh, new, old)
        return Adopted(new, before, tree, landed.dropped, landed.purged)

    def _stands_on(self, ledger: str, tip: str | None) -> bool:
        """Whether the clone's ledger needs no new commit to have *tip* below it."""
        return tip is None or ledger == tip or self.objects.commit(ledger).parents[:1] == (tip,)

    def _give_back(self, fresh: ObjectSet, tree: str, shared: str | None, runs: Mapping[str, str]) -> str:
        """Give *runs* refs of their own, unless they have them, and return *tree* without their lines.

        Only a run that stands there with the head that was looked at: one that was edited or purged
        since stays as it is, or the edit would be lost and the purged run be back.
        """
        from ledgit.git import RefUpdate, read_ref, update_refs
        from ledgit.store.chain import run_ref
        from ledgit.store.ledger import union_trees
        from ledgit.store.sync.table import without_runs

        heads: dict[str, list[str]] = {}
        for item in union_trees(self.objects, fresh, shared, tree).each_added():
            if item.id in runs:
                heads.setdefault(item.id, []).append("" if item.purged else item.head)
        given = [run_id for run_id, head in runs.items() if heads.get(run_id) == [head]]
        for run_id in given:
            if read_ref(self.repo, run_ref(run_id)) is None:
                update_refs(self.repo, [RefUpdate(run_ref(run_id), runs[run_id], None)])
        return without_runs(self.objects, fresh, tree, shared, given) if given else tree
