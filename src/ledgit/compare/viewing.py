"""A run's record, flattened for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledgit.compare.inputs import input_facts
from ledgit.compare.view import ArtifactFacts, RunView, Value

if TYPE_CHECKING:
    from ledgit.records import Environment, RunRecord


def view_of(record: RunRecord, name: str | None = None, tags: Mapping[str, str] | None = None) -> RunView:
    """Return what is compared of *record*.

    Args:
        record: One head of a run, read whole.
        name: The name where the record's is not the one that counts (a run with several heads).
        tags: Likewise.
    """
    info = record.info
    code: dict[str, Value] = {"commit": info.code.commit, "branch": info.code.branch, "tree": info.code.tree}
    code |= {"dirty": info.code.dirty, "patch_id": info.code.patch_id}
    code |= {"entry point": info.entry_point, "command": " ".join(info.command)}
    return RunView(
        id=info.id,
        name=info.name if name is None else name,
        params=record.params,
        metrics=record.metrics,
        tags=record.tags if tags is None else tags,
        artifacts={item.path: ArtifactFacts(item.digest, item.size) for item in record.artifacts},
        environment=_flat(record.environment) if record.environment is not None else {},
        inputs=input_facts(record.inputs),
        code={key: value for key, value in code.items() if value not in (None, "")},
    )


def _flat(environment: Environment) -> dict[str, Value]:
    facts: dict[str, Value] = {
        "python": environment.python,
        "implementation": environment.implementation,
        "platform": environment.platform,
        "machine": environment.machine,
        "cpu": environment.cpu,
        "cpus": environment.cpus,
        "memory": environment.memory,
        "gpus": ", ".join(environment.gpus),
        "driver": environment.driver,
        "cuda": environment.cuda,
        "lock_file": environment.lock_file,
        "lock_hash": environment.lock_hash,
    }
    flat: dict[str, Value] = {key: value for key, value in facts.items() if value not in (None, "")}
    flat.update({f"packages.{name}": version for name, version in environment.versions.items()})
    return flat
