"""Make the objects of our packs smaller: as deltas of each other, the rest deflated with more patience.

What becomes a delta of what, a plan decides: see `store/shrinking.py`. Whatever it says, a delta is
written only if it gives the object back, byte for byte.
"""

from __future__ import annotations

import zlib

from ledgit.git.deltas import apply_delta
from ledgit.git.pack import entry_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Plan(Protocol):
        """What becomes a delta of what; no base may become a delta itself."""

        def look(self, oid: bytes, data: bytes) -> None:
            """See a blob, before :meth:`delta` is asked for anything."""

        def delta(self, oid: bytes, kind: str, data: bytes, whole: int) -> tuple[bytes, bytes] | None:
            """Return the base's id and the delta for an object that takes *whole* bytes as it is; None: none."""


__all__ = ["shrink_entries"]

_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_BLOB, _REF_DELTA = 3, 7
_LEVEL = 6  # as Git's own; 9 takes twice the time for another 0.2 %
_SMALL = 4096
_WORTH = 512  # bytes of content from which on deflating it again gains more than it takes
_KEPT = 64 << 20  # bytes of bases' content at hand


def shrink_entries(entries: dict[bytes, tuple[int, memoryview | bytes]], plan: Plan) -> None:
    """Replace entries of a pack (id → CRC and bytes) by smaller ones.

    Args:
        entries: All of one pack. Deltas among them stay; what they are made of may become one of
            something whole, so chains get a step longer each time, and no circles.
        plan: Decides on the deltas.
    """
    for oid, (_, entry) in entries.items():
        if entry[0] >> 4 & 7 == _BLOB:
            plan.look(oid, _content(entry))
    contents = _Contents(entries)
    for oid, (_, entry) in list(entries.items()):
        kind = _KINDS.get(entry[0] >> 4 & 7)
        if kind is None:
            continue
        data = _content(entry)
        found = plan.delta(oid, kind, data, len(entry))
        if found is not None:
            base, delta = found
            small = entry_head(_REF_DELTA, len(delta)) + base + _deflate(delta)
            if len(small) < len(entry) and apply_delta(contents.of(base), delta) == data:
                entries[oid] = zlib.crc32(small), small
                continue
        if len(data) >= _WORTH:
            small = bytes(entry[: _head_size(entry)]) + _deflate(data)
            if len(small) < len(entry):
                entries[oid] = zlib.crc32(small), small


class _Contents:
    """The bases' content, as much as there is room for."""

    def __init__(self, entries: dict[bytes, tuple[int, memoryview | bytes]]) -> None:
        self._entries = entries
        self._known: dict[bytes, bytes] = {}
        self._size = 0

    def of(self, oid: bytes) -> bytes:
        data = self._known.get(oid)
        if data is None:
            data = _content(self._entries[oid][1])
            if self._size + len(data) > _KEPT:
                self._known.clear()
                self._size = 0
            self._known[oid] = data
            self._size += len(data)
        return data


def _content(entry: memoryview | bytes) -> bytes:
    if entry[0] >> 4 & 7 not in _KINDS:
        raise KeyError("a delta is no base")
    return zlib.decompress(entry[_head_size(entry) :])


def _head_size(entry: memoryview | bytes) -> int:
    size = 1
    while entry[size - 1] & 128:
        size += 1
    return size


def _deflate(data: bytes) -> bytes:
    if len(data) <= _SMALL:
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 12, 5)
        return packer.compress(data) + packer.flush()
    return zlib.compress(data, _LEVEL)
