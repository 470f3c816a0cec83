"""Delete many refs, each only if it still is what it was."""

from __future__ import annotations

from ledgit.errors import Conflict, RefMoved
from ledgit.git.refs import RefUpdate, list_refs, update_refs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git.repo import Repo

__all__ = ["drop_refs"]

_AT_ONCE = 1000
_ROUNDS = 5


def drop_refs(repo: Repo, refs: Mapping[str, str], *, durable: bool = True) -> list[str]:
    """Delete *refs* (name → id); one that another process moved meanwhile stays.

    Args:
        repo: Where.
        refs: Names below ``refs/ledgit/runs/``, and the ids they must have.
        durable: Sync before returning.

    Returns:
        The names that stay because they have another id now.

    Raises:
        StorageError: The disk is full or failing; some may be gone.
        ReadOnlyRepository: The repository can't be written.
    """
    names = sorted(refs)
    stay: list[str] = []
    for at in range(0, len(names), _AT_ONCE):
        stay += _drop(repo, {name: refs[name] for name in names[at : at + _AT_ONCE]}, durable)
    return stay


def _drop(repo: Repo, refs: dict[str, str], durable: bool) -> list[str]:
    """Delete in one transaction what is unmoved; one that moves at that moment makes for another round."""
    stay = []
    todo = dict(refs)
    for _ in range(_ROUNDS):
        now = list_refs(repo, "refs/ledgit/runs/") if len(todo) > 1 else None
        for name, old in list(todo.items()):
            value = now.get(name) if now is not None else list_refs(repo, name).get(name)
            if value != old:
                del todo[name]
                if value is not None:
                    stay.append(name)
        if not todo:
            return stay
        try:
            update_refs(repo, [RefUpdate(name, None, old) for name, old in todo.items()], durable=durable)
        except RefMoved:
            continue
        except Conflict:  # somebody holds a lock: those wait for the next time
            break
        return stay
    return [*stay, *todo]
