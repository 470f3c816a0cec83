"""What pull and push share: one at a time, fetch, check everything, then take notice of it."""

from __future__ import annotations

from ledgit.errors import Conflict, LedgitError, NewerFormat, NotFound, RecordError
from ledgit.records.values import Values
from ledgit.store.sync.carried import Days, RunCheck, check_root
from ledgit.store.sync.opening import SyncLock, open_line
from ledgit.store.sync.table import Changes, add_new, new_lines, table_changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from ledgit.git import Objects
    from ledgit.records.table import Line as TableLine
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Adopted, Line, Progress, Seen

__all__ = ["Incoming", "Purge", "SyncLock", "check_writable", "follows", "forget_gone", "open_line", "take_in"]

#: Runs that a pull may take away for good without asking, if none was made in this clone.
FEW_PURGES = 10
_LATELY = 24 * 3_600_000  # ms in which they are counted together: ten with each pull would be all in the end
#: Ledger commits that are walked back to find the one seen last.
_FAR = 100_000
_MOST_COMMIT = 1 << 20  # bytes; it has at most 101 parents
#: Inboxes that are looked at with each pull or push: 10 ms each. More is no team, but a broken or hostile remote.
MOST_INBOXES = 256


class Purge(Values):
    """Runs that a remote's ledger takes away for good: a question to the user.

    Attributes:
        remote: Whose ledger.
        runs: Ids of those that are in this clone.
        own: Ids of those of them that were made here.
    """

    __slots__ = ("own", "remote", "runs")

    def __init__(self, remote: str, runs: tuple[str, ...], own: tuple[str, ...]) -> None:
        self.remote, self.runs, self.own = remote, runs, own

    def __str__(self) -> str:
        """One sentence."""
        count = len(self.runs)
        mine = f", {len(self.own)} of them made in this clone" if self.own else ""
        listed = ", ".join(run_id[:8] for run_id in (*self.own, *self.runs)[:10])
        return f"{self.remote} takes away {count} {'run' if count == 1 else 'runs'} for good{mine} ({listed})"


class Incoming:
    """What was fetched, checked and agreed to.

    Attributes:
        seen: What the fetch brought.
        trees: Tables of the inboxes.
        notes: Sentences about what was passed over.
        whole: What is in a ledger that was never seen before; None where one was.
    """

    __slots__ = ("notes", "seen", "trees", "whole")

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.trees: list[str] = []
        self.notes: list[str] = []
        self.whole: Changes | None = None

    def changes(self, line: Line, done: Adopted) -> Changes:
        """Return what *done* changed in the clone's table, without reading it again where that can be."""
        if done.before == done.tree:
            return Changes()
        if self.whole is not None and done.before is None and done.tree == line.tree_of(self.seen.tip):
            return self.whole
        return table_changes(line.objects, done.before, done.tree)


def take_in(
    line: Line,
    seen: Seen | None = None,
    *,
    confirm: Callable[[Purge], bool] | None,
    accept_purges: bool = False,
    progress: Progress | None = None,
) -> Incoming:
    """Fetch and check; afterwards the tracking refs say what was seen, and nothing else has changed.

    Args:
        line: Whose ledger.
        seen: What was fetched already; None: fetch.
        confirm: Asked before runs are taken away that should not go unnoticed; None: nobody can be.
        accept_purges: It is agreed to already.
        progress: Is told what goes on.

    Raises:
        RecordError, NewerFormat, UnsafePath: The ledger can't be used; all is as it was before.
        Conflict: Runs would be taken away, and nobody agreed.
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
    """
    try:
        seen = line.fetch(progress) if seen is None else seen
        found = Incoming(seen)
        if seen.tip is not None and seen.tip != seen.before:
            found.whole = _check_ledger(line, seen.tip, seen.before, progress)
        found.notes += _leave_for_later(line, seen)
        days = Days()
        for name, commit in list(seen.inboxes.items()):
            try:
                found.trees.append(_check_inbox(line, commit, seen.tip, days))
            except (RecordError, NotFound) as error:
                del seen.inboxes[name]
                found.notes.append(f"{name} on {line.remote.shown} was passed over: {error}")
        if seen.tip is None and seen.before is None and not found.trees:
            found.notes += _elsewhere(line)
        going = _going(line, found)
        if not accept_purges:
            _ask(line, going, confirm)
        if going:
            from ledgit.store.artifacts.dropping import objects_here
            from ledgit.store.ledger import note_going

            line.going.append(note_going(line.folder, going, objects_here(line.repo, line.folder, going)))
    except BaseException:
        line.refuse()
        raise
    line.accept(seen)
    return found


