"""Decode ``git status --porcelain=v2 --branch -z``."""

from __future__ import annotations

from ledgit.records.values import Values

__all__ = ["Status", "parse_status"]


class Status(Values):
    """What ``git status`` reported; paths as bytes below the top of the work tree.

    Attributes:
        commit: Id of HEAD, ``None`` before the first commit.
        branch: Short name, ``None`` when HEAD is detached.
        upstream: Short name of its upstream.
        staged: Paths where the index differs from HEAD.
        work_tree_changes: Paths where the work tree differs from the index, and unmerged ones.
        untracked: Untracked paths; a nested repository ends in ``/``.
        submodules: (path, flags such as ``SCMU``) of submodules that differ.
    """

    __slots__ = ("branch", "commit", "staged", "submodules", "untracked", "upstream", "work_tree_changes")

    def __init__(self) -> None:
        self.commit: str | None = None
        self.branch: str | None = None
        self.upstream: str | None = None
        self.staged: list[bytes] = []
        self.work_tree_changes: list[bytes] = []
        self.untracked: list[bytes] = []
        self.submodules: list[tuple[bytes, str]] = []

    @property
    def clean(self) -> bool:
        """Whether nothing was reported."""
        return not (self.staged or self.work_tree_changes or self.untracked or self.submodules)

    def changed(self, but: bytes) -> bool:
        """Whether anything was reported outside of the folder *but*."""
        paths = [*self.staged, *self.work_tree_changes, *self.untracked, *(path for path, _ in self.submodules)]
        return any(not (path + b"/").startswith(but + b"/") for path in paths)


def parse_status(out: bytes) -> Status:
    """Decode the output of the command in this module's first line."""
    status = Status()
    for item in out.split(b"\0"):
        kind = item[:2]
        if kind == b"# ":
            _header(status, item)
        elif kind == b"? ":
            status.untracked.append(item[2:])
        elif kind == b"1 ":
            _, states, sub, _, _, _, _, _, path = item.split(b" ", 8)
            if states[:1] != b".":
                status.staged.append(path)
            if sub[:1] == b"S":
                status.submodules.append((path, sub.decode("ascii")))
            # Changes inside a submodule can't be recorded; another commit in it can.
            if states[1:] != b"." and (sub[:1] != b"S" or sub[1:2] == b"C" or states[1:] != b"M"):
                status.work_tree_changes.append(path)
        elif kind == b"u ":
            _, _, sub, _, _, _, _, _, _, _, path = item.split(b" ", 10)
            if sub[:1] == b"S":
                status.submodules.append((path, sub.decode("ascii")))
            status.work_tree_changes.append(path)
    return status


def _header(status: Status, item: bytes) -> None:
    _, name, value = item.split(b" ", 2)
    text = value.decode("utf-8", "surrogateescape")
    if name == b"branch.oid" and text != "(initial)":
        status.commit = text
    elif name == b"branch.head" and text != "(detached)":
        status.branch = text
    elif name == b"branch.upstream":
        status.upstream = text
