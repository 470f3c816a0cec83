"""What killed processes of ours left among the packs, and how it is told from what is Git's."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["KEEP_MARK", "TEMPORARY", "is_ours", "release_leftovers"]

TEMPORARY = "ledgit-new-"
"""What the names of unfinished packs begin with."""

KEEP_MARK = b"ledgit: until a ref points at these objects\n"
"""What our ``.keep`` files say."""


def release_leftovers(repo: Repo, older_than: float = 3600.0) -> int:
    """Remove the ``.keep`` and unfinished files that killed processes of ours left; return how many.

    Args:
        repo: Where to look.
        older_than: Age in seconds below which a file may still be in use.
    """
    import time

    folder = os.path.join(repo.objects_dir, "pack")
    removed = 0
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".keep") or name.startswith(TEMPORARY)]
    except OSError:
        return 0
    for name in names:
        path = os.path.join(folder, name)
        try:
            if (name.startswith(TEMPORARY) or is_ours(path)) and time.time() - os.stat(path).st_mtime > older_than:
                os.unlink(path)
                removed += 1
        except OSError:
            continue  # gone, or not ours to remove
    return removed


def is_ours(keep: str) -> bool:
    """Whether the file *keep* is a ``.keep`` that we wrote."""
    with open(keep, "rb") as file:
        said = file.read(len(KEEP_MARK) + 1)
    return said in (KEEP_MARK, b"")  # empty: the disk was full, or power was lost
