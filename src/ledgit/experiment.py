"""An experiment, as the object API shows it: a named group of runs."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Experiment"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs.

    Attributes:
        id: '0' for Default, else 16 hex digits made from the label.
        name: The name people see.
        label: The name runs carry; differs from *name* after a rename.
        tags: The experiment's tags.
        deleted: Marked as deleted; its runs count as deleted too.
        runs: How many runs it has, deleted ones left out; what ``set_experiment`` returns counts none.
        created: First run's start or the record's creation, ms since the epoch.
        updated: Newest run's start, ms since the epoch.
    """

    id: str
    name: str
    label: str
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    runs: int = 0
    created: int = 0
    updated: int = 0

    @property
    def experiment_id(self) -> str:
        """MLflow's name of :attr:`id`."""
        return self.id

    @property
    def lifecycle_stage(self) -> str:
        """``active`` or ``deleted``, as MLflow says it."""
        return "deleted" if self.deleted else "active"

    @property
    def creation_time(self) -> int:
        """MLflow's name of :attr:`created`."""
        return self.created

    @property
    def last_update_time(self) -> int:
        """MLflow's name for the newest run's start, or the record's creation."""
        return max(self.updated, self.created)

    @property
    def artifact_location(self) -> str:
        """Where MLflow would keep artifacts: each run has its own here, so it is ``runs:/`` for all."""
        return "runs:/"
