"""MLflow's file store, an ``mlruns`` folder, read without MLflow: a file a param, a metric, a tag."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from ledgit.errors import RecordError, UsageError
from ledgit.importing.found import (
    FoundExperiment,
    FoundInput,
    FoundLogged,
    FoundModel,
    FoundRun,
    FoundVersion,
    Source,
)
from ledgit.importing.places import local_folder, logged_folder

__all__ = ["KEPT", "FilesSource"]

_META = "meta.yaml"
_LARGEST = 64 << 20
# MLflow's numbers for statuses in meta.yaml; words in old versions.
_STATUSES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
# What Ledgit's own export says beside MLflow's files.
KEPT = ("run.yaml", "params.yaml", "environment.yaml", "inputs.yaml", "tags.yaml")
_BESIDE = ("models", "datasets", "traces", "tags", "artifacts")


class FilesSource(Source):
    """An ``mlruns`` folder, or a folder with one.

    Raises:
        UsageError: There is none.
    """

    def __init__(self, path: str) -> None:
        inside = os.path.join(path, "mlruns")
        self._path = inside if os.path.isdir(inside) and not _experiments_in(path) else path
        if not os.path.isdir(self._path):
            raise UsageError(f"there is no folder {path}")
        self._places = _experiments_in(self._path)
        trash = os.path.join(self._path, ".trash")
        self._gone = _experiments_in(trash) if os.path.isdir(trash) else []
        if not self._places and not self._gone:
            raise UsageError(f"{path} is no file store of MLflow's: no folder in it has a meta.yaml of an experiment")

    def close(self) -> None:
        """Nothing is open."""

    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments, those in the trash as deleted."""
        found = []
        for place in [*self._places, *self._gone]:
            meta = _meta(place)
            deleted = place in self._gone or meta.get("lifecycle_stage") == "deleted"
            name = str(meta.get("name") or os.path.basename(place))
            found.append(FoundExperiment(os.path.basename(place), name, _values(place, "tags"), deleted))
        return found

    def count(self) -> int:
        """Return how many runs there are."""
        return sum(len(list(_runs_in(place))) for place in [*self._places, *self._gone])

    def left(self) -> list[str]:
        """Return what is not brought along."""
        places = [os.path.join(place, "traces") for place in [*self._places, *self._gone]]
        count = sum(len(os.listdir(place)) for place in places if os.path.isdir(place))
        return [f"{count:,} traces"] if count else []

    def logged(self) -> list[FoundLogged]:
        """Return the logged models of MLflow 3."""
        found = []
        for place in [*self._places, *self._gone]:
            experiment = str(_meta(place).get("name") or os.path.basename(place))
            for folder in _below(os.path.join(place, "models")):
                meta = _meta(folder)
                one = FoundLogged(
                    str(meta.get("model_id") or os.path.basename(folder)),
                    str(meta.get("name") or ""),
                    str(meta.get("source_run_id") or ""),
                    experiment,
                    uri=str(meta.get("artifact_location") or ""),
                )
                own = os.path.join(folder, "artifacts")
                beside = os.path.isdir(own) and not os.path.islink(own)
                one.folder = own if beside else logged_folder(one.uri, self._path, one.id)
                one.about = {
                    "created": meta.get("creation_timestamp"),
                    "updated": meta.get("last_updated_timestamp"),
                    "status": meta.get("status"),
                    "deleted": meta.get("lifecycle_stage") == "deleted",
                    "model_type": meta.get("model_type") or "",
                    "params": _values(folder, "params"),
                    "tags": _values(folder, "tags"),
                    "metrics": [
                        {"name": name, "value": value, "time": when, "step": step}
                        for name, path in _files(os.path.join(folder, "metrics"))
                        for step, when, value in _points(path)
                    ],
                }
                found.append(one)
        return sorted(found, key=lambda one: (_time(one.about["created"]) or 0, one.id))

    def models(self) -> list[FoundModel]:
        """Return the registered models with all versions, also deleted ones, whose numbers stay taken."""
        found = []
        for place in _below(os.path.join(self._path, "models")):
            meta = _meta(place)
            model = FoundModel(
                str(meta.get("name") or os.path.basename(place)),
                str(meta.get("description") or ""),
                _time(meta.get("creation_timestamp")),
                _values(place, "tags"),
            )
            aliases = _values(place, "aliases")
            model.aliases = {name: int(text) for name, text in aliases.items() if text.strip().isdecimal()}
            for folder in _below(place, "version-"):
                about = _meta(folder)
                number = about.get("version")
                if isinstance(number, bool) or not str(number).isdecimal():
                    raise RecordError(os.path.join(folder, _META), "has no number of a version")
                one = FoundVersion.of(
                    about,
                    _values(folder, "tags"),
                    _time(about.get("creation_timestamp")),
                    _time(about.get("last_updated_timestamp")),
                )
                model.versions.append(one)
            model.versions.sort(key=lambda one: one.number)
            found.append(model)
        return found

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs of one experiment after the other."""
        for place in [*self._places, *self._gone]:
            experiment = str(_meta(place).get("name") or os.path.basename(place))
            for folder in _runs_in(place):
                try:
                    yield self._run(folder, experiment)
                except RecordError as error:
                    yield FoundRun(os.path.basename(folder), experiment, problem=str(error))

    def _run(self, folder: str, experiment: str) -> FoundRun:
        meta = _meta(folder)
        status = str(meta.get("status", "3"))
        found = FoundRun(
            id=str(meta.get("run_id") or meta.get("run_uuid") or os.path.basename(folder)),
            experiment=experiment,
            name=str(meta.get("run_name") or meta.get("name") or ""),
            status=_STATUSES.get(status, status),
            start=_time(meta.get("start_time")),
            end=_time(meta.get("end_time")),
            user=str(meta.get("user_id") or ""),
            deleted=meta.get("lifecycle_stage") == "deleted",
            params=_values(folder, "params"),
            tags=_values(folder, "tags"),
            artifact_uri=str(meta.get("artifact_uri") or ""),
        )
        own = os.path.join(folder, "artifacts")
        # A store that was moved has the artifacts beside its runs, whatever it says.
        beside = os.path.isdir(own) and not os.path.islink(own)
        found.artifacts = own if beside else local_folder(found.artifact_uri, self._path, found.id)
        for name, path in _files(os.path.join(folder, "metrics")):
            found.points[name] = _points(path)
        kept = os.path.join(folder, "ledgit")
        if os.path.isdir(kept) and not os.path.islink(kept):
            found.record = {name: _read(path) for name, path in _files(kept) if name in KEPT}
        found.inputs = list(_inputs(folder))
        return found


def _experiments_in(path: str) -> list[str]:
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    places = [os.path.join(path, name) for name in names if name not in _BESIDE and not name.startswith(".")]
    return [place for place in places if os.path.isfile(os.path.join(place, _META))]


def _below(place: str, beginning: str = "") -> list[str]:
    """Return the folders with a ``meta.yaml``; links lead elsewhere."""
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return []
    paths = [os.path.join(place, name) for name in names if name.startswith(beginning) and name[0] != "."]
    return [path for path in paths if not os.path.islink(path) and os.path.isfile(os.path.join(path, _META))]


def _runs_in(place: str) -> Iterator[str]:
    for name in sorted(os.listdir(place)):
        folder = os.path.join(place, name)
        if name not in _BESIDE and os.path.isfile(os.path.join(folder, _META)):
            yield folder


def _meta(folder: str) -> dict[str, Any]:
    from ledgit.records import load_document

    path = os.path.join(folder, _META)
    found = load_document(_read(path), path)
    if not isinstance(found, dict):
        raise RecordError(path, "is no mapping")
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise RecordError(path, error.strerror or str(error)) from None


def _time(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (name, path): a name with slashes is a file in folders."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def _values(folder: str, kind: str) -> dict[str, str]:
    return {name: _read(path).decode("utf-8", "replace") for name, path in _files(os.path.join(folder, kind))}


def _points(path: str) -> list[tuple[int, int, float]]:
    """Read ``timestamp value step [dataset …]`` lines; one that a crash tore is left out (MLflow fails on it)."""
    points = []
    for line in _read(path).decode("utf-8", "replace").splitlines():
        words = line.split(" ")
        try:
            points.append((int(words[2]) if len(words) > 2 else 0, int(words[0]), float(words[1])))
        except (IndexError, ValueError):
            continue
    return points


def _inputs(folder: str) -> Iterator[FoundInput]:
    place = os.path.join(folder, "inputs")
    if not os.path.isdir(place):
        return
    datasets = os.path.join(os.path.dirname(folder), "datasets")
    for name in sorted(os.listdir(place)):
        if not os.path.isfile(os.path.join(place, name, _META)):
            continue
        meta = _meta(os.path.join(place, name))
        about = os.path.join(datasets, str(meta.get("source_id") or ""))
        if os.path.basename(about) in ("", ".", "..") or not os.path.isfile(os.path.join(about, _META)):
            continue
        data = _meta(about)
        tags = {str(key): str(value) for key, value in (meta.get("tags") or {}).items()}
        keys = ("name", "digest", "source_type", "source", "schema", "profile")
        title, digest, kind, source, schema, profile = (str(data.get(key) or "") for key in keys)
        context = tags.pop("mlflow.data.context", "")
        yield FoundInput(title, digest, kind, source, schema, profile, context, tags)
