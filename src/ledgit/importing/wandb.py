"""Runs of Weights & Biases that were made offline: ``offline-run-*/run-*.wandb``, read without its package.

Field numbers are those of ``wandb_internal.proto``, which only ever gets new ones.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from typing import Any

from ledgit.errors import UsageError
from ledgit.importing.flattening import as_number, flatten, keep_params
from ledgit.importing.found import FoundExperiment, FoundRun, Source
from ledgit.importing.making import walk
from ledgit.importing.wire import Message, leveldb_records

__all__ = ["WandbSource"]

_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(.+)$")
# Record
_HISTORY, _SUMMARY, _OUTPUT, _CONFIG, _STATS, _ARTIFACT, _RUN, _EXIT = 2, 3, 4, 5, 7, 8, 17, 18
_OWN = ("_step", "_runtime", "_timestamp", "_wandb")
_MOST_JSON = 16 << 20


class WandbSource(Source):
    """A ``wandb`` folder, one run's folder in it, or a folder with a ``wandb`` folder.

    Args:
        path: The folder.
        experiment: Which experiment the runs belong to; None: their project.

    Raises:
        UsageError: There is no run.
    """

    def __init__(self, path: str, experiment: str | None = None) -> None:
        self._files = _find(path) or _find(os.path.join(path, "wandb"))
        if not self._files:
            raise UsageError(f"{path} has no runs of W&B's: no offline-run-… folder with a run-….wandb in it")
        self._experiment = experiment
        self._read: list[FoundRun] | None = None

    def experiments(self) -> list[FoundExperiment]:
        """Return the projects; each run names its own, so they are made with the runs."""
        return []

    def count(self) -> int:
        """Return how many runs there are."""
        return len(self._files)

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs in the order they began."""
        for path in self._files:
            yield self._run(path)

    def _run(self, path: str) -> FoundRun:
        folder = os.path.dirname(path)
        match = _FOLDER.match(os.path.basename(folder))
        run_id = match[1] if match else os.path.basename(path).removeprefix("run-").removesuffix(".wandb")
        run = FoundRun(run_id, self._experiment or "wandb", status="RUNNING")
        reading = _Reading(run, keep_experiment=self._experiment is not None)
        with open(path, "rb") as file:
            for record in leveldb_records(file, path):
                try:
                    reading.record(Message(record))
                except ValueError:  # one that is none
                    reading.damaged += 1
        reading.finish()
        for place in ("files", "logs"):
            inside = os.path.join(folder, place)
            if not os.path.islink(inside):
                for name, source in walk(inside if os.path.isdir(inside) else ""):
                    run.more[name if place == "files" else f"logs/{name}"] = source
        run.more[f"wandb/{os.path.basename(path)}"] = path
        return run


def _find(path: str) -> list[str]:
    if path.endswith(".wandb") and os.path.isfile(path):
        return [path]
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    found = [os.path.join(path, name) for name in names if name.startswith("run-") and name.endswith(".wandb")]
    for name in names:
        inside = os.path.join(path, name)
        if _FOLDER.match(name) and not os.path.islink(inside) and os.path.isdir(inside):
            found += [
                os.path.join(inside, one)
                for one in sorted(os.listdir(inside))
                if one.startswith("run-") and one.endswith(".wandb")
            ]
    return found


