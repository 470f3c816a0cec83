"""Push: what this clone has becomes part of the remote's ledger, and the other way round.

Little is loaded before the first connection is under way; the work is in :mod:`ledgit.store.sync.pushing`.
"""

from __future__ import annotations

from ledgit.store.sync.lately import has_unshared, known_lately, note_models
from ledgit.store.sync.opening import SyncLock, open_line
from ledgit.store.sync.pushed import Pushed, PushOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["PushOptions", "Pushed", "push"]


def push(
    repo: Repo, folder: Folder, remote: Remote, options: PushOptions | None = None, progress: Progress | None = None
) -> Pushed:
    """Fetch as pull does, then push what the remote's ledger lacks, as one commit on its tip.

    Where the remote's ledger was fetched a moment ago it is pushed onto without a fetch, over one
    connection, if it still is what it was: see :mod:`ledgit.store.sync.lately`.

    While many or large artifacts are sent others may pull and push here: then it is fetched once more.

    Runs that may not be published or that the host refuses stay here, with the reason; the others
    go. Where somebody else is quicker it is tried again, and at last the runs are left in an inbox
    that the next push by anybody takes in. The registry's tags go after their runs. If nothing is
    new, nothing is written and there is only one connection. Can be interrupted and repeated at any point.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        remote: Where to.
        options: How.
        progress: Is told (what, done, total or None).

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used. Whether a push arrived that
            broke off is found out by the next one.
        PushRefused: The host lets nobody push this ref.
        RecordError, NewerFormat, UnsafePath: Its ledger can't be used; all is as it was before.
        Conflict: Runs would go for good, and nobody agreed; or the ledger was too busy.
    """
    options = options or PushOptions()
    lock = SyncLock(folder, progress)
    with lock:
        line = open_line(repo, folder, remote, prompt=options.prompt)
        line.remote = remote.as_pushed()
        known = None if options.dry_run or options.accept_purges else known_lately(line)
        if known is None:
            line.begin()
        try:
            from ledgit.store.sync.cargo import Cargo
            from ledgit.store.sync.pushing import Push

            cargo = Cargo(line, lock, progress)
            done = Push(line, options, progress, known, cargo).run()
            if has_unshared(repo) and not done.declined:
                from ledgit.store.registry.sharing import share_tags

                done.tags = share_tags(line, options, done, progress)
            note_models(line)
        finally:
            line.stop()
            line.objects.rest()
        if done.tags is not None and done.tags.models:
            from ledgit.store.registry.sharing import tell_others

            done.notes += tell_others(repo, folder, remote, options, lock)
    cargo.look_after()
    return done
