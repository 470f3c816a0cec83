"""Runs as JSON lines: one run, with everything but its files' content, a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ledgit.errors import RunStateError

if TYPE_CHECKING:
    from ledgit.run import Run

__all__ = ["SCHEMA", "line_of", "write_lines"]

SCHEMA = 1


class Writable(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> object:
        """Take *text*."""


def write_lines(runs: Iterable[Run], file: Writable, *, history: bool = True) -> int:
    """Write a line a run, and return how many.

    Args:
        runs: The runs; each must have ended.
        file: Where to.
        history: Whether all points of the metrics are written; else the latest values alone.

    Raises:
        RunStateError: A run is active.
        NotHere: A run's commit is not in this clone.
    """
    count = 0
    for run in runs:
        file.write(json.dumps(_plain(line_of(run, history=history)), ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def line_of(run: Run, *, history: bool = True) -> dict[str, Any]:
    """Return one run as plain values, by the documented schema."""
    if run.active:
        raise RunStateError(f"run {run.id[:8]} is active; it can be exported when it has ended")
    record = run.record()
    info, environment = record.info, record.environment
    found: dict[str, Any] = {"schema": SCHEMA, **run.to_dict()}
    # The record's own: a list has only those that fit in a line.
    found.update(params=dict(record.params), metrics=dict(record.metrics), tags=dict(record.tags))
    found.update(
        host=info.host,
        command=list(info.command),
        entry_point=info.entry_point,
        source=info.source,
        source_type=info.source_type,
        deleted=run.deleted,
        inputs=[
            {
                "name": one.name, "digest": one.digest, "source_type": one.source_type, "source": one.source,
                "schema": one.schema, "profile": one.profile, "context": one.context, "tags": dict(one.tags),
            }
            for one in record.inputs
        ],
        artifacts=[
            {"path": one.path, "size": one.size, "digest": one.digest, "stored": one.stored}
            for one in record.artifacts
        ],
        environment=None
        if environment is None
        else {"python": environment.python, "platform": environment.platform, "packages": dict(environment.packages)},
    )  # fmt: skip
    if history:
        found["history"] = {
            name: [[step, when, value] for step, when, value in run.history(name)] for name in record.metrics
        }
    return found


def _plain(value: Any) -> Any:
    """Return *value* as JSON can hold it: NaN and infinity as ``--json`` has them, no lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else {"~float": str(value)}
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
