"""What of a project's code is not in Git's objects: files that Git LFS keeps, and submodules.

A bundle and the code that goes to a worker by value are Git's objects alone. There a file of LFS is its pointer, and a
submodule is an empty folder.
"""

from __future__ import annotations

import os

from ledgit.records.harmless import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git import Repo

__all__ = ["left_beside"]

_POINTER = "version https://git-lfs.github.com/spec/v1"
_SHOWN = 3


def left_beside(repo: Repo, tree: str, subdir: str = "") -> list[str]:
    """Return sentences about what of *tree* (a tree or commit) does not go with its objects; [] if all of it does."""
    from ledgit.git import run_git, try_git

    env = {"GIT_LITERAL_PATHSPECS": "1"}
    below = ["--", subdir] if subdir else []
    rows = [row.partition(b"\t") for row in run_git(repo, "ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")]
    inside = os.fsencode(f"{subdir}/") if subdir else b""
    modules = [path for meta, _, path in rows if meta.startswith(b"160000 ") and path.startswith(inside)]
    names = {os.path.basename(path) for _, _, path in rows}
    large: list[bytes] = []
    if b".gitattributes" in names:  # without one nothing is LFS's, and no file needs to be read
        _, out, _ = try_git(repo, "grep", "-l", "-z", "-F", "-e", _POINTER, tree, *below, env=env)
        large = [name.partition(b":")[2] for name in out.split(b"\0") if name]
    notes = []
    if large:
        notes.append(f"files that Git LFS keeps do not go along, their pointers do: {_listed(large)}")
    if modules:
        notes.append(f"submodules do not go along, their folders are empty there: {_listed(modules)}")
    return notes


def _listed(names: Sequence[bytes]) -> str:
    shown = ", ".join(clean(os.fsdecode(name)) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
