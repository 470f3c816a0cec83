"""Deltas between objects, as packs hold them: an object as copies from another one and what is new.

Git looks for deltas between the objects of different packs only, takes none that is longer than half
of the object, and compares what has similar names. What runs are made of it therefore stores whole;
but it keeps the deltas that it finds in a pack. Format: gitformat-pack(5).
"""

from __future__ import annotations

from ledgit.errors import RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Base",
    "apply_delta",
    "copy_from",
    "delta_head",
    "encode_delta",
    "insert",
    "pieces_of_text",
    "pieces_of_tree",
]

_SHORTEST = 5  # bytes; a copy takes up to 7, mostly 3
_LONGEST = 0xFFFF
_INSERT = 127
_NEAR = 0x93  # copy: two bytes of offset, one of size


class Base:
    """An object that others can be deltas of.

    Args:
        oid: Its id, 20 bytes.
        pieces: Its content, cut where others may differ from it.
    """

    __slots__ = ("data", "oid", "places", "starts", "texts")

    def __init__(self, oid: bytes, pieces: Sequence[bytes]) -> None:
        self.oid = oid
        self.data = b"".join(pieces)
        self.texts = pieces
        self.starts: list[int] = []
        self.places: dict[bytes, int] = {}
        at = 0
        for number, piece in enumerate(pieces):
            self.starts.append(at)
            self.places.setdefault(piece, number)
            at += len(piece)


def pieces_of_text(data: bytes) -> list[bytes]:
    """Cut a text behind every blank and line break."""
    lines = data.replace(b" ", b" \0").replace(b"\n", b"\n\0").split(b"\0")
    return lines if lines[-1] else lines[:-1]


def pieces_of_tree(data: bytes) -> list[bytes]:
    """Cut a tree into modes with names, and ids: in turn.

    Raises:
        ValueError: It is no tree.
    """
    pieces: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        end = data.index(b"\0", at) + 1
        pieces += data[at:end], data[end : end + 20]
        at = end + 20
    return pieces


def delta_head(base: int, result: int) -> bytes:
    """Return what a delta begins with: the sizes of its base and of what it makes."""
    return _size(base) + _size(result)


def _size(size: int) -> bytes:
    head = bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head)


def copy_from(at: int, size: int) -> bytes:
    """Return the commands that copy *size* bytes of the base, from *at* on."""
    if 0xFF < at <= 0xFFFF and 0 < size <= 0xFF and at & 0xFF:  # as most are
        return bytes((_NEAR, at & 0xFF, at >> 8, size))
    commands = bytearray()
    while size:
        part = min(size, _LONGEST)
        mark = len(commands)
        commands.append(128)
        for bit, byte in enumerate((*at.to_bytes(4, "little"), *part.to_bytes(2, "little"))):
            if byte:
                commands[mark] |= 1 << bit
                commands.append(byte)
        at += part
        size -= part
    return bytes(commands)


def insert(data: bytes) -> bytes:
    """Return the commands that add *data*."""
    if len(data) <= _INSERT:
        return bytes((len(data),)) + data if data else b""
    parts = [data[at : at + _INSERT] for at in range(0, len(data), _INSERT)]
    return b"".join([bytes((len(part),)) + part for part in parts])


def encode_delta(base: Base, pieces: Sequence[bytes]) -> bytes:
    """Return the object that *pieces* make as a delta of *base*; pieces that both have are copied."""
    out = [delta_head(len(base.data), sum(map(len, pieces)))]
    texts, places, starts, data = base.texts, base.places, base.starts, base.data
    count = len(texts)
    new: list[bytes] = []
    start = end = following = -1

    def end_copy() -> None:
        if end - start < _SHORTEST:
            new.append(data[start:end])
            return
        out.append(insert(b"".join(new)))
        new.clear()
        out.append(copy_from(start, end - start))

    for piece in pieces:
        if start >= 0:
            if following < count and texts[following] == piece:
                end += len(piece)
                following += 1
                continue
            end_copy()
            start = -1
        found = places.get(piece)
        if found is None:
            new.append(piece)
        else:
            start = starts[found]
            end = start + len(piece)
            following = found + 1
    if start >= 0:
        end_copy()
    out.append(insert(b"".join(new)))
    return b"".join(out)


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Return what *delta* makes of *base*.

    Raises:
        RecordError: It is no delta of that base.
    """
    out: list[bytes] = []
    try:
        size, at = _read_size(delta, 0)
        wanted, at = _read_size(delta, at)
        while at < len(delta):
            command = delta[at]
            at += 1
            if command < 128:
                out.append(delta[at : at + command])
                at += command
                continue
            if command == _NEAR:
                start = delta[at] | delta[at + 1] << 8
                out.append(base[start : start + delta[at + 2]])
                at += 3
                continue
            values = []
            for bit in range(7):
                values.append(delta[at] if command >> bit & 1 else 0)
                at += command >> bit & 1
            start = int.from_bytes(values[:4], "little")
            out.append(base[start : start + (int.from_bytes(values[4:], "little") or 0x10000)])
    except IndexError:
        raise RecordError("a delta", "is cut short") from None
    result = b"".join(out)
    if size != len(base) or wanted != len(result):
        raise RecordError("a delta", "is not one of this object")
    return result


def _read_size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = delta[at]
        at += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return size, at
