"""The law of lines: how the ledger's lines are united, and where they stand.

A leaf (one file of ``segments/``) holds lines of the runs that started on one day, sorted as
bytes, which is by (id, head). All lines of one run are united by :func:`union_lines`, which reads
``id head v past purged`` and nothing else, so that every version of Ledgit unites alike.

Nearly every line that is looked at is in the form that Ledgit writes and alone for its run: its id
and head are taken by their places and its JSON is not parsed until it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import gmtime

from ledgit.errors import RecordError
from ledgit.records.shapes import is_commit_id, is_run_id, is_time

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = [
    "LEAF_RUNS",
    "Line",
    "claimed",
    "claims",
    "day_of",
    "decode_leaf",
    "encode_leaf",
    "parse_line",
    "place_of",
    "survivors",
    "union_lines",
    "unite_leaf",
    "with_head",
]

LEAF_RUNS = 64
"""Runs (not lines) that one file of the ledger holds; with one more it is split."""

_MAX_PARSED = 1 << 20  # bytes: a longer line is opaque
FULL_PAST = 16
"""Commits of a run that a line names by whole ids; of more, all but the first are cut."""

SHORT_ID = 16
"""Digits that are left of an id that was cut."""

_HEX = frozenset(b"0123456789abcdef")
_HEX_TEXT = "0123456789abcdef"


class Line:
    """One line of the ledger, as far as the law reads it.

    Attributes:
        id: The run's id; of a line that doesn't say, empty.
        head: The commit the line was written with; mostly empty where it is a tombstone or opaque.
        key: Hex digits that place the run within its day.
        raw: The bytes, without the line break.
    """

    __slots__ = ("_data", "_opaque", "_past", "_purged", "_v", "head", "id", "key", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._data: dict[str, Any] | None = None
        self._v = 1
        self._past: tuple[str, ...] = ()
        self._purged = False
        self._opaque: bool | None = None  # not parsed yet
        # {"id":"<32 digits>","head":"<40 digits>",
        if (
            raw[:7] == b'{"id":"'
            and raw[39:49] == b'","head":"'
            and raw[89:91] == b'",'
            and _HEX.issuperset(raw[7:39])
            and _HEX.issuperset(raw[49:89])
        ):
            self.id = self.key = raw[7:39].decode("ascii")
            self.head = raw[49:89].decode("ascii")
        else:
            self.id = self.head = self.key = ""
            self._parse()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Line({self.raw[:100]!r})"

    @property
    def opaque(self) -> bool:
        """Whether it can't be read far enough to be united with others: it stays as it is."""
        if self._opaque is None:
            self._parse()
        return bool(self._opaque)

    @property
    def v(self) -> int:
        """The version it was written in."""
        return 1 if self.opaque else self._v

    @property
    def past(self) -> tuple[str, ...]:
        """Commits of the run's own chain below the head; whole ids, or 16 digits of them."""
        return () if self.opaque else self._past

    @property
    def purged(self) -> bool:
        """Whether it is a tombstone."""
        if self._opaque is None and b"urged" not in self.raw and b"\\u" not in self.raw:
            return False  # without parsing it
        return not self.opaque and self._purged

    @property
    def start(self) -> int | None:
        """The run's start in ms since the epoch; None if the line doesn't say."""
        if self._data is None:
            self._parse()
        found = (self._data or {}).get("start")
        return found if is_time(found) else None

    @property
    def day(self) -> str | None:
        """The UTC day it belongs to (``2026-11/23``); None if the line doesn't say."""
        start = self.start
        return None if start is None else day_of(start)

    def _parse(self) -> None:
        from ledgit.records.parsing import loads

        data: Any = None
        if len(self.raw) <= _MAX_PARSED:
            try:
                data = loads(self.raw)
            except ValueError:
                data = None
        self._data = data if type(data) is dict else {}
        self._opaque = not self._take(self._data)
        if self._opaque and not self.key:
            self.id = _begins_with(self.raw)
            self.key = place_of(self.id) if self.id else _digest(self.raw)

    def _take(self, data: dict[str, Any]) -> bool:
        """Read what the law needs; say whether all of it is as it must be."""
        run_id, head, v, past = data.get("id"), data.get("head"), data.get("v", 1), data.get("past", ())
        purged = data.get("purged", False)
        if not is_run_id(run_id) or type(purged) is not bool or type(v) is not int:
            return False
        if (self.id or _begins_with(self.raw) or run_id) != run_id:
            return False  # a key that stands there twice
        if purged:
            head, past = "", ()
        elif not is_commit_id(head) or (self.head and self.head != head) or not _is_past(past):
            return False
        self.id, self.head, self._v, self._past, self._purged = run_id, self.head or head, v, tuple(past), purged
        self.key = self.key or place_of(run_id)
        return True


