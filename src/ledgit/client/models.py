"""The client's part about registered models and their versions, as MLflow names both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledgit.client.paging import PagedList, page
from ledgit.errors import InvalidValue, UsageError, VersionNotFound
from ledgit.registry.entities import STAGES, ModelVersion, RegisteredModel, model_entity, stage_of, version_entity
from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion as Version
    from ledgit.registry import Registry

__all__ = ["ModelClient"]

_MODELS_PER_PAGE = 100
_VERSIONS_PER_PAGE = 10_000
_VERSION_ORDER = ("name", "version_number", "creation_timestamp", "last_updated_timestamp")
_MODEL_ORDER = ("name", "timestamp", "creation_timestamp", "last_updated_timestamp")


class ModelClient:
    """Registered models. *version* is the integer, as a number or text; ``v1.2.0`` and ``latest`` will do, too."""

    @property
    def _registry(self) -> Registry:
        from ledgit.registry import Registry

        return Registry(session.repository())

    # ------------------------------------------------------------------ models

    def create_registered_model(
        self, name: str, tags: Mapping[str, Any] | None = None, description: str | None = None, **_: Any
    ) -> RegisteredModel:
        """Make a model without versions.

        Raises:
            Conflict: There is one of this name.
            InvalidName: It can't be a model's name.
        """
        return model_entity(self._registry.create_model(name, description=description, tags=tags))

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model.

        Raises:
            ModelNotFound: There is none.
        """
        return model_entity(self._registry.model(name))

    def update_registered_model(self, name: str, description: str | None = None, **_: Any) -> RegisteredModel:
        """Write a model's description.

        Raises:
            ModelNotFound: There is none.
        """
        registry = self._registry
        known = registry.model(name).name
        if description is not None:
            registry.describe_model(known, description)
        return self.get_registered_model(known)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model that has no versions yet another name.

        One that has versions keeps its name, other than in MLflow: they are tags that others have and deploy from.

        Raises:
            ModelNotFound: There is none.
            Conflict: It has versions, or the new name is taken.
        """
        return model_entity(self._registry.rename_model(name, new_name))

    def delete_registered_model(self, name: str) -> None:
        """Delete a model with its versions. Other than in MLflow the tags stay as history, and say who did it.

        Raises:
            ModelNotFound: There is none.
        """
        self._registry.delete_model(name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = _MODELS_PER_PAGE,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Return models that match ``name LIKE 'team/%' AND tags.owner = 'fraud'``, by name.

        Raises:
            FilterError: *filter_string* or *order_by* does not parse.
        """
        from ledgit.registry.filters import parse_order

        order = parse_order(order_by, _MODEL_ORDER)
        found = [model_entity(model) for model in self._registry.models(filter_string or "")]
        for key in reversed(order):
            name = "last_updated_timestamp" if key.key == "timestamp" else key.key
            found.sort(key=_by(name), reverse=key.descending)
        return page(found, max_results, page_token)

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a model's tag.

        Raises:
            ModelNotFound: There is none.
        """
        registry = self._registry
        registry.edit_model_tags(registry.model(name).name, {key: value})

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a model's tag; an absent one is no error.

        Raises:
            ModelNotFound: There is none.
        """
        registry = self._registry
        registry.edit_model_tags(registry.model(name).name, {key: None})

    # ------------------------------------------------------------------ versions

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int = 300,
        model_id: str | None = None,
        **ours: Any,
    ) -> ModelVersion:
        """Make a version of a model that is registered already.

        Args:
            name: The model.
            source: ``runs:/<run>/<path>``, ``models:/<name>/<version>``; with *run_id*, a path in it will do.
            run_id: The run.
            tags: Tags of the version.
            run_link: Accepted for MLflow's sake.
            description: About the version.
            await_creation_for: Accepted for MLflow's sake; a version is ready at once.
            model_id: Accepted for MLflow's sake.
            **ours: ``version``, ``bump``, ``reason``, ``sign`` as :meth:`ledgit.registry.Registry.register` has them.

        Raises:
            ModelNotFound: There is no such model; ``register_model`` makes one.
            UsageError: *source* and *run_id* name different runs.
        """
        del run_link, await_creation_for, model_id
        registry = self._registry
        known = registry.model(name).name
        origin, path = _source(source, run_id)
        made = registry.register(origin, known, path=path, description=description, tags=tags, **ours)
        return self._entity(registry, made)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Return a version.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        registry = self._registry
        return self._entity(registry, self._find(registry, name, version))

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version that stands at a stage.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        registry = self._registry
        if alias.lower() == "latest":
            return self._entity(registry, registry.state.version(name, "latest"))
        return self._entity(registry, registry.state.version(name, f"@{alias}"))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = _VERSIONS_PER_PAGE,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Return versions that match, those changed last first.

        Args:
            filter_string: ``name = 'churn' AND run_id IN ('…') AND version_number > 3 AND tags.team = 'fraud'``.
            max_results: At most so many.
            order_by: Such as ``["version_number DESC"]``.
            page_token: ``token`` of the page before this one.

        Raises:
            FilterError: *filter_string* or *order_by* does not parse.
        """
        from ledgit.registry.filters import parse_order

        order = parse_order(order_by, _VERSION_ORDER)
        registry = self._registry
        models = registry.state.models
        versions = registry.versions(filter=filter_string or "")
        found = [version_entity(models[version.model], version) for version in versions]
        found.sort(key=lambda one: (-one.last_updated_timestamp, one.name, -_number(one)))
        for key in reversed(order):
            name = "version" if key.key == "version_number" else key.key
            found.sort(key=_number if name == "version" else _by(name), reverse=key.descending)
        return page(found, max_results, page_token)

    def update_model_version(self, name: str, version: int | str, description: str | None = None) -> ModelVersion:
        """Write a version's description.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        registry = self._registry
        found = self._find(registry, name, version)
        if description is not None:
            registry.describe_version(found, description)
        return self.get_model_version(found.model, found.version)

    def delete_model_version(self, name: str, version: int | str) -> None:
        """Take a version out of the registry, and out of its stages. Its number never comes back.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        registry = self._registry
        found = self._find(registry, name, version)
        for stage in found.stages:
            registry.unassign(found.model, stage, reason=f"{found.version} is deleted")
        registry.deregister(self._find(registry, found.model, found.version))

    def set_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set a version's tag.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            UsageError: Neither or both of *version* and *stage*, or no *key*.
        """
        self._tag(name, version, key, stage, {str(key): value})

    def delete_model_version_tag(
        self, name: str, version: int | str | None = None, key: str | None = None, stage: str | None = None
    ) -> None:
        """Remove a version's tag; an absent one is no error.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            UsageError: Neither or both of *version* and *stage*, or no *key*.
        """
        self._tag(name, version, key, stage, {str(key): None})

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Return where a version's files are: ``runs:/<run>/<path>``.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        found = self.get_model_version(name, version)
        if found.source is None:
            raise UsageError(f"the tag {found.tag} does not say which run it is from")
        return found.source

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Make a version of *dst_name* from a version of another model.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
            UsageError: *src_model_uri* is no ``models:/`` URI.
        """
        if not src_model_uri.startswith("models:"):
            raise UsageError(f"{src_model_uri!r} is no models:/ URI, such as models:/churn/3")
        registry = self._registry
        source = registry.version(src_model_uri)
        made = registry.register(
            src_model_uri, dst_name, reason=f"copy of {source.model}@{source.version}", tags=source.tags or None
        )
        return self._entity(registry, made)

    # ------------------------------------------------------------------ aliases and stages

    def set_registered_model_alias(self, name: str, alias: str, version: int | str) -> None:
        """Put a version to a stage: an alias and a stage are the same here. Once more is no change.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            InvalidName: *alias* is reserved (``latest``, ``v3``) or no name.
            PolicyRefused: The policy does not allow it.
        """
        registry = self._registry
        found = self._find(registry, name, version)
        if alias not in found.stages:
            registry.promote(found, alias)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Leave a stage empty; an empty one is no error.

        Raises:
            ModelNotFound: There is no such model.
            PolicyRefused: The policy does not allow it.
        """
        registry = self._registry
        model = registry.model(name)
        if alias in model.stages:
            registry.unassign(model.name, alias)

    def get_model_version_stages(self, name: str, version: int | str) -> list[str]:
        """Return MLflow's stages.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
        """
        self._find(self._registry, name, version)
        return list(STAGES)

    def transition_model_version_stage(
        self, name: str, version: int | str, stage: str, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Move a version to one of MLflow's stages: None, Staging, Production, Archived.

        Staging and Production stand at one version at a time, other than in MLflow: what stood there before is at
        None, or Archived.

        Args:
            name: The model.
            version: The version.
            stage: In any letter case.
            archive_existing_versions: Whether what stood there before is archived.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            InvalidValue: There is no such stage.
            PolicyRefused: The policy does not allow it.
        """
        wanted = stage_of(stage)
        live = wanted in ("Staging", "Production")
        if archive_existing_versions and not live:
            raise InvalidValue("archive_existing_versions", True, f"False where the stage is {wanted}")
        registry = self._registry
        found = self._find(registry, name, version)
        before = registry.state.find(found.model).stages.get(wanted)
        if live and before is not None and before.version == found.version:
            return self._entity(registry, found)
        if live:
            registry.promote(found, wanted)
            if archive_existing_versions and before is not None:
                registry.archive(before)
        for other in found.stages:
            if other in STAGES and other != wanted:
                registry.unassign(found.model, other, reason=f"{found.version} is moved to {wanted}")
        registry.archive(found, archived=wanted == "Archived")
        return self.get_model_version(found.model, found.version)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Return the newest version in each of MLflow's stages.

        Raises:
            ModelNotFound: There is no such model.
            InvalidValue: There is no such stage.
        """
        wanted = None if stages is None else {stage_of(stage) for stage in stages}
        latest = self.get_registered_model(name).latest_versions
        return [version for version in latest if wanted is None or version.current_stage in wanted]

    # ------------------------------------------------------------------ helpers

    @staticmethod
    def _find(registry: Registry, name: str, version: int | str) -> Version:
        text = str(version)
        if text.startswith("@"):
            raise VersionNotFound(name, text[1:])
        registry.model(name)
        return registry.state.version(name, text)

    @staticmethod
    def _entity(registry: Registry, version: Version) -> ModelVersion:
        model = registry.state.find(version.model)
        return version_entity(model, model.versions[version.version])

    def _tag(
        self, name: str, version: int | str | None, key: str | None, stage: str | None, tags: Mapping[str, Any]
    ) -> None:
        if key is None:
            raise UsageError("a tag needs a key")
        if (version is None) == (stage is None):
            raise UsageError("name the version or its stage, and not both")
        registry = self._registry
        if version is None:
            wanted = stage_of(str(stage))
            latest = self.get_latest_versions(name, [wanted])
            if not latest:
                raise VersionNotFound(name, f"@{wanted}")
            version = latest[0].semver
        registry.edit_version_tags(self._find(registry, name, version), tags)


def _source(source: str, run_id: str | None) -> tuple[str, str | None]:
    """Return what to register, and the path in it where the source names none."""
    if run_id is None:
        return source, None
    if source.startswith("runs:"):
        named = source[5:].lstrip("/").partition("/")[0]
        if named != run_id and not run_id.startswith(named):
            raise UsageError(f"{source!r} and run_id {run_id!r} name different runs")
        return source, None
    if source.startswith("models:"):
        return source, None
    if ":" in source.partition("/")[0] or source.startswith("/"):
        return source, None  # said what is wrong with it where it is read
    return run_id, source


def _by(name: str) -> Callable[[Any], Any]:
    return lambda item: getattr(item, name)


def _number(version: ModelVersion) -> int:
    return version.version if isinstance(version.version, int) else 0
