"""The registry in three calls: choose where artifacts go, save a model as a version, list what there is.

::

    import ledgit as mlflow

    mlflow.register.set_default_artifact_root("models")
    mlflow.register.save_model(model, "my_model_v1")
    models = mlflow.register.get_models()

Everything else a registry does is in :class:`ledgit.registry.Registry` and ``ledgit registry``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ledgit.errors import StorageError, UsageError
from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.models.mlmodel import ModelInfo
    from ledgit.records.registry_state import ModelVersion, RegisteredModel
    from ledgit.registry import Registry

__all__ = ["get_models", "register_logged", "save_model", "set_default_artifact_root"]


def set_default_artifact_root(uri: str | os.PathLike[str], *, commit: bool = False) -> str:
    """Choose where this clone shares artifacts through; it is tried out first, and nothing changes if that fails.

    Runs that were logged before keep what their pointers say. A folder inside the work tree is made to be
    ignored by Git, so that no run's snapshot takes it in.

    Args:
        uri: An address as DVC has it (``s3://bucket/folder``, ``ssh://…``), or a folder.
        commit: Also write it to ``.dvc/config``, for everybody who has the repository; committing is up to you.

    Returns:
        The address, without credentials.

    Raises:
        UsageError, ConfigError: It is no address.
        RemoteError, MissingDependency, StorageError: It can't be used.
    """
    from ledgit.store.artifacts.setting import place_of, probe, set_remote, unset_remote, write_remote

    repository = session.repository()
    before = repository.repo.config().get("ledgit.artifactRemote")
    text = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
    if not isinstance(text, str):
        raise UsageError(f"the artifact remote is {uri!r}, expected an address such as s3://bucket/folder, or a folder")
    _ignore_inside(text)
    place = set_remote(repository.repo, text, os.getcwd())
    try:
        probe(repository.folder, place)
    except BaseException:
        if before is None:
            unset_remote(repository.repo)
        else:
            set_remote(repository.repo, before, os.getcwd())
        raise
    found = place_of(repository.repo)
    assert found is not None
    if commit:
        write_remote(repository.repo, found)
    return found.shown


def _ignore_inside(path: str) -> None:
    """Make a folder in the work tree that Git ignores with all that is in it; anything else is left alone."""
    tree = session.repo().work_tree
    where = os.path.realpath(os.path.expanduser(path))
    if "://" in path or tree is None or not where.startswith(os.path.realpath(tree).rstrip("/") + "/"):
        return
    if os.path.isdir(where) and os.listdir(where):
        return  # the user's
    try:
        os.makedirs(where, exist_ok=True)
        with open(os.path.join(where, ".gitignore"), "w", encoding="utf-8") as file:
            file.write("*\n")
    except OSError as error:
        raise StorageError(where, error.strerror or str(error)) from error


def save_model(
    model: Any,
    name: str,
    *,
    version: str | None = None,
    bump: str | None = None,
    reason: str = "",
    description: str | None = None,
    tags: dict[str, Any] | None = None,
    **kwargs: Any,
) -> ModelVersion:
    """Log a model and register it as a version, in one.

    It is logged to the active run; without one, to a run made for it. A model that is the same as the newest
    version's, file by file, is that version: none is made, unless *version* or *bump* asks for one.

    Args:
        model: A model of any library that a flavor knows.
        name: What to register it as, and its folder among the run's artifacts.
        version: Such as ``v1.2.0``; otherwise *bump* says.
        bump: ``major``, ``minor`` or ``patch``; by default ``patch``, if the model is another one than before.
        reason: Why; it stays with the tag.
        description: About this version.
        tags: Tags of this version.
        **kwargs: As for :func:`ledgit.models.log`: ``signature``, ``input_example`` …

    Returns:
        The version.

    Raises:
        FlavorNotFound: No flavor knows this kind of model.
        InvalidName: *name* can't be a model's.
        VersionExists: *version* is taken.
        PolicyRefused: The policy does not allow it.
    """
    from ledgit.models.verbs import log
    from ledgit.registry import Registry
    from ledgit.tracking import runs

    alone = runs.active_run() is None and kwargs.get("run_id") is None
    status = "FAILED"
    try:
        info = log(model, name, **kwargs)
        status = "FINISHED"
    finally:
        started = runs.active_run() if alone else None
        if started is not None:
            started.finish(status)
    registry = Registry(session.repository())
    if version is None and bump is None and (same := _same_before(registry, info, name)) is not None:
        if description is not None:
            registry.describe_version(same, description)
        if tags:
            registry.edit_version_tags(same, tags)
        return registry.state.version(same.model, same.version)
    return registry.register(
        info.model_uri, name, version=version, bump=bump, reason=reason, description=description, tags=tags
    )


def _same_before(registry: Registry, info: ModelInfo, name: str) -> ModelVersion | None:
    """Return the newest version of *name* if what was just logged is the same model."""
    from ledgit.errors import ArtifactsMissing, NotFound, RecordError
    from ledgit.registry.sameness import same_model
    from ledgit.registry.sources import find_source

    model = registry.state.models.get(name)
    newest = None if model is None else model.latest
    if newest is None or newest.run is None:
        return None
    try:
        logged, path = find_source(registry.repository, info.model_uri, None, name)
        return newest if same_model(logged, path, registry.repository.run(newest.run), newest.path or "") else None
    except (ArtifactsMissing, NotFound, RecordError):
        return None  # it can't be compared


def register_logged(info: ModelInfo, name: str) -> int | None:
    """Make a version of a model that was just logged: what ``registered_model_name=`` does; return its number."""
    from ledgit.registry import Registry

    return Registry(session.repository()).register(info.model_uri, name).number


def get_models(filter: str = "") -> list[RegisteredModel]:  # noqa: A002 - the registry's word
    """Return the registered models, by name, with their versions and stages; nothing is asked of a remote.

    Args:
        filter: ``name LIKE 'team/%' AND tags.owner = 'fraud'``.

    Raises:
        FilterError: It does not parse.
    """
    from ledgit.registry import Registry

    return Registry(session.repository()).models(filter)
