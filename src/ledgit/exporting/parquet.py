"""Runs as Parquet: ``runs.parquet``, a row a run, ``points.parquet``, a row a point, ``artifacts.parquet``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ledgit.errors import MissingDependency, RunStateError, StorageError

if TYPE_CHECKING:
    from ledgit.run import Run

__all__ = ["write_parquet"]

_ATTRIBUTES = (
    "id", "name", "experiment", "status", "start", "end", "user", "parent_run", "commit", "code_commit", "code_branch",
    "dirty", "deleted",
)  # fmt: skip
_AT_ONCE = 200_000


def write_parquet(runs: Iterable[Run], folder: str) -> int:
    """Write runs as tables, and return how many.

    Params, metrics and tags are columns ``params.lr``, ``metrics.loss``, ``tags.team`` of ``runs.parquet``. A param
    that is a number in all runs that have it is one there, else text. Times are UTC timestamps of milliseconds.

    Args:
        runs: The runs; each must have ended.
        folder: Made if need be; the three files in it are replaced, each when it is whole.

    Raises:
        MissingDependency: pyarrow is not installed.
        RunStateError: A run is active.
        StorageError: The folder can't be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingDependency("writing Parquet", "'ledgit[parquet]'") from None
    rows: list[dict[str, Any]] = []
    artifacts: list[tuple[str, str, int, str, str]] = []
    when = pa.timestamp("ms", "UTC")
    points_schema = pa.schema(
        [
            ("run", pa.string()),
            ("metric", pa.string()),
            ("step", pa.int64()),
            ("time", when),
            ("value", pa.float64()),
        ]
    )
    paths = {name: os.path.join(folder, f"{name}.parquet") for name in ("runs", "points", "artifacts")}
    try:
        os.makedirs(folder, exist_ok=True)
        with parquet.ParquetWriter(paths["points"] + ".new", points_schema) as writer:
            waiting: list[list[Any]] = [[], [], [], [], []]
            for run in runs:
                if run.active:
                    raise RunStateError(f"run {run.id[:8]} is active; it can be exported when it has ended")
                record = run.record()
                rows.append(_row(run, record))
                artifacts += [(run.id, one.path, one.size, one.digest, one.stored) for one in record.artifacts]
                for name in record.metrics:
                    for step, time, value in run.history(name):
                        for column, cell in zip(waiting, (run.id, name, step, time, value), strict=True):
                            column.append(cell)
                if len(waiting[0]) >= _AT_ONCE:
                    _flush(writer, pa, points_schema, waiting)
            _flush(writer, pa, points_schema, waiting)
        parquet.write_table(_runs_table(pa, rows, when), paths["runs"] + ".new")
        names = ("run", "path", "size", "digest", "stored")
        columns = {name: [row[at] for row in artifacts] for at, name in enumerate(names)}
        kinds = {"size": pa.int64()}
        table = pa.table({name: pa.array(columns[name], kinds.get(name, pa.string())) for name in names})
        parquet.write_table(table, paths["artifacts"] + ".new")
        for path in paths.values():
            os.replace(f"{path}.new", path)
    except OSError as error:
        raise StorageError(folder, error.strerror or str(error)) from error
    return len(rows)


def _flush(writer: Any, pa: Any, schema: Any, waiting: list[list[Any]]) -> None:
    arrays = [pa.array(column, schema.field(at).type) for at, column in enumerate(waiting)]
    writer.write_table(pa.table(arrays, schema=schema))
    for column in waiting:
        column.clear()


def _row(run: Run, record: Any) -> dict[str, Any]:
    code = run.code
    values = (
        run.id, run.name, run.experiment, run.status, run.start, run.end, run.user, run.parent_run, run.commit,
        code.commit, code.branch, code.dirty, run.deleted,
    )  # fmt: skip
    row: dict[str, Any] = dict(zip(_ATTRIBUTES, values, strict=True))
    for kind in ("params", "metrics", "tags"):
        row.update({f"{kind}.{key}": value for key, value in getattr(record, kind).items()})
    return row


def _runs_table(pa: Any, rows: list[dict[str, Any]], when: Any) -> Any:
    names = list(_ATTRIBUTES)
    names += sorted({name for row in rows for name in row} - set(names))
    kinds = {"start": when, "end": when, "dirty": pa.bool_(), "deleted": pa.bool_()}
    arrays = []
    for name in names:
        column = [row.get(name) for row in rows]
        kind = kinds.get(name)
        if kind is None:
            kind = _kind(pa, name, column)
        if kind == pa.string():
            column = [None if one is None else str(one).encode("utf-8", "backslashreplace").decode() for one in column]
        arrays.append(pa.array(column, kind))
    return pa.table(arrays, names=names)


def _kind(pa: Any, name: str, column: list[Any]) -> Any:
    """Return the narrowest type that all values of a column have."""
    if name.startswith("metrics."):
        return pa.float64()
    kinds = {type(one) for one in column if one is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int} and all(one is None or -(1 << 63) <= one < 1 << 63 for one in column):
        return pa.int64()
    if kinds and kinds <= {int, float} and all(not isinstance(one, int) or abs(one) <= 1 << 53 for one in column):
        return pa.float64()
    return pa.string()
