"""``packed-refs``: one ref, or those below a name, without reading the rest.

Git writes the file in the order of names and says so in its first line, so a ref is found by bisection:
with 30,000 refs 0.05 ms where reading and searching all of it takes 2.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.git.repo import Repo

__all__ = ["PackedRefs", "oid_of", "packed_refs"]

_SMALL = 8192  # bytes up to which all of it is read at once
_BLOCK = 2048  # bytes that are searched as they are
_LINE = 256  # bytes that mostly hold the rest of a line, its peeled id and the next line
_HEX = frozenset(b"0123456789abcdef")


def packed_refs(repo: Repo, prefix: str) -> dict[str, str]:
    """Return the packed refs whose names begin with *prefix*, or the one of this name if it ends in no slash."""
    with PackedRefs(repo) as packed:
        if prefix.endswith("/"):
            return packed.below(prefix)
        oid = packed.get(prefix)
        return {} if oid is None else {prefix: oid}


def oid_of(data: bytes) -> str | None:
    """Return *data* as an object's id; None if it is none, or says that there is no object."""
    if len(data) == 40 and data != b"0" * 40 and _HEX.issuperset(data):
        return data.decode("ascii")
    return None


class PackedRefs:
    """The packed refs of one moment, whatever becomes of the file meanwhile; a context manager.

    A file that isn't there has none.
    """

    def __init__(self, repo: Repo) -> None:
        self._path = os.path.join(repo.common_dir, "packed-refs")
        self._fd = -1
        self._size = self._start = 0
        self._all: bytes | None = b""

    def __enter__(self) -> PackedRefs:
        try:
            self._fd = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return self
        self._size = os.fstat(self._fd).st_size
        head = os.pread(self._fd, _SMALL, 0)
        first = head[: head.find(b"\n") + 1]
        self._start = len(first)
        if len(head) >= self._size:
            self._all = head
        elif first.startswith(b"# pack-refs with:") and b" sorted " in first:
            self._all = None
        else:
            self._all = self._read(0, self._size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def get(self, name: str) -> str | None:
        """Return the id of the ref *name*; None if it isn't packed."""
        if self._all is not None:
            return _named(self._all, name).get(name)
        key = name.encode("utf-8", "surrogateescape")
        return _named(self._read_around(key, key), name).get(name)

    def below(self, prefix: str) -> dict[str, str]:
        """Return the refs whose names begin with *prefix*: name → id."""
        if self._all is not None:
            return _named(self._all, prefix)
        key = prefix.encode("utf-8", "surrogateescape")
        return _named(self._read_around(key, key[:-1] + bytes([key[-1] + 1])), prefix)  # UTF-8 has no byte 255

    def _read_around(self, first: bytes, last: bytes) -> bytes:
        """Return a piece of the file with all lines whose names are *first* to *last*, and some more."""
        begin, end = self._narrow(first)
        if last != first:
            end = self._narrow(last)[1]
        line = self._first_from(end)
        # With the line break before it, so that a line is seen to begin there.
        return self._read(begin - 1, self._size if line is None else line[0] + len(line[2]) + 42)

    def _narrow(self, key: bytes) -> tuple[int, int]:
        """Return two places near *key*: lines that begin before the one come before it, from the other on not."""
        low, high = self._start, self._size
        while high - low > _BLOCK:
            middle = (low + high) // 2
            line = self._first_from(middle)
            if line is None or line[0] >= high or line[2] >= key:
                high = middle
            else:
                low = line[0] + 1
        return low, high

    def _first_from(self, at: int) -> tuple[int, bytes, bytes] | None:
        """Return place, id and name of the first ref whose line begins at *at* or later."""
        length = _LINE
        while True:
            data = os.pread(self._fd, length, at - 1)
            begin = data.find(b"\n") + 1
            while begin and data[begin : begin + 1] == b"^":  # what the tag in the line above names
                begin = data.find(b"\n", begin) + 1
            end = data.find(b"\n", begin) if begin else -1
            if end < 0:
                if at - 1 + len(data) < self._size and len(data) == length:
                    length *= 4
                    continue
                end = len(data)
            if not begin or begin == end:
                return None
            line = data[begin:end]
            return at - 1 + begin, line[:40], line[41:]

    def _read(self, begin: int, end: int) -> bytes:
        pieces = []
        while begin < end:
            piece = os.pread(self._fd, end - begin, begin)
            if not piece:
                break
            pieces.append(piece)
            begin += len(piece)
        return b"".join(pieces)


def _named(data: bytes, prefix: str) -> dict[str, str]:
    """The refs in *data*, as the file has them, whose names begin so; only their lines are taken apart."""
    wanted = b" " + prefix.encode("utf-8", "surrogateescape")
    found: dict[str, str] = {}
    at = data.find(wanted)
    while at >= 0:
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        oid = oid_of(data[max(0, at - 40) : at])
        # An id, at the start of a line: not a look-alike inside another ref's name.
        if oid is not None and (at == 40 or data[at - 41] == 10):
            found[data[at + 1 : end].decode("utf-8", "surrogateescape")] = oid
        at = data.find(wanted, end)
    return found
