"""A run of another tracker as its store has it: plain values, before they become a record of ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "LOGGED",
    "FoundExperiment",
    "FoundInput",
    "FoundLogged",
    "FoundModel",
    "FoundRun",
    "FoundVersion",
    "Source",
]

LOGGED = "logged_models"
"""Where a run has what is known of its logged models: a JSON file each among its artifacts."""


@dataclass(slots=True)
class FoundExperiment:
    """An experiment: its name, tags, and whether it is deleted."""

    id: str
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False


@dataclass(slots=True)
class FoundInput:
    """A data set that a run used; *source*, *schema* and *profile* are JSON or text."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    context: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FoundRun:
    """A run.

    Attributes:
        id: Its id there.
        experiment: Name of its experiment.
        name: Its name; "" for none.
        status: FINISHED, FAILED, KILLED, RUNNING or SCHEDULED.
        start: ms since the epoch; None where it is not known.
        end: Likewise.
        user: Who ran it.
        deleted: Whether it is deleted.
        params: Name → text.
        points: Metric → (step, ms, value), in any order.
        tags: Name → text.
        inputs: Data sets.
        artifacts: The folder with its files; "" where they are elsewhere.
        artifact_uri: Where the store says they are.
        problem: Why it can't be read; "" for one that can.
        host: Where it ran.
        command: How it was started.
        commit: The commit its code is, or was closest to.
        tree: That code's tree.
        typed: Params whose type is known: name → value.
        more: Further files: artifact path → a file, or what is in it.
        repeated: Points that were there more than once.
        record: Ledgit's own files about it, where it wrote the store: name → content.
    """

    id: str
    experiment: str
    name: str = ""
    status: str = "FINISHED"
    start: int | None = None
    end: int | None = None
    user: str = ""
    deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[FoundInput] = field(default_factory=list)
    artifacts: str = ""
    artifact_uri: str = ""
    problem: str = ""
    host: str = ""
    command: tuple[str, ...] = ()
    commit: str = ""
    tree: str = ""
    typed: dict[str, Any] = field(default_factory=dict)
    more: dict[str, str | bytes] = field(default_factory=dict)
    repeated: int = 0
    record: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class FoundLogged:
    """A logged model of MLflow 3: files of a run that are kept beside it.

    Attributes:
        id: ``m-`` and 32 hex digits.
        name: Its name.
        run: The run that logged it; "" for none.
        experiment: Name of its experiment.
        folder: Where its files are on this machine; "" where they are elsewhere.
        uri: Where the store says they are.
        about: What else is known: params, tags, metrics, times, status.
    """

    id: str
    name: str
    run: str = ""
    experiment: str = ""
    folder: str = ""
    uri: str = ""
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class FoundVersion:
    """A version of a registered model; times in ms since the epoch."""

    number: int
    source: str = ""
    run: str = ""
    logged: str = ""
    stage: str = ""
    description: str = ""
    user: str = ""
    created: int | None = None
    updated: int | None = None
    location: str = ""
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, about: Mapping[str, Any], tags: dict[str, str], created: int | None, updated: int | None
    ) -> FoundVersion:
        """Return the version that *about* tells of, in MLflow's words: its REST answer, or a file of its store."""
        texts = {key: str(value) for key, value in about.items() if value is not None}
        return cls(
            int(texts["version"]),
            source=texts.get("source", ""),
            run=texts.get("run_id", ""),
            logged=texts.get("model_id", ""),
            stage=texts.get("current_stage", ""),
            description=texts.get("description", ""),
            user=texts.get("user_id", ""),
            created=created,
            updated=updated,
            location=texts.get("storage_location", ""),
            deleted=texts.get("current_stage") == "Deleted_Internal",
            tags=tags,
        )


@dataclass(slots=True)
class FoundModel:
    """A registered model; *aliases* is alias → integer version."""

    name: str
    description: str = ""
    created: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: list[FoundVersion] = field(default_factory=list)


class Source(ABC):
    """A store of another tracker, read and never written."""

    @abstractmethod
    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments, deleted ones too."""

    @abstractmethod
    def count(self) -> int:
        """Return how many runs there are, deleted ones too."""

    @abstractmethod
    def runs(self) -> Iterator[FoundRun]:
        """Yield all of them, the oldest first where that is known."""

    def complete(self, run: FoundRun) -> None:  # noqa: B027 - most have nothing to get
        """Get what :meth:`runs` left out of a run because a run that is here already doesn't need it."""

    def logged(self) -> list[FoundLogged]:
        """Return the logged models."""
        return []

    def models(self) -> list[FoundModel]:
        """Return the registered models."""
        return []

    def totals(self) -> dict[str, int]:
        """Return how many there are of all runs together (``params``, ``points``, ``tags``), counted by themselves."""
        return {}

    def left(self) -> list[str]:
        """Return what of the store is not brought along, a sentence each."""
        return []

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of it."""
