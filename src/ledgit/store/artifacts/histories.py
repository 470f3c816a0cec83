"""Histories that are too large for a run's tree: all points in one object, a reduction of them in the tree.

The object is a table with the columns metric, step, timestamp and value, compressed by gzip. A run
may have several such objects, each with true points, no point in only one of several places lost:
a session that resumes a run on a machine without the object writes one of its own. Who has all of
them here makes one of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, ArtifactNotFound, RecordError
from ledgit.records.history import Points, decode_history, encode_history, union

if TYPE_CHECKING:
    from gzip import GzipFile

    from ledgit.artifacts import Cache
    from ledgit.records.record import RunRecord

__all__ = ["are_large", "decode_table", "encode_table", "full_points", "keep_histories", "whole_histories"]

_HEADER = b"metric\tstep\ttimestamp\tvalue\n"
_BLOCK = 4 << 20
_ROW = 70  # bytes of the longest row
_MOST_KEPT = 1_000_000  # points that stay decoded: who asks for one metric asks for the next

Fetch = Callable[[list[str]], object]
"""Brings objects into the cache that are not here."""


def are_large(histories: Mapping[str, Points], threshold: int) -> bool:
    """Whether all *histories*, compressed, take more than *threshold* bytes."""
    from zlib import compressobj

    rows = sum(map(len, histories.values()))
    if rows * _ROW <= threshold:
        return False
    packer = compressobj(1)
    size = 0
    for name in sorted(histories):
        size += len(packer.compress(encode_history(name, histories[name])))
        if size > threshold:
            return True
    return size + len(packer.flush()) > threshold


def keep_histories(
    cache: Cache, record: RunRecord, threshold: int, *, fresh: bool = True
) -> tuple[RunRecord, bool, list[str]]:
    """Put the histories of *record* into the cache if they are too large for the run's tree.

    Args:
        cache: Where to.
        record: With all the points that are known, and in ``full`` what earlier commits put away.
        threshold: Bytes of all histories, compressed, that stay in the tree.
        fresh: There are points that no earlier commit has.

    Returns:
        The record with the objects that hold its histories; whether those in the tree are to be
        reduced; the objects that are new.

    Raises:
        StorageError: The disk refused.
    """
    if record.full and not fresh:
        return record, False, []
    if not record.full and not are_large(record.histories, threshold):
        return record, False, []
    histories = dict(record.histories)
    absent = []
    for oid, size in record.full:
        points = _decoded(cache, oid)
        if points is None:
            absent.append((oid, size))
        else:
            _unite(histories, points)
    oid, size = cache.put_written(lambda file: encode_table(file, histories))
    whole = replace(record, full=tuple(sorted({*absent, (oid, size)})))
    return whole, True, [oid]


def whole_histories(cache: Cache, record: RunRecord) -> tuple[dict[str, Points], bool]:
    """Return all points that are here, and whether those are all there are."""
    histories = dict(record.histories)
    complete = True
    for oid, _ in record.full:
        points = _decoded(cache, oid)
        complete = complete and points is not None
        _unite(histories, points or {})
    return histories, complete


def full_points(cache: Cache, oid: str, metric: str, fetch: Fetch | None = None) -> Points | None:
    """Return the points of *metric* in the object *oid*; None if the object is not here, nor got by *fetch*."""
    points = _decoded(cache, oid)
    if points is None and fetch is not None:
        fetch([oid])
        points = _decoded(cache, oid)
    return None if points is None else points.get(metric, Points())


def _unite(histories: dict[str, Points], more: Mapping[str, Points]) -> None:
    for name, points in more.items():
        histories[name] = union(histories[name], points) if name in histories else points


_kept: dict[str, dict[str, Points]] = {}


def _decoded(cache: Cache, oid: str) -> dict[str, Points] | None:
    """Return the histories in an object; None if it is not here, or damaged, which is as good."""
    import gzip

    found = _kept.get(oid)
    if found is not None:
        return found
    try:
        with cache.open(oid) as stored, gzip.open(stored) as file:
            found = decode_table(file, f"the histories md5:{oid}")
    except (ArtifactNotFound, ArtifactDamaged):
        return None
    except (EOFError, OSError) as error:
        raise RecordError(f"the histories md5:{oid}", f"can't be unpacked: {error}") from None
    if sum(map(len, found.values())) <= _MOST_KEPT:
        _kept.clear()
        _kept[oid] = found
    return found


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
    if file.readline() != _HEADER:
        raise RecordError(where, "does not begin with the columns metric, step, timestamp and value")
    found: dict[str, Points] = {}
    rest = b""
    while block := file.read(_BLOCK):
        block = rest + block
        cut = block.rfind(b"\n") + 1
        rest = block[cut:]
        _decode_block(block[:cut], found, where)
    if rest:
        _decode_block(rest + b"\n", found, where)
    return found


def _decode_block(block: bytes, found: dict[str, Points], where: str) -> None:
    """Decode whole rows; most blocks of a long history have those of one metric alone."""
    if not block:
        return
    name = block.partition(b"\t")[0]
    lead = b"\n" + name + b"\t"
    rows = block.count(b"\n")
    if block.count(lead) == rows - 1:
        _add(name, block[len(lead) - 1 :].replace(lead, b"\n"), found, where)
        return
    groups: dict[bytes, list[bytes]] = {}
    for row in block.split(b"\n")[:-1]:
        name, _, numbers = row.partition(b"\t")
        groups.setdefault(name, []).append(numbers)
    for name, lines in groups.items():
        _add(name, b"\n".join(lines), found, where)


def _add(name: bytes, rows: bytes, found: dict[str, Points], where: str) -> None:
    metric, points = decode_history(b"step\ttimestamp\t%b\n%b" % (name, rows), where)
    if metric in found:
        found[metric].extend(points)
    else:
        found[metric] = points
