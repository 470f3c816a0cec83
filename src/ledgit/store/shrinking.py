"""Make the packs of runs small: what runs have in common is stored once.

A run's files say much that the ledger says too, or the run before, and Git would not notice: it looks
for no deltas within a pack, and takes none longer than half of the object. So the background
compaction packs what is new by what it knows:

- entry.json is a delta of the ledger's file with its line: all of it but the head, 20 bytes instead
  of 600;
- an older version of such a file is a delta of a newer one;
- trees, commits and small texts are deltas of one like them;
- histories of one run that were logged together share steps and times.

Git keeps these deltas when it packs anew, and sends them. Every object stays what it was.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from ledgit.git.deltas import Base, copy_from, delta_head, encode_delta, insert, pieces_of_text, pieces_of_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["RunPlan"]

_ENTRY, _HEAD = b'{"id":"', b'","head":"'
_HISTORY = b"step\ttimestamp\t"
_LONGEST_TEXT = 16 << 10
_FEW_ROWS = 10
_BASES = 4  # that one object is compared with
_GOOD = 0.5  # of an object's size; then no other base is tried
_POOR = 0.85  # beyond, the object becomes a base itself
_MISSES, _AGAIN = 12, 16  # objects in a row without a delta, after which only some of that kind are tried
_HISTORIES = 8
_REF = 20  # bytes that naming the base takes


class _Leaf:
    """A file of the ledger: where its lines begin and end, by their digest."""

    __slots__ = ("lines", "oid", "size")

    def __init__(self, oid: bytes, data: bytes) -> None:
        self.oid = oid
        self.size = len(data)
        self.lines = [(_digest(line), start, start + len(line), *_cut(line, start)) for start, line in _lines(data)]


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        yield at, data[at:end]
        at = end


def _digest(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


def _cut(line: bytes, start: int) -> tuple[bytes, int, int]:
    """Return the id of the line's entry.json, and where the head begins and ends that it lacks."""
    head = line.find(_HEAD) + 1
    end = line.find(b'"', head + len(_HEAD) - 1) + 1
    if not head or not end:
        return b"", 0, 0
    data = line[:head] + line[end:]
    return _digest(b"blob %d\0" % len(data) + data), start + head, start + end


class _Alike:
    """Objects of one kind."""

    __slots__ = ("bases", "misses")

    def __init__(self) -> None:
        self.bases: list[Base] = []
        self.misses = 0