def _leave_for_later(line: Line, seen: Seen) -> list[str]:
    """Drop what is more than `MOST_INBOXES` from *seen*, and say so.

    Those come first that follow the last ones looked at, by name, so that all have their turn even where
    nobody pushes, which deletes what was taken in.
    """
    from ledgit.git import list_refs

    left = len(seen.inboxes) - MOST_INBOXES
    if left <= 0:
        return []
    cut, prefix = len(line.remote.inboxes), line.remote.inbox_prefix
    last = max((prefix + name[cut:] for name in list_refs(line.where, line.remote.inboxes)), default="")
    names = sorted(seen.inboxes, key=lambda name: (name <= last, name))
    seen.inboxes = {name: seen.inboxes[name] for name in names[:MOST_INBOXES]}
    what = f"{left:,} {'inbox' if left == 1 else 'inboxes'} on {line.remote.shown}"
    return [f"{what} left for later: {MOST_INBOXES} are looked at with each pull or push"]


def _elsewhere(line: Line) -> list[str]:
    """Say so if the remote's ledger seems to be the branch that is proposed to hosts which take only branches."""
    from ledgit.git import read_ref
    from ledgit.store.ledger.files import FORMAT

    remote, objects = line.remote, line.objects
    tip = read_ref(line.repo, f"refs/remotes/{remote.name}/ledgit")
    if tip is None or remote.ledger_ref.startswith("refs/heads/") or objects.find(tip, FORMAT) is None:
        return []
    what = f"the branch ledgit of {remote.shown} looks like a ledger"
    return [f"{what}: 'git config ledgit.ledgerRef refs/heads/ledgit' uses it"]


def check_writable(line: Line, tip: str | None) -> None:
    """Refuse to write to a ledger that only newer versions may write to.

    Raises:
        NewerFormat: It is one.
    """
    from ledgit.records.documents import load_document
    from ledgit.store.ledger.files import FORMAT, WRITER

    entry = line.objects.find(tip, FORMAT) if tip is not None else None
    if entry is None:
        return
    document = load_document(line.objects.read(entry.oid)[1], FORMAT)
    version = document.get("min_writer") if isinstance(document, dict) else None
    if type(version) is int and version > WRITER:
        raise NewerFormat(f"the ledger of {line.remote.shown}", version, WRITER)


def forget_gone(line: Line, changes: Changes, loose: Collection[str]) -> None:
    """Remove what caches and notes have of runs that others purged: those here before, and *loose* ones."""
    gone = {*loose, *(run_id for run_id, lines in changes.purged.items() if lines)}
    if gone:
        from ledgit.git import ref_names
        from ledgit.store.ledger import forget

        forget(line.repo, line.folder, gone)
        if ref_names(line.repo, "refs/ledgit/versions/"):
            from ledgit.store.registry.restoring import drop_purged

            drop_purged(line.repo, gone)
    if line.going:
        from ledgit.store.ledger import drop_notes
        from ledgit.store.ledger.going import noted_objects

        objects = noted_objects(line.going)
        if objects:
            from ledgit.store.artifacts.dropping import drop_objects

            drop_objects(line.repo, line.folder, objects)
        drop_notes(line.going)
        line.going.clear()


def _check_ledger(line: Line, tip: str, before: str | None, progress: Progress | None) -> Changes | None:
    """Check a ledger that was not seen before; only what is new in it is looked at.

    Returns:
        What it has, if all of it is new.

    Raises:
        RecordError: It is refused, and why.
    """
    from ledgit.store.ledger import check_tree

    objects, days = line.objects, Days()
    try:
        tree = _tree(objects, tip)
        known = objects.commit(before).tree if before is not None else None
        runs = RunCheck(line, progress)
        whole = Changes() if known is None else None

        def each(lines: list[TableLine]) -> None:
            assert whole is not None
            add_new(whole, lines)
            if line.has_runs:
                runs.take(lines)

        # Of a ledger that is new as a whole each file is read once for all.
        check_tree(objects, tree, known, each=each if whole is not None else None)
        if known is not None:
            # A line that stood there before was checked then. But a ledger that does not go on from that one
            # has to carry all of them anew.
            runs.take(days.take(new_lines(objects, known, tree)), check=line.has_runs)
            days.check(line, tree)
        if line.has_runs:
            if known is not None and not follows(objects, tip, before):
                runs.carry(new_lines(objects, None, tree))
            runs.end(tip)
            check_root(objects, tip, before)
        return whole
    except NewerFormat as error:
        raise NewerFormat(f"the ledger of {line.remote.shown}", error.version, error.known) from None
    except (RecordError, NotFound) as error:
        raise _refused(line, error) from error


def _check_inbox(line: Line, commit: str, tip: str | None, days: Days) -> str:
    """Check an inbox, also against the ledger *tip* and what the inboxes before it said: *days*.

    Raises:
        RecordError: It is refused, and why.
    """
    from ledgit.store.ledger import check_tree

    tree = _tree(line.objects, commit)
    runs = RunCheck(line, None)
    own = Days()
    check_tree(line.objects, tree, each=lambda lines: runs.take(own.take(lines), check=line.has_runs))
    if line.has_runs:
        runs.end(commit)
    own.check(line, line.tree_of(tip), days)
    days.add(own)
    return tree


