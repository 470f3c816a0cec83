"""Everything that can be read of a repository's runs, models and experiments, as plain values."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
from typing import Any

from ledgit.repository import Repository

__all__ = ["read_all"]


def read_all(repository: Repository) -> dict[str, Any]:
    """Return all of it, by what it is; in an order that does not depend on the clock."""
    runs = {run.id: run for run in repository.runs.view("all")}
    return {
        "runs": {run_id: _run(run) for run_id, run in sorted(runs.items())},
        "models": json.loads(_said(repository, "registry", "ls", "--json")),
        "experiments": [one.name for one in repository.experiments()],
    }


def _run(run: Any) -> dict[str, Any]:
    record = run.record()
    info = record.info
    return _plain(
        {
            **run.to_dict(),
            "note": run.note,
            "deleted": run.deleted,
            "conflicts": dict(run.conflicts),
            "types": {key: type(value).__name__ for key, value in run.params.items()},
            "histories": {key: list(run.history(key)) for key in sorted(run.metrics)},
            "inputs": [
                [one.name, one.digest, one.kind, one.source, one.context, dict(one.tags)] for one in record.inputs
            ],
            "environment": None if record.environment is None else record.environment.python,
            "artifacts": [[one.path, one.size, one.digest, one.stored] for one in run.artifacts()],
            "contents": {
                one.path: hashlib.sha256(run.read_artifact(one.path)).hexdigest()
                for one in run.artifacts()
                if one.stored == "git"
            },
            "command": list(info.command),
            "entry_point": info.entry_point,
            "host": info.host,
            "code": {"commit": info.code.commit, "branch": info.code.branch, "patch_id": info.code.patch_id},
            "log": [entry.commit for entry in run.log()],
        }
    )


def _plain(value: Any) -> Any:
    """Return *value* as JSON has it; what is no number there is a word."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _said(repository: Repository, *words: str) -> str:
    from ledgit.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["-C", str(repository.repo.work_tree), *words]) == 0
    return said.getvalue()
