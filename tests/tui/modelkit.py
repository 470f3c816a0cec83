"""A repository whose runs logged models, some of them registered."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.tui.conftest import NOON

from ledgit.records import ArtifactRecord, Clocks, RunInfo, RunRecord
from ledgit.registry import Registry
from ledgit.repository import open_repository

MLMODEL = b"""flavors:
  sklearn:
    sklearn_version: 1.7.2
signature:
  inputs: '[{"type": "double", "name": "tenure", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
  params: null
"""


def model_run(path: Path, number: int, accuracy: float, name: str = "") -> str:
    """Store a finished run with a model; return its id, *number*'s digit repeated."""
    weights = b"weights %d" % number
    files = {"model/MLmodel": MLMODEL, "model/weights.bin": weights}
    run_id = f"{number:x}" * 32
    info = RunInfo(run_id, name or f"run-{number}", "churn", "FINISHED", NOON - 10_000, NOON - 5_000, "Ada")
    record = RunRecord(info, params={"depth": number}, metrics={"accuracy": accuracy}, clocks=Clocks((1, "c" * 16)))
    record.artifacts = [
        ArtifactRecord(where, len(data), f"sha256:{sha256(data).hexdigest()}") for where, data in files.items()
    ]
    with open_repository(path).bulk() as bulk:
        bulk.add(record, files)
    return run_id


def register(path: Path, versions: int = 3, model: str = "churn") -> Registry:
    """Register *versions* versions of a model, each of a run of its own; the first stands at prod."""
    registry = Registry(open_repository(path))
    for number in range(1, versions + 1):
        run = model_run(path, number, 0.8 + number / 100)
        registry.register(run, model, bump="minor", path="model", reason=f"reason {number}")
    registry.promote(f"{model}@1", "prod", reason="go live")
    return registry
