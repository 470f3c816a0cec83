"""Reading a ledger's trees: what is in the repository, and what was made a moment ago."""

from __future__ import annotations

from collections.abc import Iterator

from ledgit.errors import RecordError
from ledgit.git import TREE, TreeEntry, parse_tree
from ledgit.records.table import Line, decode_leaf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet

__all__ = ["SEGMENTS", "SUFFIX", "Dir", "Leaf", "Node", "Reader"]

SEGMENTS = "segments"
SUFFIX = ".jsonl"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Leaf:
    """A file of lines, stored under *oid*."""

    __slots__ = ("oid",)

    def __init__(self, oid: str) -> None:
        self.oid = oid


class Dir:
    """A day that was split, or a part of one: its files by digit."""

    __slots__ = ("oid",)

    def __init__(self, oid: str) -> None:
        self.oid = oid


Node = Leaf | Dir


class Reader:
    """Reads trees and files of ledgers.

    Args:
        objects: What is in the repository.
        fresh: New objects, not stored yet.
        most: Bytes that an object may have, where nobody checked it yet: 10 MB of a fetch can unpack
            to 10 GB.
    """

    def __init__(self, objects: Objects, fresh: ObjectSet | None = None, most: int | None = None) -> None:
        self.objects = objects
        self._most = most
        self.fresh = fresh

    def read(self, oid: str, kind: str) -> bytes:
        """Return the content of the object *oid*.

        Raises:
            NotFound: It is not here.
            RecordError: It is of another kind, or too large.
        """
        found = self.fresh.get(oid) if self.fresh is not None else None
        if found is None:
            if oid == EMPTY_TREE:
                return b""  # always there, though it may not be stored
            if self._most is not None and (self.objects.size(oid) or 0) > self._most:
                raise RecordError(oid[:12], f"has more than {self._most} bytes")
            found = self.objects.read(oid)
        if found[0] != kind:
            raise RecordError(oid[:12], f"is a {found[0]}, not a {kind}")
        return found[1]

    def has(self, oid: str) -> bool:
        """Whether the object is here."""
        return (self.fresh is not None and oid in self.fresh) or self.objects.exists(oid)

    def folder(self, oid: str | None) -> dict[str, TreeEntry]:
        """Return the entries of a tree by name; of None, none."""
        if oid is None:
            return {}
        return {entry.name: entry for entry in parse_tree(self.read(oid, "tree"), oid)}

    def slots(self, oid: str | None) -> dict[str, Node]:
        """Return what stands for each day of a month, or each digit of a split day."""
        found: dict[str, Node] = {}
        for name, entry in self.folder(oid).items():
            slot = name.removesuffix(SUFFIX)
            if slot in found or (entry.mode == TREE) == name.endswith(SUFFIX):
                raise RecordError("the ledger", f"has a damaged folder, with {name!r} in it")
            found[slot] = Dir(entry.oid) if entry.mode == TREE else Leaf(entry.oid)
        return found

    def segments(self, tree: str | None) -> dict[str, str]:
        """Return the months of a ledger's tree: name → tree."""
        top = self.folder(tree).get(SEGMENTS)
        if top is None:
            return {}
        return {name: entry.oid for name, entry in self.folder(top.oid).items() if entry.mode == TREE}

    def lines(self, oid: str) -> list[Line]:
        """Return the lines of a file."""
        return decode_leaf(self.read(oid, "blob"))

    def leaves(self, node: Node, path: str) -> Iterator[tuple[str, str]]:
        """Yield (path, blob) of every file of *node*; *path* is without its ending."""
        if isinstance(node, Leaf):
            yield path + SUFFIX, node.oid
            return
        for slot, below in self.slots(node.oid).items():
            yield from self.leaves(below, f"{path}/{slot}")
