"""Put several of our small packs into one, so that they never pile up.

A run is one pack. Git's own automatic gc starts at 50 packs, in the middle of the user's next
commit, and every further pack makes each object look-up slower. Our packs name the bases of their
deltas by id, so merging is copying: nothing is inflated.
"""

from __future__ import annotations

import os
from hashlib import sha1
from mmap import PROT_READ, mmap

from ledgit.errors import RecordError
from ledgit.git.pack import encode_index, store_pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git.packshrink import Plan
    from ledgit.git.repo import Repo

__all__ = ["merge_packs"]

_HEADER = b"PACK\0\0\0\2"
_OFFSET_DELTA = 6


def merge_packs(repo: Repo, names: Sequence[str], largest: int = 1 << 31, shrink: Plan | None = None) -> str | None:
    """Merge the packs *names* (``pack-<hex>``, written by :class:`ledgit.git.ObjectSet`).

    The new pack is durable before the first old one goes, and keeps a ``.keep`` until they are
    gone: a reader, or a ``git repack``, finds every object at any moment. What is copied is mapped,
    not read into memory.

    Args:
        repo: Where they are.
        names: Which.
        largest: Bytes; larger ones are left as they are.
        shrink: Makes deltas of what is merged. Then one pack is enough, and Git reads the new one
            whole before an old one goes.

    Returns:
        The new pack's name; None if fewer than two of them are still there.

    Raises:
        RecordError: One of them is no pack of ours, or damaged.
        StorageError: The disk is full or failing; the old packs stay.
    """
    folder = os.path.join(repo.objects_dir, "pack")
    there = []
    entries: dict[bytes, tuple[int, memoryview | bytes]] = {}
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
    if len(there) < (2 if shrink is None else 1):
        return None
    if shrink is not None:
        from ledgit.git.packshrink import shrink_entries

        shrink_entries(entries, shrink)
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
        old = [path for path in there if os.path.basename(path) != merged]
        if shrink is not None and len(old) == len(there):
            _verify(repo, merged)
        for path in old:
            if not os.path.exists(path + ".keep"):
                _remove(path)
    finally:
        pack.release()
    return merged


def _verify(repo: Repo, name: str) -> None:
    """Have Git make every object of a pack, and compare it with its id.

    Raises:
        GitFailed: One of them is not what it was; the pack is gone again.
    """
    from ledgit.errors import GitFailed
    from ledgit.git.command import run_git

    path = os.path.join(repo.objects_dir, "pack", name)
    try:
        run_git(repo, "verify-pack", "--", path + ".idx")
    except GitFailed:
        _remove(path)
        raise


def _remove(path: str) -> None:
    # The index first: without it Git doesn't look at the pack any more.
    for extension in (".idx", ".pack", ".rev"):
        try:
            os.unlink(path + extension)
        except FileNotFoundError:
            pass


def _read_pack(path: str) -> dict[bytes, tuple[int, memoryview | bytes]]:
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
    found: dict[bytes, tuple[int, memoryview | bytes]] = {}
    for (offset, number), end in zip(rows, ends, strict=True):
        if data[offset] >> 4 & 7 == _OFFSET_DELTA:
            raise RecordError(where, "has deltas by offset, so Ledgit did not write it")
        oid = index[oids + 20 * number : oids + 20 * number + 20]
        crc = int.from_bytes(index[crcs + 4 * number : crcs + 4 * number + 4], "big")
        found[oid] = (crc, data[offset:end])
    return found
