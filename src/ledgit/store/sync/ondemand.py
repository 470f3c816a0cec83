"""Run commits that are not in this clone, fetched when somebody asks for what only they hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.errors import NotFound, NotHere, RemoteError
from ledgit.store.sync.tip import FETCHED, fetch_tip, open_tip, tidy_tip, whole_ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ledgit.git import Helper, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.remote import Remote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["fetch_run", "forget_runs", "missing_heads", "take_in"]

#: Commits asked for at once: a command line has room for some 20,000.
_AT_ONCE = 5_000
#: Branches of the clone that the remote is told of, so that it sends only what they don't have.
_MOST_HAVES = 64
_NOT_ALLOWED = "unadvertised object"
_NOT_THERE = "not our ref"


def missing_heads(repo: Repo, heads: Iterable[str]) -> list[str]:
    """Return those of the run commits *heads* that are neither in the clone nor in ``tip.git``."""
    from ledgit.git import Objects

    objects = Objects.of(repo)
    return [head for head in dict.fromkeys(heads) if not objects.exists(head)]


def fetch_run(
    repo: Repo,
    folder: Folder,
    heads: Sequence[str],
    remote: Remote | None = None,
    progress: Progress | None = None,
    *,
    commits: int = 1,
    prompt: bool = False,
) -> list[str]:
    """Fetch the run commits *heads* that are not here, whole, into ``tip.git``: one connection for all.

    A host that doesn't hand out commits by their id (Git's protocols before version 2, unless it
    was told to) is asked for the whole ledger instead; *progress* is told.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        heads: Run commits.
        remote: Where from; by default the remote that runs are shared through.
        progress: Is told (what, done, total or None).
        commits: How many commits of each run to fetch, the newest first: more than one for its
            audit trail.
        prompt: Git may ask the user for a password.

    Returns:
        Those that were fetched.

    Raises:
        NotHere: The remote has one of them no more.
        NoRemote, Unreachable, AccessDenied, RemoteError: The remote can't be used.
        StorageError: The disk refused.
    """
    from ledgit.git import Objects, RefUpdate, list_refs, update_refs
    from ledgit.store.sync.remote import find_remote

    helper = open_tip(repo, folder) if heads else None
    if helper is None:
        return []
    kept = list_refs(helper, FETCHED)
    absent = _absent(repo, helper, heads, kept, commits)
    if not absent:
        return []
    remote = remote or find_remote(repo)
    # What is there in part must not be taken for something we have.
    broken = [RefUpdate(FETCHED + head, None, kept[FETCHED + head]) for head in absent if FETCHED + head in kept]
    update_refs(helper, broken)
    _fetch(repo, folder, helper, remote, absent, progress, commits=commits, prompt=prompt)
    objects = Objects(helper)
    gone = [head for head in absent if not objects.exists(head)]
    if gone:
        raise NotHere(f"commit {gone[0][:12]}", reason=f"{remote.shown} doesn't have it any more")
    update_refs(helper, [RefUpdate(FETCHED + head, head, RefUpdate.ANY) for head in absent])
    tidy_tip(helper, folder)
    return absent


def _absent(repo: Repo, helper: Helper, heads: Sequence[str], kept: dict[str, str], commits: int) -> list[str]:
    """Return those of *heads* that are not here whole; of one in the clone's own store all is here."""
    from ledgit.git import Objects, try_git

    with Objects(repo, own=True) as own:
        rest = [head for head in dict.fromkeys(heads) if not own.exists(head)]
    absent = []
    for head in rest:
        if FETCHED + head in kept:
            # Parts that the clone had as well may have been cleaned away there.
            args = ("rev-list", "--objects", "--quiet", f"--max-count={commits}", head)
            if try_git(helper, *args)[0] == 0 and (commits == 1 or _has_past(helper, head)):
                continue
        absent.append(head)
    return absent


def _has_past(helper: Helper, head: str) -> bool:
    """Whether the commits of the run below *head* are here too."""
    from ledgit.git import Objects

    objects = Objects(helper)
    commit = objects.commit(head)
    trailer = next((line for line in commit.message.splitlines() if line.startswith("Ledgit-Run: ")), "")
    todo = list(commit.parents)
    while todo:
        try:
            below = objects.commit(todo.pop())
        except NotFound:
            return False
        if trailer in below.message.splitlines():
            todo += below.parents
    return True


