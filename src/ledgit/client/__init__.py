"""``MlflowClient``: MLflow's client by its own names, over Ledgit's runs and registry.

::

    from ledgit.client import MlflowClient

    client = MlflowClient()
    client.create_registered_model("churn")
    version = client.create_model_version("churn", f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.set_registered_model_alias("churn", "prod", version.version)

Where it does other than MLflow's, the method says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledgit.client.models import ModelClient
from ledgit.client.paging import PagedList
from ledgit.client.runs import RunClient

if TYPE_CHECKING:
    from ledgit.registry.entities import ModelVersion, RegisteredModel

__all__ = [
    "MlflowClient",
    "PagedList",
    "search_model_versions",
    "search_registered_models",
    "set_model_version_tag",
]

_ALL = 2**31 - 1


class MlflowClient(RunClient, ModelClient):
    """Runs, experiments, models and versions, by MLflow's names.

    Args:
        tracking_uri: A repository's path or ``file:`` URI, for the whole process as by
            :func:`ledgit.set_tracking_uri`; the current one if None.
        registry_uri: Accepted for MLflow's sake: the registry is the repository's tags.
    """


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[RegisteredModel]:
    """Return registered models, by name; all of them unless *max_results* says less.

    Args:
        max_results: At most so many.
        filter_string: ``name LIKE 'team/%' AND tags.owner = 'fraud'``.
        order_by: Such as ``["last_updated_timestamp DESC"]``.

    Raises:
        FilterError: *filter_string* or *order_by* does not parse.
    """
    return MlflowClient().search_registered_models(filter_string, max_results or _ALL, order_by).to_list()


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[ModelVersion]:
    """Return versions of registered models, those changed last first; all unless *max_results* says less.

    Args:
        max_results: At most so many.
        filter_string: ``name = 'churn' AND run_id IN ('…') AND version_number > 3 AND tags.team = 'fraud'``.
        order_by: Such as ``["version_number DESC"]``.

    Raises:
        FilterError: *filter_string* or *order_by* does not parse.
    """
    return MlflowClient().search_model_versions(filter_string, max_results or _ALL, order_by).to_list()


def set_model_version_tag(
    name: str, version: int | str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set a tag of a version of a registered model.

    Raises:
        ModelNotFound, VersionNotFound: There is no such version.
    """
    MlflowClient().set_model_version_tag(name, version, key, value)
