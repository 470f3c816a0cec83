"""Write new objects as one pack.

A finished run is about 35 small objects. As loose files they would be 35 files to sync; as one
pack they are two, and the pack's index makes them all visible at once or not at all.
Format: gitformat-pack(5), pack and index version 2, objects whole (no deltas).
"""

from __future__ import annotations

import os
import zlib
from hashlib import sha1

from ledgit.errors import ReadOnlyRepository, StorageError
from ledgit.git.leftovers import KEEP_MARK, TEMPORARY, is_ours
from ledgit.git.shared import make_folders, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Sequence

    from ledgit.git.parsing import Signature, TreeEntry
    from ledgit.git.repo import Repo

__all__ = ["ObjectSet", "Pack", "collect_loose", "release_pack"]

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
# Up to here a small window suffices; zlib clears 256 KiB for the usual one, 50 µs an object
# where 2 µs do (measured with Python 3.11, zlib 1.2.13).
_SMALL = 4096
#: Content of this many bytes is tried out, on so many from its middle, before it is compressed.
_PROBED, _PROBE = 2048, 512
_BLOCK = 0xFFFF  # bytes at most in a stored block of RFC 1951
_LAST = 253_402_300_799  # 9999-12-31T23:59:59Z
_AT_ONCE = 256  # objects joined for one write


class ObjectSet:
    """New objects, kept in memory until :meth:`write`.

    Args:
        known: Ids of objects that are in the repository *and reachable*: these are not stored
            again. Default: none.
    """

    def __init__(self, known: Container[str] = ()) -> None:
        self._known = known
        self._objects: dict[str, tuple[str, bytes]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, oid: object) -> bool:
        return oid in self._objects

    def get(self, oid: str) -> tuple[str, bytes] | None:
        """Return (type, content) of an object of this set."""
        return self._objects.get(oid)

    def items(self) -> Collection[tuple[str, bytes]]:
        """Return (type, content) of all objects, in the order they came."""
        return self._objects.values()

    def add(self, kind: str, data: bytes) -> str:
        """Add an object of *kind* (commit, tree, blob, tag) and return its id."""
        oid = sha1(b"%s %d\0" % (kind.encode("ascii"), len(data)) + data, usedforsecurity=False).hexdigest()
        if oid not in self._objects and oid not in self._known:
            self._objects[oid] = (kind, data)
        return oid

    def blob(self, data: bytes) -> str:
        """Add a file's content."""
        return self.add("blob", data)

    def tree(self, entries: Iterable[TreeEntry]) -> str:
        """Add a tree; the entries are put in Git's order.

        Raises:
            UnsafePath: A name that Git or a file system would take for something else.
        """
        from ledgit.git.trees import encode_tree

        return self.add("tree", encode_tree(entries))

    def commit(self, tree: str, parents: Sequence[str], author: Signature, committer: Signature, message: str) -> str:
        """Add a commit.

        Args:
            tree: Id of its tree.
            parents: Ids of its parents, in order.
            author: (name, address, seconds since the epoch, zone); ``<``, ``>`` and line breaks
                are taken out of the names.
            committer: The same for who made the commit.
            message: Ends in one line break, which is added if need be.
        """
        head = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        head += [f"author {_person(author)}", f"committer {_person(committer)}", "", ""]
        text = "\n".join(head) + message.replace("\0", "").rstrip("\n") + "\n"
        return self.add("commit", text.encode("utf-8", "surrogateescape"))

    def tag(self, name: str, commit: str, tagger: Signature, message: bytes) -> str:
        """Add an annotated tag.

        Args:
            name: Its name, without ``refs/tags/``.
            commit: Id of the commit it names.
            tagger: As a commit's author.
            message: As it is to stand there.
        """
        head = f"object {commit}\ntype commit\ntag {name}\ntagger {_person(tagger)}\n\n"
        return self.add("tag", head.encode("utf-8", "surrogateescape") + message)

    def write(self, repo: Repo, keep: bool = True, durable: bool = True) -> Pack:
        """Store all objects in *repo* as one pack.

        Args:
            repo: Where to.
            keep: Protect the pack by a ``.keep`` file until :meth:`Pack.release`: a
                ``git gc --prune=now`` running at the same time would otherwise drop what no ref
                reaches yet.
            durable: Sync to disk before returning (three syncs: pack, index, folder). Otherwise
                call :meth:`Pack.sync` before relying on it.

        Raises:
            StorageError: The disk is full or failing; nothing is left behind.
            ReadOnlyRepository: The repository can't be written.
        """
        if not self._objects:
            return Pack("", keep=False)
        folder = os.path.join(repo.objects_dir, "pack")
        body, index = self._encode()
        name = f"pack-{body[-1][-20:].hex()}"
        return store_pack(folder, name, body, index, keep=keep, durable=durable)

    def _encode(self) -> tuple[list[bytes], bytes]:
        """Return the pack in pieces and its index."""
        digest = sha1(usedforsecurity=False)
        pieces = [b"PACK" + (2).to_bytes(4, "big") + len(self._objects).to_bytes(4, "big")]
        at = len(pieces[0])
        rows: list[tuple[bytes, int, int]] = []
        for oid, (kind, data) in self._objects.items():
            entry = entry_head(_TYPES[kind], len(data)) + _deflate(data)
            rows.append((bytes.fromhex(oid), zlib.crc32(entry), at))
            pieces.append(entry)
            at += len(entry)
        for piece in pieces:
            digest.update(piece)
        trailer = digest.digest()
        pieces.append(trailer)
        rows.sort()
        return pieces, encode_index(rows, trailer)


