"""A run whole: all that one run commit holds below ``.ledgit/run/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isnan

from ledgit.errors import RecordError
from ledgit.records.artifacts import (
    ArtifactRecord,
    decode_artifacts,
    decode_pointers,
    dvc_pointers,
    encode_artifacts,
)
from ledgit.records.clock import Clock, Clocks, decode_clocks, encode_clocks
from ledgit.records.documents import dump_document
from ledgit.records.environment import Environment, decode_environment, encode_environment, requirements_txt
from ledgit.records.flat import dump_flat, load_flat
from ledgit.records.history import Points, decode_history, decode_once, encode_history, encode_once
from ledgit.records.inputs import InputRecord, decode_inputs, encode_inputs, input_refs
from ledgit.records.line import Entry
from ledgit.records.names import RUN_FOLDER, history_files
from ledgit.records.run import RunInfo, decode_run, encode_run
from ledgit.records.scalars import Scalar
from ledgit.records.state import RunState, join

__all__ = [
    "ARTIFACT_CLOCK",
    "FULL_HISTORY",
    "REDUCED_POINTS",
    "RUN_FOLDER",
    "RunRecord",
    "decode_record",
    "decode_tags",
    "listed_clocks",
    "make_entry",
    "make_state",
    "once_points",
    "run_files",
]

REDUCED_POINTS = 1000
"""Points a metric that stay in the tree when the full histories went to DVC."""
FULL_HISTORY = "history-full.tsv.gz.dvc"
"""Points to all points of a run whose histories had no room in the tree."""
ARTIFACT_CLOCK = "artifacts."
"""Begins the clock of an artifact that was logged after a resume; in clock.json only, lines list no artifacts."""


@dataclass(slots=True)
class RunRecord:
    """Everything that one run commit holds but the artifacts' content.

    Attributes:
        metrics: latest values; `decode_record` takes them from metrics.yaml.
        environment: None if none was recorded.
        full: Objects with all points of the run, id and size each, where *histories* is a reduction;
            what one of them has the others may lack.
    """

    info: RunInfo
    params: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    histories: dict[str, Points] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[InputRecord] = field(default_factory=list)
    environment: Environment | None = None
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    clocks: Clocks = field(default_factory=Clocks)
    full: tuple[tuple[str, int], ...] = ()


def run_files(record: RunRecord, entry: bytes, reduced: bool = False) -> dict[str, bytes]:
    """Return the files below ``.ledgit/run/`` by relative path; *entry* is the line for entry.json.

    The artifacts' contents are not among them. With *reduced*, histories are cut to 1,000 points
    a metric and run.yaml says so.
    """
    info = replace(record.info, reduced=True) if reduced else record.info
    files = {
        "run.yaml": encode_run(info),
        "params.yaml": dump_flat(record.params),
        "metrics.yaml": dump_flat(record.metrics),
        "tags.yaml": dump_flat(record.tags),
    }
    once = _logged_once(record)
    if once:
        files["once.tsv"] = encode_once(once)
    names = history_files(sorted(record.histories.keys() - once.keys()))
    for name, file in names.items():
        points = record.histories[name]
        files[f"history/{file}"] = encode_history(name, points.reduced(REDUCED_POINTS) if reduced else points)
    if record.full:
        files[FULL_HISTORY] = dvc_pointers(
            (f"history-full.{oid[:8]}.tsv.gz" if number else FULL_HISTORY.removesuffix(".dvc"), oid, size)
            for number, (oid, size) in enumerate(record.full)
        )
    if record.inputs:
        files["inputs.yaml"] = encode_inputs(record.inputs)
    if record.environment is not None:
        files["environment.yaml"] = encode_environment(record.environment)
        files["requirements.txt"] = requirements_txt(record.environment)
    if record.artifacts:
        files["artifacts.yaml"] = encode_artifacts(record.artifacts)
    files["dvc.yaml"] = _dvc_yaml(names)
    files["clock.json"] = encode_clocks(record.clocks)
    files["entry.json"] = entry
    return files


def _logged_once(record: RunRecord) -> dict[str, tuple[int, int]]:
    """Return step and time of the metrics whose only point is the value that metrics.yaml has, to the bit.

    A file for each of them would take more than all the rest of the run.
    """
    return {
        name: (points.steps[0], points.times[0])
        for name, points in record.histories.items()
        if len(points) == 1 and name in record.metrics and repr(points.values[0]) == repr(float(record.metrics[name]))
    }


def once_points(once: bytes, metrics: bytes, name: str) -> Points | None:
    """Return the only point of the metric *name*, of the files once.tsv and metrics.yaml; None if it isn't there.

    Raises:
        RecordError: One of the files does not decode.
    """
    return _once_points(once, _metrics(metrics)).get(name)


def _once_points(once: bytes, metrics: Mapping[str, float]) -> dict[str, Points]:
    found = {}
    for name, (step, time) in decode_once(once).items():
        if name not in metrics:
            raise RecordError("once.tsv", f"names the metric {name!r}, which metrics.yaml has not")
        found[name] = Points.of([(step, time, metrics[name])])
    return found


def _dvc_yaml(histories: Mapping[str, str]) -> bytes:
    """Return the dvc.yaml by which DVC's own ``metrics|params|plots diff`` read the run."""
    document: dict[str, object] = {"params": ["params.yaml"], "metrics": ["metrics.yaml"]}
    if histories:
        document["plots"] = [{f"history/{file}": {"x": "step", "y": name}} for name, file in histories.items()]
    return dump_document(document)


