"""What is owed to artifact remotes, on disk until it is done: no cache, losing it loses objects.

Two files in Ledgit's folder:

- ``artifacts-again.json``: runs that need objects which somebody was deleting when they were sent.
  After that sweep has ended, the next push looks at them once more.
- ``artifacts-purged.json``: objects of purged runs. `ledgit gc --purge` deletes those that nothing
  else needs, here and on the remote, and comes back to what it could not do.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # a push of nothing new comes by here: two files that mostly aren't there
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from ledgit.store.folder import Folder

__all__ = ["clear_again", "due_again", "forget_purged", "look_again", "note_purged", "owed_again", "purged_objects"]

_AGAIN, _PURGED = "artifacts-again.json", "artifacts-purged.json"
_HEX = frozenset("0123456789abcdef")


def look_again(folder: Folder, remote: str, runs: Mapping[str, int], when: int) -> None:
    """Note that *runs* are to be looked at once more; on disk when this returns.

    Args:
        folder: Ledgit's folder.
        remote: Address of the artifact remote, as :class:`~ledgit.store.artifacts.known.Known` has it.
        runs: Id → start, ms since the epoch.
        when: Not before; ms since the epoch.

    Raises:
        StorageError: It can't be written.
    """
    if not runs:
        return
    from ledgit.store.sync.held import update_json

    def change(document: dict[str, Any]) -> None:
        noted = document.get(remote)
        kept = dict(noted) if isinstance(noted, dict) else {}
        for run_id, start in runs.items():
            kept[run_id] = [start, when]
        document[remote] = kept

    update_json(folder, os.path.join(folder.path, _AGAIN), change)


def owed_again(folder: Folder, remote: str | None = None) -> dict[str, tuple[int, int]]:
    """Return the runs that are to be looked at again: id → (start, not before).

    Args:
        folder: Ledgit's folder.
        remote: Address; None: all that were noted.
    """
    path = os.path.join(folder.path, _AGAIN)
    if not os.path.exists(path):
        return {}
    from ledgit.store.sync.held import read_json

    found: dict[str, tuple[int, int]] = {}
    for name, noted in read_json(path).items():
        if (remote is not None and name != remote) or not isinstance(noted, dict):
            continue
        for run_id, item in noted.items():
            if isinstance(item, list) and len(item) == 2 and all(type(part) is int for part in item):
                found[run_id] = (item[0], item[1])
    return found


def due_again(folder: Folder, now: int, remote: str | None = None) -> dict[str, int]:
    """Return those that may be looked at now: id → start."""
    return {run_id: start for run_id, (start, when) in owed_again(folder, remote).items() if when <= now}


def clear_again(folder: Folder, remote: str, runs: Iterable[str], now: int) -> None:
    """Forget *runs* that were due: they have been looked at. What was noted for later stays."""
    ids = set(runs)
    if not ids:
        return
    from ledgit.store.sync.held import update_json

    def change(document: dict[str, Any]) -> None:
        noted = document.get(remote)
        if not isinstance(noted, dict):
            return
        kept = {run_id: item for run_id, item in noted.items() if run_id not in ids or item[1] > now}
        document.pop(remote)
        if kept:
            document[remote] = kept

    update_json(folder, os.path.join(folder.path, _AGAIN), change)


# ---------------------------------------------------------------------- purged runs


def note_purged(folder: Folder, oids: Collection[str]) -> None:
    """Note objects of runs that are about to be purged; on disk when this returns.

    Nothing is deleted on the strength of this note alone: who acts on it looks whether a run needs them.

    Raises:
        StorageError: It can't be written.
    """
    if not oids:
        return
    from ledgit.store.sync.held import update_json

    def change(document: dict[str, Any]) -> None:
        document["objects"] = sorted({*_listed(document), *oids})

    update_json(folder, os.path.join(folder.path, _PURGED), change)


def purged_objects(folder: Folder) -> set[str]:
    """Return the objects of purged runs that may still be here, or on the remote."""
    path = os.path.join(folder.path, _PURGED)
    if not os.path.exists(path):
        return set()
    from ledgit.store.sync.held import read_json

    return _listed(read_json(path))


def forget_purged(folder: Folder, oids: Collection[str]) -> None:
    """Forget objects that are gone, or that something else needs."""
    if not oids:
        return
    from ledgit.store.sync.held import update_json

    gone = set(oids)

    def change(document: dict[str, Any]) -> None:
        document["objects"] = sorted(_listed(document) - gone)

    update_json(folder, os.path.join(folder.path, _PURGED), change)


def _listed(document: Mapping[str, Any]) -> set[str]:
    found = document.get("objects")
    return {oid for oid in found if isinstance(oid, str) and _is_oid(oid)} if isinstance(found, list) else set()


def _is_oid(oid: str) -> bool:
    digits = oid.removesuffix(".dir")
    return len(digits) == 32 and _HEX.issuperset(digits)
