"""MLflow's model registry over the repository's tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlflow.entities.model_registry import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag
from mlflow.entities.model_registry.registered_model_alias import RegisteredModelAlias
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry import (
    SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD,
)
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils import validation

from ledgit.client.models import ModelClient
from ledgit.client.paging import page
from ledgit.errors import Conflict, LedgitError, ModelNotFound, VersionNotFound
from ledgit.mlflow.answers import answer
from ledgit.mlflow.models import find_model
from ledgit.mlflow.uris import artifact_root, repository_path, split_artifact_uri
from ledgit.mlflow.writing import Writers
from ledgit.registry import Registry
from ledgit.registry import entities as ours

__all__ = ["RegistryStore"]

_ALL = 2**31 - 1
_PROMPT = "mlflow.prompt.is_prompt"
_LOGGED = "ledgit.model_id"  # tag of a version: the logged model of MLflow 3 that it is
_PROMPT_FILTER = re.compile(
    r"(?:^|\s+AND\s+)\s*tags?\.`mlflow\.prompt\.is_prompt`\s*(=|!=)\s*'true'(?=\s|$)", re.IGNORECASE
)


class _Models(ModelClient):
    """Ledgit's client for models on a repository of its own, instead of the process's."""

    def __init__(self, path: str) -> None:
        self.writers = Writers.of(path)

    @property
    def _registry(self) -> Registry:
        return Registry(self.writers.repository)


class RegistryStore(AbstractStore):
    """Registered models; `mlflow.model_registry_store` of scheme ``ledgit``.

    Args:
        store_uri: ``ledgit:`` or ``ledgit:///path``.
        tracking_uri: Where the runs are; the same repository.
    """

    def __init__(self, store_uri: str | None = None, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri=store_uri, tracking_uri=tracking_uri)
        self.path = repository_path(store_uri or "ledgit:")
        self._open()

    @answer
    def _open(self) -> None:
        self._models = _Models(self.path)

    # ------------------------------------------------------------------ models

    @answer
    def create_registered_model(
        self,
        name: str,
        tags: Sequence[RegisteredModelTag] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Make a model without versions."""
        validation._validate_model_name(name)
        for tag in tags or ():
            validation._validate_registered_model_tag(tag.key, tag.value)
        try:
            return _model(self._models.create_registered_model(name, _tags(tags), description))
        except Conflict as error:
            raise MlflowException(str(error), RESOURCE_ALREADY_EXISTS) from error

    @answer
    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Write a model's description."""
        return _model(self._models.update_registered_model(_checked(name), description))

    @answer
    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a model without versions; one with versions keeps its name, which others deploy from."""
        validation._validate_model_renaming(new_name)
        known = self._models.get_registered_model(_checked(name))
        if new_name == name:
            return _model(known)
        try:
            return _model(self._models.rename_registered_model(name, new_name))
        except Conflict as error:
            taken = not known.latest_versions  # else it is the versions that keep it from another name
            raise MlflowException(str(error), RESOURCE_ALREADY_EXISTS if taken else INVALID_PARAMETER_VALUE) from error

    @answer
    def delete_registered_model(self, name: str) -> None:
        """Take a model and its versions out of the registry; their tags stay as history."""
        self._models.delete_registered_model(_checked(name))

    @answer
    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model."""
        return _model(self._models.get_registered_model(_checked(name)))

    @answer
    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = 100,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return models that match."""
        _check_count(max_results, SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD)
        wanted, prompts = _without_prompts(filter_string)
        found = self._models.search_registered_models(wanted, _ALL, order_by)
        shown = [one for one in found if prompts is None or prompts == (one.tags.get(_PROMPT) == "true")]
        some = page(shown, max_results, page_token)
        return PagedList([_model(one) for one in some], some.token)

    @answer
    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """Set a model's tag."""
        validation._validate_registered_model_tag(tag.key, tag.value)
        self._models.set_registered_model_tag(_checked(name), tag.key, tag.value)

    @answer
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a model's tag."""
        validation._validate_tag_name(key)
        self._models.delete_registered_model_tag(_checked(name), key)

    # ------------------------------------------------------------------ versions

    @answer
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Sequence[ModelVersionTag] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Make a version of a model from files of a run: a tag, so it is ready at once."""
        for tag in tags or ():
            validation._validate_model_version_tag(tag.key, tag.value)
        if source.startswith("ledgit:"):
            _, run, inside = split_artifact_uri(source)
            source = f"runs:/{run}/{inside}"
        if source.startswith("models:/m-") or model_id:
            run_of, _, logged = find_model(self._models.writers.repository, model_id or source.removeprefix("models:/"))
            source, run_id, model_id = f"runs:/{run_of.id}/{logged.path}", run_of.id, logged.id
            tags = [*(tags or ()), ModelVersionTag(_LOGGED, logged.id)]
        return _version(
            self._models.create_model_version(_checked(name), source, run_id, _tags(tags), None, description)
        )

    @answer
    def update_model_version(self, name: str, version: str, description: str | None = None) -> ModelVersion:
        """Write a version's description."""
        return _version(self._models.update_model_version(_checked(name), _number(version), description))

    @answer
    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """Move a version to one of MLflow's stages."""
        moved = self._models.transition_model_version_stage(
            _checked(name), _number(version), stage, archive_existing_versions
        )
        return _version(moved)

    @answer
    def delete_model_version(self, name: str, version: str) -> None:
        """Take a version out of the registry; its number never comes back."""
        self._models.delete_model_version(_checked(name), _number(version))

    @answer
    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """Return a version."""
        return _version(self._models.get_model_version(_checked(name), _number(version)))

    @answer
    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Return where a version's files are, as the artifact repository takes it."""
        uri = self._models.get_model_version_download_uri(_checked(name), _number(version))
        run_id, _, inside = uri.removeprefix("runs:/").partition("/")
        return f"{artifact_root(self.path, run_id)}/{inside}".rstrip("/")

    @answer
    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Return the newest version in each of MLflow's stages."""
        return [_version(one) for one in self._models.get_latest_versions(_checked(name), stages or None)]

    @answer
    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = 10_000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return versions that match."""
        _check_count(max_results, SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD)
        wanted, prompts = _without_prompts(filter_string)
        if prompts:
            return PagedList([], None)  # a prompt has no files, and so no version here
        found = self._models.search_model_versions(wanted, max_results or _ALL, order_by, page_token)
        return PagedList([_version(one) for one in found], found.token)

    @answer
    def set_model_version_tag(self, name: str, version: str, tag: ModelVersionTag) -> None:
        """Set a version's tag."""
        validation._validate_model_version_tag(tag.key, tag.value)
        self._models.set_model_version_tag(_checked(name), _number(version), tag.key, tag.value)

    @answer
    def delete_model_version_tag(self, name: str, version: str, key: str) -> None:
        """Remove a version's tag."""
        validation._validate_tag_name(key)
        self._models.delete_model_version_tag(_checked(name), _number(version), key)

    # ------------------------------------------------------------------ aliases

    @answer
    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Put a version to a stage: an alias is one here."""
        validation._validate_model_alias_name(alias)
        if hasattr(validation, "_validate_model_alias_name_reserved"):  # MLflow 3.0 has both in one
            validation._validate_model_alias_name_reserved(alias)
        self._models.set_registered_model_alias(_checked(name), alias, _number(version))

    @answer
    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Leave a stage empty."""
        validation._validate_model_alias_name(alias)
        self._models.delete_registered_model_alias(_checked(name), alias)

    @answer
    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version at a stage."""
        validation._validate_model_alias_name(alias)
        try:
            return _version(self._models.get_model_version_by_alias(_checked(name), alias))
        except ModelNotFound:
            raise
        except (VersionNotFound, LedgitError) as error:
            code = RESOURCE_DOES_NOT_EXIST if alias.lower() == "latest" else INVALID_PARAMETER_VALUE
            raise MlflowException(f"Registered model alias {alias} not found.", code) from error


def _without_prompts(text: str | None) -> tuple[str, bool | None]:
    """Return a filter without what MLflow's client adds to tell models from prompts, and which of them it wants.

    ``!=`` there is true of models without the tag, other than anywhere else in MLflow.
    """
    found = _PROMPT_FILTER.search(text or "")
    if found is None:
        return text or "", None
    rest = re.sub(r"^\s*AND\s+", "", _PROMPT_FILTER.sub("", text or ""), flags=re.IGNORECASE)
    return rest, found[1] == "="


def _tags(tags: Sequence[Any] | None) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags or ()}


def _checked(name: str) -> str:
    validation._validate_model_name(name)
    return name


def _check_count(count: Any, most: int) -> None:
    if not isinstance(count, int) or not 1 <= count <= most:
        raise MlflowException(
            f"Invalid value for max_results. It must be a positive number of at most {most}, but got value {count}",
            INVALID_PARAMETER_VALUE,
        )


def _number(version: object) -> str:
    validation._validate_model_version(version)
    return str(version)


def _version(one: ours.ModelVersion) -> ModelVersion:
    return ModelVersion(
        name=one.name,
        version=one.version,  # type: ignore[arg-type]  # MLflow's own stores give a number, too
        creation_timestamp=one.creation_timestamp,
        last_updated_timestamp=one.last_updated_timestamp,
        description=one.description,
        user_id=one.user_id,
        current_stage=one.current_stage,
        source=one.source,
        run_id=one.run_id,
        status=one.status,
        tags=[ModelVersionTag(key, value) for key, value in one.tags.items() if key != _LOGGED],
        run_link=one.run_link,
        model_id=one.tags.get(_LOGGED),
        aliases=list(one.aliases),
    )


def _model(one: ours.RegisteredModel) -> RegisteredModel:
    return RegisteredModel(
        name=one.name,
        creation_timestamp=one.creation_timestamp,
        last_updated_timestamp=one.last_updated_timestamp,
        description=one.description,
        latest_versions=[_version(version) for version in one.latest_versions],
        tags=[RegisteredModelTag(key, value) for key, value in one.tags.items()],
        aliases=[RegisteredModelAlias(alias, version) for alias, version in one.aliases.items()],
    )
