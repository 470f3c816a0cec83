"""MLflow's SQL store, read without MLflow: an SQLite file, or any database through SQLAlchemy.

The tables are those of MLflow 1.x to 3.x; columns that an older or newer one lacks count as empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ledgit.errors import UsageError
from ledgit.importing.found import (
    FoundExperiment,
    FoundInput,
    FoundLogged,
    FoundModel,
    FoundRun,
    FoundVersion,
    Source,
)
from ledgit.importing.places import local_folder, logged_folder, shown
from ledgit.importing.tables import Tables, open_tables

__all__ = ["SqlSource"]

_CHUNK = 400
# What MLflow writes for infinities into SQL.
_HUGE = 1.7976931348623157e308
_RUN = (
    "run_uuid", "experiment_id", "name", "status", "start_time", "end_time", "user_id", "lifecycle_stage",
    "artifact_uri", "source_name", "source_version",
)  # fmt: skip
_VERSION = (
    "name", "version", "creation_time", "last_updated_time", "description", "user_id", "current_stage", "source",
    "run_id", "storage_location",
)  # fmt: skip
_LOGGED = (
    "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms", "last_updated_timestamp_ms",
    "status", "lifecycle_stage", "model_type", "source_run_id",
)  # fmt: skip


class SqlSource(Source):
    """An ``mlflow.db``, or another database of MLflow's.

    Raises:
        UsageError: There is no such file, or it is no store of MLflow's.
    """

    def __init__(self, path: str) -> None:
        self._tables: Tables = open_tables(path)
        if not {"run_uuid", "experiment_id", "status"} <= self._tables.columns("runs"):
            self._tables.close()
            raise UsageError(f"{shown(path)} is no store of MLflow's: it has no runs")

    def close(self) -> None:
        """Close the database."""
        self._tables.close()

    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments."""
        rows = self._tables.rows("experiments", ("experiment_id", "name", "lifecycle_stage"))
        found = {row[0]: FoundExperiment(str(row[0]), str(row[1]), deleted=row[2] == "deleted") for row in rows}
        for key, value, experiment in self._tables.rows("experiment_tags", ("key", "value", "experiment_id")):
            if experiment in found:
                found[experiment].tags[str(key)] = _text(value)
        return list(found.values())

    def count(self) -> int:
        """Return how many runs there are."""
        return self._tables.count("runs")

    def totals(self) -> dict[str, int]:
        """Return what the database itself counts."""
        return {"params": self._tables.count("params"), "points": self._tables.count("metrics")}

    def left(self) -> list[str]:
        """Return what is not brought along."""
        said = []
        for table, what in (
            ("trace_info", "traces"),
            ("assessments", "assessments"),
            ("evaluation_datasets", "evaluation data sets"),
            ("webhooks", "webhooks"),
        ):
            count = self._tables.count(table)
            if count:
                said.append(f"{count:,} {what}")
        return said

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs by start, some hundreds at a time."""
        names = {one.id: one.name for one in self.experiments()}
        ids = [row[0] for row in self._tables.rows("runs", ("run_uuid",), order=("start_time", "run_uuid"))]
        for at in range(0, len(ids), _CHUNK):
            yield from self._some(ids[at : at + _CHUNK], names)

    def _some(self, ids: list[str], names: dict[str, str]) -> list[FoundRun]:
        found: dict[str, FoundRun] = {}
        for row in self._tables.rows("runs", _RUN, "run_uuid", ids):
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
            run.artifacts = local_folder(run.artifact_uri, self._tables.folder, run.id)
            if row[9]:
                run.tags["mlflow.source.name"] = _text(row[9])
            if row[10]:
                run.tags["mlflow.source.git.commit"] = _text(row[10])
            found[run.id] = run
        for key, value, run_id in self._tables.rows("params", ("key", "value", "run_uuid"), "run_uuid", ids):
            found[run_id].params[str(key)] = _text(value)
        for key, value, run_id in self._tables.rows("tags", ("key", "value", "run_uuid"), "run_uuid", ids):
            found[run_id].tags[str(key)] = _text(value)
        metrics = ("run_uuid", "key", "step", "timestamp", "value", "is_nan")
        for run_id, key, step, when, value, is_nan in self._tables.rows("metrics", metrics, "run_uuid", ids):
            found[run_id].points.setdefault(str(key), []).append(
                (int(step or 0), int(when or 0), _value(value, is_nan))
            )
        self._inputs(found, ids)
        return [found[run_id] for run_id in ids if run_id in found]

    def _inputs(self, found: dict[str, FoundRun], ids: list[str]) -> None:
        columns = ("input_uuid", "destination_id", "source_id", "source_type", "destination_type")
        links = [
            row
            for row in self._tables.rows("inputs", columns, "destination_id", ids)
            if row[3] == "DATASET" and row[4] == "RUN" and row[1] in found
        ]
        wanted = sorted({str(row[2]) for row in links})
        about = (
            "dataset_uuid", "name", "digest", "dataset_source_type", "dataset_source", "dataset_schema",
            "dataset_profile",
        )  # fmt: skip
        data = {
            row[0]: [_text(value) for value in row[1:]]
            for at in range(0, len(wanted), _CHUNK)
            for row in self._tables.rows("datasets", about, "dataset_uuid", wanted[at : at + _CHUNK])
        }
        by_id: dict[str, FoundInput] = {}
        for row in links:
            if row[2] in data:
                name, digest, kind, source, schema, profile = data[row[2]]
                one = FoundInput(name, digest, kind, source, schema, profile)
                by_id[row[0]] = one
                found[row[1]].inputs.append(one)
        keys = list(by_id)
        for at in range(0, len(keys), _CHUNK):
            some = keys[at : at + _CHUNK]
            for uuid, name, value in self._tables.rows(
                "input_tags", ("input_uuid", "name", "value"), "input_uuid", some
            ):
                if name == "mlflow.data.context":
                    by_id[uuid].context = _text(value)
                else:
                    by_id[uuid].tags[str(name)] = _text(value)

    def logged(self) -> list[FoundLogged]:
        """Return the logged models of MLflow 3, with their params, tags and metrics."""
        names = {one.id: one.name for one in self.experiments()}
        found: dict[str, FoundLogged] = {}
        for row in self._tables.rows("logged_models", _LOGGED, order=("creation_timestamp_ms", "model_id")):
            one = FoundLogged(
                str(row[0]), _text(row[2]), _text(row[9]), names.get(str(row[1]), "Default"), uri=_text(row[3])
            )
            one.folder = logged_folder(one.uri, self._tables.folder, one.id)
            one.about = {
                "created": row[4], "updated": row[5], "status": row[6], "deleted": row[7] == "deleted",
                "model_type": _text(row[8]), "params": {}, "tags": {}, "metrics": [],
            }  # fmt: skip
            found[one.id] = one
        for kind in ("param", "tag"):
            columns = ("model_id", f"{kind}_key", f"{kind}_value")
            for model, key, value in self._tables.rows(f"logged_model_{kind}s", columns):
                if model in found:
                    found[model].about[f"{kind}s"][str(key)] = _text(value)
        keys = ("metric_name", "metric_value", "metric_timestamp_ms", "metric_step", "run_id", "dataset_name")
        for model, *values in self._tables.rows("logged_model_metrics", ("model_id", *keys)):
            if model in found:
                found[model].about["metrics"].append(
                    dict(zip(("name", "value", "time", "step", "run", "dataset"), values, strict=True))
                )
        return list(found.values())

    def models(self) -> list[FoundModel]:
        """Return the registered models with all versions, also deleted ones, whose numbers stay taken."""
        found = {
            str(row[0]): FoundModel(str(row[0]), _text(row[1]), row[2])
            for row in self._tables.rows("registered_models", ("name", "description", "creation_time"), order=("name",))
        }
        for key, value, name in self._tables.rows("registered_model_tags", ("key", "value", "name")):
            if name in found:
                found[name].tags[str(key)] = _text(value)
        for alias, number, name in self._tables.rows("registered_model_aliases", ("alias", "version", "name")):
            if name in found:
                found[name].aliases[str(alias)] = int(number)
        versions: dict[tuple[str, int], FoundVersion] = {}
        for row in self._tables.rows("model_versions", _VERSION, order=("name", "version")):
            if row[0] not in found:
                continue
            texts = [_text(value) for value in row[4:]]
            one = FoundVersion(
                int(row[1]), created=row[2], updated=row[3], description=texts[0], user=texts[1], stage=texts[2],
                source=texts[3], run=texts[4], location=texts[5], deleted=texts[2] == "Deleted_Internal",
            )  # fmt: skip
            versions[str(row[0]), one.number] = one
            found[row[0]].versions.append(one)
        for key, value, name, number in self._tables.rows("model_version_tags", ("key", "value", "name", "version")):
            if (name, number) in versions:
                versions[name, number].tags[str(key)] = _text(value)
        return list(found.values())


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
