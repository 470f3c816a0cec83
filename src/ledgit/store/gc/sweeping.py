"""Carrying out a purge: here, then on every remote that has, or had, the runs.

It can be killed at any point: what is left to do is seen from the ledgers, and a note says which
tags go. ``ledgit gc --purge`` without a run's name goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import Conflict, LedgitError, NoRemote
from ledgit.store.gc.holds import REGISTRY, RUN

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.artifacts.purging import PurgedObjects
    from ledgit.store.folder import Folder
    from ledgit.store.gc.plan import Candidate, Plan
    from ledgit.store.index import Index
    from ledgit.store.ledger import PurgedHere
    from ledgit.store.sync.exchange import Purge
    from ledgit.store.sync.purging import PurgedThere
    from ledgit.store.sync.remote import Remote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Swept", "clear_caches", "refusal", "remotes_with_runs", "sweep"]

_LISTED = 10
_SEEN = "refs/ledgit/remotes/"


@dataclass(slots=True)
class Swept:
    """What a purge did.

    Attributes:
        here: What it did in the clone.
        there: What it did on each remote.
        failed: Remote → why its half is still owed.
        tags: Names of the tags that were deleted here.
        owed: Where purged runs still are in the history → their ids.
        artifacts: What became of their large artifacts; None where nobody looked.
    """

    here: PurgedHere
    there: list[PurgedThere] = field(default_factory=list)
    failed: dict[str, LedgitError] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owed: dict[str, set[str]] = field(default_factory=dict)
    artifacts: PurgedObjects | None = None

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the runs that have a new tombstone."""
        return self.here.runs


def sweep(
    repo: Repo,
    folder: Folder,
    plan: Plan | None = None,
    *,
    remotes: Iterable[Remote] | None = None,
    confirm: Callable[[Purge], bool] | None = None,
    prompt: bool = False,
    progress: Progress | None = None,
) -> Swept:
    """Purge the runs of *plan*, and complete what earlier purges left undone.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        plan: What goes; None: only what is owed.
        remotes: Where besides here; all that have, or had, runs of this clone if None.
        confirm: Asked before runs go here that others purged; None: nobody can be asked.
        prompt: Git may ask for a password.
        progress: Is told (what, done, total or None).

    Raises:
        Conflict: Something holds a run that was named; nothing has changed.
        NotHere: This clone has the ledger's tip alone; nothing has changed.
        RunStateError: A run is being written; nothing has changed.
        StorageError: The disk is full or failing.
    """
    from ledgit.store.ledger import noted, purge, reroot_local
    from ledgit.store.sync.purging import PurgeOptions, purge_remote, tip_only
    from ledgit.store.sync.tip import tip_exists, wanted

    if plan is not None:
        refusal(plan)
    chosen = list(remotes_with_runs(repo) if remotes is None else remotes)
    if tip_exists(repo) or wanted(repo) or any(wanted(repo, remote) for remote in chosen):
        raise tip_only()
    tags = _note_tags(folder, plan)
    if tags:
        from ledgit.store.registry.restoring import remember_numbers

        remember_numbers(repo, folder, tags)
    note = noted(folder)
    done = Swept(purge(repo, folder, {} if plan is None else {item.run.id: item.run.start for item in plan.going}))
    if note.why:
        reroot_local(repo, folder)
    done.tags = _drop_tags(repo, tags)
    _forget_removed(repo)
    for remote in chosen:
        options = PurgeOptions(tags, bool(note.why), confirm=confirm, prompt=prompt)
        try:
            done.there.append(purge_remote(repo, folder, remote, options, progress))
            if any(tag.startswith("refs/ledgit/versions/") for tag in tags):
                from ledgit.store.registry.sharing import tell_numbers

                tell_numbers(repo, folder, remote, prompt=prompt)
        except LedgitError as error:
            done.failed[remote.shown] = error
    _finish(repo, folder, done, whole=remotes is None)
    return done


