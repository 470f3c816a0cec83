"""Registered models and versions with MLflow's names and meanings, for scripts written for MLflow.

Versions are integers here, as there; ``semver`` is the tag's ``v1.2.0``. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidValue
from ledgit.registry.reading import source_of

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion as Version
    from ledgit.records.registry_state import RegisteredModel as Model

__all__ = ["STAGES", "ModelVersion", "RegisteredModel", "model_entity", "stage_of", "version_entity"]

#: MLflow's stages, of which a version has one at a time. Any other of Ledgit's stages is an alias there.
STAGES = ("None", "Staging", "Production", "Archived")


class _Entity:
    """Iteration as MLflow's entities have it: pairs of attribute and value."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(asdict(self).items())  # type: ignore[call-overload]


@dataclass(frozen=True)
class ModelVersion(_Entity):
    """One version of a registered model.

    Attributes:
        name: The model's name.
        version: MLflow's integer version. Of a version that only GTO knows it is the text, such as ``v1.2.0``.
        semver: The version as its tag has it.
        tag: The tag: ``git show`` and ``gto show`` take it.
        commit: The commit that the tag points to.
        digest: Of the model's files, as the tag says.
        aliases: The stages it stands at, but for MLflow's four.
        current_stage: Which of MLflow's four stages it is in.
        source: ``runs:/<run>/<path>``.
        status: Always ``READY``.
    """

    name: str
    version: int | str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None
    user_id: str | None = None
    current_stage: str = "None"
    source: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    status: str = "READY"
    status_message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    model_id: str | None = None
    semver: str = ""
    tag: str = ""
    commit: str = ""
    digest: str | None = None


@dataclass(frozen=True)
class RegisteredModel(_Entity):
    """A registered model.

    Attributes:
        name: Its name.
        latest_versions: The newest version in each of MLflow's stages.
        aliases: Stage → integer version.
    """

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None
    latest_versions: list[ModelVersion] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int | str] = field(default_factory=dict)


def stage_of(name: str) -> str:
    """Return one of MLflow's stages, spelled as it spells it.

    Raises:
        InvalidValue: There is no such stage.
    """
    for stage in STAGES:
        if str(name).casefold() == stage.casefold():
            return stage
    raise InvalidValue(
        "stage", name, f"one of {', '.join(STAGES)}; other stages are aliases: set_registered_model_alias"
    )


def current_stage(model: Model | None, version: Version) -> str:
    """Return which of MLflow's stages a version is in: where it stands, or ``Archived`` by its record."""
    standing = next((stage for stage in version.stages if stage in STAGES), None)
    archived = model is not None and model.values.get(f"version.{version.version}.stage") == "Archived"
    return standing or ("Archived" if archived else "None")


def version_entity(model: Model | None, version: Version) -> ModelVersion:
    """Return a version as MLflow shows one; *model* is None for one that was made this moment."""
    events = () if model is None else model.events
    own = [event.time * 1000 for event in events if event.version == version.version]
    return ModelVersion(
        name=version.model,
        version=number_of(version),
        creation_timestamp=version.created,
        last_updated_timestamp=max([version.created, *own]),
        description=version.description or None,
        user_id=version.event.author or None,
        current_stage=current_stage(model, version),
        source=source_of(version),
        run_id=version.run,
        tags=dict(version.tags),
        aliases=[stage for stage in version.stages if stage not in STAGES],
        semver=version.version,
        tag=version.tag,
        commit=version.commit,
        digest=version.digest,
    )


def model_entity(model: Model) -> RegisteredModel:
    """Return a model as MLflow shows one."""
    latest: dict[str, Version] = {}
    for version in model.active:
        latest[current_stage(model, version)] = version
    return RegisteredModel(
        name=model.name,
        creation_timestamp=model.created,
        last_updated_timestamp=max([model.created, *(event.time * 1000 for event in model.events[-1:])]),
        description=model.description or None,
        latest_versions=[version_entity(model, version) for version in latest.values()],
        tags=dict(model.tags),
        aliases={stage: number_of(version) for stage, version in model.stages.items() if stage not in STAGES},
    )


def number_of(version: Version) -> int | str:
    """Return MLflow's version, or the semantic one where it has none."""
    return version.version if version.number is None else version.number
