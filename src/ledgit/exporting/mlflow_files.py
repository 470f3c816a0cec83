"""An MLflow file store, written without MLflow: ``mlflow ui``, ``mlflow migrate-filestore`` and Ledgit read it.

Ids, times and users are kept. What MLflow has no place for (types, the environment, the command, code) is in a folder
``ledgit`` beside each run's values, where MLflow does not look and ``ledgit import mlflow`` does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ledgit.errors import LedgitError, RunStateError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.records.registry_state import RegisteredModel
    from ledgit.repository import Repository
    from ledgit.run import Run

    Progress = Callable[[str, int, int | None], None]

__all__ = ["SEMVER", "Sent", "write_mlruns"]

SEMVER = "ledgit.version"
"""Tag of a version whose ``v1.2.0`` does not follow from its number."""
_META = "meta.yaml"
_STATUS = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5}
_UNFINISHED = ".ledgit-unfinished"


@dataclass(slots=True)
class Sent:
    """What was written.

    Attributes:
        written: Ids of the runs that are new there.
        known: Ids of those that were there already, and stay as they are.
        points: Points of metrics.
        files: Artifacts.
        models: Registered models that were written.
        versions: Their versions.
        missing: What could not be had, a sentence each.
    """

    written: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    points: int = 0
    files: int = 0
    models: int = 0
    versions: int = 0
    missing: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def write_mlruns(
    repository: Repository, runs: Iterable[Run], target: str, *, models: bool = True, progress: Progress | None = None
) -> Sent:
    """Write runs, and the registered models whose runs are among them, into an ``mlruns`` folder.

    Each run appears there whole or not at all, so that it can be interrupted and repeated.

    Args:
        repository: Where they are.
        runs: The runs; each must have ended.
        target: The folder; made if need be. One with a file store gets what it lacks.
        models: Whether registered models are written, too.
        progress: Is told (what, done, total).

    Raises:
        RunStateError: A run is active.
        UsageError: The folder holds something else.
        StorageError: It can't be written.
    """
    runs = list(runs)
    for run in runs:
        if run.active:
            raise RunStateError(f"run {run.id[:8]} is active; it can be exported when it has ended")
    writing = _Writing(repository, target)
    try:
        with_files = writing.begin()
        for at, run in enumerate(runs, 1):
            if progress is not None:
                progress("exporting", at, len(runs))
            writing.run(run)
        if models:
            ids = {run.id for run in runs}
            for model in repository.registered().models.values():
                if not model.deleted:
                    writing.model(model, ids)
        shutil.rmtree(with_files, ignore_errors=True)
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
    return writing.done


class _Writing:
    def __init__(self, repository: Repository, target: str) -> None:
        self._repository, self._top = repository, os.path.abspath(target)
        self._experiments: dict[str, str] = {}  # name → folder
        self._there: set[str] = set()
        self.done = Sent()

    def begin(self) -> str:
        """Look at what is there; return the folder for what is unfinished."""
        from ledgit.records import load_document

        os.makedirs(self._top, exist_ok=True)
        for place in (self._top, os.path.join(self._top, ".trash")):
            for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
                meta = os.path.join(place, name, _META)
                if not os.path.isfile(meta):
                    continue
                with open(meta, "rb") as file:
                    found = load_document(file.read(1 << 20), meta)
                if isinstance(found, dict) and "experiment_id" in found:
                    self._experiments[str(found.get("name"))] = os.path.join(place, name)
                    self._there |= set(os.listdir(os.path.join(place, name)))
        ours = (_UNFINISHED, ".trash", "models", ".DS_Store")
        if not self._experiments and any(name not in ours for name in os.listdir(self._top)):
            raise UsageError(f"{self._top} is neither empty nor a file store of MLflow's; name another folder")
        unfinished = os.path.join(self._top, _UNFINISHED)
        shutil.rmtree(unfinished, ignore_errors=True)
        os.makedirs(unfinished)
        if "Default" not in self._experiments:
            self._experiment("Default", "0")
        return unfinished

    def _experiment(self, name: str, number: str = "") -> str:
        if name in self._experiments:
            return self._experiments[name]
        known = next((one for one in self._repository.experiments("all") if one.name == name), None)
        number = number or str(int.from_bytes(sha256(name.encode("utf-8", "backslashreplace")).digest()[:7]))
        deleted = known is not None and known.deleted
        folder = os.path.join(self._top, *((".trash",) if deleted else ()), number)
        _write_meta(
            folder,
            {
                "artifact_location": _uri(os.path.join(self._top, number)),
                "creation_time": 0,
                "experiment_id": number,
                "last_update_time": 0,
                "lifecycle_stage": "deleted" if deleted else "active",
                "name": name,
            },
        )
        for key, value in (known.tags if known is not None else {}).items():
            self._value(folder, "tags", key, str(value))
        self._experiments[name] = folder
        return folder

    def _value(self, folder: str, kind: str, key: str, text: str) -> None:
        """Write one value: a file whose name is the key, slashes and all, as MLflow has it."""
        parts = key.split("/")
        path = os.path.join(folder, kind, *parts)
        if not all(parts) or any(part in (".", "..") for part in parts):
            self.done.missing.append(f"{kind}: {key!r} can't be a file's name")
            return
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "x", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(text)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            self.done.missing.append(f"{kind}: {key!r}: MLflow's file store can't have it beside another's name")
        except OSError as error:
            if error.errno != 36:  # the name is too long for a file
                raise
            self.done.missing.append(f"{kind}: {key[:40]!r}… is too long a name for a file")

    def run(self, run: Run) -> None:
        """Write one run, first where nobody looks."""
        done = self.done
        if run.id in self._there:
            done.known.append(run.id)
            return
        experiment = self._experiment(run.experiment)
        place = os.path.join(experiment, run.id)
        folder = os.path.join(self._top, _UNFINISHED, run.id)
        record = run.record()
        number = os.path.basename(experiment)
        info, data = run.info, run.data
        for kind in ("artifacts", "metrics", "params", "tags"):
            os.makedirs(os.path.join(folder, kind))
        for key, text in data.params.items():
            self._value(folder, "params", key, text)
        tags = {**data.tags, "mlflow.runName": run.name}
        for key, text in tags.items():
            self._value(folder, "tags", key, str(text))
        for name in record.metrics:
            points = run.history(name, fetch=True)
            lines = "".join(f"{when} {value!r} {step}\n" for step, when, value in points)
            self._value(folder, "metrics", name, lines)
            done.points += len(points)
        self._inputs(record.inputs, folder, experiment, run.id)
        from ledgit.records.record import run_files

        kept = run_files(record, b"")
        for name in ("run.yaml", "params.yaml", "environment.yaml", "inputs.yaml", "tags.yaml"):
            if name in kept:
                os.makedirs(os.path.join(folder, "ledgit"), exist_ok=True)
                with open(os.path.join(folder, "ledgit", name), "wb") as file:
                    file.write(kept[name])
        if record.artifacts:
            try:
                done.files += len(self._repository.save_artifacts(run, os.path.join(folder, "artifacts")))
            except LedgitError as error:
                done.missing.append(f"{run.name}: {error}")
        _write_meta(
            folder,
            {
                "artifact_uri": _uri(os.path.join(place, "artifacts")),
                "end_time": run.end,
                "entry_point_name": "",
                "experiment_id": number,
                "lifecycle_stage": info.lifecycle_stage,
                "run_id": run.id,
                "run_name": run.name,
                "run_uuid": run.id,
                "source_name": "",
                "source_type": 4,
                "source_version": "",
                "start_time": run.start,
                "status": _STATUS[run.status],
                "tags": [],
                "user_id": run.user or "",
            },
        )
        os.rename(folder, place)
        done.written.append(run.id)

    def _inputs(self, inputs: Iterable[Any], folder: str, experiment: str, run_id: str) -> None:
        for at, one in enumerate(inputs):
            about = {
                "digest": one.digest, "name": one.name, "profile": one.profile or None, "schema": one.schema or None,
                "source": one.source, "source_type": one.source_type,
            }  # fmt: skip
            seed = "\0".join(map(str, about.values()))
            data = sha256(seed.encode("utf-8", "backslashreplace")).hexdigest()[:32]
            place = os.path.join(experiment, "datasets", data)
            if not os.path.isfile(os.path.join(place, _META)):
                _write_meta(place, about)
            tags = dict(one.tags)
            if one.context:
                tags["mlflow.data.context"] = one.context
            link = sha256(f"{data}\0{run_id}\0{at}".encode()).hexdigest()[:32]
            _write_meta(
                os.path.join(folder, "inputs", link),
                {
                    "destination_id": run_id, "destination_type": "RUN", "source_id": data, "source_type": "DATASET",
                    "tags": tags,
                },
            )  # fmt: skip

    def model(self, model: RegisteredModel, runs: set[str]) -> None:
        """Write a registered model with the versions whose runs are here."""
        from ledgit.registry.entities import STAGES, current_stage, number_of
        from ledgit.registry.reading import source_of

        versions = [one for one in model.versions.values() if one.kind == "model" and one.number is not None]
        versions = [one for one in versions if one.run in runs or not one.active]
        if not versions and model.versions:
            return
        if "/" in model.name or model.name in (".", ".."):
            self.done.missing.append(f"model {model.name}: MLflow's file store has no names with slashes")
            return
        folder = os.path.join(self._top, "models", model.name)
        if os.path.isfile(os.path.join(folder, _META)):
            return
        unfinished = os.path.join(self._top, _UNFINISHED, "model")
        shutil.rmtree(unfinished, ignore_errors=True)
        aliases = {
            name: str(one.number)
            for name, one in model.stages.items()
            if name not in STAGES and one.number is not None and one.run in runs
        }
        about: dict[str, Any] = {
            "creation_timestamp": model.created,
            "last_updated_timestamp": model.created,
            "name": model.name,
        }
        _write_meta(
            unfinished, {**about, "aliases": aliases, "description": str(model.values.get("description") or "")}
        )
        for kind, values in (("tags", model.tags), ("aliases", aliases)):
            for key, text in values.items():
                self._value(unfinished, kind, key, str(text))
        for one in versions:
            place = os.path.join(unfinished, f"version-{one.number}")
            source = source_of(one) or ""
            tags = dict(one.tags)
            if one.version != f"v{one.number}.0.0":
                tags[SEMVER] = one.version
            _write_meta(
                place,
                {
                    "creation_timestamp": one.created,
                    "current_stage": current_stage(model, one) if one.active else "Deleted_Internal",
                    "description": one.description or None,
                    "last_updated_timestamp": one.created,
                    "name": model.name,
                    "run_id": one.run,
                    "source": source,
                    "status": "READY",
                    "storage_location": self._location(one.run or "", one.path or "") or source,
                    "user_id": one.event.author or None,
                    "version": number_of(one),
                },
            )
            for key, text in tags.items():
                self._value(place, "tags", key, str(text))
            self.done.versions += one.active
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.rename(unfinished, folder)
        self.done.models += 1

    def _location(self, run_id: str, path: str) -> str:
        for folder in self._experiments.values():
            place = os.path.join(folder, run_id)
            if run_id and os.path.isdir(place):
                return _uri(os.path.join(place, "artifacts", *filter(None, path.split("/"))))
        return ""


def _write_meta(folder: str, values: Mapping[str, Any]) -> None:
    import json

    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, _META), "w", encoding="utf-8", errors="backslashreplace") as file:
        # JSON is YAML: every reader takes the same value and type.
        file.writelines(f"{key}: {json.dumps(value, ensure_ascii=True)}\n" for key, value in values.items())


def _uri(path: str) -> str:
    return f"file://{quote(path)}"
