"""Which names are taken, without opening a file for each loose ref."""

from __future__ import annotations

import os

from ledgit.git.packedrefs import PackedRefs
from ledgit.git.refs import _walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["NameWatch", "ref_names"]

_FEW = 64  # names that are looked at one by one
_NONE: frozenset[str] = frozenset()
_MOST_NAMES = 256  # beginnings whose packed names stay in memory
_names: dict[tuple[str, str], tuple[tuple[int, int, int], frozenset[str]]] = {}


def ref_names(repo: Repo, *beginnings: str) -> set[str]:
    """Return the full names of the refs that begin with one of *beginnings* (``refs/tags/churn@``), unread.

    Also torn ones: for whoever looks for a name that is free. What is packed is taken apart once, and
    again when it was packed anew.
    """
    return NameWatch(repo, *beginnings).look()[0]


class NameWatch:
    """What :func:`ref_names` tells, for whoever asks again and again: a further look costs what has changed.

    Attributes:
        names: The names at the last look.
    """

    def __init__(self, repo: Repo, *beginnings: str) -> None:
        self._repo = repo
        self._packed: list[frozenset[str]] = []
        self._below: set[str] = set()  # in folders that are named like a ref that was asked for
        self._loose: dict[str, frozenset[str]] = {}  # folder → what was listed there
        self._files: dict[str, set[str]] = {}  # folder → those of them that are refs, not folders of refs
        self._beginnings = beginnings
        self._folders: dict[str, tuple[str, ...]] = {}
        for beginning in beginnings:
            above, _, start = beginning.rpartition("/")
            self._folders[above] = (*self._folders.get(above, ()), start)
        self.names: set[str] = set()

    def look(self) -> tuple[set[str], bool]:
        """Look again; return the names that came since the last time, and whether any went."""
        # Loose before packed: a ref that is being packed meanwhile is then in at least one of them.
        came: set[str] = set()
        below: set[str] = set()
        grown = True
        for above, starts in self._folders.items():
            listed, last = self._list(above, starts), self._loose.get(above, _NONE)
            grown = grown and listed >= last
            files = self._files.setdefault(above, set())
            files &= listed
            new = self._refs(above, listed - last)
            files |= new
            came.update(f"{above}/{name}" for name in new)
            self._loose[above] = listed
            for name in () if len(files) == len(listed) else listed - files:
                if not name.endswith(".lock"):
                    folder = os.path.join(self._repo.common_dir, above, name)
                    below.update(ref for ref, _ in _walk(folder, f"{above}/{name}/"))
        packed = [_packed_names(self._repo, beginning) for beginning in self._beginnings]
        if grown and not (below or self._below) and list(map(id, packed)) == list(map(id, self._packed)):
            came -= self.names
            self.names |= came
            return came, False
        self._packed, self._below = packed, below
        names = below.union(*packed)
        for above, files in self._files.items():
            names.update(f"{above}/{name}" for name in files)
        came, gone = names - self.names, not names >= self.names
        self.names = names
        return came, gone

    def _refs(self, above: str, names: frozenset[str]) -> set[str]:
        """Return those of *names* in a folder of refs that are no folders themselves."""
        folder = os.path.join(self._repo.common_dir, above)
        if len(names) <= _FEW:
            return {name for name in names if not name.endswith(".lock") and not os.path.isdir(f"{folder}/{name}")}
        with os.scandir(folder) as entries:
            folders = {entry.name for entry in entries if entry.is_dir()}
        return {name for name in names if not name.endswith(".lock") and name not in folders}

    def _list(self, above: str, starts: tuple[str, ...]) -> frozenset[str]:
        try:
            names = os.listdir(os.path.join(self._repo.common_dir, above))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        return frozenset(names if "" in starts else [name for name in names if name.startswith(starts)])


def _packed_names(repo: Repo, beginning: str) -> frozenset[str]:
    try:
        info = os.stat(os.path.join(repo.common_dir, "packed-refs"))
    except FileNotFoundError:
        return _NONE
    mark = (info.st_mtime_ns, info.st_size, info.st_ino)
    key = (repo.common_dir, beginning)
    known = _names.get(key)
    if known is None or known[0] != mark:
        if len(_names) >= _MOST_NAMES:
            _names.clear()
        with PackedRefs(repo) as packed:
            known = _names[key] = (mark, frozenset(packed.below(beginning)))
    return known[1]
