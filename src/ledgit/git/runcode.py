"""A run's tree without what Ledgit put into it: the code as the user had it."""

from __future__ import annotations

from ledgit.git.parsing import FILE
from ledgit.git.trees import edit_tree
from ledgit.records.dvcfiles import DVC_CONFIG, DVC_IGNORE, unmark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.objects import Objects
    from ledgit.git.pack import ObjectSet

__all__ = ["code_tree_without_run", "users_dvc_files"]

_MOST = 1 << 20  # bytes of a .dvc/config that is looked at


def users_dvc_files(objects: Objects, tree: str) -> dict[str, bytes | None]:
    """Return the files of ``.dvc`` that Ledgit wrote into a run's tree: path → content before, None if there was none.

    Args:
        objects: Where the tree is.
        tree: A commit or tree. One that is not here, or no run's, has none of them.
    """
    found = objects.find(tree, DVC_CONFIG) if objects.exists(tree) else None
    if found is None or found.mode != FILE:
        return {}
    data = objects.read(found.oid)[1]
    before = unmark(data) if len(data) < _MOST else None
    if before is None:
        return {}
    files: dict[str, bytes | None] = {DVC_CONFIG: before.config}
    if not before.ignore:
        files[DVC_IGNORE] = None
    return files


def code_tree_without_run(objects: Objects, objectset: ObjectSet, commit: str) -> str:
    """Return the id of the commit's tree as the code was: without ``.ledgit/run``, with the user's own ``.dvc``.

    New objects go into *objectset*.
    """
    root = objects.commit(commit).tree
    mine = users_dvc_files(objects, root)
    changes = {path: None if data is None else (FILE, objectset.blob(data)) for path, data in mine.items()}
    return edit_tree(objects, objectset, root, {".ledgit/run": None, **changes})
