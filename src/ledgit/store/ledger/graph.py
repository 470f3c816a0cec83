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

__all__ = ["MANY", "renew_graph", "write_graph"]

MANY = 1000
"""Runs that a pull has to bring for the index to be brought up to date after it."""

_WRITE = ("commit-graph", "write", "--reachable", "--no-progress")


def write_graph(repo: Repo) -> bool:
    """Bring the commit-graph up to date: a layer with what is new, below ``objects/info``, and nothing else.

    Nothing is written in a shallow clone, for which Git has no commit-graph, where ``core.commitGraph`` is false, or
    while Git itself writes one.

    Args:
        repo: The clone.

    Returns:
        Whether it was written.
    """
    return _write(repo, "--split")


def renew_graph(repo: Repo) -> bool:
    """Make a commit-graph that is there anew, of what is reachable now: after runs were purged.

    A graph that names commits which `git prune` has removed makes ``git fsck`` complain until the next `git gc`.
    Takes 0.3 s with 100,000 runs.

    Args:
        repo: The clone.

    Returns:
        Whether it was written.
    """
    info = os.path.join(repo.objects_dir, "info")
    if not any(os.path.exists(os.path.join(info, name)) for name in ("commit-graph", "commit-graphs")):
        return False
    return _write(repo, "--split=replace")


def _write(repo: Repo, layers: str) -> bool:
    from ledgit.git import LEAN, try_git

    if os.path.exists(os.path.join(repo.common_dir, "shallow")) or not repo.config().get_bool("core.commitGraph", True):
        return False
    return try_git(repo, *LEAN, *_WRITE, layers)[0] == 0
