"""What a comparison needs to know of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.records import Environment, RunRecord

Value = str | int | float | bool | None


class Missing:
    """The cell of a run that lacks the key: not the same as a value of ``None``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing()
Cell = Value | Missing


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """An artifact as it is compared: by what is in it, not by when it was written."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, flattened for comparison.

    Attributes:
        id: 32 hex digits.
        name: What people call it.
        params: Typed values as logged.
        metrics: Latest values.
        tags: Labels; the note is one of them.
        artifacts: By path.
        environment: ``python``, ``platform``, … and ``packages.<name>`` to version.
        inputs: Data set name to digest.
        code: ``commit``, ``branch``, ``tree``, ``dirty``, ``patch_id``, ``entry point``, ``command``.
    """

    id: str
    name: str
    params: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactFacts] = field(default_factory=dict)
    environment: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, Value] = field(default_factory=dict)


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
    inputs: dict[str, str] = {}
    for item in record.inputs:
        key = f"{item.name} ({item.context})" if item.context else item.name
        while key in inputs:  # the same name twice: two data sets all the same
            key += "'"
        inputs[key] = item.digest
    return RunView(
        id=info.id,
        name=info.name if name is None else name,
        params=record.params,
        metrics=record.metrics,
        tags=record.tags if tags is None else tags,
        artifacts={item.path: ArtifactFacts(item.digest, item.size) for item in record.artifacts},
        environment=_flat(record.environment) if record.environment is not None else {},
        inputs=inputs,
        code={key: value for key, value in code.items() if value not in (None, "")},
    )


def _flat(environment: Environment) -> dict[str, Value]:
    facts: dict[str, Value] = {
        "python": environment.python,
        "implementation": environment.implementation,
        "platform": environment.platform,
        "machine": environment.machine,
        "cpus": environment.cpus,
        "memory": environment.memory,
        "gpus": ", ".join(environment.gpus),
        "driver": environment.driver,
        "cuda": environment.cuda,
        "lock_file": environment.lock_file,
        "lock_hash": environment.lock_hash,
    }
    flat: dict[str, Value] = {key: value for key, value in facts.items() if value not in (None, "")}
    flat.update({f"packages.{name}": version for name, version in environment.packages.items()})
    return flat
