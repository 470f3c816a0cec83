"""Git's index of the history (its commit-graph), kept up where many runs were added.

Every `git fetch` walks all commits that are newer than the remote's newest, which here are mostly
runs: without the index each of them is unpacked and parsed. `git gc` writes it too, but in a clone
that only tracks, nothing runs that.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["MANY", "write_graph"]

MANY = 1000
"""Runs that a pull has to bring for the index to be brought up to date after it."""

_WRITE = ("commit-graph", "write", "--reachable", "--split", "--no-progress")


def write_graph(repo: Repo) -> bool:
    """Bring the commit-graph up to date: a layer with what is new, below ``objects/info``, and nothing else.

    Nothing is written in a shallow clone, for which Git has no commit-graph, where ``core.commitGraph`` is false, or
    while Git itself writes one.

    Args:
        repo: The clone.

    Returns:
        Whether it was written.
    """
    from ledgit.git import LEAN, try_git

    if os.path.exists(os.path.join(repo.common_dir, "shallow")) or not repo.config().get_bool("core.commitGraph", True):
        return False
    return try_git(repo, *LEAN, *_WRITE)[0] == 0
