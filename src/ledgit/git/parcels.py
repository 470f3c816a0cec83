"""Code and runs as bytes that one clone makes and another, elsewhere, takes in.

Code goes without its history: a commit, its tree, and the tree that is to run. The clone that is made of
it is cut off there (``shallow``), so that Git finds nothing amiss. Runs come back as a pack of the objects
that the code does not have. Objects are named by their content: what was damaged on the way is another object.
"""

from __future__ import annotations

import os
import zlib

from ledgit.errors import GitFailed, RecordError
from ledgit.git.command import try_git
from ledgit.git.copying import lacking
from ledgit.git.leftovers import KEEP_MARK
from ledgit.git.pack import ObjectSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledgit.git.objects import Objects
    from ledgit.git.repo import Repo

__all__ = ["make_code_clone", "pack_code", "pack_objects", "pack_tree", "read_pack", "store_code"]

_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_HEAD = 12  # bytes before the first object of a pack
_TRAILER = 20
_MOST_BYTES = 1 << 30  # of one object


def pack_code(repo: Repo, commit: str | None, tree: str) -> bytes:
    """Return a pack with *commit* (without its parents), its tree, and *tree*.

    Args:
        repo: Where they are.
        commit: The commit that is checked out; None in an empty repository.
        tree: The tree that is to run; the commit's own, or one with uncommitted changes.

    Raises:
        GitFailed: Something of it is not here.
    """
    tips = [tree] if commit is None else [commit, tree]
    # What a partial clone lacks of it is fetched, as a checkout would.
    env = {"GIT_NO_LAZY_FETCH": "0"} if repo.partial else {}
    args = ("rev-list", "--objects", "--no-walk", "--stdin")
    code, listed, said = try_git(repo, *args, stdin="".join(f"{tip}\n" for tip in tips).encode("ascii"), env=env)
    if code != 0:
        raise GitFailed(args, code, said)
    # Names stand beside the ids: by them Git finds what to make deltas of.
    args = ("pack-objects", "-q", "--stdout", "--delta-base-offset")
    code, pack, said = try_git(repo, "-c", "pack.packSizeLimit=0", *args, stdin=listed, env=env)
    if code != 0:
        raise GitFailed(args, code, said)
    return pack


def make_code_clone(path: str) -> None:
    """Make an empty bare repository at *path*, which must not be there, with no templates and hooks.

    Raises:
        GitFailed: It can't be made there.
    """
    args = ("init", "-q", "--bare", "--template=", "--object-format=sha1", "--", path)
    code, _, said = try_git(None, *args)
    if code != 0:
        raise GitFailed(args, code, said)


def store_code(repo: Repo, pack: bytes, commit: str | None) -> None:
    """Store what :func:`pack_code` or :func:`pack_tree` returned, for good: no gc takes it.

    Args:
        repo: Where to.
        pack: The pack.
        commit: Where history is cut off from now on; None: nowhere.

    Raises:
        GitFailed: The pack is damaged, or there is no room.
    """
    if commit is not None:
        with open(os.path.join(repo.common_dir, "shallow"), "w", encoding="ascii") as file:
            file.write(f"{commit}\n")
    keep = KEEP_MARK.decode("ascii").rstrip("\n") + " code"
    args = ("index-pack", "--stdin", f"--keep={keep}")
    code, _, said = try_git(repo, *args, stdin=pack)
    if code != 0:
        raise GitFailed(args, code, said)


def pack_tree(objects: Objects, before: str | None, tree: str) -> bytes:
    """Return a pack with what *tree* has and the tree *before* has not; b"" if that is nothing."""
    if before == tree:
        return b""
    return pack_objects(objects, lacking(objects, ObjectSet(), before, tree))


def pack_objects(objects: Objects, oids: Iterable[str]) -> bytes:
    """Return a pack with these objects, whole: it needs nothing of the one who reads it.

    Raises:
        NotFound: One of them is not here.
    """
    fresh = ObjectSet()
    for oid in oids:
        if oid not in fresh:
            fresh.add(*objects.read(oid))
    return b"".join(fresh._encode()[0])


def read_pack(pack: bytes) -> ObjectSet:
    """Return the objects of a pack that :func:`pack_objects` made.

    Raises:
        RecordError: It is no such pack, or damaged.
    """
    fresh = ObjectSet()
    for kind, data in _entries(pack):
        fresh.add(kind, data)
    return fresh


def _entries(pack: bytes) -> Iterator[tuple[str, bytes]]:
    from hashlib import sha1

    where = "a pack of runs"
    if len(pack) < _HEAD + _TRAILER or pack[:8] != b"PACK\x00\x00\x00\x02":
        raise RecordError(where, "is no pack of version 2")
    end = len(pack) - _TRAILER
    view = memoryview(pack)
    if sha1(view[:end], usedforsecurity=False).digest() != pack[end:]:
        raise RecordError(where, "is damaged: its checksum is another")
    at = _HEAD
    for _ in range(int.from_bytes(pack[8:_HEAD], "big")):
        if at >= end:
            raise RecordError(where, "ends too early")
        byte = pack[at]
        number, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            at += 1
            byte = pack[at]  # the trailer stands behind, so there is one
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 60:
                raise RecordError(where, "has an object of an impossible size")
        at += 1
        kind = _KINDS.get(number)
        if kind is None:
            raise RecordError(where, f"has an object of kind {number}, which it must not have")
        if size > _MOST_BYTES:
            raise RecordError(where, f"has an object of {size:,} bytes")
        # What is behind an object is copied by zlib: it gets no more than an object of this size can take.
        window = view[at : min(end, at + size + (size >> 10) + 64)]
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(window, size + 1)
            if len(data) == size and not inflate.eof:  # its checksum is left
                data += inflate.decompress(inflate.unconsumed_tail, 1)
        except zlib.error as error:
            raise RecordError(where, f"has an object that can't be inflated: {error}") from None
        if len(data) != size or not inflate.eof:
            raise RecordError(where, "has an object of another size than it says")
        at += len(window) - len(inflate.unused_data)
        yield kind, data
    if at != end:
        raise RecordError(where, "has something behind its objects")
