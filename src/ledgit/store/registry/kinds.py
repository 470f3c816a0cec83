"""What a name in the registry is of: a model's versions come from runs, a project's from commits of code."""

from __future__ import annotations

from ledgit.errors import InvalidName
from ledgit.records.registry_names import REGISTER, slug_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.registry.modeltags import ModelTags

__all__ = ["MODEL", "PROJECT", "check_kind"]

MODEL, PROJECT = "model", "project"
_MOST_KNOWN = 1000

_known: dict[tuple[str, str], str] = {}


def check_kind(repo: Repo, objects: Objects, tags: ModelTags, name: str, kind: str) -> None:
    """Check that the versions of *name* that are there are of this *kind*; one of them is read, once a process.

    Raises:
        InvalidName: They are of another one.
    """
    key = (repo.common_dir, slug_of(name))
    found = _known.get(key)
    if found is None:
        found = _kind_of(repo, objects, tags)
        if found is None:
            return
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = found
    if found != kind:
        raise InvalidName(kind, name, f"is that of a registered {found}; choose another name")


def _kind_of(repo: Repo, objects: Objects, tags: ModelTags) -> str | None:
    """Return what the first version that can be read is of; None: nothing tells."""
    from ledgit.git import read_ref
    from ledgit.store.registry.events import event_of, row_of
    from ledgit.store.registry.modeltags import KEPT, TAGS

    for tag, named in tags.names.items():
        if named.action != REGISTER:
            continue
        oid = read_ref(repo, TAGS + tag) or read_ref(repo, KEPT + tag)
        if oid is None or objects.kind(oid) != "tag":
            continue
        row = row_of(tag, oid, "tag", objects.read(oid)[1])
        if row is not None and len(row) > 3:
            return event_of(row).kind
    return None
