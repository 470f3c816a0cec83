"""Which names are taken, without opening a file for each loose ref."""

from __future__ import annotations

import os

from ledgit.git.refs import _named, _packed_data, _walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["ref_names"]

_MOST_NAMES = 256  # beginnings whose packed names stay in memory
_names: dict[tuple[str, str], tuple[tuple[int, int, int], frozenset[str]]] = {}


def ref_names(repo: Repo, *beginnings: str) -> set[str]:
    """Return the full names of the refs that begin with one of *beginnings* (``refs/tags/churn@``), unread.

    Also torn ones: for whoever looks for a name that is free. What is packed is taken apart once, and
    again when it was packed anew.
    """
    found: set[str] = set()
    folders: dict[str, list[str]] = {}
    for beginning in beginnings:
        found |= _packed_names(repo, beginning)
        folders.setdefault(beginning.rpartition("/")[0], []).append(beginning.rpartition("/")[2])
    for above, starts in folders.items():
        folder = os.path.join(repo.common_dir, above)
        wanted = tuple(starts)
        try:
            with os.scandir(folder) as scan:
                entries = [entry for entry in scan if entry.name.startswith(wanted)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.is_dir():
                found.update(ref for ref, _ in _walk(entry.path, f"{above}/{entry.name}/"))
            elif not entry.name.endswith(".lock"):
                found.add(f"{above}/{entry.name}")
    return found


def _packed_names(repo: Repo, beginning: str) -> frozenset[str]:
    try:
        info = os.stat(os.path.join(repo.common_dir, "packed-refs"))
    except FileNotFoundError:
        return frozenset()
    mark = (info.st_mtime_ns, info.st_size, info.st_ino)
    key = (repo.common_dir, beginning)
    known = _names.get(key)
    if known is None or known[0] != mark:
        if len(_names) >= _MOST_NAMES:
            _names.clear()
        known = _names[key] = (mark, frozenset(_named(_packed_data(repo), beginning)))
    return known[1]
