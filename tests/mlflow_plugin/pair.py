"""MLflow's SQLite store and a Ledgit repository, asked the same things by MLflow's client, side by side.

Ids are told apart only by whose they are: both sides number what they made, and what can't be the same by nature
(ids, the time of a call, names that nobody chose, the tags that say who and where) is left out of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.tracking import MlflowClient

T0 = 1_700_000_000_000
#: Tags that Ledgit finds out by itself, from Git and the process.
_OWN_TAGS = ("mlflow.user", "mlflow.source.")
_DATASET = ("name", "digest", "source_type", "source", "schema", "profile")
_CHOSEN = ("calm", "owl", "calm owl", "x" * 250)


class Side:
    """One of the two: its client, and the ids of what was made, in the order it was made."""

    def __init__(self, client: MlflowClient, store: Any) -> None:
        self.client, self.store = client, store
        self.experiments: list[str] = ["0"]
        self.runs: list[str] = []
        self.renamed = False
        self.gone: set[str] = set()
        self.made: dict[str, bool] = {}

    def experiment(self, number: int) -> str:
        """Return the id of an experiment; a negative number is one that isn't there."""
        return self.experiments[number % len(self.experiments)] if number >= 0 else "7777"

    def run(self, number: int) -> str:
        """Return the id of a run; of one that isn't there if none was made."""
        return self.runs[number % len(self.runs)] if number >= 0 and self.runs else "f" * 32

    def names(self) -> dict[str, str]:
        """Return what stands for each id in an answer."""
        found = {one: f"E{number}" for number, one in enumerate(self.experiments)}
        return found | {one: f"R{number}" for number, one in enumerate(self.runs)}

    def ask(self, call: Callable[[Side], Any]) -> Any:
        """Return the answer, or MLflow's error code; what is no error of MLflow's is told by its kind."""
        try:
            return self.plain(call(self))
        except MlflowException as error:
            return f"error {error.error_code}"
        except Exception as error:  # of MLflow's client, before either store is asked
            return f"raises {type(error).__name__}: {error}"

    # ------------------------------------------------------------------ answers as plain values

    def plain(self, value: Any) -> Any:
        """Return an answer as plain values that both sides can give alike."""
        kind = type(value).__name__
        if kind == "Run":
            return self._run(value)
        if kind == "RunInfo":
            return self._info(value)
        if kind == "Experiment":
            return {
                "id": self.names().get(value.experiment_id, value.experiment_id),
                "name": value.name,
                "stage": value.lifecycle_stage,
                "tags": dict(value.tags),
                "times": value.creation_time is not None and value.creation_time <= value.last_update_time,
            }
        if kind == "Metric":
            return (value.key, number(value.value), value.step, value.timestamp)
        if kind == "RegisteredModel":
            latest = sorted((self.plain(one) for one in value.latest_versions), key=lambda one: one["stage"])
            return {
                "name": value.name,
                "description": value.description or None,
                "tags": dict(value.tags),
                "aliases": {alias: int(version) for alias, version in value.aliases.items()},
                "latest": latest,
            }
        if kind == "ModelVersion":
            return {
                "name": value.name,
                "version": int(value.version),
                "stage": value.current_stage,
                "description": value.description or None,
                "tags": dict(value.tags),
                "aliases": sorted(value.aliases),
                "run": self.names().get(value.run_id, value.run_id),
                "source": self.place(value.source),
                "status": value.status,
            }
        if isinstance(value, PagedList):
            return [self._listed(one) for one in value]
        if isinstance(value, (list, tuple)):
            return [self.plain(one) for one in value]
        return value

    def _listed(self, value: Any) -> Any:
        """Return one of a list: of a run's latest points it has the values, of its data sets how they are called."""
        shown = self.plain(value)
        if type(value).__name__ == "Run":
            del shown["points"]
            context = "mlflow.data.context"
            shown["inputs"] = [(one[0], one[1], dict(one[-1]).get(context)) for one in shown["inputs"]]
        return shown

    def place(self, uri: str) -> str:
        """Return the part of an artifact URI that says the run and the path in it."""
        run, _, path = uri.removeprefix("runs:/").partition("/artifacts/")
        if not path:
            run, _, path = uri.removeprefix("runs:/").partition("/")
        return f"{self.names().get(run.rpartition('/')[2], run)}:{path}"

    def _info(self, info: Any) -> dict[str, Any]:
        return {
            "id": self.names().get(info.run_id, "new"),
            "experiment": self.names().get(info.experiment_id, "?"),
            "name": info.run_name[:250] if info.run_name[:250] in _CHOSEN else "random",
            "status": info.status,
            "start": info.start_time,
            # One that goes on has no end here, whatever a client says.
            "end": info.end_time if info.status not in ("RUNNING", "SCHEDULED") else None,
            "stage": info.lifecycle_stage,
        }

    def _run(self, run: Any) -> dict[str, Any]:
        tags = {key: value for key, value in run.data.tags.items() if not key.startswith(_OWN_TAGS)}
        name = tags.pop("mlflow.runName")
        named = name == run.info.run_name
        if "mlflow.parentRunId" in tags:
            tags["mlflow.parentRunId"] = self.names().get(tags["mlflow.parentRunId"], tags["mlflow.parentRunId"])
        inputs = [
            (*(getattr(one.dataset, name) for name in _DATASET), sorted((tag.key, tag.value) for tag in one.tags))
            for one in run.inputs.dataset_inputs
        ]
        return {
            **self._info(run.info),
            "named": named,
            "params": dict(run.data.params),
            "metrics": {key: number(value) for key, value in run.data.metrics.items()},
            "points": sorted((one.key, number(one.value), one.step, one.timestamp) for one in run.data._metric_objs),
            "tags": tags,
            "inputs": sorted(inputs, key=str),
        }


