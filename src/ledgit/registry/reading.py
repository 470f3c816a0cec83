"""The registry as it is, and as it was: models, versions, stages, events. Reads nothing but tags and the ledger."""

from __future__ import annotations

from ledgit.registry.references import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.opened import Opened
    from ledgit.records.registry_state import Event, ModelVersion, RegisteredModel
    from ledgit.store.registry import RegistryState

__all__ = ["RegistryReading", "came_before", "source_of", "version_of"]

#: What a filter of versions can name, besides ``tags.<key>``.
VERSION_KEYS = ("name", "version", "version_number", "run_id", "source_path")
#: And one of models.
MODEL_KEYS = ("name",)


class RegistryReading:
    """What can be asked of the registry.

    Attributes:
        opened: The repository.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    @property
    def state(self) -> RegistryState:
        """Everything, as it is now; read again only when a tag or the ledger has changed."""
        from ledgit.store.registry import read_registry

        return read_registry(self.opened.repo, self.opened.folder)

    def models(self, filter: str = "", *, deleted: bool = False) -> list[RegisteredModel]:  # noqa: A002
        """Return the models, by name.

        Args:
            filter: ``name LIKE 'team/%' AND tags.owner = 'fraud'``; conditions are joined by AND.
            deleted: Deleted ones too.

        Raises:
            FilterError: *filter* does not parse.
        """
        found = [model for model in self.state.models.values() if deleted or not model.deleted]
        if not filter:
            return found
        from ledgit.registry.filters import matches, parse

        wanted = parse(filter, MODEL_KEYS)
        return [model for model in found if matches(wanted, _model_lookup(model))]

    def model(self, name: str) -> RegisteredModel:
        """Return one model.

        Raises:
            ModelNotFound: There is none of this name, or it was deleted.
        """
        found = self.state.find(name)
        if found.deleted:
            from ledgit.errors import ModelNotFound

            raise ModelNotFound(name, "it was deleted")
        return found

    def version(self, reference: str, *, deregistered: bool = False) -> ModelVersion:
        """Return one version.

        Args:
            reference: ``churn@v1.2.0``, ``churn@3`` (the number), ``churn@latest``, ``churn#prod`` (where the stage
                stands), ``models:/churn/3``, ``models:/churn@prod``.
            deregistered: Also one that was deregistered.

        Raises:
            UsageError: It names no version.
            ModelNotFound, VersionNotFound: There is none.
        """
        return version_of(self.state, reference, deregistered=deregistered)

    def versions(
        self,
        name: str | None = None,
        filter: str = "",  # noqa: A002
        *,
        deregistered: bool = False,
    ) -> list[ModelVersion]:
        """Return versions, by model and then as they were registered.

        Args:
            name: Of this model; of all of them if None.
            filter: ``name = 'churn' AND run_id IN ('…') AND version_number >= 3 AND tags.team LIKE 'f%'``.
            deregistered: Deregistered ones too.

        Raises:
            ModelNotFound: There is no model *name*.
            FilterError: *filter* does not parse.
        """
        models = self.models(deleted=deregistered) if name is None else [self.state.find(name)]
        found = [one for model in models for one in model.versions.values() if deregistered or one.active]
        if not filter:
            return found
        from ledgit.registry.filters import matches, parse

        wanted = parse(filter, VERSION_KEYS)
        return [version for version in found if matches(wanted, _version_lookup(version))]

    def history(self, name: str | None = None, stage: str | None = None) -> list[Event]:
        """Return all that was done, newest first: to one model, or to all of them; at one stage, or in all.

        Raises:
            ModelNotFound: There is no model *name*.
        """
        state = self.state
        events = state.events if name is None else state.find(name).events
        found = [event for event in events if stage is None or event.stage == stage]
        return sorted(found, key=lambda event: (event.time, event.tag), reverse=True)

    def which(self, name: str, stage: str, at: int | None = None) -> ModelVersion | None:
        """Return the version that stands, or stood, at a stage; None if none.

        Args:
            name: The model.
            stage: The stage.
            at: When, in ms since the epoch, by the dates of the tags; now if None.

        Raises:
            ModelNotFound: There is, or was then, no such model.
        """
        state = self.state if at is None else self.state.at(at)
        return state.find(name).stages.get(stage)

    def standing(self, version: ModelVersion, stage: str) -> Event | None:
        """Return the event by which *version* came to stand at *stage*."""
        events = self.state.find(version.model).events
        return next((event for event in reversed(events) if _assigns(event, stage, version.version)), None)


def version_of(state: RegistryState, reference: str, *, deregistered: bool = False) -> ModelVersion:
    """Return the version that somebody named.

    Raises:
        UsageError: It names no version.
        ModelNotFound, VersionNotFound: There is none.
    """
    named = parse_reference(reference)
    return state.version(named.model, named.selector, deregistered=deregistered)


def came_before(model: RegisteredModel, stage: str) -> ModelVersion | None:
    """Return the version that a rollback of *stage* goes to; None if there is none.

    Promotions are a path: promoting a version that stood there before goes back to where it was, so that
    rolling back twice goes two versions back, and not to and fro. Deregistered versions are left out.
    """
    path: list[str] = []
    for event in model.events:
        if event.stage != stage or event.action != "assign" or not event.version:
            continue
        version = model.versions.get(event.version)
        if version is None or not version.active:
            continue
        if event.version in path:
            del path[path.index(event.version) + 1 :]
        else:
            path.append(event.version)
    now = model.stages.get(stage)
    if now is not None and path and path[-1] == now.version:
        path.pop()
    return model.versions[path[-1]] if path else None


def _assigns(event: Event, stage: str, version: str) -> bool:
    return event.action == "assign" and event.stage == stage and event.version == version


def _model_lookup(model: RegisteredModel) -> Callable[[str], str | int | None]:
    return lambda key: model.tags.get(key[5:]) if key.startswith("tags.") else model.name


def _version_lookup(version: ModelVersion) -> Callable[[str], str | int | None]:
    def look(key: str) -> str | int | None:
        if key.startswith("tags."):
            return version.tags.get(key[5:])
        if key == "source_path":
            return source_of(version)
        return {
            "name": version.model,
            "version": version.version,
            "version_number": version.number,
            "run_id": version.run,
        }[key]

    return look


def source_of(version: ModelVersion) -> str | None:
    """Return where the version's files are, as MLflow's ``source``: ``runs:/<run>/<path>``."""
    if version.run is None:
        return None
    return f"runs:/{version.run}/{version.path}" if version.path else f"runs:/{version.run}"
