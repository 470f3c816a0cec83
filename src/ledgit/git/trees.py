"""Build and change trees of objects without a work tree or an index."""

from __future__ import annotations

from ledgit.errors import RecordError, UnsafePath
from ledgit.git.objects import Objects
from ledgit.git.parsing import FILE, TREE, TreeEntry, parse_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ledgit.git.pack import ObjectSet

__all__ = ["build", "check_name", "check_path", "edit_tree", "encode_tree", "graft", "without"]

Change = tuple[str, str] | None
"""(mode, id) of what stands at a path from now on; ``None``: nothing."""

# Code points that HFS+ ignores in names, so that ".g\u200cit" is ".git" there (Git's utf8.c).
_IGNORED = frozenset(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF],
)


def check_name(name: str) -> None:
    """Refuse a name that can't be in a tree, or that some system takes for ``.git``.

    Raises:
        UnsafePath: Empty, ``.``, ``..``, with ``/`` or NUL, or one of ``.git``'s spellings on
            case-insensitive systems, HFS+ and NTFS, as ``git fsck`` refuses them.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UnsafePath(repr(name), "can't be a file name in Git")
    if _is_dot_git(name) or any(_is_dot_git(part) for part in name.split("\\")[1:]):
        raise UnsafePath(repr(name), "is a spelling of '.git'")


def _is_dot_git(name: str) -> bool:
    if len(name) < 4:
        return False
    low = name.lower()
    # NTFS drops spaces and dots at the end, and what follows a colon is a stream.
    if low.startswith((".git", "git~1")):
        rest = low[4:] if low.startswith(".git") else low[5:]
        rest = rest.split(":")[0].split("\\")[0]
        if not rest.rstrip(" ."):
            return True
    if name.isascii():
        return False
    return "".join(char for char in low if ord(char) not in _IGNORED) == ".git"


def check_path(path: str) -> list[str]:
    """Return the names that *path* is made of.

    Raises:
        UnsafePath: One of them is refused by :func:`check_name`.
    """
    parts = path.split("/")
    for part in parts:
        check_name(part)
    return parts


def encode_tree(entries: Iterable[TreeEntry]) -> bytes:
    """Return the bytes of a tree with *entries*, in Git's order: folders sort as if ending in ``/``.

    Raises:
        UnsafePath: A name is refused.
        RecordError: A name stands there twice.
    """
    rows = []
    names = set()
    for entry in entries:
        check_name(entry.name)
        names.add(entry.name)
        name = entry.name.encode("utf-8", "surrogateescape")
        row = entry.mode.encode("ascii") + b" " + name + b"\0" + bytes.fromhex(entry.oid)
        rows.append((name + b"/" if entry.mode == TREE else name, row))
    if len(names) != len(rows):
        raise RecordError("tree", "has two entries of the same name")
    rows.sort()
    return b"".join(row for _, row in rows)


def edit_tree(objects: Objects | None, objectset: ObjectSet, root: str | None, changes: Mapping[str, Change]) -> str:
    """Return the id of *root* with *changes* made; new trees go into *objectset*.

    Args:
        objects: Where the trees of *root* are, unless they are in *objectset*.
        objectset: Takes the new trees.
        root: Id of a tree, ``None`` for the empty one.
        changes: Path → (mode, id), or ``None`` to remove what is there. Folders are made as
            needed, and go when nothing is left in them. A file in a folder's place gives way.

    Raises:
        UnsafePath: A path that can't be in a tree.
    """
    nested: dict[str, object] = {}
    for path, change in changes.items():
        here = nested
        *folders, last = check_path(path)
        for folder in folders:
            below = here.setdefault(folder, {})
            if not isinstance(below, dict):
                raise RecordError(path, "is changed both as a file and as a folder")
            here = below
        if last in here:
            raise RecordError(path, "is changed both as a file and as a folder")
        here[last] = change
    return _edit(objects, objectset, root, nested) or objectset.add("tree", b"")


def _edit(objects: Objects | None, objectset: ObjectSet, root: str | None, changes: dict[str, object]) -> str | None:
    """As :func:`edit_tree`, but ``None`` when nothing is left."""
    entries = {entry.name: entry for entry in _entries(objects, objectset, root)}
    for name, change in changes.items():
        if isinstance(change, dict):
            old = entries.get(name)
            below = _edit(objects, objectset, old.oid if old is not None and old.mode == TREE else None, change)
            if below is None and old is not None and old.mode != TREE:
                continue  # nothing to remove below a file
            change = None if below is None else (TREE, below)
        if change is None:
            entries.pop(name, None)
        else:
            assert isinstance(change, tuple)
            entries[name] = TreeEntry(name, change[0], change[1])
    if not entries:
        return None
    return objectset.add("tree", _encode_unchecked(entries.values(), set(changes)))


def _encode_unchecked(entries: Iterable[TreeEntry], new: set[str]) -> bytes:
    """As :func:`encode_tree`, but names that were in the tree before are taken as they are."""
    rows = []
    for entry in entries:
        if entry.name in new:
            check_name(entry.name)
        name = entry.name.encode("utf-8", "surrogateescape")
        row = entry.mode.encode("ascii") + b" " + name + b"\0" + bytes.fromhex(entry.oid)
        rows.append((name + b"/" if entry.mode == TREE else name, row))
    rows.sort()
    return b"".join(row for _, row in rows)


def _entries(objects: Objects | None, objectset: ObjectSet, tree: str | None) -> list[TreeEntry]:
    if tree is None:
        return []
    new = objectset.get(tree)
    if new is not None:
        return parse_tree(new[1], tree)
    if tree == "4b825dc642cb6eb9a060e54bf8d69288fbee4904":
        return []  # the empty tree is always there, though it may not be stored
    if objects is None:
        raise RecordError(tree, "is a tree that is not here")
    return objects.tree(tree)


def graft(objects: Objects | None, objectset: ObjectSet, root_tree: str | None, path: str, subtree_oid: str) -> str:
    """Return the id of *root_tree* (``None``: empty) with the tree *subtree_oid* at *path*."""
    return edit_tree(objects, objectset, root_tree, {path: (TREE, subtree_oid)})


def without(objects: Objects, objectset: ObjectSet, root_tree: str, path: str) -> str:
    """Return the id of *root_tree* without *path*, and without folders that this leaves empty."""
    return edit_tree(objects, objectset, root_tree, {path: None})


def build(objectset: ObjectSet, files: Mapping[str, bytes | str]) -> str:
    """Return the id of a tree with *files*: path → content, or the id (str) of a blob that exists.

    Raises:
        UnsafePath: A path that can't be in a tree.
    """
    changes: dict[str, Change] = {
        path: (FILE, objectset.blob(data) if isinstance(data, bytes) else data) for path, data in files.items()
    }
    return edit_tree(None, objectset, None, changes)
