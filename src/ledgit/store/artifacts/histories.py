"""Histories that are too large for a run's tree: all points in one object, a reduction of them in the tree.

The object is a table with the columns metric, step, timestamp and value, compressed by gzip. A run
may have several such objects, each with true points, no point in only one of several places lost:
a session that resumes a run on a machine without the object writes one of its own. Who has all of
them here makes one of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, ArtifactNotFound, RecordError
from ledgit.records.history import Points, encode_history, union
from ledgit.store.artifacts.table import decode_rows, decode_table, each_metric, encode_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from gzip import GzipFile

    from ledgit.artifacts import Cache
    from ledgit.records.record import RunRecord
    from ledgit.store.columns import Batch

__all__ = ["are_large", "full_points", "keep_histories", "whole_histories"]

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


def full_points(
    cache: Cache, oid: str, metric: str, fetch: Fetch | None = None, others: Batch | None = None
) -> Points | None:
    """Return the points of *metric* in the object *oid*; None if the object is not here, nor got by *fetch*.

    Args:
        cache: Where it is.
        oid: Its id.
        metric: The metric's name.
        fetch: Brings it here.
        others: Takes the metrics of an object that is too large to stay decoded: all of it has to be gone through
            for each, and who asks for one metric asks for the next.
    """
    for again in (False, True):
        found = _kept.get(oid)
        if found is not None:
            return found.get(metric, Points())
        try:
            return _Reading(cache, oid, metric, others).run()
        except (ArtifactNotFound, ArtifactDamaged):
            if fetch is None or again:
                return None
            fetch([oid])
    return None


class _Scattered(Exception):
    """The metrics of a table are not in order: it is none of ours."""


class _Reading:
    """An object gone through for one of its metrics; the others stay in memory, or go aside."""

    def __init__(self, cache: Cache, oid: str, metric: str, others: Batch | None) -> None:
        self.cache, self.oid, self.metric, self.others = cache, oid, metric, others
        self.kept: dict[str, Points] | None = {}
        self.total = 0

    def run(self) -> Points:
        """Return the metric's points, in the order in which they stand there."""
        wanted = Points()
        try:
            for name, points in self.histories():
                wanted = points if name == self.metric else wanted
                self.take(name, points)
        except _Scattered:
            self.drop()
            return (_decoded(self.cache, self.oid) or {}).get(self.metric, wanted)
        except BaseException:
            self.drop()
            raise
        if self.kept is not None:
            _kept.clear()
            _kept[self.oid] = self.kept
        elif self.others is not None:
            self.others.commit()
        return wanted

    def wants(self, name: str) -> bool:
        """Whether somebody wants the points of a metric."""
        return self.kept is not None or name == self.metric or bool(self.others)

    def take(self, name: str, points: Points) -> None:
        """Keep a metric's points, or put them aside if all of them are too many."""
        if self.kept is None:
            if self.others is not None:
                self.others.add(name, points)
            return
        self.kept[name] = points
        self.total += len(points)
        if self.total > _MOST_KEPT:
            kept, self.kept = self.kept, None
            for other in kept:
                self.take(other, kept[other])

    def drop(self) -> None:
        """Forget what was put aside."""
        if self.others is not None:
            self.others.drop()

    def histories(self) -> Iterator[tuple[str, Points]]:
        """Yield the histories that somebody wants.

        Raises:
            _Scattered: They are not in order.
        """
        last = b""
        where = f"the histories md5:{self.oid}"
        with _unpacked(self.cache, self.oid) as file:
            for name, portions in groupby(each_metric(file, where), itemgetter(0)):
                if name <= last:
                    raise _Scattered
                last = name
                if self.wants(name.decode("utf-8", "replace")):
                    metric, points = "", Points()
                    for _, rows in portions:
                        metric, some = decode_rows(name, rows, where)
                        points.extend(some)
                    yield metric, points


@contextmanager
def _unpacked(cache: Cache, oid: str) -> Iterator[GzipFile]:
    """Open an object's table.

    Raises:
        ArtifactNotFound, ArtifactDamaged: It is not here, or not what it was.
        RecordError: It can't be unpacked.
    """
    import gzip

    try:
        with cache.open(oid) as stored, gzip.open(stored) as file:
            yield file
    except (EOFError, OSError) as error:
        raise RecordError(f"the histories md5:{oid}", f"can't be unpacked: {error}") from None


def _unite(histories: dict[str, Points], more: Mapping[str, Points]) -> None:
    for name, points in more.items():
        histories[name] = union(histories[name], points) if name in histories else points


_kept: dict[str, dict[str, Points]] = {}


def _decoded(cache: Cache, oid: str) -> dict[str, Points] | None:
    """Return the histories in an object; None if it is not here, or damaged, which is as good."""
    found = _kept.get(oid)
    if found is not None:
        return found
    try:
        with _unpacked(cache, oid) as file:
            found = decode_table(file, f"the histories md5:{oid}")
    except (ArtifactNotFound, ArtifactDamaged):
        return None
    if sum(map(len, found.values())) <= _MOST_KEPT:
        _kept.clear()
        _kept[oid] = found
    return found
