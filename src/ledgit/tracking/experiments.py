"""set_experiment and its family: groups of runs, by name or id."""

from __future__ import annotations

import os

from ledgit.errors import ExperimentNotFound, InvalidValue, RunStateError, UsageError
from ledgit.store import check_experiment, read_experiments
from ledgit.tracking import session
from ledgit.tracking.session import environment

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.experiment import Experiment

__all__ = [
    "create_experiment",
    "current_label",
    "delete_experiment",
    "delete_experiment_tag",
    "for_new_run",
    "get_experiment",
    "get_experiment_by_name",
    "rename_experiment",
    "restore_experiment",
    "search_experiments",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
]

DEFAULT = "Default"
VARIABLES = ("LEDGIT_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME", "LEDGIT_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_ID")

# Chosen by set_experiment, by repository: a process may log to several.
_chosen: dict[str, str] = {}


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None, **_: Any) -> Experiment:
    """Choose the experiment of the runs started from now on.

    One that is not there begins with its first run; until then this process alone knows it, and
    nothing is written. Processes started from here on inherit the choice (``LEDGIT_EXPERIMENT``).

    Args:
        experiment_name: Its name.
        experiment_id: Or its id; then it must exist.

    Returns:
        The experiment.

    Raises:
        UsageError: Both, or neither, are given.
        RunStateError: It is deleted.
        ExperimentNotFound: There is none with this id.
        InvalidName: The name can't be one.
    """
    if (experiment_name is None) == (experiment_id is None):
        raise UsageError("set_experiment needs a name or an id, and not both")
    repository = session.repository()
    if experiment_id is not None:
        experiment = get_experiment(str(experiment_id))
    else:
        assert experiment_name is not None
        experiment = repository.known_experiment(experiment_name) or _fresh(experiment_name)
    _refuse_deleted(experiment.name, deleted=experiment.deleted)
    _chosen[repository.repo.common_dir] = experiment.label
    os.environ[VARIABLES[0]] = experiment.name
    return experiment


def create_experiment(
    name: str, artifact_location: str | None = None, tags: Mapping[str, Any] | None = None, **_: Any
) -> str:
    """Create an experiment and return its id.

    Args:
        name: 1 to 500 characters.
        artifact_location: Accepted for MLflow's sake; artifacts live with their run.
        tags: Its first tags.

    Raises:
        ExperimentExists: There is one of this name, perhaps deleted.
        InvalidName: The name can't be one.
    """
    del artifact_location
    labels = {key: str(value) for key, value in (tags or {}).items()}
    return session.repository().create_experiment(name, labels).id


def get_experiment(experiment_id: str) -> Experiment:
    """Return the experiment with this id, deleted ones included.

    Raises:
        ExperimentNotFound: There is none.
    """
    for experiment in _all("all"):
        if experiment.id == str(experiment_id):
            return experiment
    raise ExperimentNotFound(str(experiment_id))


def get_experiment_by_name(name: str) -> Experiment | None:
    """Return the experiment of this name, deleted ones included; None if there is none."""
    return next((experiment for experiment in _all("all") if experiment.name == name), None)


