"""search_runs, get_run and what can be done with runs that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledgit.errors import ExperimentNotFound, InvalidValue, UsageError
from ledgit.repository import Run
from ledgit.tracking import experiments, session
from ledgit.views import ViewType

__all__ = ["delete_run", "get_parent_run", "get_run", "restore_run", "search_runs"]

#: As in MLflow: a bound that keeps a mistaken search from filling the memory.
MAX_RESULTS = 100_000


def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int | str = ViewType.ACTIVE_ONLY,
    max_results: int = MAX_RESULTS,
    order_by: Sequence[str] | None = None,
    output_format: str | None = None,
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> Any:
    """Find runs.

    Args:
        experiment_ids: Ids of the experiments to search; the current one if neither these nor
            *experiment_names* are given.
        filter_string: MLflow's filter grammar and more (OR, NOT, parentheses, BETWEEN):
            ``metrics.accuracy > 0.9 AND params.model = 'tree'``.
        run_view_type: ``ViewType.ACTIVE_ONLY`` (default), ``DELETED_ONLY`` or ``ALL``.
        max_results: At most so many.
        order_by: Such as ``["metrics.accuracy DESC", "start_time ASC"]``; newest first if None.
        output_format: ``pandas``: a DataFrame with a row a run and the columns ``run_id``,
            ``experiment_id``, ``status``, ``artifact_uri``, ``start_time``, ``end_time``,
            ``metrics.*``, ``params.*``, ``tags.*``; ``list``: a list of
            :class:`ledgit.repository.Run`. If None a DataFrame where pandas is installed.
        search_all_experiments: Search all of them, if none are named.
        experiment_names: Names of the experiments to search; unknown ones are reported.

    Raises:
        FilterError: *filter_string* or *order_by* does not parse.
        UsageError: Both *experiment_ids* and *experiment_names* are given.
        MissingDependency: ``pandas`` was asked for and is not installed.
    """
    if output_format not in {None, "pandas", "list"}:
        raise InvalidValue("output_format", output_format, "'pandas' or 'list'")
    runs = _search(
        _experiments(experiment_ids, experiment_names, everywhere=search_all_experiments),
        filter_string,
        ViewType.name_of(run_view_type),
        max_results,
        order_by,
    )
    if output_format is None:
        from importlib.util import find_spec

        output_format = "pandas" if find_spec("pandas") else "list"
    return runs if output_format == "list" else frame(runs)


def _search(
    labels: Sequence[str] | None, filter_string: str, view: str, limit: int, order_by: Sequence[str] | None
) -> list[Run]:
    if labels is not None and not labels:
        return []
    runs = session.repository().runs.view(view).limit(limit)
    if filter_string and filter_string.strip():
        runs = runs.filter(filter_string)
    if order_by:
        runs = runs.sort(*order_by)
    if labels is not None:
        runs = runs.experiment(*labels)
    return list(runs)


def _experiments(ids: Sequence[str] | None, names: Sequence[str] | None, *, everywhere: bool) -> list[str] | None:
    """Return the labels of the experiments to search; None for all of them."""
    if ids and names:
        raise UsageError("search_runs takes experiment_ids or experiment_names, not both")
    if ids:
        known = {experiment.id: experiment.label for experiment in session.repository().experiments("all")}
        wanted = [ids] if isinstance(ids, str) else [str(one) for one in ids]
        return [known[one] for one in wanted if one in known]
    if names:
        found = []
        for name in [names] if isinstance(names, str) else names:
            try:
                found.append(session.repository().experiment(name).label)
            except ExperimentNotFound as error:
                session.report(error, "search_runs")
        return found
    return None if everywhere else [experiments.current_label()]


def frame(runs: Sequence[Run]) -> Any:
    """Return *runs* as a DataFrame with MLflow's columns."""
    from ledgit.views import to_frame

    return to_frame(runs)


def get_run(run_id: str) -> Run:
    """Return a run by its id, a unique prefix of it, its name, or a Git revision; deleted ones too.

    Raises:
        RunNotFound: There is none.
        Ambiguous: Several match.
    """
    return session.repository().run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Return the run that this one is nested in, or None.

    Raises:
        RunNotFound: There is no such run, or its parent is not here.
    """
    parent = get_run(run_id).parent_run
    return None if parent is None else get_run(parent)


def delete_run(run_id: str) -> None:
    """Mark a run as deleted: searches leave it out, nothing is removed.

    Raises:
        RunNotFound: There is none.
        RunStateError: It is still being written.
    """
    get_run(run_id).delete()


def restore_run(run_id: str) -> None:
    """Take the mark of deletion back.

    Raises:
        RunNotFound: There is none.
    """
    get_run(run_id).restore()
