"""The work of a push: what goes is found, looked at, composed and sent, as often as it takes."""

from __future__ import annotations

import os

from ledgit.errors import Conflict, LedgitError
from ledgit.store.journal import now_ms
from ledgit.store.packs import note_pack
from ledgit.store.sync.exchange import (
    Incoming,
    check_writable,
    follows,
    forget_gone,
    take_in,
)
from ledgit.store.sync.held import REFUSED, Held, hold, read_held, release
from ledgit.store.sync.lately import note_pushed
from ledgit.store.sync.pushed import Pushed, PushOptions
from ledgit.store.sync.refusal import Refusals
from ledgit.store.sync.table import Changes, table_changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git import ObjectSet, PushResult
    from ledgit.store.sync.cargo import Cargo
    from ledgit.store.sync.compose import Mine
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.publish import Candidate, Review

__all__ = ["Push"]

#: Lost races after which a push gives up, where not even an inbox is let in.
_MOST_LOSSES = 12
_PAUSE = 0.05  # seconds; twice as long after each lost race
_LONGEST_PAUSE = 3.0


class _Plan:
    """One attempt: what goes, onto what, and the table that makes.

    Attributes:
        found: What was seen on the remote.
        mine: What the clone has to say.
        fresh: New objects.
        previous: Ledger commit to stand on.
        tree: The table.
        stay: Ids of runs that stay here.
        only: Ids of those that may go; None: all others.
        going: Ids of the runs that go.
        deletes: Inboxes taken in.
        ready: The clone's ledger, if it is what is to be pushed.
        theirs: Table of what the remote and its inboxes have.
    """

    __slots__ = ("deletes", "found", "fresh", "going", "mine", "only", "previous", "ready", "stay", "theirs", "tree")

    def __init__(
        self,
        found: Incoming,
        mine: Mine,
        fresh: ObjectSet,
        *,
        previous: str | None,
        tree: str,
        stay: set[str],
        only: set[str] | None,
        going: list[str],
        deletes: list[str],
        ready: str | None,
        theirs: str | None,
    ) -> None:
        self.found, self.mine, self.fresh, self.previous, self.tree = found, mine, fresh, previous, tree
        self.stay, self.only, self.going = stay, only, going
        self.deletes, self.ready, self.theirs = deletes, ready, theirs


