"""What a push and a pull do for the registry, beside the runs."""

from __future__ import annotations

from ledgit.errors import LedgitError, RemoteError
from ledgit.store.registry.pushing import TagsPushed, push_tags
from ledgit.store.registry.tagging import KEPT, TAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.opening import SyncLock
    from ledgit.store.sync.pushed import Pushed, PushOptions
    from ledgit.store.sync.remote import Remote

__all__ = ["share_tags", "shared_digest", "tell_numbers", "tell_others"]


def share_tags(line: Line, options: PushOptions, done: Pushed, progress: Progress | None) -> TagsPushed:
    """Send the tags that the remote lacks, and note in the clone's ledger that there are new ones.

    The caller pushes the ledger once more if ``models`` of what is returned has any.

    Where the remote can't be used any more, that is a note: the runs are there.
    """
    from ledgit.store.registry.described import edit_model
    from ledgit.store.registry.fetching import pull_tags

    tags = push_tags(line, options, done, progress)
    for model in sorted(tags.models):
        try:
            edit_model(line.repo, line.folder, model, {"shared": shared_digest(line.repo, model)})
        except LedgitError as error:
            tags.notes.append(f"others find the tags of {model} with 'ledgit pull --tags': {error}")
    if tags.held or tags.moved:  # somebody else was there first, perhaps: show what is theirs
        try:
            found = pull_tags(line, progress)
        except RemoteError as error:
            tags.notes.append(f"'ledgit pull --tags' shows what others have: {error}")
            return tags
        tags.notes += [note for note in found.notes if not any(f" {tag} " in note for tag in tags.held)]
    return tags


def tell_others(repo: Repo, folder: Folder, remote: Remote, options: PushOptions, lock: SyncLock) -> list[str]:
    """Push the ledger once more: it says now that there are new tags, by which others' pulls find them.

    Hold the *lock*.

    Returns:
        Sentences about what did not go.
    """
    from ledgit.store.sync.cargo import Cargo
    from ledgit.store.sync.lately import known_lately
    from ledgit.store.sync.opening import open_line
    from ledgit.store.sync.pushed import PushOptions
    from ledgit.store.sync.pushing import Push

    line = open_line(repo, folder, remote, prompt=options.prompt)
    line.remote = remote.as_pushed()
    alone = PushOptions(runs=(), policy=options.policy, prompt=options.prompt, artifacts=False)
    try:
        return Push(line, alone, None, known_lately(line), Cargo(line, lock, None)).run().notes
    except LedgitError as error:
        return [f"the tags are there, but others find them with 'ledgit pull --tags' until the next push: {error}"]
    finally:
        line.stop()
        line.objects.rest()


def tell_numbers(repo: Repo, folder: Folder, remote: Remote, *, prompt: bool = False) -> None:
    """Push what the ledger says about models, after claims of numbers were deleted there: they stay given out.

    Raises:
        Conflict: Another pull or push works in this clone for too long.
    """
    from ledgit.store.sync.opening import SyncLock
    from ledgit.store.sync.pushed import PushOptions

    lock = SyncLock(folder)
    with lock:
        tell_others(repo, folder, remote, PushOptions(policy="pushed-code", prompt=prompt), lock)


def shared_digest(repo: Repo, model: str) -> str:
    """Return a digest of the tags of *model* that others have: it changes with each of them."""
    from hashlib import sha256

    from ledgit.git import list_refs, read_ref, ref_names
    from ledgit.records.registry_names import slug_of

    digest = sha256()
    kept = list_refs(repo, KEPT)
    names = {name for mark in "@#" for name in ref_names(repo, f"{TAGS}{slug_of(model)}{mark}")}
    for name in sorted(names):
        if KEPT + name[len(TAGS) :] not in kept:
            digest.update(f"{name} {read_ref(repo, name)}\n".encode())
    return digest.hexdigest()[:32]
