"""MLflow's client on a repository of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ledgit.mlflow import artifacts, registry, store, writing


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow knows the plugin of this tree, whatever plugins this Python knows of."""
    from mlflow.store.artifact import artifact_repository_registry as artifact_registry
    from mlflow.tracking._model_registry import utils as models
    from mlflow.tracking._tracking_service import utils as tracking

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setattr(writing.Writers, "_all", {})
    monkeypatch.setitem(tracking._tracking_store_registry._registry, "ledgit", store.TrackingStore)
    monkeypatch.setitem(models._get_store_registry()._registry, "ledgit", registry.RegistryStore)
    known = artifact_registry._artifact_repository_registry._registry
    monkeypatch.setitem(known, "ledgit", artifacts.ArtifactStore)
    yield
    for writers in writing.Writers._all.values():
        for one in writers.open.values():
            one.finish()


@pytest.fixture
def client(repo: Path, plugin: None, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client on the repository, which the environment names as well: MLflow 3.0 lists artifacts where that says."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"ledgit://{repo}")
    return MlflowClient(f"ledgit://{repo}", f"ledgit://{repo}")
