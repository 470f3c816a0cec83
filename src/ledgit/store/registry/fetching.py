"""Getting tags: those of the registry's form that the remote has and this clone hasn't, by name.

Git gets a tag by itself only with the branch it is on, and no registry tag is on one. So a pull looks for
them, when the ledger says that there may be new ones: whoever pushes tags notes in it that they did.
"""

from __future__ import annotations

from ledgit.errors import Conflict, LedgitError
from ledgit.records.registry_names import CREATE, claim_slug, parse_tag, slug_of
from ledgit.records.values import Values
from ledgit.store.registry.tagging import KEPT, TAGS, VERSIONS
from ledgit.store.sync.lately import note_tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import RefUpdate
    from ledgit.store.sync.line import Line, Progress

__all__ = ["TagsPulled", "pull_tags"]

_AT_ONCE = 800  # names in one command
_IN_STEP = 60  # refs made in one step: more are Git's
_FETCHING = "fetching registry tags"


class TagsPulled(Values):
    """What came.

    Attributes:
        new: Tags that are here now.
        notes: Sentences about what is not, and why.
        taken: Tags of ours, which nobody has seen, that somebody else has made there meanwhile.
    """

    __slots__ = ("new", "notes", "taken")

    def __init__(self) -> None:
        self.new: list[str] = []
        self.notes: list[str] = []
        self.taken: list[str] = []


def pull_tags(line: Line, progress: Progress | None = None, only: str | None = None) -> TagsPulled:
    """Fetch the registry's tags, and claims of numbers, that the remote has and this clone hasn't.

    A tag that is here with another content is left as it is; so is one that is gone here on purpose only until
    now: a registry loses nothing.

    Args:
        line: The remote.
        progress: Is told (what, done, total or None).
        only: The tags of this model or project alone; None: all.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used; the next pull tries again.
    """
    from ledgit.git import list_refs, list_remote

    found = TagsPulled()
    repo = line.repo
    patterns = [f"{TAGS}*", f"{VERSIONS}*"]
    if only is not None:
        slug = slug_of(only)
        patterns = [f"{TAGS}{slug}@*", f"{TAGS}{slug}#*", f"{VERSIONS}{claim_slug(only)}/*"]
    there = list_remote(repo, line.remote.url, patterns, prompt=line.prompt)
    here = {**list_refs(repo, TAGS), **list_refs(repo, VERSIONS)}
    kept = list_refs(repo, KEPT)
    wanted: dict[str, str] = {}
    for ref, oid in there.items():
        if not _is_registry(ref):
            continue
        known = here.get(ref)
        if known == oid:
            _seen(line, kept, ref, oid)
        elif known is None:
            wanted[ref] = oid
        elif ref.startswith(TAGS) and ref[len(TAGS) :] and KEPT + ref[len(TAGS) :] not in kept:
            tag = ref[len(TAGS) :]
            found.notes.append(
                f"the tag {tag} is another one here than on {line.remote.shown}; 'git ls-remote' and 'git show {tag}'"
                " tell them apart, and neither was changed"
            )
        elif ref.startswith(TAGS):
            found.taken.append(ref[len(TAGS) :])
    if wanted:
        _fetch(line, wanted, found, progress)
    if only is None:
        note_tags(line)
    return found


def _is_registry(ref: str) -> bool:
    if ref.startswith(TAGS):
        name = parse_tag(ref[len(TAGS) :])
        return name is not None and name.action != CREATE
    slug, _, number = ref[len(VERSIONS) :].rpartition("/")
    plain = bool(slug) and slug.isascii() and slug.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
    return plain and slug[0] != "." and ".." not in slug and number.isascii() and number.isdigit() and len(number) < 16


def _seen(line: Line, kept: dict[str, str], ref: str, oid: str) -> None:
    """Forget our copy of a tag that is on the remote: others can bring it back now."""
    from ledgit.git import RefUpdate, update_refs

    name = KEPT + ref[len(TAGS) :] if ref.startswith(TAGS) else ""
    if kept.get(name) == oid:
        try:
            update_refs(line.repo, [RefUpdate(name, None, oid)], durable=False)
        except Conflict:
            return


def _fetch(line: Line, wanted: dict[str, str], found: TagsPulled, progress: Progress | None) -> None:
    """Fetch *wanted* to where nobody looks, and make the refs of what came: created only."""
    from ledgit.git import RefUpdate, fetch, list_refs
    from ledgit.git.refdrop import drop_refs

    incoming = f"{line.remote.incoming}registry/"
    names = sorted(wanted)
    try:
        for at in range(0, len(names), _AT_ONCE):
            if progress is not None:
                progress(_FETCHING, at, len(names))
            batch = names[at : at + _AT_ONCE]
            specs = [f"{ref}:{incoming}{ref.removeprefix('refs/')}" for ref in batch]
            if not fetch(line.repo, line.remote.url, specs, prompt=line.prompt):
                found.notes.append(
                    f"tags on {line.remote.shown} are changing at this moment; pull once more for the rest"
                )
                continue
            came = list_refs(line.repo, incoming)
            updates = []
            for ref in batch:
                oid = came.get(f"{incoming}{ref.removeprefix('refs/')}")
                if oid is not None:
                    updates.append(RefUpdate(ref, oid))
            _make(line, updates, found)
        if progress is not None:
            progress(_FETCHING, len(names), len(names))
    finally:
        left = list_refs(line.repo, incoming)
        if left:
            drop_refs(line.repo, left, durable=False)


def _make(line: Line, updates: list[RefUpdate], found: TagsPulled) -> None:
    from ledgit.git import update_refs

    for at in range(0, len(updates), _IN_STEP):
        step = updates[at : at + _IN_STEP]
        try:
            update_refs(line.repo, step)
        except LedgitError:
            for update in step:  # which of them is it?
                try:
                    update_refs(line.repo, [update])
                except LedgitError as error:
                    found.notes.append(f"{update.name.removeprefix(TAGS)} on {line.remote.shown} can't be had: {error}")
                else:
                    _add(found, update.name)
            continue
        for update in step:
            _add(found, update.name)


def _add(found: TagsPulled, ref: str) -> None:
    if ref.startswith(TAGS):
        found.new.append(ref[len(TAGS) :])