def decode_record(files: Mapping[str, bytes]) -> RunRecord:
    """Return the record of the files below ``.ledgit/run/``; all but run.yaml may be missing.

    Raises:
        RecordError: run.yaml is missing, or a file does not decode.
    """
    if "run.yaml" not in files:
        raise RecordError(RUN_FOLDER, "has no run.yaml")
    metrics = _metrics(files.get("metrics.yaml", b""))
    histories = _once_points(files["once.tsv"], metrics) if "once.tsv" in files else {}
    for path in sorted(files):
        if path.startswith("history/") and path.endswith(".tsv"):
            name, points = decode_history(files[path], path)
            if name in histories:
                raise RecordError(path, f"is a second history of {name!r}")
            histories[name] = points
    return RunRecord(
        info=decode_run(files["run.yaml"]),
        params=load_flat(files.get("params.yaml", b""), "params.yaml"),
        metrics=metrics,
        histories=histories,
        tags=decode_tags(files.get("tags.yaml", b"")),
        inputs=decode_inputs(files["inputs.yaml"]) if "inputs.yaml" in files else [],
        environment=decode_environment(files["environment.yaml"]) if "environment.yaml" in files else None,
        artifacts=decode_artifacts(files["artifacts.yaml"]) if "artifacts.yaml" in files else [],
        clocks=decode_clocks(files["clock.json"]) if "clock.json" in files else Clocks(),
        full=_full(files[FULL_HISTORY]) if FULL_HISTORY in files else (),
    )


def _full(data: bytes) -> tuple[tuple[str, int], ...]:
    found = []
    for _, md5, size in decode_pointers(data, FULL_HISTORY):
        if len(md5) != 32 or not set(md5) <= set("0123456789abcdef"):
            raise RecordError(FULL_HISTORY, f"its digest {md5[:40]!r} is no MD5")
        found.append((md5, size))
    return tuple(sorted(found))


def _metrics(data: bytes) -> dict[str, float]:
    metrics = {}
    for name, value in load_flat(data, "metrics.yaml").items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RecordError("metrics.yaml", f"the value of {name!r} is {repr(value)[:40]}, expected a number")
        try:
            metrics[name] = float(value)
        except OverflowError:
            raise RecordError("metrics.yaml", f"the value of {name!r} is too large for a float") from None
    return metrics


def decode_tags(data: bytes) -> dict[str, str]:
    """Return the tags of tags.yaml, which people edit. Raises RecordError if it does not decode."""
    tags = {}
    for name, value in load_flat(data, "tags.yaml").items():
        tags[name] = value if isinstance(value, str) else "" if value is None else str(value)
    return tags


def make_entry(record: RunRecord, past: Iterable[str] = ()) -> Entry:
    """Return the entry of *record*, uncut; *past* are the run's commits below, oldest first.

    `encode_entry` cuts it to a line.
    """
    info, clocks = record.info, record.clocks
    ranges = {}
    for name, points in record.histories.items():
        if len(points) > 1 and name in record.metrics:
            low, high = points.minmax()
            latest = record.metrics[name]
            if not isnan(low) and (low, high) != (latest, latest):
                ranges[name] = (low, high)
    return Entry(
        id=info.id,
        start=info.start,
        name=info.name,
        experiment=info.experiment,
        status=info.status,
        end=info.end,
        user=info.user,
        parent_run=info.parent_run,
        deleted=info.deleted,
        code=info.code.ref,
        params=dict(record.params),
        metrics=dict(record.metrics),
        ranges=ranges,
        tags=dict(record.tags),
        clock=clocks.default,
        state=listed_clocks(clocks),
        past=tuple(past),
        inputs=input_refs(record.inputs),
    )


def listed_clocks(clocks: Clocks) -> dict[str, Clock]:
    """Return the clocks that a line names: of keys that differ from the default, and of no artifact."""
    return {
        key: clock
        for key, clock in clocks.keys.items()
        if clock != clocks.default and not key.startswith(ARTIFACT_CLOCK)
    }


def make_state(record: RunRecord, heads: Iterable[str] = (), commit: str | None = None) -> RunState:
    """Return the state of *record* alone, uncut: of an active run, or with the *heads* it was joined from."""
    state = join([make_entry(record)])
    state.heads = tuple(heads)
    state.commit = commit
    return state