def _fetch(
    repo: Repo,
    folder: Folder,
    helper: Helper,
    remote: Remote,
    heads: Sequence[str],
    progress: Progress | None,
    *,
    commits: int,
    prompt: bool,
) -> None:
    haves = [] if repo.partial else _haves(repo)
    for start in range(0, len(heads), _AT_ONCE):
        some = heads[start : start + _AT_ONCE]
        specs = [f"{head}:{FETCHED}{head}" for head in some]
        try:
            fetch_tip(helper, folder, remote, specs, depth=commits, haves=haves, prompt=prompt, progress=progress)
        except RemoteError as error:
            if _NOT_THERE in str(error):
                raise NotHere(
                    f"commit {some[0][:12]}" if len(some) == 1 else f"one of {len(some)} run commits",
                    reason=f"{remote.shown} doesn't have it any more",
                ) from error
            if _NOT_ALLOWED not in str(error):
                raise
            if progress is not None:
                progress("the host hands out no single runs: fetching all of them", 0, None)
            specs = [f"{remote.ledger_ref}:{whole_ref(remote)}"]
            fetch_tip(helper, folder, remote, specs, depth=None, prompt=prompt, progress=progress)
            return


def _haves(repo: Repo) -> list[str]:
    """Return commits of the clone that the remote is likely to know."""
    from ledgit.git import list_refs

    found = dict.fromkeys([*list_refs(repo, "refs/remotes/").values(), *list_refs(repo, "refs/heads/").values()])
    return list(found)[:_MOST_HAVES]


def forget_runs(repo: Repo, folder: Folder, ids: Iterable[str]) -> None:
    """Remove what was fetched of the runs *ids*, which were purged, and everything ``tip.git`` no longer needs."""
    from ledgit.git import Objects, RefUpdate, list_refs, update_refs
    from ledgit.store.sync.tip import tip_exists

    if not tip_exists(repo):
        return
    helper = open_tip(repo, folder)
    purged = {f"Ledgit-Run: {run_id}" for run_id in ids}
    objects = Objects(helper)
    gone = []
    for name, head in list_refs(helper, FETCHED).items():
        try:
            ours = purged.intersection(objects.commit(head).message.splitlines())
        except NotFound:
            ours = {name}
        if ours:
            gone.append(RefUpdate(name, None, head))
    whole = list_refs(helper, "refs/ledgit/whole/")
    gone += [RefUpdate(name, None, head) for name, head in whole.items()]
    objects.close()
    update_refs(helper, gone)
    tidy_tip(helper, folder, now=True)


def take_in(
    repo: Repo,
    folder: Folder,
    heads: Sequence[str],
    remote: Remote | None = None,
    progress: Progress | None = None,
    *,
    prompt: bool = False,
) -> None:
    """Bring the run commits *heads* into the clone itself, with all they stand on.

    For who writes a commit on top of one: then everything below must be in the clone's own store,
    the history of the run's code included. From then on the clone's ledger keeps them.

    Raises:
        NotHere: The remote has one of them no more.
        NoRemote, Unreachable, AccessDenied, RemoteError: The remote can't be used.
        Conflict: Another process is working on the ledger.
    """
    from ledgit.git import Objects, RefUpdate, fetch, list_refs, update_refs
    from ledgit.store.sync.remote import find_remote

    with Objects(repo, own=True) as own:
        absent = [head for head in dict.fromkeys(heads) if not own.exists(head)]
    if not absent:
        return
    remote = remote or find_remote(repo)
    mark = f"refs/ledgit/taken/{os.urandom(6).hex()}/"
    try:
        try:
            specs = [f"{head}:{mark}{head}" for head in absent]
            fetch(repo, remote.url, specs, prompt=prompt, progress=progress)
        except RemoteError as error:
            if _NOT_THERE in str(error):
                reason = f"{remote.shown} doesn't have it any more"
                raise NotHere(f"commit {absent[0][:12]}", reason=reason) from error
            if _NOT_ALLOWED not in str(error):
                raise
            if progress is not None:
                progress("the host hands out no single runs: fetching all of them", 0, None)
            fetch(repo, remote.url, [f"{remote.ledger_ref}:{mark}whole"], prompt=prompt, progress=progress)
        _link(repo, folder, absent)
    finally:
        marks = list_refs(repo, mark)
        update_refs(repo, [RefUpdate(name, None, head) for name, head in marks.items()])


def _link(repo: Repo, folder: Folder, heads: Sequence[str]) -> None:
    """Make run commits parents of the clone's ledger, which lists them already."""
    from ledgit.git import Objects, ObjectSet, identity
    from ledgit.store.journal import now_ms
    from ledgit.store.ledger import LedgerLock, commit_ledger, local_ledger, set_local

    with LedgerLock(folder), Objects(repo, own=True) as own:
        old = local_ledger(repo)
        fresh = ObjectSet()
        tree = own.commit(old).tree if old is not None else fresh.tree([])
        name, address = identity(repo)
        who = (name or "ledgit", address)
        new = commit_ledger(own, fresh, tree, old, heads, who=who, when=now_ms() // 1000)
        set_local(repo, folder, own, fresh, new, old)
