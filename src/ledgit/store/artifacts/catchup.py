"""What a push does about artifacts after its runs have landed: it asks once more, and sends what earlier ones left."""

from __future__ import annotations

from functools import cached_property

from ledgit.errors import Conflict, LedgitError
from ledgit.store.artifacts.known import Known, note_settled, settings_stamp, settled
from ledgit.store.artifacts.naming import objects_of
from ledgit.store.artifacts.owed import clear_again, due_again
from ledgit.store.artifacts.uploaded import Left
from ledgit.store.artifacts.uploading import digests_of, has_cache, left_here, without
from ledgit.store.journal import now_ms

TYPE_CHECKING = False  # a push of nothing new comes by here
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ledgit.git import Objects
    from ledgit.store.artifacts.uploading import Sending

    Runs = dict[str, tuple[int, tuple[str, ...]]]  # id → (start, heads)

__all__ = ["catch_up", "plan_all"]

_AT_ONCE = 5000  # runs that are looked at together
_BRIEFLY = 2.0  # seconds


def catch_up(
    sending: Sending,
    ledger: str,
    tip: str | None,
    objects: Objects,
    sent: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Look again after all runs that have landed, and send what earlier pushes left here.

    Never fails: what can't be done now is done by the next push, and `done.trouble` says why. Where
    another push is sending artifacts, it is that one which does it, or the next.

    Args:
        sending: The push's.
        ledger: Address of the ledger.
        tip: Its tip; None if there is none.
        objects: Reads it.
        sent: Runs that this push left in an inbox: id → heads.
    """
    from ledgit.store.sync.opening import UploadLock

    stamp = settings_stamp(sending.repo)
    said = settled(sending.folder, tip, stamp)
    now = now_ms()
    if said is not None and not sent and not due_again(sending.folder, now):
        sending.done.here = Left.parse(said)
        return
    lock = UploadLock(sending.folder, wait=_BRIEFLY)
    try:
        lock.__enter__()
    except Conflict:
        sending.close()
        return
    try:
        whole = _CatchUp(sending, ledger, tip, objects, sent or {}, now).run()
    except LedgitError as error:
        sending.done.trouble = str(error)
        return
    finally:
        lock.__exit__(None, None, None)
        sending.close()
    if whole and not sent:
        note_settled(sending.folder, tip, stamp, str(sending.done.here) if sending.done.here else "")


def plan_all(
    sending: Sending, ledger: str, tip: str | None, objects: Objects, runs: Mapping[str, Iterable[str]]
) -> None:
    """Note in `done.planned` what a push of *runs* (id → heads) would send, what earlier ones left included.

    Nothing is sent, and nothing is noted. Never fails; `done.trouble` says why not all is known.
    """
    try:
        if has_cache(sending.folder):
            _CatchUp(sending, ledger, tip, objects, runs, now_ms(), act=False).plan()
    except LedgitError as error:
        sending.done.trouble = str(error)
    finally:
        sending.close()


class _CatchUp:
    def __init__(
        self,
        sending: Sending,
        ledger: str,
        tip: str | None,
        objects: Objects,
        sent: Mapping[str, Iterable[str]],
        now: int,
        *,
        act: bool = True,
    ) -> None:
        self.sending, self.ledger, self.objects, self.sent, self.now, self.act = (
            sending,
            ledger,
            objects,
            sent,
            now,
            act,
        )
        self.tip = tip

    @cached_property
    def tree(self) -> str | None:
        """The ledger's tree; most pushes need not read it, which would take loading pygit2."""
        return self.objects.commit(self.tip).tree if self.tip is not None else None

    def run(self) -> bool:
        """Return whether nothing is left that another push could do."""
        sending, folder, now = self.sending, self.sending.folder, self.now
        if not has_cache(folder) and not due_again(folder, now):
            return True  # without finding out where the remote is: most pushes end here
        sending.place()
        due = due_again(folder, now, sending.url)
        if not has_cache(folder):
            clear_again(folder, sending.url, due, now)
            return True  # whatever a run needs, it is not here
        with Known(folder) as known:
            known.doubt(sending.url, due)
            todo, starts, gone = self.todo(known)
            known.settle(sending.url, gone)
            whole = self.settle(known, todo, starts, due)
            if whole:
                clear_again(folder, sending.url, due, now)
            return whole

    def plan(self) -> None:
        """Note what would be sent."""
        sending = self.sending
        place = sending.place()
        with Known(sending.folder) as known:
            todo, _, _ = self.todo(known)
        needs = objects_of(sending.repo, sending.folder, todo)
        if place is None:
            here = {oid: need for oid, need in needs.items() if sending.cache.has(oid)}
            sending.done.here = left_here(sending.cache, here)
            return
        wanted = sending.unconfirmed(needs)
        if wanted:
            sending.plan(wanted)

    def todo(self, known: Known) -> tuple[dict[str, tuple[str, ...]], dict[str, int], list[str]]:
        """Return the runs to look at: id → heads; their starts; and those that waited and are gone."""
        url = self.sending.url
        todo = {run_id: tuple(heads) for run_id, heads in self.sent.items()}
        starts = known.pending(url)
        gone = []
        for run_id, start in starts.items():
            heads = _heads(self.objects, self.tree, run_id, start)
            if heads:
                todo[run_id] = heads
            elif run_id not in todo:
                gone.append(run_id)
        for new in self.unseen(known):
            starts |= {run_id: start for run_id, (start, _) in new.items()}
            todo |= {run_id: heads for run_id, (_, heads) in new.items()}
        return todo, starts, gone

    def unseen(self, known: Known) -> Iterator[Runs]:
        """Yield the runs that nobody has looked at and that need something which is here."""
        from ledgit.store.sync.table import new_lines

        url, tree = self.sending.url, self.tree
        before = known.looked(url, self.ledger)
        if tree is None or before == tree:
            return
        if before is not None and self.objects.kind(before) != "tree":
            before = None
        looked = 0
        found: Runs = {}
        for line in new_lines(self.objects, before, tree):
            if not line.head or line.purged:
                continue
            start, heads = found.get(line.id, (line.start or 0, ()))
            found[line.id] = (start, (*heads, line.head))
            if len(found) >= _AT_ONCE:
                looked += len(found)
                if self.sending.progress is not None:
                    self.sending.progress("looking for artifacts", looked, None)
                yield self.keep(known, found)
                found = {}
        yield self.keep(known, found)
        if self.act:
            known.look(url, self.ledger, tree)

    def keep(self, known: Known, runs: Runs) -> Runs:
        """Return those of *runs* that need something which is here; they are noted as waiting."""
        sending = self.sending
        heads = {run_id: heads for run_id, (_, heads) in runs.items()}
        needs = objects_of(sending.repo, sending.folder, heads, members=False)
        here = {run_id for oid, need in needs.items() if sending.cache.has(oid) for run_id in need.runs}
        kept = {run_id: runs[run_id] for run_id in runs if run_id in here}
        if self.act:
            known.wait(sending.url, {run_id: start for run_id, (start, _) in kept.items()})
        return kept

    def settle(
        self, known: Known, todo: Mapping[str, Sequence[str]], starts: Mapping[str, int], due: Collection[str]
    ) -> bool:
        """Send what the runs *todo* need; note those that have all of it there. Return whether nothing can be done."""
        sending, url = self.sending, self.sending.url
        sending.heads |= {run_id: tuple(heads) for run_id, heads in todo.items()}
        needs = objects_of(sending.repo, sending.folder, todo)
        # A mark stands until both clocks say that it is over. Whoever was deleting when *due* runs were noted has
        # ended by this one, and nobody has begun since, as they are in the ledger: what is there now stays there.
        sending.again |= {oid for oid, need in needs.items() if any(run in due for run in need.runs)}
        digests = digests_of(needs)
        confirmed = known.confirmed(url, digests) if sending.place() is not None else set()
        confirmed -= {run_id for oid in needs.keys() & set(sending.swept) for run_id in needs[oid].runs}
        known.settle(url, confirmed | (todo.keys() - digests.keys()))
        waiting = without(needs, confirmed)
        here = {oid: need for oid, need in waiting.items() if sending.cache.has(oid)}
        if not here:
            known.settle(url, [run_id for run_id in todo if run_id in starts])
            return True
        if sending.place() is None:
            sending.done.here = left_here(sending.cache, here)
            return True
        try:
            failed = sending.send(waiting)
        except LedgitError:
            sending.done.here = left_here(sending.cache, here)
            raise
        unsent = {run_id for oid in failed for run_id in waiting[oid].runs}
        sending.done.here = left_here(sending.cache, {oid: waiting[oid] for oid in failed})
        if failed:
            sending.done.trouble = next(iter(failed.values()))
        known.confirm(url, {run_id: digest for run_id, digest in digests.items() if run_id not in unsent})
        return not failed


def _heads(objects: Objects, tree: str | None, run_id: str, start: int) -> tuple[str, ...]:
    """Return the heads that a table has of a run; none of one that was purged."""
    from ledgit.records.table import day_of
    from ledgit.store.ledger import lines_of

    if tree is None:
        return ()
    lines = lines_of(objects, tree, run_id, day_of(start))
    return () if any(line.purged for line in lines) else tuple(line.head for line in lines if line.head)