class Pack:
    """A pack that was just written; false when there was nothing to write."""

    __slots__ = ("_keep", "path")

    def __init__(self, path: str, *, keep: bool) -> None:
        self.path = path  # without an extension
        self._keep = keep

    def __bool__(self) -> bool:
        return bool(self.path)

    def release(self) -> None:
        """Give the pack into Git's hands: from now on only refs keep its objects. Can be repeated."""
        if self._keep:
            self._keep = False
            _unlink(self.path + ".keep")

    def stands(self) -> bool:
        """Whether both files are there."""
        return not self.path or (os.path.exists(self.path + ".idx") and os.path.exists(self.path + ".pack"))

    def is_torn(self) -> bool:
        """Whether only one of the files is there; neither, and Git repacked it.

        ``git gc`` removes an index without a pack. It lists the folder for that, and where both
        files appear while it does, it can see the one and not the other.
        """
        return os.path.exists(self.path + ".idx") != os.path.exists(self.path + ".pack")

    def sync(self) -> None:
        """Make a pack durable that was written with ``durable=False``.

        Raises:
            StorageError: The disk failed.
        """
        if not self.path:
            return
        try:
            for extension in (".pack", ".idx"):
                _sync_path(self.path + extension)
            _sync_path(os.path.dirname(self.path))
        except FileNotFoundError:
            pass  # repacked by Git meanwhile: the objects are in its pack
        except OSError as err:
            raise StorageError(self.path + ".pack", err.strerror or str(err)) from err


def collect_loose(objects_dir: str) -> ObjectSet:
    """Return the loose objects in a folder laid out like ``.git/objects``."""
    found = ObjectSet()
    for fan in sorted(os.listdir(objects_dir)):
        if len(fan) != 2:
            continue
        for name in sorted(os.listdir(os.path.join(objects_dir, fan))):
            if len(name) == 38:
                with open(os.path.join(objects_dir, fan, name), "rb") as file:
                    head, _, data = zlib.decompress(file.read()).partition(b"\0")
                found.add(head.partition(b" ")[0].decode("ascii"), data)
    return found


def release_pack(repo: Repo, name: str) -> None:
    """Remove the ``.keep`` that :meth:`ObjectSet.write` gave the pack *name* (``pack-<hex>`` or "")."""
    if name:
        Pack(os.path.join(repo.objects_dir, "pack", os.path.basename(name)), keep=True).release()


def store_pack(
    folder: str, name: str, body: Sequence[bytes | memoryview], index: bytes, *, keep: bool, durable: bool
) -> Pack:
    """Write a pack and its index into *folder*; see :meth:`ObjectSet.write`."""
    final = os.path.join(folder, name)
    mark = os.urandom(6).hex()
    # Not Git's own "tmp_pack_…": a `git prune --expire=now` takes those from under whoever writes them.
    # Nor ending in .idx: `git gc` removes one that has no pack beside it.
    temporary = os.path.join(folder, f"{TEMPORARY}{mark}-pack"), os.path.join(folder, f"{TEMPORARY}{mark}-idx")
    kept = False
    try:
        # Before looking whether the pack is there: from now on no gc takes it away.
        kept = keep and _write_keep(final)
        if _holds(final + ".idx", [index]) and _holds(final + ".pack", body):
            pack = Pack(final, keep=kept)  # the same run finalized again after a crash
            if durable:
                pack.sync()
            return pack
        _write(temporary[0], body, durable)
        _write(temporary[1], [index], durable)
        os.rename(temporary[0], final + ".pack")
        os.rename(temporary[1], final + ".idx")
        if durable:
            _sync_path(folder)
    except BaseException as err:
        _clean_up(final, temporary, kept=kept)
        if isinstance(err, OSError):
            raise _storage_error(final + ".pack", err) from err
        raise
    return Pack(final, keep=kept)


def _clean_up(final: str, temporary: tuple[str, str], *, kept: bool) -> None:
    """Leave nothing half-written; that something can't be removed must not hide what went wrong."""
    leftovers = list(temporary)
    if not os.path.exists(final + ".idx"):
        leftovers += [final + ".pack", final + ".keep"] if kept else [final + ".pack"]
    for path in leftovers:
        try:
            os.unlink(path)
        except OSError:
            continue