class RunPlan:
    """Decides which objects of runs and of the ledger become deltas, and of what."""

    def __init__(self) -> None:
        self._leaves: list[_Leaf] = []
        self._lines: dict[bytes, tuple[_Leaf, int, int]] = {}
        self._entries: dict[bytes, tuple[_Leaf, int, int, int, int]] = {}
        self._older: dict[bytes, _Leaf] = {}
        self._whole: set[bytes] = set()
        self._alike: dict[bytes, _Alike] = {}
        self._histories: dict[bytes, tuple[bytes, bytes]] = {}

    def look(self, oid: bytes, data: bytes) -> None:
        """See a blob, before :meth:`delta` is asked for anything."""
        if data.startswith(_ENTRY) and _HEAD in data[:400]:
            self._leaves.append(_Leaf(oid, data))

    def _sort(self) -> None:
        """Decide which leaves are whole: the largest of each place, mostly the newest."""
        for leaf in sorted(self._leaves, key=lambda leaf: (-leaf.size, leaf.oid)):
            shared: dict[bytes, int] = {}
            for digest, start, end, *_ in leaf.lines:
                if digest in self._lines:
                    oid = self._lines[digest][0].oid
                    shared[oid] = shared.get(oid, 0) + end - start
            best = max(shared, key=lambda oid: (shared[oid], oid), default=b"")
            if best and 2 * shared[best] > leaf.size:
                self._older[leaf.oid] = next(one for one in self._leaves if one.oid == best)
                continue
            self._whole.add(leaf.oid)
            for digest, start, end, entry, cut, cut_end in leaf.lines:
                self._lines[digest] = leaf, start, end
                if entry:
                    self._entries[entry] = leaf, start, cut, cut_end, end
        self._leaves = []

    def delta(self, oid: bytes, kind: str, data: bytes, whole: int) -> tuple[bytes, bytes] | None:
        """Return the base's id and the delta for an object that takes *whole* bytes as it is; None: none."""
        if self._leaves:
            self._sort()
        if oid in self._whole:
            return None
        if oid in self._entries:
            leaf, start, cut, cut_end, end = self._entries[oid]
            copies = copy_from(start, cut - start) + copy_from(cut_end, end - cut_end)
            return leaf.oid, delta_head(leaf.size, len(data)) + copies
        if oid in self._older:
            return self._older[oid].oid, self._leaf_delta(self._older[oid], data)
        if kind == "blob" and data.startswith(_HISTORY):
            return self._history_delta(oid, data)
        return self._alike_delta(oid, kind, data, whole)

    def _leaf_delta(self, base: _Leaf, data: bytes) -> bytes:
        pieces: list[bytes | tuple[int, int]] = []
        for _, line in _lines(data):
            leaf, start, end = self._lines.get(_digest(line), (None, 0, 0))
            last = pieces[-1] if pieces else None
            if leaf is not base:
                pieces.append(line)
            elif isinstance(last, tuple) and last[1] == start:
                pieces[-1] = last[0], end
            else:
                pieces.append((start, end))
        commands = [insert(one) if isinstance(one, bytes) else copy_from(one[0], one[1] - one[0]) for one in pieces]
        return delta_head(base.size, len(data)) + b"".join(commands)

    def _history_delta(self, oid: bytes, data: bytes) -> tuple[bytes, bytes] | None:
        rows = data.split(b"\n")
        if len(rows) < _FEW_ROWS:
            return None
        first = rows[1][: rows[1].rfind(b"\t")]  # points logged together have their step and time in common
        base = self._histories.get(first)
        if base is None:
            while len(self._histories) >= _HISTORIES:
                del self._histories[next(iter(self._histories))]
            self._histories[first] = oid, data
            return None
        return base[0], _rows_delta(base[1], data, rows)

    def _alike_delta(self, oid: bytes, kind: str, data: bytes, whole: int) -> tuple[bytes, bytes] | None:
        try:
            found = _pieces(kind, data)
        except ValueError:
            return None  # no tree of ours
        if found is None:
            return None
        key, pieces = found
        alike = self._alike.setdefault(key, _Alike())
        if alike.misses > _MISSES and alike.misses % _AGAIN:
            alike.misses += 1
            return None
        best: tuple[int, bytes, bytes] | None = None
        for base in alike.bases:
            if base.oid == oid:
                return None
            delta = encode_delta(base, pieces)
            size = _REF + _deflated(delta)
            if best is None or size < best[0]:
                best = size, base.oid, delta
            if size < _GOOD * whole:
                break
        if best is not None and best[0] < _POOR * whole:
            alike.misses = 0
            return best[1], best[2]
        alike.misses += 1
        alike.bases = [Base(oid, pieces), *alike.bases[: _BASES - 1]]
        return None


def _deflated(delta: bytes) -> int:
    """Return about how many bytes *delta* takes: ids and digits don't deflate by much."""
    return len(delta) * 4 // 5 + 8


def _pieces(kind: str, data: bytes) -> tuple[bytes, Sequence[bytes]] | None:
    """Return what objects like this one have in common, and the pieces in which they may differ."""
    if kind == "tree":
        pieces: Sequence[bytes] = pieces_of_tree(data)
        return b"".join(pieces[::2]), pieces
    if len(data) > _LONGEST_TEXT or b"\0" in data or kind not in ("commit", "blob"):
        return None
    pieces = pieces_of_text(data)
    return (b"commit" if kind == "commit" else b"text " + pieces[0][:64]) if pieces else b"", pieces


def _rows_delta(base: bytes, data: bytes, rows: Sequence[bytes]) -> bytes:
    """Return the history *data* as a delta of *base*: steps and times copied, values new."""
    out = [delta_head(len(base), len(data))]
    new: list[bytes] = []
    at = 0  # of the row in the base, behind its line break
    others = base.split(b"\n")
    for number, row in enumerate(rows):
        same = 0
        if number < len(others):
            other = others[number]
            place = other.rfind(b"\t") + 1
            if place and row[:place] == other[:place]:
                same = place
        if same:
            before = 1 if number else 0  # the line break stands before each row in both
            out.append(insert(b"".join(new)))
            out.append(copy_from(at - before, same + before))
            new = [row[same:]]
        else:
            new.append(b"\n" + row if number else row)
        if number < len(others):
            at += len(others[number]) + 1
    out.append(insert(b"".join(new)))
    return b"".join(out)