def _tree(objects: Objects, commit: str) -> str:
    if (objects.size(commit) or 0) > _MOST_COMMIT:
        raise RecordError("the ledger", "is larger than any commit of a ledger")
    kind, _ = objects.read(commit)
    if kind != "commit":
        raise RecordError("the ledger", f"is a {kind}, not a commit")
    return objects.commit(commit).tree


def follows(objects: Objects, tip: str, before: str | None) -> bool:
    """Whether *before* is an earlier ledger of the line that *tip* ends."""
    here = tip
    for _ in range(_FAR):
        if here == before:
            return True
        try:
            commit = objects.commit(here)
        except (NotFound, RecordError):
            return False
        if not commit.parents or "Ledgit-Root: " not in commit.message:
            return False
        here = commit.parents[0]
    return False


def _refused(line: Line, error: LedgitError) -> RecordError:
    where, what, mend = "it", str(error), "whoever pushed it last can mend it, 'git push --force' of an older one too"
    if isinstance(error, RecordError):
        where, what = error.where, error.reason
    elif isinstance(error, NotFound):
        # Or 'git gc --prune=now' took it in the moment between its arrival and its ref.
        what, mend = f"lacks the object {error.ref[:12]}", f"repeat the command, and if it stays so, {mend}"
    kind = type(error) if isinstance(error, RecordError) else RecordError
    return kind(
        f"the ledger of {line.remote.shown} was refused and nothing of it taken over",
        f"{where} {what}; {mend}",
    )


def _going(line: Line, found: Incoming) -> dict[str, bool]:
    """Return the runs of this clone that go for good with what was *found* → whether this clone made them."""
    from ledgit.store.ledger import local_ledger
    from ledgit.store.ledger.loose import loose_runs

    runs: dict[str, bool] = {}
    ledger = local_ledger(line.repo)
    if not found.trees and found.seen.tip in (None, ledger):
        return runs
    before = line.tree_of(ledger)
    loose = loose_runs(line.repo)
    for tree in (line.tree_of(found.seen.tip), *found.trees):
        if tree is not None and tree != before and (loose or before is not None):
            runs |= _taken_away(line, loose, before, tree)
    return runs


def _ask(line: Line, runs: dict[str, bool], confirm: Callable[[Purge], bool] | None) -> None:
    """Ask before *runs* of this clone go for good.

    Raises:
        Conflict: Nobody agreed.
    """
    own = tuple(run_id for run_id, mine in runs.items() if mine)
    if not runs or (not own and _are_few(line.folder, runs)):
        return
    question = Purge(line.remote.shown, tuple(runs), own)
    if confirm is not None and confirm(question):
        return
    raise Conflict(
        f"{question}; nothing was changed: 'ledgit export' keeps copies of them, 'ledgit pull --accept-purges' agrees"
    )


def _are_few(folder: Folder, runs: Collection[str]) -> bool:
    """Whether *runs*, with those that went lately without a question, are few enough to go without one."""
    import os

    from ledgit.store.journal import now_ms
    from ledgit.store.sync.held import update_json

    now, few = now_ms(), False

    def change(document: dict[str, Any]) -> None:
        nonlocal few
        known = document.get("unasked")
        lately = {
            run_id: when
            for run_id, when in (known.items() if isinstance(known, dict) else ())
            if type(when) is int and now - _LATELY < when <= now
        }
        few = len({*lately, *runs}) <= FEW_PURGES
        document["unasked"] = {**dict.fromkeys(runs, now), **lately} if few else lately

    update_json(folder, os.path.join(folder.path, "purges.json"), change)
    return few


def _taken_away(line: Line, loose: dict[str, str], before: str | None, after: str) -> dict[str, bool]:
    """Return the runs here that tombstones in the table *after* take away → whether this clone made them."""
    from ledgit.store.ledger import lines_of

    clone = line.folder.clone_id
    found = {}
    for stone in new_lines(line.objects, before, after):
        if not stone.purged:
            continue
        lines = lines_of(line.objects, before, stone.id, stone.day) if stone.day else []
        if any(item.purged for item in lines):
            continue
        if stone.id in loose:
            found[stone.id] = True
        elif lines:
            found[stone.id] = any(clone in _clones(item) for item in lines)
    return found


def _clones(line: TableLine) -> set[str]:
    """Return the ids of the clones that wrote a line."""
    from ledgit.records import decode_entry

    try:
        entry = decode_entry(line.raw)
    except RecordError:
        return set()
    return {entry.clock[1], *(clock[1] for clock in entry.state.values())}
