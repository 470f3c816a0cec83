"""The remote's ledger as seen from a clone that has its tip alone.

Ledger commits live in ``tip.git``, cut off after one commit. What the clone itself gets is the
table: trees and lines, below a commit whose parents are all in the clone. So whoever reads, edits
or compacts knows no difference, and neither Git nor a missing ``tip.git`` can be in the way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from ledgit.errors import NotFound, StorageError
from ledgit.store.sync.line import Adopted, Line, Seen
from ledgit.store.sync.ondemand import forget_runs
from ledgit.store.sync.tip import discard_tip, fetch_tip, is_intact, open_tip, tidy_tip

if TYPE_CHECKING:
    from ledgit.git import Helper, ObjectSet, Pack, PushResult, PushUpdate, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["TipLine"]

#: Up to here new objects become part of one small pack of ours; more are copied from git to git.
_FEW = 256


class TipLine(Line):
    """One remote's line of ledgers, of which only the newest commit is here."""

    takes_inboxes = False
    has_runs = False

    def __init__(self, repo: Repo, folder: Folder, remote: Remote, *, prompt: bool = False) -> None:
        from ledgit.git import Objects

        super().__init__(repo, folder, remote, prompt=prompt)
        self._helper: Helper = open_tip(repo, folder)
        self.where = self._helper
        self._objects = Objects(self._helper)

    def fetch(self, progress: Progress | None) -> Seen:
        """Fetch the ledger's tip and its inboxes; see :meth:`Line.fetch`."""
        seen = super().fetch(progress)
        if seen.before not in (None, seen.tip) and not is_intact(self._helper):
            # Older parts are damaged, and only those that are new came.
            discard_tip(self.repo, self.folder)
            self._helper.make()
            seen = super().fetch(progress)
        return seen

    def get(self, specs: Sequence[str], progress: Progress | None) -> bool:
        """Fetch *specs* into ``tip.git``; see :meth:`Line.get`.

        Git asks twice where history is cut off, also when nothing is new. So what the remote has is
        looked at first, unless this is the first time.
        """
        from ledgit.git import list_refs

        known = list_refs(self._helper, self.remote.tracking.rpartition("/")[0] + "/")
        if known or all("*" in spec for spec in specs):
            found = self._look(specs)
            if found is None:
                return False
            # Git fails to cut off what is not there, too.
            if set(found.values()) <= set(known.values()) and all(map(self.objects.exists, found.values())):
                self._set(specs, found)
                return True
        return fetch_tip(
            self._helper, self.folder, self.remote, specs, prune=True, prompt=self.prompt, progress=progress
        )

    def _look(self, specs: Sequence[str]) -> dict[str, str] | None:
        """Return what the refs here that *specs* fetch into would become; None if one is not on the remote."""
        from ledgit.git import list_remote

        pairs = [spec.lstrip("+").split(":") for spec in specs]
        there = list_remote(self._helper, self.remote.url, [source for source, _ in pairs], prompt=self.prompt)
        found = {}
        for source, target in pairs:
            if "*" not in source:
                if source not in there:
                    return None
                found[target] = there[source]
                continue
            base = source.removesuffix("*")
            for name, oid in there.items():
                if name.startswith(base):
                    found[target.removesuffix("*") + name[len(base) :]] = oid
        return found

    def _set(self, specs: Sequence[str], found: Mapping[str, str]) -> None:
        """Do what a fetch of *specs* would: the refs are *found*, and no others."""
        from ledgit.git import RefUpdate, list_refs, update_refs

        left: dict[str, str] = {}
        for spec in specs:
            left |= list_refs(self._helper, spec.partition(":")[2].removesuffix("*"))
        changes = [RefUpdate(name, oid, RefUpdate.ANY) for name, oid in found.items() if left.get(name) != oid]
        changes += [RefUpdate(name, None, RefUpdate.ANY) for name in left if name not in found]
        update_refs(self._helper, changes, durable=False)

    def begin(self) -> None:
        """Nothing: it depends on what is here whether refs are listed or fetched first."""

    def is_settled(self, seen: Seen) -> bool:  # noqa: ARG002
        """Return False: this clone's ledger is never the remote's commit."""
        return False

    def accept(self, seen: Seen) -> None:
        """Make what was seen, and is checked now, what was last seen."""
        from ledgit.git import RefUpdate, list_refs, update_refs

        super().accept(seen)
        # From a time when this clone had the ledger whole: nobody follows these any more.
        base = self.remote.tracking.rpartition("/")[0] + "/"
        left = list_refs(self.repo, base) | list_refs(self.repo, self.remote.incoming)
        if left:
            update_refs(self.repo, [RefUpdate(name, None, RefUpdate.ANY) for name in left], durable=False)

    def push(self, updates: Sequence[PushUpdate], progress: Progress | None) -> list[PushResult]:
        """Push from ``tip.git``, which knows where the clone's history ends."""
        self._helper.copy_shallow()
        return super().push(updates, progress)

    def _adopt(self, tip: str | None, trees: Collection[str], give_back: Mapping[str, str]) -> Adopted:
        try:
            return self._unite(tip, trees, give_back)
        except NotFound as error:
            if is_intact(self._helper):
                raise
            discard_tip(self.repo, self.folder)
            path = self._helper.git_dir
            raise StorageError(path, f"it was damaged ({error}) and thrown away; repeat the command") from error

    def _unite(self, tip: str | None, trees: Collection[str], give_back: Mapping[str, str]) -> Adopted:
        from ledgit.git import ObjectSet, identity
        from ledgit.store.journal import now_ms
        from ledgit.store.ledger import commit_ledger, local_ledger, set_local, union_trees
        from ledgit.store.ledger.local import drop_covered

        objects, fresh = self.objects, ObjectSet()
        old = local_ledger(self.repo)
        before = tree = self.tree_of(old)
        shared: str | None = None
        for other in (self.tree_of(tip), *trees):
            if other is not None:
                shared = other if shared is None else union_trees(objects, fresh, shared, other).tree
        if shared is not None:
            tree = shared if tree is None else union_trees(objects, fresh, tree, shared).tree
        if give_back and tree is not None:
            tree = self._give_back(fresh, tree, shared, give_back)
        if tree is None:
            return Adopted(None, None, None)
        heads = self._covered(tree, old, fresh)
        if tree == before and not heads:
            landed = drop_covered(self.repo, self.folder, objects, old)
            return Adopted(old, before, before, landed.dropped, landed.purged)
        below = old
        purged = self._purged(before, tree, fresh) if before is not None else []
        if old is not None and purged:
            # The clone's older ledgers hold what was purged: its line begins anew, without them.
            below, heads = None, [*heads, *self._kept(old, tree, fresh)]
            forget_runs(self.repo, self.folder, purged)
        name, address = identity(self.repo)
        who = (name or "ledgit", address)
        new = commit_ledger(objects, fresh, tree, below, heads, who=who, when=now_ms() // 1000)
        pack = self._copy(fresh, before, tree)
        try:
            landed = set_local(self.repo, self.folder, objects, fresh, new, old)
        finally:
            pack.release()
        tidy_tip(self._helper, self.folder)
        return Adopted(new, before, tree, landed.dropped, landed.purged)

    def _covered(self, tree: str, ledger: str | None, fresh: ObjectSet) -> list[str]:
        """Return the heads of loose runs that *tree* has and that *ledger* does not reach: it must, to replace them."""
        from ledgit.store.ledger.loose import busy, cover, loose_runs, reachable, read_loose

        runs = loose_runs(self.repo)
        if not runs:
            return []
        is_busy = busy(self.folder)
        loose = read_loose(self.repo, {run_id: head for run_id, head in runs.items() if not is_busy(run_id)})
        found = cover(self.objects, tree, loose, fresh)
        heads = [run.head for run in (*found.listed, *found.passed)]
        carried = reachable(self.repo, self.objects, ledger, heads)
        return [head for head in heads if head not in carried]

    def _purged(self, before: str, tree: str, fresh: ObjectSet) -> list[str]:
        """Return the runs that have a tombstone in *tree* and had none *before*."""
        from ledgit.records.table import decode_leaf
        from ledgit.store.ledger import differing

        found: set[str] = set()
        known: set[str] = set()
        for _, old, new in differing(self.objects, before, tree, fresh):
            for oid, into in ((old, known), (new, found)):
                data = self._read(oid, fresh) if oid is not None else b""
                if b"urged" in data or b"\\u" in data:  # most have none, and parsing costs ten times as much
                    into.update(line.id for line in decode_leaf(data) if line.purged)
        return sorted(found - known)

    def _kept(self, ledger: str, tree: str, fresh: ObjectSet) -> list[str]:
        """Return the heads that *tree* lists and the clone's *ledger* reaches."""
        from ledgit.git import run_git
        from ledgit.store.sync.table import new_lines

        reached = set(run_git(self.repo, "rev-list", ledger).decode("ascii").split())
        return [line.head for line in new_lines(self.objects, None, tree, fresh) if line.head in reached]

    def _read(self, oid: str, fresh: ObjectSet) -> bytes:
        found = fresh.get(oid)
        return (found or self.objects.read(oid))[1]

    def _copy(self, fresh: ObjectSet, before: str | None, tree: str) -> Pack:
        """See to it that the clone gets all of *tree* that the table *before* doesn't have."""
        from ledgit.git import Pack
        from ledgit.git.copying import copy_objects, lacking

        needed = [oid for oid in dict.fromkeys(lacking(self.objects, fresh, before, tree)) if oid not in fresh]
        if len(needed) > _FEW:
            return copy_objects(self.objects, self.repo, needed)
        for oid in needed:
            fresh.add(*self.objects.read(oid))
        return Pack("", keep=False)
