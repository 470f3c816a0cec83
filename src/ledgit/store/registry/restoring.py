"""Tags that are gone and can come back: ``fetch.pruneTags`` deletes those that the remote lacks."""

from __future__ import annotations

from ledgit.errors import LedgitError
from ledgit.records.registry_names import parse_tag
from ledgit.store.registry.moving import read_unshared
from ledgit.store.registry.tagging import KEPT, TAGS, VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo

__all__ = ["lost_tags", "restore_tags"]


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
    """Make *tags* (name → object) again; return those that could be made."""
    from ledgit.git import RefUpdate, update_refs

    made = []
    for tag, oid in tags.items():
        try:
            update_refs(repo, [RefUpdate(TAGS + tag, oid)])
        except LedgitError:
            continue  # somebody was quicker
        made.append(tag)
    return made
