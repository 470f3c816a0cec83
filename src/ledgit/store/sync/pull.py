"""Pull: the remote's runs, edits and purges become part of the clone's ledger."""

from __future__ import annotations

from ledgit.store.sync.opening import SyncLock, open_line
from ledgit.store.sync.table import Changes

TYPE_CHECKING = False  # what a pull without news does not need is imported where it is used
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.exchange import Purge
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["PullOptions", "Pulled", "pull"]


class PullOptions:
    """How to pull.

    Attributes:
        accept_purges: Runs that were purged elsewhere may go without asking.
        confirm: Asked before runs go that were made here, or more than 10; None: nobody can be asked.
        prompt: Git may ask for a password.
        tags: Look for tags of the registry also where the ledger says nothing of new ones.
    """

    __slots__ = ("accept_purges", "confirm", "prompt", "tags")

    def __init__(
        self,
        accept_purges: bool = False,
        confirm: Callable[[Purge], bool] | None = None,
        prompt: bool = False,
        tags: bool = False,
    ) -> None:
        self.accept_purges, self.confirm, self.prompt, self.tags = accept_purges, confirm, prompt, tags


class Pulled:
    """What a pull brought.

    Attributes:
        remote: Where from, for people.
        changes: Runs that are new, edited or gone in the clone's ledger.
        purged: Ids of loose runs that went because they were purged elsewhere.
        notes: Sentences about what was passed over.
        empty: The remote has no ledger.
        tags: The registry's tags that came.
    """

    __slots__ = ("changes", "empty", "notes", "purged", "remote", "tags")

    def __init__(
        self,
        remote: str,
        changes: Changes,
        purged: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        empty: bool = False,
        tags: tuple[str, ...] = (),
    ) -> None:
        self.remote, self.changes, self.purged, self.notes, self.empty = remote, changes, purged, notes, empty
        self.tags = tags

    def __repr__(self) -> str:
        return f"Pulled({self.remote!r}, {self.changes!r}, {self.purged!r}, {self.notes!r}, {self.empty!r})"


def pull(
    repo: Repo, folder: Folder, remote: Remote, options: PullOptions | None = None, progress: Progress | None = None
) -> Pulled:
    """Fetch the ledger of *remote* and its inboxes, check them, and unite them with the clone's own.

    Nothing of the clone's is lost by it: what the remote does not have stays and goes out with the
    next push. Can be interrupted and repeated at any point.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        remote: Where from.
        options: How.
        progress: Is told (what, done, total or None).

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
        RecordError, NewerFormat, UnsafePath: Its ledger can't be used; all is as it was before.
        Conflict: Runs would go for good, and nobody agreed; or another process syncs for ten minutes.
    """
    options = options or PullOptions()
    with SyncLock(folder, progress):
        line = open_line(repo, folder, remote, prompt=options.prompt)
        line.begin()
        try:
            _get_ready()
            seen = line.fetch(progress)
        except BaseException:
            line.stop()
            line.refuse()
            raise
        if line.is_settled(seen):
            line.accept(seen)
            tags, notes = _tags(line, options, progress)
            return Pulled(remote.shown, Changes(), notes=tuple(notes), tags=tuple(tags))
        from ledgit.store.ledger.graph import MANY, write_graph
        from ledgit.store.sync.exchange import forget_gone, take_in
        from ledgit.store.sync.lately import note_models

        found = take_in(line, seen, confirm=options.confirm, accept_purges=options.accept_purges, progress=progress)
        note_models(line, found.seen.tip)
        done = line.adopt(found.seen.tip, found.trees)
        changes = found.changes(line, done)
        line.objects.rest()
        forget_gone(line, changes, done.purged)
        tags, notes = _tags(line, options, progress)
    if line.has_runs and len(changes.new) > MANY:
        write_graph(repo)
    return Pulled(
        remote.shown,
        changes,
        done.purged,
        (*found.notes, *notes),
        empty=found.seen.tip is None and not found.trees,
        tags=tuple(tags),
    )


def _tags(line: Line, options: PullOptions, progress: Progress | None) -> tuple[list[str], list[str]]:
    """Fetch the registry's tags where there may be new ones; return which came, and what is to be said."""
    from ledgit.store.sync.lately import tags_due

    if not options.tags and not tags_due(line):
        return [], []
    from ledgit.store.registry.fetching import pull_tags

    found = pull_tags(line, progress)
    return found.new, found.notes


def _get_ready() -> None:
    """Load what every pull goes on with, while git connects."""
    from ledgit.git import RefUpdate, gc_is_running, helper_objects  # noqa: F401
    from ledgit.git.progress import Lines  # noqa: F401
    from ledgit.store.artifacts import owed  # noqa: F401 - the command asks it
    from ledgit.store.ledger import LEDGER_REF  # noqa: F401
    from ledgit.store.sync import lately  # noqa: F401
