"""Logged models of MLflow 3, as tags of the run that made them.

A run's n-th model is its tag ``ledgit.logged_model.<n>``: the keys are few, however many models a repository has, and a
tag travels, is edited and joined as every other. ``ledgit.logged_models`` finds the runs that have any. A model's id
begins with its run's: ``m-``, 20 digits of the run's id, 12 of its own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.errors import RecordError
from ledgit.records.parsing import loads
from ledgit.records.scalars import from_json, to_json

__all__ = [
    "HAS_MODELS",
    "MODEL_KEY",
    "MODEL_USE",
    "LoggedModelRecord",
    "ModelPoint",
    "decode_logged_model",
    "encode_logged_model",
    "logged_models",
    "new_model_id",
    "run_of_model",
]

HAS_MODELS = "ledgit.logged_models"
MODEL_KEY = "ledgit.logged_model."
MODEL_USE = "ledgit.model_use"
"""Tag of a run: the models it took in and put out, as JSON: ``{"inputs": [id], "outputs": [[id, step]]}``."""
_RUN_DIGITS = 20

ModelPoint = tuple[str, float, int, int, str, str, str]
"""Metric, value, step, time; name and digest of the data set, and id of the run that measured it."""


@dataclass(frozen=True, slots=True)
class LoggedModelRecord:
    """What is known of a logged model; its files are the artifacts below *path* of the run whose tag it is.

    Attributes:
        id: ``m-`` and 32 hex digits.
        path: Folder of the run's artifacts.
        created, updated: ms since the epoch.
        status: ``PENDING``, ``READY`` or ``FAILED``.
        kind: What MLflow calls the model's type.
        source_run: The run that it is said to be from; None for one logged outside of any run.
        metrics: Each point that was measured of it; of many only the newest.
    """

    id: str
    name: str
    path: str
    created: int
    updated: int
    status: str = "PENDING"
    kind: str | None = None
    source_run: str | None = None
    deleted: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[ModelPoint, ...] = ()


def new_model_id(run_id: str) -> str:
    """Return the id of a further model of a run."""
    return f"m-{run_id[:_RUN_DIGITS]}{secrets.token_hex(6)}"


def run_of_model(model_id: str) -> str:
    """Return the beginning of the id of the run that has a model; "" if it is no id of ours."""
    digits = model_id.removeprefix("m-")
    return digits[:_RUN_DIGITS] if model_id.startswith("m-") and len(digits) == 32 else ""


def encode_logged_model(one: LoggedModelRecord) -> str:
    """Return the value of the model's tag."""
    values = {
        "id": one.id,
        "name": one.name,
        "path": one.path,
        "created": one.created,
        "updated": one.updated,
        "status": one.status,
        "kind": one.kind,
        "source_run": one.source_run,
        "deleted": one.deleted,
        "params": dict(one.params),
        "tags": dict(one.tags),
        "metrics": [[key, to_json(value), *rest] for key, value, *rest in one.metrics],
    }
    return json.dumps({key: value for key, value in values.items() if value or type(value) is int}, ensure_ascii=False)


def decode_logged_model(text: str, where: str = MODEL_KEY) -> LoggedModelRecord:
    """Return the model that a tag says.

    Raises:
        RecordError: It does not decode.
    """
    try:
        found = loads(text.encode())
        return LoggedModelRecord(
            id=str(found["id"]),
            name=str(found["name"]),
            path=str(found.get("path", "")),
            created=int(found["created"]),
            updated=int(found["updated"]),
            status=str(found.get("status", "PENDING")),
            kind=found.get("kind"),
            source_run=found.get("source_run"),
            deleted=bool(found.get("deleted")),
            params={str(key): str(value) for key, value in found.get("params", {}).items()},
            tags={str(key): str(value) for key, value in found.get("tags", {}).items()},
            metrics=tuple(
                (str(key), float(from_json(value)), int(step), int(time), str(name), str(digest), str(run))  # type: ignore[arg-type]
                for key, value, step, time, name, digest, run in found.get("metrics", ())
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(where, f"is no logged model: {error}") from error


def logged_models(tags: Mapping[str, str]) -> dict[str, LoggedModelRecord]:
    """Return the models that a run's tags say, by tag; what does not decode is left out."""
    found = {}
    for key, value in tags.items():
        if key.startswith(MODEL_KEY):
            try:
                found[key] = decode_logged_model(value, key)
            except RecordError:
                continue
    return found
