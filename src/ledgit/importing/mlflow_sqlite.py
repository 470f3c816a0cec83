"""MLflow's SQLite store (and so any that was copied into one), read without MLflow.

The tables are those of MLflow 1.x to 3.x; columns that an older or newer one lacks count as empty. The file is
opened for reading alone: a server may be writing at the same moment.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ledgit.errors import RecordError, UsageError
from ledgit.importing.found import FoundExperiment, FoundInput, FoundRun
from ledgit.importing.places import local_folder

__all__ = ["SqliteSource"]

_CHUNK = 400
# What MLflow writes for infinities into SQL.
_HUGE = 1.7976931348623157e308


class SqliteSource:
    """An ``mlflow.db``.

    Raises:
        UsageError: There is no such file, or it is no store of MLflow's.
    """

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise UsageError(f"there is no file {path}")
        self._path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        try:
            self._db = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True)
            self._columns = {
                table: {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
                for table in ("experiments", "runs", "params", "metrics", "tags", "inputs", "datasets", "input_tags")
            }
        except sqlite3.Error as error:
            raise UsageError(f"{path} can't be read as an SQLite database: {error}") from None
        if not {"run_uuid", "experiment_id", "status"} <= self._columns["runs"]:
            self._db.close()
            raise UsageError(f"{path} is no store of MLflow's: it has no runs")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise RecordError(self._path, f"can't be read: {error}") from None

    def _pick(self, table: str, *columns: str) -> str:
        """Return the columns for a SELECT; one that this version lacks is NULL."""
        return ", ".join(column if column in self._columns[table] else f"NULL AS {column}" for column in columns)

    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments."""
        rows = self._all(
            f"SELECT {self._pick('experiments', 'experiment_id', 'name', 'lifecycle_stage')} FROM experiments"
        )
        found = {row[0]: FoundExperiment(str(row[0]), str(row[1]), deleted=row[2] == "deleted") for row in rows}
        if self._has("experiment_tags"):
            for key, value, experiment in self._all("SELECT key, value, experiment_id FROM experiment_tags"):
                if experiment in found:
                    found[experiment].tags[str(key)] = _text(value)
        return list(found.values())

    def _has(self, table: str) -> bool:
        return bool(self._all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)))

    def count(self) -> int:
        """Return how many runs there are."""
        return int(self._all("SELECT count(*) FROM runs")[0][0])

    def left(self) -> list[str]:
        """Return what is not brought along."""
        said = []
        for table, what in (
            ("registered_models", "registered models"),
            ("model_versions", "versions of registered models"),
            ("logged_models", "logged models of MLflow 3 beside runs"),
            ("trace_info", "traces"),
        ):
            count = int(self._all(f"SELECT count(*) FROM {table}")[0][0]) if self._has(table) else 0
            if count:
                said.append(f"{count:,} {what}")
        return said

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs by start, some hundreds at a time."""
        names = {one.id: one.name for one in self.experiments()}
        order = "start_time" if "start_time" in self._columns["runs"] else "run_uuid"
        ids = [row[0] for row in self._all(f"SELECT run_uuid FROM runs ORDER BY {order}, run_uuid")]
        for at in range(0, len(ids), _CHUNK):
            yield from self._some(ids[at : at + _CHUNK], names)

    def _some(self, ids: list[str], names: dict[str, str]) -> list[FoundRun]:
        marks = ",".join("?" * len(ids))
        picked = self._pick(
            "runs", "run_uuid", "experiment_id", "name", "status", "start_time", "end_time", "user_id",
            "lifecycle_stage", "artifact_uri", "source_name", "source_version",
        )  # fmt: skip
        found: dict[str, FoundRun] = {}
        for row in self._all(f"SELECT {picked} FROM runs WHERE run_uuid IN ({marks})", ids):
            run = FoundRun(
                id=str(row[0]),
                experiment=names.get(str(row[1]), "Default"),
                name=_text(row[2]),
                status=str(row[3] or "FINISHED"),
                start=row[4],
                end=row[5],
                user=_text(row[6]),
                deleted=row[7] == "deleted",
                artifact_uri=_text(row[8]),
            )
            run.artifacts = local_folder(run.artifact_uri, self._folder, run.id)
            if row[9]:
                run.tags["mlflow.source.name"] = _text(row[9])
            if row[10]:
                run.tags["mlflow.source.git.commit"] = _text(row[10])
            found[run.id] = run
        for key, value, run_id in self._all(
            f"SELECT key, value, run_uuid FROM params WHERE run_uuid IN ({marks})", ids
        ):
            found[run_id].params[str(key)] = _text(value)
        for key, value, run_id in self._all(f"SELECT key, value, run_uuid FROM tags WHERE run_uuid IN ({marks})", ids):
            found[run_id].tags[str(key)] = _text(value)
        picked = self._pick("metrics", "run_uuid", "key", "step", "timestamp", "value", "is_nan")
        for run_id, key, step, when, value, is_nan in self._all(
            f"SELECT {picked} FROM metrics WHERE run_uuid IN ({marks})",
            ids,
        ):
            found[run_id].points.setdefault(str(key), []).append(
                (int(step or 0), int(when or 0), _value(value, is_nan))
            )
        self._inputs(found, ids, marks)
        return [found[run_id] for run_id in ids if run_id in found]

    def _inputs(self, found: dict[str, FoundRun], ids: list[str], marks: str) -> None:
        if not self._columns["inputs"] or not self._columns["datasets"]:
            return
        sql = (
            "SELECT i.input_uuid, i.destination_id, d.name, d.digest, d.dataset_source_type, d.dataset_source,"
            " d.dataset_schema, d.dataset_profile FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id"
            f" WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN ({marks})"
        )
        by_id: dict[str, FoundInput] = {}
        for row in self._all(sql, ids):
            name, digest, kind, source, schema, profile = (_text(value) for value in row[2:8])
            one = FoundInput(name, digest, kind, source, schema, profile)
            by_id[row[0]] = one
            found[row[1]].inputs.append(one)
        if by_id and self._columns["input_tags"]:
            keys = list(by_id)
            for at in range(0, len(keys), _CHUNK):
                some = keys[at : at + _CHUNK]
                places = ",".join("?" * len(some))
                for uuid, name, value in self._all(
                    f"SELECT input_uuid, name, value FROM input_tags WHERE input_uuid IN ({places})",
                    some,
                ):
                    if name == "mlflow.data.context":
                        by_id[uuid].context = _text(value)
                    else:
                        by_id[uuid].tags[str(name)] = _text(value)


def _text(value: Any) -> str:
    return "" if value is None else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _value(value: Any, is_nan: Any) -> float:
    if is_nan or value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return math.copysign(math.inf, number) if abs(number) >= _HUGE else number
