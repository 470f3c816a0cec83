"""Logged models of MLflow 3 are of the run that made them, and travel with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.entities import LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from tests.conftest import run_git

from ledgit.mlflow import store, writing
from ledgit.mlflow.context import CodeContext
from ledgit.repository import open_repository


def _facts(client: MlflowClient, model_id: str) -> dict[str, object]:
    """Return what is known of a model, but for where this clone is."""
    found = client.get_logged_model(model_id)
    facts = dict(found)
    facts["metrics"] = [dict(one) for one in found.metrics or ()]
    facts["artifact_location"] = found.artifact_location.partition("/-/")[2]
    return facts


def test_a_logged_model_is_the_same_in_another_clone(client: MlflowClient, repo: Path, tmp_path: Path) -> None:
    """Its id, params, tags, metrics and files, also what was changed after the run had ended."""
    tracking = client._tracking_client.store
    run_id = client.create_run("0").info.run_id
    model = client.create_logged_model("0", "forest", run_id, {"a": "1"}, {"depth": "3"}, "agent")
    twin = client.create_logged_model("0", "forest", run_id)
    alone = client.create_logged_model("0", "outside")
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    get_artifact_repository(model.artifact_location).log_artifact(str(tmp_path / "MLmodel"))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 2)])
    tracking.log_batch(run_id, [Metric("acc", 0.5, 7, 1, model.model_id, "digits", "d1", run_id)], [], [])
    for one in (model, twin, alone):
        client.finalize_logged_model(one.model_id, "READY")
    client.set_terminated(run_id)
    client.set_logged_model_tags(model.model_id, {"b": "2"})
    client.delete_logged_model_tag(model.model_id, "a")
    client.delete_logged_model(twin.model_id)
    version = client.create_registered_model("churn") and client.create_model_version(
        "churn", model.model_uri, model_id=model.model_id
    )
    client.set_registered_model_alias("churn", "champion", version.version)

    assert [one.path for one in client.list_artifacts(run_id)] == []
    assert len({model.artifact_location, twin.artifact_location}) == 2
    before = _facts(client, model.model_id)
    assert (before["tags"], before["params"], str(before["status"])) == ({"b": "2"}, {"depth": "3"}, "READY")
    found = client.search_logged_models(["0"], order_by=[{"field_name": "name"}])
    assert [one.name for one in found] == ["forest", "outside"]
    assert [one.model_id for one in client.search_logged_models(["0"], "metrics.acc > 0.4")] == [model.model_id]
    for wrong in (twin.model_id, "m-" + "0" * 32, "none", run_id):
        with pytest.raises(MlflowException, match="not found"):
            client.get_logged_model(wrong)

    run_git(tmp_path, "init", "-q", "--bare", "hub.git")
    run_git(repo, "remote", "add", "origin", str(tmp_path / "hub.git"))
    run_git(repo, "push", "-q", "origin", "main")
    here = open_repository(str(repo))
    here.push()
    run_git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    open_repository(str(tmp_path / "other")).pull()
    writing.Writers._all.clear()
    there = MlflowClient(*[f"ledgit://{tmp_path / 'other'}"] * 2)
    assert _facts(there, model.model_id) == before
    outputs = there.get_run(run_id).outputs.model_outputs
    assert [(one.model_id, one.step) for one in outputs] == [(model.model_id, 2)]
    again = there.get_model_version_by_alias("churn", "champion")
    assert (again.version, again.model_id, again.run_id) == (1, model.model_id, run_id)
    folder = Path(
        get_artifact_repository(there.get_logged_model(model.model_id).artifact_location).download_artifacts("")
    )
    assert (folder / "MLmodel").read_text() == "flavors: {}\n"


def test_no_method_of_a_run_or_model_is_left_to_a_base_that_returns_nothing() -> None:
    """What MLflow's client calls for logged models is ours."""
    names = [one for one in dir(store.TrackingStore) if "logged_model" in one and not one.startswith("_")]
    ours = {one for one in names if getattr(store.TrackingStore, one).__module__.startswith("ledgit.")}
    assert len(names) >= 9
    assert set(names) - ours <= {"search_logged_models_async"}


def test_runs_know_commit_and_branch_where_they_go_to_a_repository(
    repo: Path, monkeypatch: pytest.MonkeyPatch, plugin: None
) -> None:
    """Without GitPython, and only for this plugin's stores."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ledgit:")
    provider = CodeContext()
    assert provider.in_context()
    expected = {"mlflow.source.git.commit": run_git(repo, "rev-parse", "HEAD"), "mlflow.source.git.branch": "main"}
    assert provider.tags() == expected
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ledgit:///nowhere")
    assert provider.tags() == {}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///a.db")
    assert not provider.in_context()
