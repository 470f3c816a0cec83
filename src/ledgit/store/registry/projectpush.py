"""One version of a project on its way to a remote: made so that it is nobody else's there, and sent with its claim."""

from __future__ import annotations

from ledgit.errors import Conflict, LedgitError, RemoteError, VersionExists
from ledgit.records.registry_names import next_free
from ledgit.store.registry.modeltags import KEPT, TAGS, ModelTags
from ledgit.store.registry.moving import Unshared, drop_unshared, read_unshared, renumber, unshared_tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Repo
    from ledgit.records.registry_state import ModelVersion
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.remote import Remote

__all__ = ["share_version"]

_ATTEMPTS = 5


def share_version(
    repo: Repo,
    folder: Folder,
    remote: Remote,
    name: str,
    make: Callable[[], ModelVersion],
    *,
    prompt: bool = False,
    tell: bool = True,
) -> tuple[ModelVersion, list[str]]:
    """Have *make* make a version of the project *name*, after the remote's are known here, and send it.

    Where somebody else takes the version between looking and sending, ours goes and *make* is asked again; it can be
    repeated after any crash, because *make* returns a version that is there already.

    Args:
        repo: The clone.
        folder: Ledgit's folder.
        remote: Where to.
        name: The project's name.
        make: Returns the version that the code is: one that is there, or a new one.
        prompt: Git may ask for a password.
        tell: Push to the remote's ledger that there is a new tag, if it has one.

    Returns:
        The version, and sentences about what did not go.

    Raises:
        VersionExists: The version is taken there, and is not ours to change: a stage stands at it here.
        Conflict: Another push or pull works here for too long, or somebody is quicker each time.
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
    """
    from ledgit.git import read_ref
    from ledgit.store.registry.fetching import pull_tags
    from ledgit.store.sync.opening import SyncLock, open_line

    lock = SyncLock(folder)
    with lock:
        line = open_line(repo, folder, remote, prompt=prompt)
        line.remote = remote.as_pushed()
        try:
            for _ in range(_ATTEMPTS):
                pulled = pull_tags(line, only=name)
                version = make()
                if _send(line, name, version):
                    break
            else:
                raise Conflict(f"somebody else took the next version of {name} each time; repeat the command")
            has_ledger = read_ref(line.where, line.remote.tracking) is not None
        finally:
            line.stop()
            line.objects.rest()
        notes = [*pulled.notes, *(_taken(repo, line, name, tag) for tag in pulled.taken), *_note(repo, folder, name)]
        if tell and has_ledger:
            from ledgit.store.registry.sharing import tell_others
            from ledgit.store.sync.pushed import PushOptions

            notes += tell_others(repo, folder, remote, PushOptions(policy="pushed-code", prompt=prompt), lock)
    return version, notes


def _taken(repo: Repo, line: Line, name: str, tag: str) -> str:
    """Say that a version of ours, which a bundle has perhaps, is somebody else's on the remote."""
    from ledgit.git import Objects

    free = next_free(tag.rpartition("@")[2].rstrip("!"), ModelTags(repo, Objects.of(repo), name).versions)
    return (
        f"{tag} is somebody else's on {line.remote.shown}, and another one here;"
        f" 'ledgit registry move {name}@{tag.rpartition('@')[2]} {free}' gives yours another version"
    )


def _note(repo: Repo, folder: Folder, name: str) -> list[str]:
    """Note in the clone's ledger that there is a new tag, by which others' pulls find it."""
    from ledgit.store.registry.described import edit_model
    from ledgit.store.registry.sharing import shared_digest

    try:
        edit_model(repo, folder, name, {"shared": shared_digest(repo, name)})
    except LedgitError as error:
        return [f"others find the tag with 'ledgit pull --tags': {error}"]
    return []


def _send(line: Line, name: str, version: ModelVersion) -> bool:
    """Send a version's tag; False: somebody else has it, and ours is gone."""
    from ledgit.git import Objects, list_remote, push, read_ref
    from ledgit.store.registry.pushing import updates_of

    repo = line.repo
    ref = TAGS + version.tag
    oid = read_ref(repo, ref)
    one = None if oid is None else read_unshared(Objects.of(repo), version.tag, oid)
    if one is None:
        raise Conflict(f"the tag {version.tag} was changed at this moment; repeat the command")
    for _ in range(_ATTEMPTS):
        there = list_remote(repo, line.remote.url, [ref, *(update.ref for update in updates_of(one))])
        if there.get(ref) == one.oid:
            _arrived(repo, one)
            return True
        if ref in there:
            _give_way(line, name, one)
            return False
        if len(there) > 0:  # only its number is taken
            one = renumber(repo, line.folder, one, max(int(taken.rpartition("/")[2]) for taken in there))
            continue
        results = push(repo, line.remote.url, updates_of(one), prompt=line.prompt)
        if all(result.ok for result in results):
            _arrived(repo, one)
            return True
        refused = next((result for result in results if result.status == "refused"), None)
        if refused is not None:
            from ledgit.errors import PushRefused

            raise PushRefused(line.remote.url.shown, f"it does not take the tag {one.tag}: {refused.explain()}")
    raise RemoteError(line.remote.url.shown, f"the tag {one.tag} could not be sent; repeat the command")


def _arrived(repo: Repo, one: Unshared) -> None:
    from ledgit.git import RefUpdate, update_refs

    try:
        update_refs(repo, [RefUpdate(KEPT + one.tag, None, one.oid)], durable=False)
    except Conflict:
        return  # it was known already, or the next push finds it there


def _give_way(line: Line, name: str, one: Unshared) -> None:
    """Let a version of ours go that somebody else has, unless something stands on it here."""
    from ledgit.git import Objects, RefUpdate, update_refs
    from ledgit.store.registry.tagging import claim_ref

    objects = Objects.of(line.repo)
    known = {other.tag: other for other in unshared_tags(line.repo, objects)}
    stands = [other for other in known.values() if other.commit == one.commit and other.tag != one.tag]
    version = one.message.version or ""
    if one.tag not in known or stands:
        taken = ModelTags(line.repo, objects, name).versions
        free = next_free(version, taken)
        raise VersionExists(name, version, free, line.remote.shown, f"ledgit registry move {name}@{version} {free}")
    drop_unshared(line.repo, one)
    if one.message.number is not None:
        claim = claim_ref(name, one.message.number)
        try:
            update_refs(line.repo, [RefUpdate(claim, None, one.oid)])
        except Conflict:
            return  # it is somebody else's by now
