"""The table of a run's histories: metric, step, timestamp and value; a row a point, the metrics in order, gzipped."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from ledgit.errors import RecordError
from ledgit.records.history import Points, decode_history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from gzip import GzipFile

__all__ = ["decode_rows", "decode_table", "each_metric", "encode_table"]

_HEADER = b"metric\tstep\ttimestamp\tvalue\n"
_BLOCK = 4 << 20


def encode_table(file: IO[bytes], histories: Mapping[str, Points]) -> None:
    """Write *histories* to *file*, compressed; equal ones give equal bytes."""
    import gzip

    with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        packed.write(_HEADER)
        for name in sorted(histories):
            points = histories[name]
            for start in range(0, len(points), 100_000):
                stop = start + 100_000
                columns = (points.steps[start:stop], points.times[start:stop], points.values[start:stop])
                rows = map(f"{name.replace('%', '%%')}\t%d\t%d\t%r\n".__mod__, zip(*columns, strict=True))
                packed.write("".join(rows).encode())


def decode_table(file: IO[bytes] | GzipFile, where: str = "histories") -> dict[str, Points]:
    """Return the histories that :func:`encode_table` wrote, decompressed by the caller.

    Raises:
        RecordError: It is no such table.
    """
    found: dict[str, Points] = {}
    for name, rows in each_metric(file, where):
        _add(name, rows, found, where)
    return found


def each_metric(file: IO[bytes] | GzipFile, where: str = "histories") -> Iterator[tuple[bytes, bytes]]:
    """Yield each metric's name, in UTF-8, and some of its rows, which :func:`decode_rows` reads.

    A long history comes in several portions; in a table of ours one after the other.

    Raises:
        RecordError: It is no such table.
    """
    if file.readline() != _HEADER:
        raise RecordError(where, "does not begin with the columns metric, step, timestamp and value")
    rest = b""
    while block := file.read(_BLOCK):
        block = rest + block
        cut = block.rfind(b"\n") + 1
        rest = block[cut:]
        yield from _portions(block[:cut])
    if rest:
        yield from _portions(rest + b"\n")


def decode_rows(name: bytes, rows: bytes, where: str = "histories") -> tuple[str, Points]:
    """Return a metric's name and the points in some of its rows.

    Raises:
        RecordError: They are no rows of a table.
    """
    return decode_history(b"step\ttimestamp\t%b\n%b" % (name, rows), where)


def _portions(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what is in whole rows; most blocks of a long history have those of one metric alone."""
    if not block:
        return
    name = block.partition(b"\t")[0]
    lead = b"\n" + name + b"\t"
    if block.count(lead) == block.count(b"\n") - 1:
        yield name, block[len(lead) - 1 :].replace(lead, b"\n")
        return
    groups: dict[bytes, list[bytes]] = {}
    for row in block.split(b"\n")[:-1]:
        name, _, numbers = row.partition(b"\t")
        groups.setdefault(name, []).append(numbers)
    for name, lines in groups.items():
        yield name, b"\n".join(lines)


def _add(name: bytes, rows: bytes, found: dict[str, Points], where: str) -> None:
    metric, points = decode_rows(name, rows, where)
    if metric in found:
        found[metric].extend(points)
    else:
        found[metric] = points