def refusal(plan: Plan) -> None:
    """Refuse a plan that can't be carried out as a whole, though it has to be.

    Raises:
        Conflict: With the list of what holds the runs.
    """
    if not plan.selection.all_or_none or not (plan.held or plan.active):
        return
    lines = [_line(item) for item in plan.held] + [f"{run_id[:8]}: it is being written" for run_id in plan.active]
    more = f"\n  … and {len(lines) - _LISTED} more" if len(lines) > _LISTED else ""
    what = "something else holds these runs, so they would stay all the same; nothing was purged"
    if all(tie.kind == REGISTRY for item in plan.held for tie in item.ties) and not plan.active:
        what += " ('--with-tags' deletes these tags, too)"
    raise Conflict(f"{what}:" + "".join(f"\n  {line}" for line in lines[:_LISTED]) + more)


def _line(item: Candidate) -> str:
    held = ", ".join(_shown(tie.kind, tie.name) for tie in item.ties[:5])
    more = f" and {len(item.ties) - 5} more" if len(item.ties) > 5 else ""
    return f"{item.run.name or item.run.id[:8]} ({item.run.id[:8]}): {held}{more}"


def _shown(kind: str, name: str) -> str:
    return f"{kind} {name[:8]} started from it" if kind == RUN else f"{kind} {name}"


def remotes_with_runs(repo: Repo) -> list[Remote]:
    """Return the remote that runs are shared through, and the others whose ledger was seen here."""
    from ledgit.git import list_refs
    from ledgit.store.sync.remote import find_remote, remote_names

    found: dict[str, Remote] = {}
    try:
        usual = find_remote(repo)
        found[usual.name] = usual
    except NoRemote:
        pass
    seen = list_refs(repo, _SEEN)
    for name in remote_names(repo) if seen else ():
        remote = find_remote(repo, name)
        if remote.tracking in seen:
            found.setdefault(remote.name, remote)
    return list(found.values())


def _forget_removed(repo: Repo) -> None:
    """Drop what was last seen of remotes that were removed since: it would keep purged runs here for ever."""
    from ledgit.git import RefUpdate, list_refs, update_refs
    from ledgit.store.sync.remote import find_remote, remote_names

    known = tuple(f"{_SEEN}{find_remote(repo, name).name}/" for name in remote_names(repo))
    gone = [ref for ref in list_refs(repo, _SEEN) if not ref.startswith((*known, f"{_SEEN}url/"))]
    update_refs(repo, [RefUpdate(ref, None, RefUpdate.ANY) for ref in gone])


def _note_tags(folder: Folder, plan: Plan | None) -> tuple[str, ...]:
    """Write down which tags go before anything does, and return them with those of earlier purges."""
    from ledgit.store.ledger import note_owed, noted

    before = noted(folder)
    tags = tuple(dict.fromkeys([*before.tags, *(plan.tags if plan is not None else ())]))
    if tags != before.tags:
        note_owed(folder, before.why, tags)
    return tags


def _drop_tags(repo: Repo, tags: Iterable[str]) -> tuple[str, ...]:
    from ledgit.git import RefUpdate, read_ref, update_refs

    there = [RefUpdate(name, None, oid) for name in tags if (oid := read_ref(repo, name)) is not None]
    update_refs(repo, there)
    return tuple(update.name for update in there)


def _finish(repo: Repo, folder: Folder, done: Swept, *, whole: bool) -> None:
    from ledgit.store.gc.surveying import owed_where
    from ledgit.store.ledger import forget_owed
    from ledgit.store.ledger.graph import renew_graph

    if done.there:
        renew_graph(repo)  # a remote's ledger as last seen led to the runs until now
    if whole and not done.failed:
        forget_owed(folder)
    done.owed = owed_where(repo)


def clear_caches(repo: Repo, folder: Folder, index: Index) -> dict[str, int]:
    """Remove what is made again when it is needed; return what there was → its bytes."""
    import shutil

    from ledgit.store.gc.surveying import _size, caches
    from ledgit.store.index_database import discard
    from ledgit.store.sync.tip import discard_tip

    found = {what: size for what, path in caches(repo, folder) if (size := _size(path))}
    index.close()
    discard(index.path)
    shutil.rmtree(folder.columns, ignore_errors=True)
    folder.empty_trash()
    discard_tip(repo, folder)
    return found
