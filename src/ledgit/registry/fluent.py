"""The registry's functions that MLflow has at its top level: ``mlflow.register_model`` and its family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ledgit.registry.entities import ModelVersion, version_entity
from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.registry.registry import Registry

__all__ = ["register_model"]


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int | None = 300,
    *,
    tags: Mapping[str, Any] | None = None,
    env_pack: Any = None,
    version: str | None = None,
    bump: str | None = None,
    reason: str = "",
    description: str | None = None,
    sign: bool | None = None,
) -> ModelVersion:
    """Make a version of a model that a run logged; a new name begins with it.

    Args:
        model_uri: ``runs:/<run>/<path>``, a run (if it logged one model), or ``models:/<name>/<version>``.
        name: What to register it as.
        await_registration_for: Accepted for MLflow's sake; a version is ready at once.
        tags: Tags of the version.
        env_pack: Accepted for MLflow's sake.
        version: Such as ``v1.2.0``; otherwise *bump* says.
        bump: ``major``, ``minor`` or ``patch`` (default).
        reason: Why; it stays with the tag.
        description: About the version.
        sign: Whether the tag is signed; as Git's configuration says if None.

    Returns:
        The version, with MLflow's names: ``version`` is the integer, ``semver`` the tag's ``v1.2.0``.

    Raises:
        RunNotFound, ModelNotFound, ArtifactNotFound: There is no such model.
        InvalidName, InvalidValue: *name* or *version* can't be one.
        VersionExists: *version* is taken.
        PolicyRefused: The policy does not allow it.
    """
    del await_registration_for, env_pack
    registry = _registry()
    made = registry.register(
        model_uri, name, version=version, bump=bump, reason=reason, description=description, tags=tags, sign=sign
    )
    return version_entity(None, made)


def _registry() -> Registry:
    from ledgit.registry.registry import Registry

    return Registry(session.repository())
