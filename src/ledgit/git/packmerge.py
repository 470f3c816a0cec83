"""Put several of our small packs into one, so that they never pile up.

A run is one pack. Git's own automatic gc starts at 50 packs, in the middle of the user's next
commit, and every further pack makes each object look-up slower. Our packs hold no deltas, so
merging is copying: nothing is inflated.
"""

from __future__ import annotations

import os
import time
from hashlib import sha1
from mmap import PROT_READ, mmap

from ledgit.errors import RecordError
from ledgit.git.pack import encode_index, store_pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git.repo import Repo

__all__ = ["gc_is_running", "merge_packs"]

_HEADER = b"PACK\0\0\0\2"
_DELTAS = (6, 7)
_GC_LIMIT = 12 * 3600.0  # as Git: an older gc.pid was left by a killed gc


def gc_is_running(repo: Repo) -> bool:
    """Whether a ``git gc`` or ``git maintenance`` seems to be at work.

    Packs must not be taken from under it. Nor may a ref go whose commits another ref took over a
    moment ago: Git reads refs one after the other, and can have read the one too early and look
    for the other too late. One that begins after this was asked sees what was written before.
    """
    return _runs(os.path.join(repo.common_dir, "gc.pid")) or _runs(os.path.join(repo.objects_dir, "maintenance.lock"))


def _runs(lock: str) -> bool:
    """Whether the process that wrote the file *lock* may live."""
    try:
        with open(lock, "rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime >= _GC_LIMIT:
                return False
            words = file.read(300).decode("utf-8", "replace").split()
    except OSError:
        return False
    if len(words) == 2 and words[0].isascii() and words[0].isdigit() and words[1] == os.uname().nodename:
        try:
            os.kill(int(words[0]), 0)
        except (ProcessLookupError, OverflowError):
            return False  # as Git has it
        except OSError:
            pass
    return True


def merge_packs(repo: Repo, names: Sequence[str], largest: int = 1 << 31) -> str | None:
    """Merge the packs *names* (``pack-<hex>``, written by :class:`ledgit.git.ObjectSet`).

    The new pack is durable before the first old one goes, and keeps a ``.keep`` until they are
    gone: a reader, or a ``git repack``, finds every object at any moment. What is copied is mapped,
    not read into memory.

    Args:
        repo: Where they are.
        names: Which.
        largest: Bytes; larger ones are left as they are.

    Returns:
        The new pack's name; None if fewer than two of them are still there.

    Raises:
        RecordError: One of them is no pack of ours, or damaged.
        StorageError: The disk is full or failing; the old packs stay.
    """
    folder = os.path.join(repo.objects_dir, "pack")
    there = []
    entries: dict[bytes, tuple[int, memoryview]] = {}
    for name in names:
        path = os.path.join(folder, name)
        try:
            if os.stat(path + ".pack").st_size > largest:
                continue
            rows = _read_pack(path)
        except FileNotFoundError:
            continue  # repacked by Git
        there.append(path)
        entries.update(rows)
    if len(there) < 2:
        return None
    pieces: list[bytes | memoryview] = [_HEADER + len(entries).to_bytes(4, "big")]
    at = len(pieces[0])
    index_rows = []
    for oid, (crc, entry) in entries.items():
        index_rows.append((oid, crc, at))
        pieces.append(entry)
        at += len(entry)
    digest = sha1(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    pieces.append(digest.digest())
    index_rows.sort()
    merged = f"pack-{digest.hexdigest()}"
    pack = store_pack(folder, merged, pieces, encode_index(index_rows, digest.digest()), keep=True, durable=True)
    try:
        for path in there:
            if os.path.basename(path) != merged and not os.path.exists(path + ".keep"):
                _remove(path)
    finally:
        pack.release()
    return merged


def _remove(path: str) -> None:
    # The index first: without it Git doesn't look at the pack any more.
    for extension in (".idx", ".pack", ".rev"):
        try:
            os.unlink(path + extension)
        except FileNotFoundError:
            pass


def _read_pack(path: str) -> dict[bytes, tuple[int, memoryview]]:
    """Return the entries of a pack as they stand in it: object id → (CRC, bytes)."""
    with open(path + ".idx", "rb") as file:
        index = file.read()
    with open(path + ".pack", "rb") as file:
        if os.fstat(file.fileno()).st_size < len(_HEADER) + 24:
            raise RecordError(os.path.basename(path), "is cut short")
        data = memoryview(mmap(file.fileno(), 0, prot=PROT_READ))
    where = os.path.basename(path)
    if index[:8] != b"\xfftOc\0\0\0\2" or data[:8] != _HEADER or index[-40:-20] != data[-20:]:
        raise RecordError(where, "is no pack that Ledgit wrote")
    count = int.from_bytes(index[1028:1032], "big")
    oids = 1032
    crcs = oids + 20 * count
    offsets = crcs + 4 * count
    rows = []
    for number in range(count):
        offset = int.from_bytes(index[offsets + 4 * number : offsets + 4 * number + 4], "big")
        if offset >> 31:
            raise RecordError(where, "is larger than the packs that Ledgit merges")
        rows.append((offset, number))
    rows.sort()
    ends = [offset for offset, _ in rows[1:]] + [len(data) - 20]
    found = {}
    for (offset, number), end in zip(rows, ends, strict=True):
        if data[offset] >> 4 & 7 in _DELTAS:
            raise RecordError(where, "has deltas, so Ledgit did not write it")
        oid = index[oids + 20 * number : oids + 20 * number + 20]
        crc = int.from_bytes(index[crcs + 4 * number : crcs + 4 * number + 4], "big")
        found[oid] = (crc, data[offset:end])
    return found
