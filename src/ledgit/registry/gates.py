"""What a policy needs to know of runs: whether a filter holds for one, its name, and who made a version."""

from __future__ import annotations

from ledgit.registry.policy import Person
from ledgit.registry.tags import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git import Commit, Objects
    from ledgit.records.registry_state import ModelVersion
    from ledgit.repository import Repository
    from ledgit.store import Index

__all__ = ["Runs", "makers_of"]


class Runs:
    """Runs as the index has them; each question is asked once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._told: dict[tuple[str, str], bool | None] = {}
        self._fresh = False

    def passes(self, filter: str, run: str) -> bool | None:  # noqa: A002
        """Whether *filter* holds for the run; None if the run is not known here."""
        key = (filter, run)
        if key not in self._told:
            self._told[key] = self._ask(filter, run)
        return self._told[key]

    def made(self, run: str, commit: Commit, path: str, digest: str | None, env: Mapping[str, str]) -> bool:
        """Whether *commit* is one of the run's, or the run has the very same model; False if the run is not known."""
        from ledgit.registry.genuine import belongs

        state = self._index().get(run) if run else None
        return state is not None and bool(belongs(self._repository, state, commit, path, digest, env))

    def name(self, run: str) -> str:
        """The run's name; "" if it is not known here."""
        state = self._index().get(run) if run else None
        return "" if state is None else state.name

    def _ask(self, filter: str, run: str) -> bool | None:  # noqa: A002
        from ledgit.query import Query

        index = self._index()
        if not run or index.get(run) is None:
            return None
        return bool(index.search(Query(filter=filter, ids=(run,), view="all", limit=1)).runs)

    def _index(self) -> Index:
        if not self._fresh:
            self._repository.index.refresh()
            self._fresh = True
        return self._repository.index


def makers_of(objects: Objects, version: ModelVersion) -> tuple[Person, ...]:
    """Return who made a version: the author of the run's commit, and who registered it."""
    found = [known(version.event.author, version.event.email)]
    if objects.exists(version.commit):
        parents = objects.commit(version.commit).parents
        if parents and objects.exists(parents[0]):
            found.insert(0, known(*objects.commit(parents[0]).author[:2]))
    return tuple(found)
