"""Whether a tree has all of a commit's files, whatever lies beside them."""

from __future__ import annotations

from ledgit.git.command import try_git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["has_files_of"]


def has_files_of(repo: Repo, tree: str | None, commit: str) -> bool:
    """Whether every file of *commit* is in *tree* just so; that may have more, as untracked files of a snapshot are.

    Args:
        repo: Where.
        tree: A tree; None, and one that is not here, has none.
        commit: A commit or tree.
    """
    if tree is None:
        return False
    args = ("diff-tree", "-r", "--quiet", "--no-renames", "--diff-filter=MDT", commit, tree, "--")
    return try_git(repo, *args)[0] == 0