def search_experiments(
    view_type: int | str = 1,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """Return the experiments that match, the most recently used first.

    Args:
        view_type: ``ViewType.ACTIVE_ONLY`` (default), ``DELETED_ONLY`` or ``ALL``.
        max_results: At most so many.
        filter_string: Conditions on ``name``, ``tags.<key>``, ``creation_time`` and
            ``last_update_time`` (ms), joined by ``AND``: ``name LIKE 'vision%' AND tags.team = 'a'``.
        order_by: ``name``, ``experiment_id``, ``creation_time`` or ``last_update_time``, each
            with ``ASC`` or ``DESC``.

    Raises:
        FilterError: The filter or order does not parse.
    """
    from ledgit.tracking.experiment_search import matching
    from ledgit.views import ViewType

    found = matching(_all(ViewType.name_of(view_type)), filter_string, order_by)
    return found if max_results is None else found[:max_results]


def rename_experiment(experiment_id: str, new_name: str) -> None:
    """Give an experiment another name.

    Raises:
        ExperimentNotFound: There is none with this id.
        ExperimentExists: Another one has that name.
    """
    session.repository().rename_experiment(_recorded(get_experiment(experiment_id)), new_name)


def delete_experiment(experiment_id: str) -> None:
    """Mark an experiment, and with it its runs, as deleted; nothing is removed.

    Raises:
        ExperimentNotFound: There is none with this id.
    """
    session.repository().delete_experiment(_recorded(get_experiment(experiment_id)))


def restore_experiment(experiment_id: str) -> None:
    """Take the mark of deletion back, also from its runs.

    Raises:
        ExperimentNotFound: There is none with this id.
    """
    session.repository().restore_experiment(get_experiment(experiment_id).label)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the current experiment."""
    set_experiment_tags({key: value})


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the current experiment: the active run's, or what :func:`set_experiment` chose.

    Raises:
        InvalidName: A key can't be stored.
    """
    from ledgit.records.names import check_key

    for key in tags:
        check_key("tag", key)
    label = _recorded(_find_label(current_label()))
    session.repository().set_experiment_tags(label, {key: str(value) for key, value in tags.items()})


def delete_experiment_tag(key: str) -> None:
    """Remove a tag of the current experiment.

    Raises:
        InvalidValue: It has no such tag.
    """
    repository = session.repository()
    experiment = _find_label(current_label())
    if key not in experiment.tags:
        raise InvalidValue("the tag", key, f"a tag of experiment {experiment.name}")
    repository.set_experiment_tags(experiment.label, {key: None})


def _all(view: str) -> list[Experiment]:
    """Return the experiments, and the one that was chosen but has no run yet."""
    repository = session.repository()
    found = repository.experiments(view)
    chosen = _chosen.get(repository.repo.common_dir)
    missing = chosen is not None and all(one.label != chosen for one in found)
    if missing and view != "deleted" and (view == "all" or not repository.experiment_deleted(str(chosen))):
        found.append(_fresh(str(chosen)))
    return found


def _find(reference: str) -> Experiment:
    """Return the experiment with this id or, for scripts that pass one, this name."""
    everything = _all("all")
    for key in ("id", "name"):
        for experiment in everything:
            if getattr(experiment, key) == reference:
                return experiment
    raise ExperimentNotFound(reference)


def _find_label(label: str) -> Experiment:
    return next((experiment for experiment in _all("all") if experiment.label == label), None) or _fresh(label)


def _recorded(experiment: Experiment) -> str:
    """Return the label of *experiment*, which is written down first if only this process knows it."""
    repository = session.repository()
    if all(known.label != experiment.label for known in repository.experiments("all")):
        repository.create_experiment(experiment.name)
    return experiment.label


def _fresh(name: str) -> Experiment:
    from ledgit.experiment import Experiment
    from ledgit.store import experiment_id

    check_experiment(name)
    return Experiment(id=experiment_id(name), name=name, label=name)


def current_label() -> str:
    """Return the label of the experiment that a run started now would be in."""
    chosen = _chosen.get(session.repo().common_dir)
    if chosen is not None and environment(VARIABLES[0]) is not None:
        return chosen
    name = environment(*VARIABLES[:2])
    if name is not None:
        return _label(name)
    number = environment(*VARIABLES[2:])
    return DEFAULT if number is None else get_experiment(number).label


def for_new_run(experiment_id: str | None) -> str:
    """Return the label of a new run's experiment, by id or name, or the current one.

    Raises:
        ExperimentNotFound: There is none of this id or name.
        RunStateError: It is deleted.
    """
    label = current_label() if experiment_id is None else _find(str(experiment_id)).label
    # Without a ledger (no experiment was ever spoken of) this is a look at one file.
    record = read_experiments(session.repo()).get(label)
    if record is not None:
        _refuse_deleted(record.name, deleted=record.deleted)
    return label


def _label(name: str) -> str:
    """Return the label of the experiment that people see as *name*, which may not exist yet."""
    check_experiment(name)
    for record in read_experiments(session.repo()).values():
        if record.name == name:
            return record.label
    return name


def _refuse_deleted(name: str, *, deleted: bool) -> None:
    if deleted:
        raise RunStateError(
            f"experiment {name!r} is deleted and takes no new runs; restore it with restore_experiment(),"
            " or choose another name"
        )