class Push:
    """One push with all its attempts.

    Args:
        line: Where to.
        options: How.
        progress: Is told what goes on.
        known: The remote's ledger, if it is known so well that the first attempt needs no fetch.
        cargo: The artifacts' part of it; what is left to do of that afterwards is the caller's.
    """

    def __init__(
        self,
        line: Line,
        options: PushOptions,
        progress: Progress | None,
        known: str | None = None,
        cargo: Cargo | None = None,
    ) -> None:
        from ledgit.store.sync.cargo import Cargo

        self.line, self.options, self.progress = line, options, progress
        self.cargo = cargo or Cargo(line, None, progress)
        self.known = known  # the remote's ledger, if the first attempt goes without a fetch
        self.done = Pushed(line.remote.shown, dry_run=options.dry_run)
        self.refusals = Refusals(line.remote)
        self.heads: dict[str, tuple[str, ...]] = {}  # run → heads that were looked at
        self.looked: str | None = None  # the remote's ledger when they were
        self.last: str | None = None  # the remote's ledger as it was seen before this push
        self.noted: dict[str, Held] | None = None  # runs that earlier pushes held back

    def run(self) -> Pushed:
        """Try until it has arrived, or until it is clear that it can't."""
        losses = attempts = 0
        while True:
            ahead = self.known is not None
            found = self.as_known() if ahead else self.take_in()
            if attempts == 0 and not ahead and self.has_nothing(found):
                if not self.options.dry_run:
                    return self.finish(found)
                self.plan_artifacts(found)
                return self.done
            check_writable(self.line, found.seen.tip)
            self.last = found.seen.before if attempts == 0 else self.last
            attempts += 1
            plan = self.plan(found)
            if plan is None:
                continue  # others could work here, so all that was read may be older than what is there
            if self.options.dry_run or self.done.declined:
                self.count(plan)
                self.plan_artifacts(found, plan)
                return self.done
            if ahead and plan.tree == self.line.tree_of(found.seen.tip):
                attempts = 0  # nothing to push: so what is there has to be asked for
                continue
            status, results = self.attempt(plan, ahead=ahead)
            if ahead and status == "lost":
                continue  # no race: it was not looked at
            if status == "refused":
                self.refusals.refused(plan.going, found.seen.inboxes if plan.deletes else (), results)
            elif status == "lost":
                losses += 1
                if losses >= self.options.losses and plan.going and self.into_inbox(plan):
                    return self.finish(self.look_once_more(found))
                if losses >= _MOST_LOSSES:
                    raise Conflict(f"{self.done.remote} is too busy: {losses} pushes came too late; try again later")
                _wait(losses)
            elif not self.refusals.landed():
                return self.finish(found)

    def take_in(self) -> Incoming:
        """Fetch and check."""
        options = self.options
        return take_in(self.line, confirm=options.confirm, accept_purges=options.accept_purges, progress=self.progress)

    def as_known(self) -> Incoming:
        """Return what a fetch would bring, if nothing has changed since the last one; once."""
        from ledgit.store.sync.line import Seen

        tip, self.known = self.known, None
        return Incoming(Seen(tip, tip))

    # ------------------------------------------------------------------ what to push

    def has_nothing(self, found: Incoming) -> bool:
        """Whether the clone's ledger is the remote's, and nothing is beside it: seen without reading either."""
        from ledgit.store.ledger import local_ledger
        from ledgit.store.ledger.loose import loose_runs

        repo = self.line.repo
        return not found.seen.inboxes and found.seen.tip == local_ledger(repo) and not loose_runs(repo)

    def plan(self, found: Incoming) -> _Plan | None:
        """Find out what to push onto what was seen; None if it has to be looked at once more."""
        from ledgit.git import ObjectSet
        from ledgit.store.ledger import local_ledger
        from ledgit.store.sync.compose import compose, find_mine, loose_lines, united
        from ledgit.store.sync.documents import without_secrets

        line, objects, fresh = self.line, self.line.objects, ObjectSet()
        tip, ledger = found.seen.tip, local_ledger(line.repo)
        previous = self.restored(tip) or tip
        base = united(objects, fresh, line.tree_of(tip), line.tree_of(previous))
        loose = loose_lines(line.repo, line.folder, objects)
        mine = find_mine(objects, fresh, [base, *found.trees], line.tree_of(ledger), loose)
        mine.local, told = without_secrets(line, fresh, mine.known, mine.local)
        self.done.notes += [note for note in told if note not in self.done.notes]
        mine.absent |= {run_id for run_id, heads in mine.heads.items() if not all(map(line.holds, heads))}
        self.done.left |= mine.unreadable
        if self.looked is not None and tip is not None and not follows(objects, tip, self.looked):
            self.heads = {}  # it began anew: what it had, as code of purged runs, it has no more
        self.looked = tip
        swept = self.cargo.heed.look(objects, line.tree_of(tip)) if self.options.artifacts else set()
        self.decide(mine)
        if swept:
            self.send_swept(mine)
        if self.cargo.was_left():
            return None
        stay = {*self.done.held, *self.refusals.held, *self.refusals.untried, *mine.absent}
        only, group = self.options.runs, self.refusals.group()
        chosen = None if only is None else set(only)
        if group is not None:
            chosen = set(group) if chosen is None else chosen & set(group)
        taking = line.takes_inboxes and self.refusals.taking
        for tree in found.trees if taking else ():
            base = united(objects, fresh, base, tree)
        theirs = mine.known
        if previous != tip:
            theirs = line.tree_of(tip)
            for tree in found.trees:
                theirs = united(objects, fresh, theirs, tree)
        going = [run_id for run_id in mine.runs() if run_id not in stay and (chosen is None or run_id in chosen)]
        tree = compose(objects, fresh, base, mine, stay, chosen)
        runs = {run_id: mine.runs()[run_id] for run_id in going}
        tree = self.cargo.heed.without_candidates(objects, fresh, tree, runs)
        deletes = list(found.seen.inboxes) if taking and self.refusals.deleting else []
        ready = None
        if ledger is not None and previous is not None and line.where is line.repo:
            commit = objects.commit(ledger)
            # One commit above: what is between it and the remote's ledger is in its table.
            ready = ledger if commit.tree == tree and commit.parents[:1] == (previous,) else None
        return _Plan(
            found,
            mine,
            fresh,
            previous=previous,
            tree=tree,
            stay=stay,
            only=chosen,
            going=going,
            deletes=deletes,
            ready=ready,
            theirs=theirs,
        )

    def restored(self, tip: str | None) -> str | None:
        """Return the remote's ledger as last seen, if the remote has lost it: deleted, or rewound."""
        last = self.last
        if last is None or last == tip or not self.line.has_runs:
            return None
        if self.line.remote.has_two_places:
            return None  # it may have been seen at the other one: its runs are looked at like any others
        return last if tip is None or follows(self.line.objects, last, tip) else None

    def decide(self, mine: Mine) -> None:
        """Find out which runs may be published: once for each, however often the push is tried."""
        only = self.options.runs
        heads = {run_id: heads for run_id, heads in mine.runs().items() if only is None or run_id in only}
        new = {run_id: several for run_id, several in heads.items() if self.heads.get(run_id) != several}
        if not new:
            return
        self.heads |= heads
        line, options = self.line, self.options
        if self.noted is None:
            self.noted = read_held(line.folder)
        result = reviewed(line, new, options, self.progress)
        self.done.review = result
        self.done.notes += [note for note in result.notes if note not in self.done.notes]
        self.done.declined = result.declined
        held, going = dict(result.held), not options.dry_run and not result.declined
        if going and options.artifacts:
            held |= self.send_artifacts({run_id: heads[run_id] for run_id in result.publish})
        self.done.held |= held
        for run_id, why in held.items():
            if run_id in self.noted and why.is_same(self.noted[run_id]):
                self.done.known.add(run_id)
            else:
                self.done.known.discard(run_id)
        if going:
            hold(line.folder, held)
            release(line.folder, [run_id for run_id in result.publish if run_id not in held])

    # ------------------------------------------------------------------ artifacts

    def send_swept(self, mine: Mine) -> None:
        """Send once more what somebody is deleting: it was there when an earlier attempt looked."""
        heads = {run_id: several for run_id, several in mine.runs().items() if run_id in self.heads}
        going = {run_id: several for run_id, several in heads.items() if run_id not in self.done.held}
        if self.options.dry_run or self.done.declined:
            return
        held = self.send_artifacts(going)
        self.done.held |= held
        hold(self.line.folder, held)

    def look_once_more(self, found: Incoming) -> Incoming:
        """Fetch again after runs went into an inbox: whoever swept meanwhile has not seen them, and is seen now."""
        if not self.options.artifacts:
            return found
        found = self.take_in()
        self.cargo.heed.look(self.line.objects, self.line.tree_of(found.seen.tip))
        return found

    def send_artifacts(self, runs: Mapping[str, tuple[str, ...]]) -> dict[str, Held]:
        """Send what *runs* need, before a ledger names them; return those that must stay."""
        self.done.artifacts = self.cargo.sending.done
        return self.cargo.send(runs)

    def plan_artifacts(self, found: Incoming, plan: _Plan | None = None) -> None:
        """Find out what would go to the artifact remote, of a push that only asks."""
        if self.options.dry_run and self.options.artifacts and not self.done.declined:
            runs = plan.mine.runs() if plan is not None else {}
            self.done.artifacts = self.cargo.sending.done
            self.cargo.plan(found.seen.tip, {run_id: runs[run_id] for run_id in plan.going} if plan else {})

    # ------------------------------------------------------------------ pushing it

    def attempt(self, plan: _Plan, *, ahead: bool = False) -> tuple[str, list[PushResult]]:
        """Push once; return ``ok``, ``lost`` or ``refused``, and what was said.

        *ahead* of a fetch only onto the very ledger that is known: not where it was set back, or is gone.
        """
        from ledgit.git import PushUpdate

        line, seen = self.line, plan.found.seen
        deletes = [PushUpdate(name, None, force=seen.inboxes[name]) for name in plan.deletes]  # what was taken in
        probing = self.refusals.group() == []
        if not probing and (plan.tree == line.tree_of(seen.tip) or (seen.tip is None and self.is_empty(plan))):
            if deletes:  # whoever took them in was interrupted before they went
                line.push(deletes, self.progress)
                seen.inboxes = {}
                line.track(seen.tip, {})
            return "ok", []
        below = line.tree_of(plan.previous)
        if plan.previous is not None and plan.tree == below and not probing:
            new = plan.previous  # a lost ledger is put back as it was
        elif plan.ready is not None and not probing:
            new = plan.ready
        else:
            new = self.commit(plan.fresh, plan.tree, plan.previous, self.heads_beyond(plan, below))
        pack = plan.fresh.write(line.where)
        try:
            self.done.attempts += 1
            lease = seen.tip if ahead else None
            results = line.push([PushUpdate(line.remote.ledger_ref, new, force=lease), *deletes], self.progress)
            if not results[0].ok:
                return "refused" if any(result.status == "refused" for result in results) else "lost", results
            gone = {result.ref for result in results[1:] if result.ok}
            if plan.previous != seen.tip:
                self.done.notes.append(f"{self.done.remote} had lost its ledger, or part of it, and has it again")
            seen.tip = new
            seen.inboxes = {name: oid for name, oid in seen.inboxes.items() if name not in gone}
            line.track(seen.tip, seen.inboxes)
            if line.has_runs:
                note_pushed(line.folder, line.remote, new, ahead=ahead)
        finally:
            pack.release()
        if line.where is line.repo:
            note_pack(line.repo, line.folder, os.path.basename(pack.path))
        self.count(plan)
        return "ok", results

    def heads_beyond(self, plan: _Plan, below: str | None) -> list[str]:
        """Return the heads that the table to be pushed lists and the one below it doesn't."""
        from ledgit.store.ledger import union_trees

        union = union_trees(self.line.objects, plan.fresh, below, plan.tree)
        return [item.head for item in union.each_added() if item.head]

    def is_empty(self, plan: _Plan) -> bool:
        """Whether the table has nothing but what every ledger has."""
        from ledgit.store.ledger import union_trees

        return plan.tree == union_trees(self.line.objects, plan.fresh, None, None).tree

    def commit(self, fresh: ObjectSet, tree: str, previous: str | None, heads: list[str]) -> str:
        """Make a ledger commit."""
        from ledgit.git import identity
        from ledgit.store.ledger import commit_ledger

        name, mail = identity(self.line.repo)
        who = (name or "ledgit", mail)
        return commit_ledger(self.line.objects, fresh, tree, previous, heads, who=who, when=now_ms() // 1000)

    def into_inbox(self, plan: _Plan) -> bool:
        """Leave the runs where nobody competes; whoever pushes next takes them in."""
        from ledgit.git import ObjectSet, PushUpdate
        from ledgit.store.sync.compose import compose_inbox

        line, seen, fresh = self.line, plan.found.seen, ObjectSet()
        tree = compose_inbox(line.objects, fresh, plan.mine, plan.stay, plan.only)
        going = set(plan.going)
        heads = [head for run_id, several in plan.mine.heads.items() if run_id in going for head in several]
        commit = self.commit(fresh, tree, None, heads)
        ref = f"{line.remote.inbox_prefix}{line.folder.clone_id}-{os.urandom(4).hex()}"
        pack = fresh.write(line.where)
        try:
            self.done.attempts += 1
            (result,) = line.push([PushUpdate(ref, commit, force="")], self.progress)
            if not result.ok:
                return False
            seen.inboxes = {**seen.inboxes, ref: commit}
            line.track(seen.tip, seen.inboxes)
        finally:
            pack.release()
        self.done.inbox = ref
        self.count(plan)
        plan.found.trees.append(tree)
        return True

    # ------------------------------------------------------------------ afterwards

    def count(self, plan: _Plan) -> None:
        """Add what this attempt brought the remote to what the push did."""
        changes = table_changes(self.line.objects, plan.theirs, plan.tree, plan.fresh)
        self.done.sent.new += changes.new
        self.done.sent.edited += changes.edited
        self.done.sent.purged |= changes.purged

    def finish(self, found: Incoming) -> Pushed:
        """Bring the clone in line with the remote."""
        line, done = self.line, self.done
        self.hold_refused()
        done.left |= dict.fromkeys(self.refusals.untried, "the host refused too many runs to find out about this one")
        done.notes += found.notes
        after = line.adopt(found.seen.tip, found.trees, self.to_loosen())
        if self.options.artifacts:
            boxed = {run_id: self.heads[run_id] for run_id in done.sent.new} if done.inbox is not None else {}
            self.done.artifacts = self.cargo.sending.done
            self.cargo.landed(found.seen.tip, boxed)
        done.purged = after.purged
        changes = found.changes(line, after)
        forget_gone(line, changes, after.purged)
        if done.sent.purged:
            left = f"the history of {done.remote} still has them; 'ledgit gc --purge' lets it begin anew"
            done.notes.append(f"purged runs: {len(done.sent.purged)}; {left}")
        sent = {*done.sent.new, *done.sent.edited, *done.sent.purged}
        done.received = Changes(
            [run_id for run_id in changes.new if run_id not in sent],
            [run_id for run_id in changes.edited if run_id not in sent],
            {run_id: lines for run_id, lines in changes.purged.items() if run_id not in sent},
        )
        return done

    def hold_refused(self) -> None:
        """Remember what the host refused."""
        now, line = now_ms(), self.line
        held = {
            run_id: Held(self.heads.get(run_id, ()), reason, REFUSED, now, line.remote.name)
            for run_id, reason in self.refusals.held.items()
        }
        hold(line.folder, held)
        self.done.held |= held
        self.done.known -= set(held)

    def to_loosen(self) -> dict[str, str]:
        """Return the held runs that get back a ref of their own: id → head. One with several heads can't."""
        return {run_id: held.heads[0] for run_id, held in self.done.held.items() if len(held.heads) == 1}


def reviewed(
    line: Line, runs: Mapping[str, tuple[str, ...]], options: PushOptions, progress: Progress | None
) -> Review:
    """Ask :func:`ledgit.store.sync.publish.review` about *runs* (id → heads)."""
    from ledgit.store.sync.moved import look_again
    from ledgit.store.sync.publish import Candidate, review

    look_again(line)
    if options.retry and not options.dry_run:
        release(line.folder, [run_id for run_id, held in read_held(line.folder).items() if held.kind == REFUSED])
    return review(
        line.repo,
        line.folder,
        line.remote,
        [Candidate(run_id, "", heads) for run_id, heads in runs.items()],
        where=line.where,
        policy=options.policy,
        ask=options.ask,
        allow_secrets=options.allow_secrets,
        progress=progress,
        name_of=lambda run: _name(line, run),
    )


def _name(line: Line, run: Candidate) -> str:
    """Return the name of a run, as its newest commit has it."""
    from ledgit.records import decode_entry
    from ledgit.records.names import RUN_FOLDER

    try:
        entry = line.objects.find(run.heads[0], f"{RUN_FOLDER}/entry.json")
        return run.id[:8] if entry is None else decode_entry(line.objects.read(entry.oid)[1]).name
    except LedgitError:
        return run.id[:8]


def _wait(losses: int) -> None:
    """Sleep a little, longer after each lost race; by chance, so that two losers don't meet again."""
    import random
    import time

    time.sleep(min(_PAUSE * 2**losses, _LONGEST_PAUSE) * (0.5 + random.random()))  # noqa: S311
