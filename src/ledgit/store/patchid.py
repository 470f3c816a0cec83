"""The patch-id of a run's code: found out beside the run, and nothing waits for it.

It tells a run's code after a rebase or a squash merge. A run that ends within the moment
before it is looked for goes without: readers find it out themselves from the run's commit
(``store/index_links.py``); recorded, it also serves who has the ledger's tip alone.
"""

from __future__ import annotations

import threading

from ledgit.errors import LedgitError
from ledgit.git import base_ref, code_patch_ids, find_base
from ledgit.store.journal import encode, now_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo, Snapshot
    from ledgit.store.active import ActiveRun

__all__ = ["patch_id_of", "record_patch_id"]

#: Seconds a run must last before git is asked: 3 to 6 processes, and the whole difference is read.
_AFTER = 0.05
_MANY = 1000
# (Git directory, base, commit, tree) → patch-id: a sweep runs the same code again and again.
_known: dict[tuple[str, str, str, str], str | None] = {}


def patch_id_of(repo: Repo, snapshot: Snapshot) -> tuple[str | None, str | None]:
    """Return the patch-id if it is known already, and the tree for which it is to be found out if not.

    On the base branch itself, and where nothing differs from it, there is none. Costs a look
    at a few files.
    """
    tree = snapshot.tree or (None if snapshot.dirty else snapshot.head_tree)
    if snapshot.commit is None or tree is None:
        return None, None
    base = base_ref(repo)
    if base is None or base[0] == f"refs/heads/{snapshot.branch}":
        return None, None
    if base[1] == snapshot.commit and tree == snapshot.head_tree:
        return None, None
    key = (repo.common_dir, base[1], snapshot.commit, tree)
    if key in _known:
        return _known[key], None
    return None, tree


def record_patch_id(run: ActiveRun, snapshot: Snapshot, tree: str, stop: threading.Event) -> None:
    """Have the patch-id found out by a thread and added to the run's journal, if the run lasts that long."""

    def work() -> None:
        if stop.wait(_AFTER):
            return
        try:
            found = _find(run.repo, str(snapshot.commit), tree)
            with run._guard:
                if not stop.is_set():
                    run._append(encode("patch", {"at": now_ms(), "patch_id": found}))
        except (LedgitError, OSError):
            return  # part of the history is not in this clone: readers may know more

    threading.Thread(target=work, name="ledgit-patch-id", daemon=True).start()


def _find(repo: Repo, commit: str, tree: str) -> str | None:
    base = find_base(repo)
    found = code_patch_ids(repo, [(commit, tree)], base).get((commit, tree))
    if base is not None:
        if len(_known) > _MANY:
            _known.clear()
        _known[repo.common_dir, base, commit, tree] = found
    return found
