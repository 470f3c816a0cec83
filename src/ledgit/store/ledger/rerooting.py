"""A ledger that begins anew: same table, no history but the runs themselves.

Whatever only the older ledgers reached (purged runs, the tables that had their lines, commits that
a rewrite of history replaced) is reached by nothing afterwards, and the next ``git gc`` takes it.
Clones that hold the older ledger compose their own onto this one: see `sync.line`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ledgit.errors import NotFound, StorageError
from ledgit.store.journal import dump_json
from ledgit.store.ledger.commits import commit_ledger, root_of, tombstones_beyond
from ledgit.store.ledger.local import local_ledger, move_ledger
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.ledger.tree import every_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.store.folder import Folder

__all__ = ["Note", "forget_owed", "note_owed", "noted", "owing", "reroot", "reroot_local"]

_NOTE = "purge-owed.json"  # file: what a purge still has to do, and the ledgers don't tell
_MOST = 16 << 20
_TAGS = ("refs/tags/", "refs/ledgit/registry/", "refs/ledgit/versions/")


def reroot(
    objects: Objects,
    fresh: ObjectSet,
    tree: str,
    *,
    who: tuple[str, str],
    when: int,
    lenient: bool = False,
) -> str:
    """Add a ledger commit without a previous one to *fresh*: *tree*, and all its heads through carriers.

    Args:
        objects: Where the heads are.
        fresh: Takes the commit and its carriers; the table may be in it.
        tree: The table.
        who: (name, address).
        when: Seconds since the epoch, UTC.
        lenient: Leave out heads that are not here, instead of refusing.

    Raises:
        NotFound: A head is not here, so that nobody could carry it on.
    """
    heads = [line.head for _, line in every_line(objects, tree, fresh) if line.head and not line.purged]
    if lenient:
        heads = [head for head in heads if objects.exists(head)]
    count = len(heads)
    subject = f"Begin anew with {count:,} head{'' if count == 1 else 's'}"
    return commit_ledger(objects, fresh, tree, None, heads, who=who, when=when, subject=subject)


def reroot_local(repo: Repo, folder: Folder) -> str | None:
    """Let the clone's own ledger begin anew, and return its commit; None if there is none.

    Raises:
        Conflict: Another process is working on the ledger.
        RefMoved: Somebody moved the ledger without the lock; repeat it.
        StorageError: The disk is full or failing; nothing has changed.
    """
    from ledgit.git import Objects, ObjectSet, identity
    from ledgit.store.journal import now_ms

    with LedgerLock(folder), Objects(repo, own=True) as objects:
        tip = local_ledger(repo)
        if tip is None:
            return None
        fresh = ObjectSet()
        name, address = identity(repo)
        who = (name or "ledgit", address)
        new = reroot(objects, fresh, objects.commit(tip).tree, who=who, when=now_ms() // 1000, lenient=True)
        move_ledger(repo, folder, fresh, new, tip)
    return new


def owing(repo: Repo, objects: Objects) -> dict[str, set[str]]:
    """Return what still reaches purged runs though a tombstone stands for them.

    Returns:
        The clone's ledger, or a remote's as it was last seen (full names of refs here) → ids. Those
        that owe nothing are left out, and those whose root is not here, as where the tip alone is.
    """
    from ledgit.git import list_refs

    tip = local_ledger(repo)
    ours = None if tip is None else objects.commit(tip).tree
    found: dict[str, set[str]] = {}
    refs = {name: oid for name, oid in list_refs(repo, "refs/ledgit/remotes/").items() if name.endswith("/ledger")}
    if tip is not None:
        from ledgit.store.ledger import LEDGER_REF

        refs[LEDGER_REF] = tip
    for name, oid in refs.items():
        root = root_of(objects, oid)
        try:
            before = objects.commit(root).tree
        except NotFound:
            continue
        theirs = objects.commit(oid).tree
        runs = tombstones_beyond(objects, before, theirs)
        if ours is not None and ours != theirs:
            runs |= tombstones_beyond(objects, before, ours)
        if runs:
            found[name] = runs
    return found


class Note:
    """What is owed, and the ledgers don't tell.

    Attributes:
        why: Why histories are to begin anew although no tombstone asks for it; mostly "".
        tags: Full names of tags, and of refs that go with them, that are to be deleted on remotes.
    """

    __slots__ = ("tags", "why")

    def __init__(self, why: str = "", tags: Iterable[str] = ()) -> None:
        self.why, self.tags = why, tuple(tags)


def note_owed(folder: Folder, why: str, tags: Iterable[str] = ()) -> None:
    """Note that the ledger is to begin anew for a reason that its table does not tell, and which tags go.

    Raises:
        StorageError: The note can't be written.
    """
    path = os.path.join(folder.make(folder.path), _NOTE)
    try:
        with open(path + ".tmp", "wb") as file:
            file.write(dump_json({"why": why, "tags": list(tags)}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".tmp", path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


def noted(folder: Folder) -> Note:
    """Return what :func:`note_owed` noted; what can't be read is not there."""
    import json

    try:
        with open(os.path.join(folder.path, _NOTE), "rb") as file:
            found = json.loads(file.read(_MOST))
        tags = [tag for tag in found["tags"] if isinstance(tag, str) and tag.startswith(_TAGS)]
        return Note(str(found["why"])[:1000], tags)
    except (OSError, ValueError, KeyError, TypeError):
        return Note()


def forget_owed(folder: Folder) -> None:
    """Remove the note: it was done."""
    try:
        os.unlink(os.path.join(folder.path, _NOTE))
    except FileNotFoundError:
        pass