def parse_line(raw: bytes) -> Line:
    """Return the line *raw*; never raises: what can't be read is :attr:`Line.opaque`."""
    return Line(raw.rstrip(b"\n"))


def _is_past(past: object) -> bool:
    return past == () or (
        type(past) is list
        and all(type(oid) is str and 16 <= len(oid) <= 64 and not oid.strip(_HEX_TEXT) for oid in past)
    )


def _begins_with(raw: bytes) -> str:
    end = raw.find(b'"', 7, 300)
    if raw[:7] != b'{"id":"' or end < 0:
        return ""
    found = raw[7:end].decode("ascii", "replace")
    return found if is_run_id(found) else ""


def place_of(run_id: str) -> str:
    """Return the digits that place a run within its day: its id, or the SHA-256 of one that isn't 32 hex digits."""
    if len(run_id) == 32 and not run_id.strip(_HEX_TEXT):
        return run_id
    return _digest(run_id.encode("utf-8", "surrogateescape"))


def _digest(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def day_of(start: int) -> str:
    """Return the UTC day of *start* (ms since the epoch) as the ledger's folders name it: ``2026-11/23``."""
    moment = gmtime(start // 1000)
    return f"{moment.tm_year:04d}-{moment.tm_mon:02d}/{moment.tm_mday:02d}"


def claims(past: tuple[str, ...], head: str) -> bool:
    """Say whether *past* has *head*: whole, or the 16 digits that are left of it where the past was cut."""
    return head in past or head[:SHORT_ID] in past


def survivors(items: Iterable[T], raw: Callable[[T], bytes]) -> list[T]:
    """Apply the law to readable lines of one run, whatever they are kept in.

    Args:
        items: Objects with ``head v past purged``.
        raw: Returns the bytes of one.

    Returns:
        Those that count, sorted by head.
    """
    by_head: dict[str, Any] = {}
    tombstone: Any = None
    for item in items:
        line: Any = item
        if line.purged:
            if tombstone is None or raw(line) > raw(tombstone):
                tombstone = line
            continue
        other = by_head.get(line.head)
        if other is None or (line.v, raw(line)) > (other.v, raw(other)):
            by_head[line.head] = line
    if tombstone is not None:
        return [tombstone]
    if len(by_head) > 1:
        by_head = {head: by_head[head] for head in _newest({head: line.past for head, line in by_head.items()})}
    return [by_head[head] for head in sorted(by_head)]


def claimed(pasts: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return, for each head of *pasts* (head → past), those of the other heads that its past has.

    As :func:`claims`, but each past is read once: a forged file can have 100,000 heads of one run.
    """
    by_digits: dict[str, list[str]] = {}
    for head in pasts:
        by_digits.setdefault(head, []).append(head)
        by_digits.setdefault(head[:SHORT_ID], []).append(head)
    return {
        head: [other for oid in dict.fromkeys(past) for other in by_digits.get(oid, ()) if other != head]
        for head, past in pasts.items()
    }


def _newest(pasts: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the heads that no other stands above; of those that claim each other, all.

    Forged pasts may leave out what is below what they name: it counts as below all the same.
    """
    below = claimed(pasts)
    if not any(below.values()):
        return list(pasts)
    above: dict[str, list[str]] = {head: [] for head in pasts}
    for head, others in below.items():
        for other in others:
            above[other].append(head)
    # What a walk downwards leaves last has nothing above it but what it leads back to: so has,
    # with all below it gone, what was left last of the rest. From each of these upwards stays.
    left: list[str] = []
    seen: set[str] = set()
    for head in pasts:
        left += _walk(below, head, seen)
    tops: list[str] = []
    seen = set()
    for head in reversed(left):
        if head not in seen:
            tops.append(head)
            _walk(below, head, seen)
    stay: set[str] = set()
    for head in tops:
        _walk(above, head, stay)
    return [head for head in pasts if head in stay]


def _walk(ways: dict[str, list[str]], start: str, seen: set[str]) -> list[str]:
    """Add what *start* leads to to *seen*; return what is new in the order in which a deep walk leaves it."""
    if start in seen:
        return []
    seen.add(start)
    left = []
    path = [(start, iter(ways[start]))]
    while path:
        here, rest = path[-1]
        for other in rest:
            if other not in seen:
                seen.add(other)
                path.append((other, iter(ways[other])))
                break
        else:
            left.append(here)
            path.pop()
    return left


def union_lines(lines: Iterable[Line]) -> list[Line]:
    """Return the lines of one run that count, sorted as bytes.

    1. equal lines are one;
    2. a tombstone absorbs every other line; of two the greater bytes stay;
    3. of two lines for one head the greater (v, bytes) stays;
    4. a head that stands in another line's past goes; those that claim each other stay;
    5. an opaque line stays as it is, unless there is a tombstone.
    """
    distinct = {line.raw: line for line in lines}
    if len(distinct) < 2:
        return list(distinct.values())
    opaque = [line for line in distinct.values() if line.opaque]
    kept = survivors((line for line in distinct.values() if not line.opaque), lambda line: line.raw)
    if len(kept) == 1 and kept[0].purged:
        return kept
    return sorted([*kept, *opaque], key=_raw)


def _raw(line: Line) -> bytes:
    return line.raw


def unite_leaf(base: list[Line], other: Iterable[Line]) -> tuple[list[Line], list[Line], list[Line]]:
    """Return (the union of two leaves' lines, what of it *base* lacks, what of *base* it lacks).

    Runs of which *other* has nothing new are taken as they are, and not parsed.
    """
    have = {line.raw for line in base}
    new = [line for line in other if line.raw not in have]
    if not new:
        return base, [], []
    groups: dict[str, list[Line]] = {line.key: [] for line in new}
    result = []
    for line in base:
        if line.key in groups:
            groups[line.key].append(line)
        else:
            result.append(line)
    for line in new:
        groups[line.key].append(line)
    united = [line for lines in groups.values() for line in union_lines(lines)]
    result += united
    result.sort(key=_raw)
    left = {line.raw for line in united}
    added = [line for line in united if line.raw not in have]
    dropped = [line for line in base if line.key in groups and line.raw not in left]
    return result, added, dropped


def decode_leaf(data: bytes) -> list[Line]:
    """Return the lines of one file, in its order."""
    return [Line(raw) for raw in data.split(b"\n") if raw]


def encode_leaf(lines: Iterable[Line]) -> bytes:
    """Return the file that holds *lines*: sorted as bytes, each once."""
    return b"".join(raw + b"\n" for raw in sorted({line.raw for line in lines}))


def with_head(line: bytes, head: str) -> bytes:
    """Return *line* (from `encode_entry`) with ``"head":"…"`` behind the id, all else as it is.

    Lines of a segment that are sorted as bytes are so sorted by (id, head).
    """
    end = line.find(b'",')
    if not line.startswith(b'{"id":"') or end < 0 or not is_commit_id(head):
        raise RecordError("entry.json", "does not begin with the run's id, or its head is no commit id")
    return b'%b","head":"%b",%b' % (line[:end], head.encode(), line[end + 2 :])
