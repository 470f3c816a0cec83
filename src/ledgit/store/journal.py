r"""The journal of an active run: append-only, checksummed, one file per writing process.

A record is::

    \n <8 hex digits: CRC-32 of the payload> <space> <payload>

The newline comes *first*: a write that was cut short (disk full, kill) leaves a torn record,
and the next one still starts on a line of its own, even when another thread wrote it. A line
whose checksum fails is dropped and counted, never the rest. Payloads are::

    m \t <metric> \t <value by repr> \t <step> \t <timestamp ms>
    <kind> \t <JSON object with "at", the time in ms>

Kinds: ``start`` (facts at the start), ``command`` (the command line without its secrets),
``code`` (snapshot), ``patch`` (the code's patch-id), ``env``, ``params``, ``tags``,
``untag``, ``field`` (name, experiment, deleted), ``input``, ``file`` (a staged artifact), ``bundle``
(many small ones in one file), ``hashed`` (a staged one is in the cache), ``object`` and ``tree`` (a file, a
folder that went there at once), ``note`` (something that went wrong and was survived), ``end``.
"""

from __future__ import annotations

import os
import time
from zlib import crc32

TYPE_CHECKING = False  # what reading needs is imported when something is read: a start of a run only writes
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    from ledgit.records.history import Points

__all__ = ["JournalState", "dump_json", "encode", "encode_metric", "now_ms", "read_blocks", "read_parts"]

_WIDEST = 1 << 63
PART_SUFFIX = ".log"
_BLOCK = 4 << 20
time_ns = time.time_ns


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time_ns() // 1_000_000


def encode(kind: str, data: dict[str, Any]) -> bytes:
    """Return the record of *kind* with the JSON object *data*, which must hold ``at``."""
    payload = kind.encode() + b"\t" + dump_json(data)
    return b"\n%08x %b" % (crc32(payload), payload)


_library: Callable[[Any], bytes] | None = None
# What JSON wants escaped in text.
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in map(chr, range(32))} | {'"': '\\"', "\\": "\\\\"})


def dump_json(data: dict[str, Any]) -> bytes:
    """Return *data* as JSON.

    As long as nothing was read, orjson is not imported (5 ms, before a training's first step), and
    what it says of a small record is soon said without it.
    """
    try:
        return _json(data).encode() if _library is None else _library(data)
    except (TypeError, UnicodeEncodeError):
        import json  # says also what orjson refuses: bytes of a path that are no UTF-8, keys that are no text

        return json.dumps(data).encode("ascii")