def number(value: float) -> Any:
    """Return a metric's value as one that equals itself; SQL has no infinity and stores the greatest number."""
    if math.isnan(value):
        return "nan"
    if abs(value) >= 1.7976931348623157e308:
        return math.copysign(math.inf, value)
    return value


class Pair:
    """Both sides, asked the same."""

    def __init__(self, sqlite: Side, ledgit: Side) -> None:
        self.sqlite, self.ledgit = sqlite, ledgit

    def ask(self, call: Callable[[Side], Any]) -> tuple[Any, Any]:
        """Return MLflow's answer, and Ledgit's."""
        return self.sqlite.ask(call), self.ledgit.ask(call)


def pages(ask: Callable[[str | None], Any]) -> list[Any]:
    """Return all pages of a search, each as a list."""
    found, token = [], None
    for _ in range(50):
        page = ask(token)
        found.append(list(page))
        token = page.token
        if not token:
            return found
    raise AssertionError("the pages have no end")


def dataset(name: str, digest: str, context: str | None, more: str | None) -> DatasetInput:
    """Return the use of a data set."""
    tags = [InputTag("mlflow.data.context", context)] if context is not None else []
    if more:
        tags.append(InputTag("more", more))
    return DatasetInput(Dataset(name, digest, "local", '{"uri": "a"}', more, more), tags)


def entities(
    metrics: Iterable[tuple[str, Any, Any, Any]], params: Iterable[tuple[str, Any]], tags: Iterable[tuple[str, Any]]
) -> dict[str, Any]:
    """Return the arguments of ``log_batch``."""
    return {
        "metrics": [Metric(key, value, when, step) for key, value, step, when in metrics],
        "params": [Param(key, value) for key, value in params],
        "tags": [RunTag(key, value) for key, value in tags],
    }


def sides(database: Path, repository: Path) -> Pair:
    """Return clients on an SQLite file and on a repository."""
    made = []
    for uri in (f"sqlite:///{database}", f"ledgit://{repository}"):
        client = MlflowClient(uri, uri)
        made.append(Side(client, client._tracking_client.store))
    return Pair(*made)
