"""Tags that are gone and can come back: ``fetch.pruneTags`` deletes those that the remote lacks."""

from __future__ import annotations

from ledgit.errors import LedgitError
from ledgit.records.registry_names import parse_tag
from ledgit.store.registry.moving import read_unshared
from ledgit.store.registry.tagging import KEPT, TAGS, VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder

__all__ = ["drop_purged", "lost_tags", "moved_tags", "remember_numbers", "restore_tags"]


def lost_tags(repo: Repo, objects: Objects | None = None) -> dict[str, str]:
    """Return the registry's tags that are gone here and whose objects are not: name → object.

    Those that were never seen on the remote; with *objects* also versions that were, by the claims of their numbers.
    """
    from ledgit.git import list_refs

    kept = {ref[len(KEPT) :]: oid for ref, oid in list_refs(repo, KEPT).items()}
    claims = list_refs(repo, VERSIONS) if objects is not None else {}
    if not kept and not claims:
        return {}
    tags = list_refs(repo, TAGS)
    lost = {tag: oid for tag, oid in kept.items() if TAGS + tag not in tags and parse_tag(tag) is not None}
    there = set(tags.values())
    for oid in claims.values():
        if oid in there or oid in lost.values() or objects is None:
            continue
        found = _claimed(objects, oid)
        if found is not None and TAGS + found not in tags:
            lost[found] = oid
    return lost


def _claimed(objects: Objects, oid: str) -> str | None:
    from ledgit.store.registry.events import tag_headers

    try:
        kind, data = objects.read(oid)
    except LedgitError:
        return None
    tag = tag_headers(data)[0].get("tag", "") if kind == "tag" else ""
    return tag if tag and read_unshared(objects, tag, oid) is not None else None


def restore_tags(repo: Repo, tags: dict[str, str]) -> list[str]:
    """Make *tags* (name → object) again; return those that could be made.

    The next push sends them: who restores a tag wants others to have it too, and may find it there.
    """
    from ledgit.git import RefUpdate, read_ref, update_refs

    made = []
    for tag, oid in tags.items():
        kept = read_ref(repo, KEPT + tag)
        try:
            update_refs(repo, [RefUpdate(TAGS + tag, oid), RefUpdate(KEPT + tag, oid, kept)])
        except LedgitError:
            continue  # somebody was quicker
        made.append(tag)
    return made


def moved_tags(repo: Repo, objects: Objects) -> dict[str, str]:
    """Return the tags that are not the objects any more that were made as them: name → what it was."""
    from ledgit.git import list_refs

    made = {ref[len(KEPT) :]: oid for ref, oid in list_refs(repo, KEPT).items()}
    claims = list_refs(repo, VERSIONS)
    if not made and not claims:
        return {}
    tags = list_refs(repo, TAGS)
    there = set(tags.values())
    for oid in claims.values():
        if oid not in there:
            found = _claimed(objects, oid)
            if found is not None:
                made.setdefault(found, oid)
    return {tag: oid for tag, oid in made.items() if tags.get(TAGS + tag) not in (None, oid)}


def remember_numbers(repo: Repo, folder: Folder, refs: Iterable[str]) -> None:
    """Note in the ledger which numbers were given out, before the claims among *refs* are deleted for good."""
    from ledgit.git import Objects, read_ref
    from ledgit.store.ledger import LEDGER_REF
    from ledgit.store.registry.described import edit_model, read_models

    objects = Objects.of(repo)
    highest: dict[str, int] = {}
    for ref in refs:
        number = ref.rpartition("/")[2]
        oid = (
            read_ref(repo, ref)
            if ref.startswith(VERSIONS) and number.isascii() and number.isdigit() and len(number) < 16
            else None
        )
        tag = _claimed(objects, oid) if oid is not None else None
        one = read_unshared(objects, tag, oid) if tag is not None and oid is not None else None
        if one is not None:
            highest[one.model] = max(highest.get(one.model, 0), int(number))
    if not highest:
        return
    records, _ = read_models(objects, read_ref(repo, LEDGER_REF))
    for model, greatest in sorted(highest.items()):
        known = records.get(model, {}).get("highest")
        if not isinstance(known, int) or known < greatest:
            edit_model(repo, folder, model, {"highest": greatest})


def drop_purged(repo: Repo, runs: Collection[str]) -> None:
    """Delete the tags, and claims, of versions of *runs*, which were purged elsewhere: they would keep the data here.

    Whoever purged them has deleted the tags on the remote. One that was never shared stays: it is this clone's own,
    and `doctor` says that its run is gone.
    """
    from ledgit.git import Objects, RefUpdate, update_refs
    from ledgit.store.registry.commits import registry_refs, runs_of

    objects = Objects.of(repo)
    refs = registry_refs(repo)
    own = {oid for ref, oid in refs.items() if ref.startswith(KEPT)}
    commits: dict[str, str] = {}
    for oid in {*refs.values()} - own:
        try:
            commits[oid] = objects.commit(oid).oid
        except LedgitError:
            continue
    said = runs_of(repo, commits.values())
    for ref, oid in refs.items():
        if said.get(commits.get(oid, "")) in runs:
            try:
                update_refs(repo, [RefUpdate(ref, None, oid)])
            except LedgitError:
                continue  # moved a moment ago, or held: it stays, and is named by doctor
