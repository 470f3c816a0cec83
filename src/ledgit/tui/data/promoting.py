"""What the screen of models changes in the registry, and what takes it back.

Nothing that a tag says is ever unsaid: what takes a promotion back is one more tag, which puts the stage to where
it stood. Each act is judged by the policies, that which takes one back as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledgit.tui.data.editing import Edit

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion
    from ledgit.registry import Registry
    from ledgit.repository import Repository

__all__ = [
    "archive_edit",
    "deprecate_edit",
    "deregister_edit",
    "describe_edit",
    "label_edit",
    "promote_edit",
    "refusals",
    "unassign_edit",
]


def _registry(repository: Repository) -> Registry:
    from ledgit.registry import Registry

    return Registry(repository)


def refusals(
    repository: Repository, event: str, name: str, version: ModelVersion | None = None, stage: str = ""
) -> list[str]:
    """Return why the policies would refuse an act (``assign unassign deregister deprecate``); [] if they would not."""
    return _registry(repository).refusals(event, name, version, stage)


def promote_edit(repository: Repository, version: ModelVersion, stage: str, reason: str) -> Edit:
    """Put *version* to *stage*; taken back, the stage stands where it stood, or nowhere."""
    before: list[ModelVersion | None] = []
    what = f"promoted {version.model} {version.version} to {stage}"

    def do() -> None:
        registry = _registry(repository)
        before[:] = [registry.model(version.model).stages.get(stage)]
        registry.promote(version, stage, reason=reason)

    def undo() -> None:
        _put(_registry(repository), version.model, stage, before[0], f"undo: {what}")

    return Edit(what, do, undo)


def unassign_edit(repository: Repository, model: str, stage: str, reason: str) -> Edit:
    """Leave *stage* of *model* empty; taken back, it stands where it stood."""
    before: list[ModelVersion | None] = []
    what = f"took {model} out of {stage}"

    def do() -> None:
        registry = _registry(repository)
        before[:] = [registry.model(model).stages.get(stage)]
        registry.unassign(model, stage, reason=reason)

    def undo() -> None:
        _put(_registry(repository), model, stage, before[0], f"undo: {what}")

    return Edit(what, do, undo)


def _put(registry: Registry, model: str, stage: str, version: ModelVersion | None, why: str) -> None:
    now = registry.model(model).stages.get(stage)
    if version is None:
        if now is not None:
            registry.unassign(model, stage, reason=why)
    elif now is None or now.version != version.version:
        registry.promote(registry.state.version(model, version.version), stage, reason=why)


def describe_edit(repository: Repository, model: str, version: ModelVersion | None, text: str) -> Edit:
    """Write the description of a version, or of the whole model."""
    before: list[str] = []
    named = f"{model} {version.version}" if version is not None else model

    def write(words: str) -> None:
        registry = _registry(repository)
        if version is None:
            registry.describe_model(model, words)
        else:
            registry.describe_version(version, words)

    def do() -> None:
        found = _registry(repository).state.find(model)
        before[:] = [found.description if version is None else found.versions[version.version].description]
        write(text)

    return Edit(f"described {named}" if text else f"removed the description of {named}", do, lambda: write(before[0]))


def label_edit(
    repository: Repository, model: str, version: ModelVersion | None, tags: Mapping[str, str | None]
) -> Edit:
    """Set tags of a version, or of the whole model; None removes one."""
    before: dict[str, str | None] = {}
    named = f"{model} {version.version}" if version is not None else model

    def write(values: Mapping[str, str | None]) -> None:
        registry = _registry(repository)
        if version is None:
            registry.edit_model_tags(model, values)
        else:
            registry.edit_version_tags(version, values)

    def do() -> None:
        found = _registry(repository).state.find(model)
        there = found.tags if version is None else found.versions[version.version].tags
        before.clear()
        before.update({key: there.get(key) for key in tags})
        write(tags)

    return Edit(f"changed the tags of {named}", do, lambda: write(before))


def archive_edit(repository: Repository, version: ModelVersion, *, archived: bool) -> Edit:
    """Say that a version is archived (a word of MLflow's; it stays where it is), or that it is not."""

    def write(value: bool) -> None:
        _registry(repository).archive(version, archived=value)

    named = f"{version.model} {version.version}"
    what = f"archived {named}" if archived else f"took {named} out of the archive"
    return Edit(what, lambda: write(archived), lambda: write(not archived))


def deregister_edit(repository: Repository, version: ModelVersion, reason: str) -> Edit:
    """Take a version out of the registry, for good: its version and number never come back."""

    def do() -> None:
        _registry(repository).deregister(version, reason=reason)

    return Edit(f"deregistered {version.model} {version.version}", do, None)


def deprecate_edit(repository: Repository, model: str, reason: str) -> Edit:
    """Say that a model is not to be used any more; only the next thing done to it takes that back."""

    def do() -> None:
        _registry(repository).deprecate(model, reason=reason)

    return Edit(f"deprecated {model}", do, None)