def _holds(path: str, pieces: Sequence[bytes | memoryview]) -> bool:
    """Whether the file is there whole: a power cut may have left one of this name empty or cut short."""
    try:
        if os.stat(path).st_size != sum(map(len, pieces)):
            return False
        with open(path, "rb") as file:
            return all(file.read(len(piece)) == piece for piece in pieces)
    except OSError:
        return False


def _storage_error(path: str, err: OSError) -> StorageError | ReadOnlyRepository:
    import errno

    if err.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnlyRepository(f"{os.path.dirname(path)} can't be written: {err.strerror}")
    return StorageError(path, err.strerror or str(err))


def _write_keep(final: str) -> bool:
    """Write the ``.keep`` file; return whether it is ours."""
    try:
        fd = _create(final + ".keep", 0o600)
    except FileExistsError:
        return is_ours(final + ".keep")
    try:
        os.write(fd, KEEP_MARK)
    finally:
        os.close(fd)
    return True


def _create(path: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    folder = os.path.dirname(path)
    try:
        fd = os.open(path, flags, mode)
    except FileNotFoundError:  # tools that copy repositories leave out empty folders
        make_folders(folder)
        fd = os.open(path, flags, mode)
    share(fd, folder)
    return fd


def _write(path: str, pieces: Sequence[bytes | memoryview], durable: bool) -> None:
    fd = _create(path, 0o444)
    try:
        for start in range(0, len(pieces), _AT_ONCE):
            data = memoryview(b"".join(pieces[start : start + _AT_ONCE]))
            while data:
                data = data[os.write(fd, data) :]  # a full disk first writes less than asked
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync_path(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _person(who: Signature) -> str:
    name, email, seconds, zone = who
    # Git reads a negative date as one after all others, and hosts refuse such a commit, as one
    # beyond 64 bits; both come from imported runs, or from commits of others that ours stand on.
    return f"{_clean(name)} <{_clean(email)}> {max(0, min(seconds, _LAST))} {zone}"


def _clean(text: str) -> str:
    """Take out what would end the field, and what Git strips from the ends of names."""
    return "".join(" " if char in "<>\n\r\0" else char for char in text).strip(" .,:;\"'\\\t")


def _deflate(data: bytes) -> bytes:
    """Return *data* as a zlib stream: compressed, unless its middle says that nothing would be won."""
    if len(data) >= _PROBED:
        middle = len(data) // 2
        if len(_small(data[middle : middle + _PROBE])) >= _PROBE:
            # Pictures, archives, weights: trying takes 150 us for 4 KB of them.
            return zlib.compress(data, 0) if len(data) > _BLOCK else _stored(data)
    return _small(data) if len(data) <= _SMALL else zlib.compress(data, 1)


def _small(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 12, 4)
    return packer.compress(data) + packer.flush()


def _stored(data: bytes) -> bytes:
    """As ``zlib.compress(data, 0)``, without the 256 KiB that it clears for a window (RFC 1950, RFC 1951)."""
    size = len(data)
    block = b"\x01" + size.to_bytes(2, "little") + (size ^ _BLOCK).to_bytes(2, "little")
    return b"\x78\x01" + block + data + zlib.adler32(data).to_bytes(4, "big")


def entry_head(kind: int, size: int) -> bytes:
    """Return what an object in a pack begins with: type and size, of which 4 bits, then 7 at a time, low ones first."""
    byte = kind << 4 | size & 15
    size >>= 4
    head = bytearray()
    while size:
        head.append(byte | 128)
        byte = size & 127
        size >>= 7
    head.append(byte)
    return bytes(head)


def encode_index(rows: list[tuple[bytes, int, int]], trailer: bytes, limit: int = 1 << 31) -> bytes:
    """Index version 2 for (id, CRC, offset) *rows* in order; offsets from *limit* on take 8 bytes."""
    counts = [0] * 256
    for oid, _, _ in rows:
        counts[oid[0]] += 1
    out = [b"\xfftOc\0\0\0\2"]
    total = 0
    for count in counts:
        total += count
        out.append(total.to_bytes(4, "big"))
    out += [oid for oid, _, _ in rows]
    out += [crc.to_bytes(4, "big") for _, crc, _ in rows]
    large: list[bytes] = []
    for _, _, offset in rows:
        if offset < limit:
            out.append(offset.to_bytes(4, "big"))
        else:
            out.append((1 << 31 | len(large)).to_bytes(4, "big"))
            large.append(offset.to_bytes(8, "big"))
    out += large
    out.append(trailer)
    body = b"".join(out)
    return body + sha1(body, usedforsecurity=False).digest()
