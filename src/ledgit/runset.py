"""A set of runs, described rather than loaded: filter, sort, then iterate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from ledgit.compare import RunDiff
    from ledgit.query import Query
    from ledgit.records.history import Points
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["RunSet"]


class RunSet:
    """Runs that match a query. Every method returns a new set; nothing is read before it is used.

    ::

        repository.runs.filter("metrics.accuracy > 0.9").sort("-metrics.accuracy").limit(10)
    """

    def __init__(self, repository: Repository, query: Query | None = None) -> None:
        self._repository = repository
        if query is None:
            from ledgit.query import Query  # a dataclass; most commands ask for no set

            query = Query()
        self._query = query
        self._runs: list[Run] | None = None

    def __repr__(self) -> str:
        from dataclasses import fields

        asked = [(item.name, getattr(self._query, item.name), item.default) for item in fields(self._query)]
        shown = [f"{name}={value!r}" for name, value, default in asked if value != default]
        return f"<RunSet {' '.join(shown) or 'of all runs'}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the first 50 runs, with what tells them apart."""
        from time import time

        from ledgit.compare import runs_html

        shown, limit = 50, self._query.limit
        runs = list(self.limit(shown if limit is None else min(shown, limit)))
        total = len(runs) if len(runs) < shown else self._repository.index.count(self._query)
        return runs_html(runs, total if limit is None else min(total, limit), time())

    @property
    def query(self) -> Query:
        """What describes the set."""
        return self._query

    def _with(self, **changes: Any) -> RunSet:
        from dataclasses import replace

        return RunSet(self._repository, replace(self._query, **changes))

    def filter(self, text: str) -> RunSet:
        """Keep the runs that match *text* (MLflow's filter grammar and more); filters add up.

        Raises:
            FilterError: When the set is used, and *text* does not parse.
        """
        both = f"({self._query.filter}) AND ({text})" if self._query.filter else text
        return self._with(filter=both)

    def sort(self, *keys: str) -> RunSet:
        """Order by *keys*, such as ``"metrics.loss"``, ``"-metrics.accuracy"``, ``"start_time DESC"``."""
        return self._with(order_by=tuple(keys))

    def limit(self, count: int | None) -> RunSet:
        """Keep the first *count* runs."""
        return self._with(limit=count)

    def offset(self, count: int) -> RunSet:
        """Leave out the first *count* runs."""
        return self._with(offset=count)

    def experiment(self, *names: str) -> RunSet:
        """Keep the runs of these experiments."""
        return self._with(experiments=names)

    def view(self, which: str) -> RunSet:
        """Show ``"active"`` (default), ``"deleted"`` or ``"all"`` runs."""
        return self._with(view=which)

    def branch(self, name: str) -> RunSet:
        """Keep the runs whose code belongs to the branch *name*, also after a rebase or a squash merge."""
        return self._with(branch=name)

    def since(self, ms: int) -> RunSet:
        """Keep the runs started at or after *ms* since the epoch."""
        return self._with(since=ms)

    def mine(self) -> RunSet:
        """Keep the runs of the user that Git is configured for."""
        from ledgit.git import identity

        return self._with(user=identity(self._repository.repo)[0])

    def ids(self, *ids: str) -> RunSet:
        """Keep the runs with these ids."""
        return self._with(ids=ids)

    def children(self, run_id: str) -> RunSet:
        """Keep the runs nested in the run *run_id*."""
        return self._with(parent_run=run_id)

    # ------------------------------------------------------------------ use

    def _load(self) -> list[Run]:
        if self._runs is None:
            self._runs = self._repository.search(self._query)
        return self._runs

    def __iter__(self) -> Iterator[Run]:
        return iter(self._load())

    def each(self) -> Iterator[Run]:
        """Yield the runs without keeping them: 100,000 of them take a gigabyte at once."""
        from ledgit.run import Run

        self._repository.index.refresh()
        for state in self._repository.index.each(self._query):
            yield Run(self._repository, state)

    def __len__(self) -> int:
        return len(self._load())

    def __bool__(self) -> bool:
        return bool(self._load())

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        return self._load()[index]

    def first(self) -> Run | None:
        """Return the first run, or None."""
        return next(iter(self.limit(1)), None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the runs as JSON's types."""
        return [run.to_dict() for run in self]

    def to_pandas(self) -> Any:
        """Return a DataFrame: one row a run, columns ``run_id``, …, ``metrics.x``, ``params.x``, ``tags.x``.

        Raises:
            MissingDependency: pandas is not installed.
        """
        from ledgit.views import to_frame

        return to_frame(list(self))

    def compare(self) -> RunDiff:
        """Return what differs between the runs of the set."""
        from ledgit.compare import diff_runs

        runs = list(self)
        self._repository.fetch_wanted(runs)
        return diff_runs([run.view() for run in runs])

    def history(self, metric: str) -> dict[str, Points]:
        """Return the points of *metric* by run id; runs without it are left out."""
        runs = [run for run in self if metric in run.metrics]
        self._repository.fetch_wanted(runs)
        return {run.id: run.history(metric) for run in runs}

    def keys(self, kind: str) -> Sequence[str]:
        """Return the names of all ``"params"``, ``"metrics"`` or ``"tags"`` in the set."""
        return sorted({key for run in self for key in getattr(run, kind)})
