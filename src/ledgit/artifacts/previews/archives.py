"""What is in archives and folders: names and sizes, read from headers; nothing is unpacked but a gzip's beginning."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

from ledgit.artifacts.previews.arrays import dtype_words, npy_header
from ledgit.artifacts.previews.source import LIMIT, Preview, Source, shown
from ledgit.errors import LedgitError
from ledgit.records.harmless import size as size_words

__all__ = ["listing", "read"]

_MOST_MEMBERS = 10_000
_BLOCK = 512


def listing(path: str, what: str, members: Sequence[tuple[str, int | None]], height: int, more: str = "") -> Preview:
    """Return the preview of something that holds files: how many, how large, and the first of them."""
    known = [size for _, size in members if size is not None]
    total = size_words(sum(known)) if len(known) == len(members) and members else ""
    files = f"{more}{len(members)} file{'' if len(members) == 1 else 's'}"
    name = path.rstrip("/").rpartition("/")[2] or path
    title = " · ".join(part for part in (name, what, files, total) if part)
    listed = members if len(members) <= height else members[: height - 1]
    sizes = ["" if size is None else size_words(size) for _, size in listed]
    wide = max(map(len, sizes), default=0)
    gap = "  " if wide else ""
    lines = [f"{size:>{wide}}{gap}{shown(inner, 1000)}" for (inner, _), size in zip(listed, sizes, strict=True)]
    if len(listed) < len(members):
        lines.append(f"… and {len(members) - len(listed)} more")
    return Preview("folder" if what == "folder" else "archive", title, tuple(lines))


Look = Callable[[Source, int, int], Preview]


def read(file: Source, width: int, height: int, look: Look) -> Preview | None:
    """Return the preview of an archive or of a folder's list; None if it is none.

    Args:
        file: The file.
        width: Columns there are.
        height: Lines there are.
        look: Previews what is in a gzip.
    """
    head = file.head
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(file, height)
    if len(head) >= _BLOCK and head[257:262] == b"ustar":
        members, complete = _tar(file)
        return listing(file.path, "tar archive", members, height, "" if complete else "at least ")
    if head.startswith(b"\x1f\x8b"):
        return _gzip(file, width, height, look)
    if file.ending == ".dir" and file.whole:
        return _dvc_list(file, height)
    return None


def _dvc_list(file: Source, height: int) -> Preview | None:
    from ledgit.artifacts.folders import decode_list

    try:
        members = decode_list(file.head, file.path)
    except (LedgitError, RecursionError):
        return None
    return listing(file.path, "folder", [(member.path, None) for member in members], height)


def _zip(file: Source, height: int) -> Preview | None:
    """List a zip archive by its central directory, read here: zipfile would take all of a false one into memory."""
    found = _central_directory(file)
    if found is None:
        return None
    directory, count = found
    members: list[tuple[str, int | None]] = []
    first: list[tuple[int, int, int]] = []
    place = 0
    while (
        place + 46 <= len(directory) and directory[place : place + 4] == b"PK\x01\x02" and len(members) < _MOST_MEMBERS
    ):
        flags, method = struct.unpack_from("<HH", directory, place + 8)
        packed, size, name, extra, note = struct.unpack_from("<IIHHH", directory, place + 20)
        (offset,) = struct.unpack_from("<I", directory, place + 42)
        raw = directory[place + 46 : place + 46 + name]
        text = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
        members.append((text, None if size == 0xFFFFFFFF else size))
        first.append((offset, method, packed))
        place += 46 + name + extra + note
    more = "at least " if count > len(members) else ""
    if file.ending == ".npz" and members and all(name.endswith(".npy") for name, _ in members):
        lines = [_array(file, name, *where) for (name, _), where in zip(members[:height], first, strict=False)]
        if len(members) > height:
            lines[-1] = f"… and {len(members) - height + 1} more"
        return Preview("array", file.title("NumPy arrays", f"{more}{len(members)}"), tuple(lines))
    return listing(file.path, "zip archive", members, height, more)


def _central_directory(file: Source) -> tuple[bytes, int] | None:
    tail = file.tail(66_000)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        return None
    count, size, start = struct.unpack_from("<HII", tail, end + 10)
    # A zip of more than 4 GiB counts in a record of its own; the directory ends before this one all the same.
    if start == 0xFFFFFFFF or size == 0xFFFFFFFF:
        return None
    return file.read_at(start, min(size, LIMIT)), count


def _array(file: Source, name: str, offset: int, method: int, packed: int) -> str:
    """Return type and shape of one array of an ``.npz``: only its header is unpacked."""
    local = file.read_at(offset, 30)
    words = "?"
    if len(local) == 30:
        skip = sum(struct.unpack_from("<HH", local, 26))
        data = file.read_at(offset + 30 + skip, min(packed, 4096))
        if method == 8:
            data = _inflated(data, 4096, -zlib.MAX_WBITS)
        header = npy_header(data)
        if header is not None:
            words = f"{dtype_words(header[0])}  {' × '.join(map(str, header[1][:8])) or 'one value'}"
    return f"{shown(name.removesuffix('.npy'), 200)}  {words}"


def _tar(file: Source) -> tuple[list[tuple[str, int | None]], bool]:
    """Return the files of a tar archive, and whether these are all.

    Headers are read one by one, at most 10,000 of them; what stands between them is skipped.
    """
    members: list[tuple[str, int | None]] = []
    place, long_name = 0, ""
    for _ in range(_MOST_MEMBERS):
        header = file.read_at(place, _BLOCK)
        if len(header) < _BLOCK:
            return members, False
        if header.count(0) == _BLOCK:
            return members, True
        size = _number(header[124:136])
        if size is None or size < 0 or header[257:262] != b"ustar":
            return members, False
        kind = header[156:157]
        if kind == b"L":
            long_name = file.read_at(place + _BLOCK, min(size, 4096)).rstrip(b"\0").decode("utf-8", "replace")
        elif kind in b"x":
            long_name = _pax_path(file.read_at(place + _BLOCK, min(size, 4096)))
        elif kind not in b"gK":
            prefix, name = (header[a:b].rstrip(b"\0").decode("utf-8", "replace") for a, b in ((345, 500), (0, 100)))
            prefix = prefix.partition("\0")[0] if header[257:263] == b"ustar\0" else ""
            if kind != b"5":
                members.append((long_name or (f"{prefix}/{name}" if prefix else name), size))
            long_name = ""
        place += _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK
    return members, False


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[4:], "big")
    digits = field.strip(b"\0 ")
    return int(digits or b"0", 8) if all(48 <= digit < 56 for digit in digits) else None


def _pax_path(data: bytes) -> str:
    found = [line.partition(b" path=")[2] for line in data.split(b"\n") if b" path=" in line[:32]]
    return found[-1].decode("utf-8", "replace") if found else ""


def _gzip(file: Source, width: int, height: int, look: Look) -> Preview | None:
    """Return the preview of what a gzip begins with."""
    data = _inflated(file.head, LIMIT, 16 + zlib.MAX_WBITS)
    if not data or data.startswith(b"\x1f\x8b"):  # packed twice: a bomb, or a mistake
        return None
    name = file.path[:-3] if file.path.lower().endswith(".gz") else file.path
    name = name[:-4] + ".tar" if name.lower().endswith(".tgz") else name
    with Source(name, data, complete=file.whole and len(data) < LIMIT) as packed:
        inner = look(packed, width, height)
    what = " · ".join(inner.title.split(" · ")[1:-1])
    return Preview(inner.kind, file.title("gzip", what), inner.lines, inner.picture)


def _inflated(data: bytes, limit: int, bits: int) -> bytes:
    try:
        return zlib.decompressobj(bits).decompress(data, limit)
    except zlib.error:
        return b""
