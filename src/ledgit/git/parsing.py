"""Git objects as values: what the bytes of a commit and of a tree say."""

from __future__ import annotations

from ledgit.errors import RecordError

__all__ = [
    "EXECUTABLE",
    "FILE",
    "GITLINK",
    "SYMLINK",
    "TREE",
    "Commit",
    "Signature",
    "TreeEntry",
    "parse_commit",
    "parse_tree",
]

FILE, EXECUTABLE, SYMLINK, TREE, GITLINK = "100644", "100755", "120000", "40000", "160000"

Signature = tuple[str, str, int, str]
"""(name, e-mail address, seconds since the epoch, time zone such as ``+0000``)."""


class TreeEntry:
    """One line of a tree.

    Attributes:
        name: File or folder name; bytes that are no UTF-8 as surrogate escapes.
        mode: As in the object: ``100644 100755 120000 40000 160000``.
        oid: Id of the blob, tree or, for a submodule, commit.
    """

    __slots__ = ("mode", "name", "oid")

    def __init__(self, name: str, mode: str, oid: str) -> None:
        self.name, self.mode, self.oid = name, mode, oid

    @property
    def is_tree(self) -> bool:
        """Whether this is a folder."""
        return self.mode == TREE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeEntry) and (self.name, self.mode, self.oid) == (other.name, other.mode, other.oid)

    def __hash__(self) -> int:
        return hash((self.name, self.mode, self.oid))

    def __repr__(self) -> str:
        return f"TreeEntry({self.name!r}, {self.mode!r}, {self.oid!r})"


class Commit:
    """A commit object.

    Attributes:
        oid: Its id.
        tree: Id of its tree.
        parents: Ids of its parents, in order.
        author: Who wrote it, and when.
        committer: Who committed it, and when.
        message: Text after the headers.
    """

    __slots__ = ("author", "committer", "message", "oid", "parents", "tree")

    def __init__(
        self, oid: str, *, tree: str, parents: tuple[str, ...], author: Signature, committer: Signature, message: str
    ) -> None:
        self.oid, self.tree, self.parents = oid, tree, parents
        self.author, self.committer, self.message = author, committer, message

    def __repr__(self) -> str:
        return f"Commit({self.oid!r})"


def parse_commit(oid: str, data: bytes) -> Commit:
    """Decode a commit object.

    Raises:
        RecordError: It isn't one.
    """
    head, _, message = data.partition(b"\n\n")
    tree, parents = "", []
    people: dict[bytes, Signature] = {}
    try:
        for line in head.split(b"\n"):
            key, _, value = line.partition(b" ")
            if key == b"tree":
                tree = value.decode("ascii")
            elif key == b"parent":
                parents.append(value.decode("ascii"))
            elif key in (b"author", b"committer") and key not in people:
                people[key] = _parse_signature(value)
        return Commit(
            oid,
            tree=tree,
            parents=tuple(parents),
            author=people[b"author"],
            committer=people[b"committer"],
            message=message.decode("utf-8", "replace"),
        )
    except (KeyError, ValueError) as err:
        raise RecordError(oid, "is a damaged commit") from err


def _parse_signature(value: bytes) -> Signature:
    person, _, when = value.rpartition(b">")
    name, _, email = person.partition(b"<")
    seconds, _, zone = when.strip().partition(b" ")
    return (
        name.strip().decode("utf-8", "replace"),
        email.decode("utf-8", "replace"),
        int(seconds or b"0"),
        zone.decode("ascii", "replace") or "+0000",
    )


def parse_tree(data: bytes, oid: str = "tree") -> list[TreeEntry]:
    """Decode a tree object.

    Raises:
        RecordError: It isn't one.
    """
    entries = []
    at, end = 0, len(data)
    while at < end:
        space = data.find(b" ", at)
        nul = data.find(b"\0", space)
        if space < 0 or nul < 0 or nul + 21 > end:
            raise RecordError(oid, "is a damaged tree")
        mode = data[at:space].decode("ascii", "replace").lstrip("0")
        name = data[space + 1 : nul].decode("utf-8", "surrogateescape")
        entries.append(TreeEntry(name, mode, data[nul + 1 : nul + 21].hex()))
        at = nul + 21
    return entries
