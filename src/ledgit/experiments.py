"""The verbs of a repository that are about experiments; most commands need none of them, so little is loaded."""

from __future__ import annotations

from ledgit.errors import ExperimentExists, ExperimentNotFound
from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.experiment import Experiment
    from ledgit.store import ExperimentRecord

__all__ = ["Experiments"]


class Experiments(Opened):
    """The verbs of a repository that are about experiments."""

    def _experiment_records(self) -> dict[str, ExperimentRecord]:
        if self._records is None:
            from ledgit.store import read_experiments

            self._records = read_experiments(self.repo)
        return self._records

    def experiment_name(self, label: str) -> str:
        """Return the name that people see for the experiment *label*."""
        record = self._experiment_records().get(label)
        return label if record is None else record.name

    def experiment_deleted(self, label: str) -> bool:
        """Whether the experiment *label* is marked as deleted."""
        record = self._experiment_records().get(label)
        return record is not None and record.deleted

    def experiments(self, view: str = "active") -> list[Experiment]:
        """Return the experiments, those with the newest runs first.

        Args:
            view: ``"active"``, ``"deleted"`` or ``"all"``.
        """
        from ledgit.experiment import Experiment
        from ledgit.store import experiment_id

        self._refresh()
        records = self._experiment_records()
        counts: dict[str, Any] = {item.label: item for item in self.index.experiments()}
        found = []
        for label in {"Default", *records, *counts}:
            record, count = records.get(label), counts.get(label)
            experiment = Experiment(
                id=experiment_id(label),
                name=record.name if record else label,
                label=label,
                tags=record.tags if record else {},
                deleted=record.deleted if record else False,
                runs=count.runs if count else 0,
                created=int(record.values.get("created", 0)) if record else (count.first if count else 0),
                updated=count.last if count else 0,
            )
            if view == "all" or experiment.deleted == (view == "deleted"):
                found.append(experiment)
        found.sort(key=lambda experiment: (-max(experiment.updated, experiment.created), experiment.name))
        return found

    def experiment(self, name_or_id: str) -> Experiment:
        """Return the experiment with this name or id, deleted ones included.

        Raises:
            ExperimentNotFound: There is none.
        """
        everything = self.experiments("all")
        for experiment in everything:
            if experiment.name == name_or_id:
                return experiment
        for experiment in everything:
            if name_or_id in (experiment.id, experiment.label):
                return experiment
        from difflib import get_close_matches

        near = get_close_matches(name_or_id, [item.name for item in everything], 3, 0.75)
        raise ExperimentNotFound(name_or_id, near)

    def known_experiment(self, name: str) -> Experiment | None:
        """Return what was said about the experiment *name*, without counting its runs.

        None if nothing was said: that is most experiments, which exist by their runs alone.
        Costs one git command at most, so that training can ask before its first run.
        """
        from ledgit.experiment import Experiment
        from ledgit.store import experiment_id

        self._records = None
        records = self._experiment_records()
        for label, record in records.items():
            if record.name == name or (label == name and record.name == label):
                created = int(record.values.get("created", 0))
                return Experiment(experiment_id(label), record.name, label, record.tags, record.deleted, 0, created)
        return None

    def create_experiment(self, name: str, tags: dict[str, str] | None = None) -> Experiment:
        """Record an experiment before its first run.

        Raises:
            ExperimentExists: There is one of this name, perhaps deleted.
        """
        try:
            old = self.experiment(name)
        except ExperimentNotFound:
            values: dict[str, Any] = {f"tags.{key}": str(value) for key, value in (tags or {}).items()}
            self._update_experiment(name, values)
            return self.experiment(name)
        state = "is deleted; restore it, or choose another name" if old.deleted else "exists already"
        raise ExperimentExists(f"experiment {name!r} {state}")

    def set_experiment_tags(self, name_or_id: str, tags: dict[str, str | None]) -> None:
        """Set an experiment's tags; None removes one."""
        label = self.experiment(name_or_id).label
        self._update_experiment(label, {f"tags.{key}": value for key, value in tags.items()})

    def delete_experiment(self, name_or_id: str) -> None:
        """Mark an experiment, and with it its runs, as deleted."""
        self._update_experiment(self.experiment(name_or_id).label, {"deleted": True})

    def restore_experiment(self, name_or_id: str) -> None:
        """Take the mark back."""
        self._update_experiment(self.experiment(name_or_id).label, {"deleted": False})

    def rename_experiment(self, name_or_id: str, name: str) -> None:
        """Show another name; runs keep their label, so nothing has to be rewritten.

        Raises:
            ExperimentExists: Another experiment has that name.
        """
        from ledgit.store import check_experiment

        check_experiment(name)
        experiment = self.experiment(name_or_id)
        if any(other.name == name and other.label != experiment.label for other in self.experiments("all")):
            raise ExperimentExists(f"experiment {name!r} exists already")
        self._update_experiment(experiment.label, {"name": name})

    def _update_experiment(self, label: str, values: dict[str, Any]) -> None:
        from ledgit.store import update_experiment

        update_experiment(self.repo, self.folder, label, values)
        self._records = None
