"""A run of another tracker as its store has it: plain values, before they become a record of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["FoundExperiment", "FoundInput", "FoundRun", "Source"]


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


class Source(Protocol):
    """A store of another tracker, read and never written."""

    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments, deleted ones too."""

    def count(self) -> int:
        """Return how many runs there are, deleted ones too."""

    def runs(self) -> Iterator[FoundRun]:
        """Yield all of them, the oldest first where that is known."""

    def left(self) -> list[str]:
        """Return what of the store is not brought along, a sentence each."""

    def close(self) -> None:
        """Let go of it."""