class _Reading:
    def __init__(self, run: FoundRun, *, keep_experiment: bool) -> None:
        self.run, self._keep = run, keep_experiment
        self._config: dict[str, Any] = {}
        self._summary: dict[str, Any] = {}
        self._texts: dict[str, list[tuple[int, Any]]] = {}
        self._last: int | None = None
        self._exit: int | None = None
        self._step = 0
        self.damaged = 0

    def record(self, record: Message) -> None:
        """Take one record; those of the machinery are in the file, which comes along."""
        if _RUN in record:
            self._about(record.message(_RUN))
        elif _HISTORY in record:
            self._history(record.message(_HISTORY))
        elif _SUMMARY in record:
            self._update(self._summary, record.message(_SUMMARY))
        elif _CONFIG in record:
            self._update(self._config, record.message(_CONFIG))
        elif _STATS in record:
            self._stats(record.message(_STATS))
        elif _EXIT in record:
            self._exit = record.message(_EXIT).number(1)
            seconds = record.message(_EXIT).number(2)
            if self.run.start is not None and seconds > 0:
                self._last = max(self._last or 0, self.run.start + seconds * 1000)

    def _about(self, about: Message) -> None:
        run = self.run
        # run_id 1, entity 2, project 3, config 4, summary 5, group 6, job type 7, display name 8, notes 9, tags 10,
        # host 13, started 17 (a timestamp)
        if not self._keep:
            run.experiment = about.text(3) or run.experiment
        run.name = about.text(8) or run.name
        self._update(self._config, about.message(4))
        self._update(self._summary, about.message(5))
        run.host = about.text(13)
        started = about.message(17)
        if 1 in started:
            run.start = started.number(1) * 1000 + started.number(2) // 1_000_000
        for key, value in (
            ("wandb.entity", about.text(2)),
            ("wandb.group", about.text(6)),
            ("wandb.job_type", about.text(7)),
            ("mlflow.note.content", about.text(9)),
        ):
            if value:
                run.tags[key] = value
        for tag in about.all(10):
            run.tags[f"wandb.tag.{tag.decode('utf-8', 'replace')}"] = ""

    def _update(self, values: dict[str, Any], update: Message) -> None:
        for item in update.messages(1):
            name = _names(item)
            if name and name[0] not in _OWN:
                values[".".join(name)] = _json(item)
        for item in update.messages(2):
            values.pop(".".join(_names(item)), None)

    def _history(self, history: Message) -> None:
        row = {".".join(_names(item)): _json(item) for item in history.messages(1)}
        if 2 in history:
            self._step = history.message(2).number(1)
        step = as_number(row.get("_step"))
        if step is not None and math.isfinite(step):
            self._step = int(step)
        seconds = as_number(row.get("_timestamp"))
        when = round(seconds * 1000) if seconds is not None and 0 < seconds < 253_402_300_799 else 0
        if when:
            self._last = max(self._last or 0, when)
        for name, value in flatten({key: value for key, value in row.items() if key not in _OWN}).items():
            number = as_number(value)
            if number is not None:
                self.run.points.setdefault(name, []).append((self._step, when, number))
            else:
                self._texts.setdefault(name.partition("._type")[0], []).append((self._step, value))

    def _stats(self, stats: Message) -> None:
        # timestamp 2, items 3: key 1, JSON 16
        when = stats.message(2).number(1) * 1000 if 2 in stats else 0
        for item in stats.messages(3):
            number = as_number(_json(item))
            if number is not None:
                rows = self.run.points.setdefault(f"system/{item.text(1).removeprefix('system.')}", [])
                rows.append((len(rows), when, number))

    def finish(self) -> None:
        """Say of the run what all its records say together."""
        run = self.run
        run.params, run.typed = keep_params(flatten(self._config))
        for name, value in flatten(self._summary).items():
            number = as_number(value)
            if number is None:
                self._texts.setdefault(name, []).append((-1, value))
            elif name not in run.points:
                run.points[name] = [(0, self._last or run.start or 0, number)]
            elif not _same(run.points[name][-1][2], number):
                # A summary that is no last value: the best one, or what somebody set.
                run.points.setdefault(f"summary.{name}", [(0, self._last or run.start or 0, number)])
        if self._texts:
            rows = {name: [list(row) for row in rows] for name, rows in sorted(self._texts.items())}
            text = json.dumps(rows, indent=1, ensure_ascii=False, default=str)
            run.more["wandb/values.json"] = (text + "\n").encode("utf-8", "backslashreplace")
        run.end = self._last
        if self._exit is not None:
            run.status = "FINISHED" if self._exit == 0 else "FAILED"
        if self.damaged:
            run.tags["ledgit.import.damaged"] = f"{self.damaged} records did not decode"


def _names(item: Message) -> list[str]:
    # key 1, nested_key 2, value_json 16
    nested = [part.decode("utf-8", "replace") for part in item.all(2)]
    return nested or ([item.text(1)] if 1 in item else [])


def _json(item: Message) -> Any:
    data = item.raw(16)
    if len(data) > _MOST_JSON:
        return f"{len(data):,} bytes of JSON, which are in the .wandb file"
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