def _json(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _json_text(value)
    if kind is int:
        return repr(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is dict:
        return "{" + ",".join([f"{_json_text(key)}:{_json(item)}" for key, item in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([_json(item) for item in value]) + "]"
    if kind is float:
        return repr(value) if value - value == 0 else "null"  # where nan and inf count they are tagged: to_json
    raise TypeError(kind)


def _json_text(text: str) -> str:
    if type(text) is not str:
        raise TypeError(type(text))  # a key
    # Printable is narrower than safe: it is a quick test that almost all text passes.
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{text.translate(_ESCAPED)}"'


def _loads(text: bytes) -> Any:
    global _library  # noqa: PLW0603 - by now the import is paid for
    import orjson

    _library = orjson.dumps
    try:
        return orjson.loads(text)
    except ValueError:
        import json

        return json.loads(text)


def encode_metric(key: str, value: float, step: int, timestamp: int) -> bytes:
    """Return the record of one metric point; *key* has no tab or newline (``check_key``)."""
    payload = f"m\t{key}\t{value!r}\t{step}\t{timestamp}".encode()
    return b"\n%08x %b" % (crc32(payload), payload)


class JournalState:
    """What the parts of a journal say together.

    Attributes:
        events: The records other than metrics, in order: by time (which never falls within a
            part, whatever the clock did), then part, then place in the part.
        histories: The points of each metric.
        torn: How many lines were dropped because their checksum failed.
        last: Newest time seen in any record, ms.
    """

    __slots__ = ("events", "histories", "last", "torn")

    def __init__(self, events: list[tuple[str, dict[str, Any]]] | None = None) -> None:
        self.events = [] if events is None else events
        self.histories: dict[str, Points] = {}
        self.torn = self.last = 0

    def first(self, kind: str) -> dict[str, Any] | None:
        """Return the first event of *kind*, or None."""
        return next((data for name, data in self.events if name == kind), None)

    def latest(self, kind: str) -> dict[str, Any] | None:
        """Return the last event of *kind*, or None."""
        return next((data for name, data in reversed(self.events) if name == kind), None)


def part_names(directory: str) -> list[str]:
    """Return the journal files in *directory*, in the order they were opened."""
    return sorted(name for name in os.listdir(directory) if name.endswith(PART_SUFFIX))


def read_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield a part's bytes in blocks of whole records; the last one is the last record alone.

    A journal of millions of points need not fit into memory, and twice as lines.
    """
    rest = b""
    while data := file.read(_BLOCK):
        data = rest + data
        cut = data.rfind(b"\n")  # what stands before a record's newline is complete
        if cut > 0:
            yield data[:cut]
            data = data[cut:]
        rest = data
    if rest:
        yield rest


def parse_lines(
    data: bytes, histories: dict[str, Points], clock: int = 0
) -> tuple[list[tuple[int, str, dict[str, Any]]], int, int]:
    """Parse the records in *data*; metric points go into *histories*.

    Args:
        data: Whole records.
        histories: Where points go.
        clock: Time of the last event before *data* in its part: no event is earlier.

    Returns:
        The other events as (time, kind, data), how many lines were torn or say nothing, and the newest time.
    """
    from ledgit.records.history import Points

    events: list[tuple[int, str, dict[str, Any]]] = []
    torn = last = 0
    for line in data.split(b"\n"):
        if not line:
            continue
        payload = line[9:]
        try:
            if int(line[:8], 16) != crc32(payload) or line[8] != 32:
                torn += 1
                continue
        except (ValueError, IndexError):
            torn += 1
            continue
        try:
            if payload[:2] == b"m\t":
                _, key_bytes, text, step_text, time = payload.split(b"\t")
                key, step, stamp, value = key_bytes.decode(), int(step_text), int(time), float(text)
                if not (-_WIDEST <= step < _WIDEST and -_WIDEST <= stamp < _WIDEST):  # three arrays, or none
                    torn += 1
                    continue
                points = histories.get(key)
                if points is None:
                    points = histories[key] = Points()
                points.append(step, stamp, value)
                last = max(last, stamp)
                continue
            kind, _, body = payload.partition(b"\t")
            item = _loads(body)
            at, name = int(item["at"]), kind.decode()
        except (ValueError, TypeError, LookupError):
            torn += 1  # whole, and yet no record of ours: it must not keep anybody from the other runs
            continue
        clock = max(clock, at)
        events.append((clock, name, item))
    return events, torn, max(last, clock)


def read_parts(directory: str) -> JournalState:
    """Read every part in *directory*. Missing or torn data is counted, never raised."""
    state = JournalState()
    ordered: list[tuple[int, int, int, str, dict[str, Any]]] = []
    for part, name in enumerate(part_names(directory)):
        clock = newest = place = 0
        try:
            with open(os.path.join(directory, name), "rb") as file:
                for block in read_blocks(file):
                    events, torn, last = parse_lines(block, state.histories, clock)
                    state.torn += torn
                    newest = max(newest, last)
                    for clock, kind, item in events:
                        ordered.append((clock, part, place, kind, item))
                        place += 1
                written = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
        except FileNotFoundError:
            continue
        # A metric may carry any timestamp its user liked; the run did not outlive its journal.
        state.last = max(state.last, min(newest, written))
    ordered.sort(key=lambda event: event[:3])
    state.events = [(kind, item) for _, _, _, kind, item in ordered]
    return state
