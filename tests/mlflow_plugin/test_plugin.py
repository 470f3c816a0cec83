"""MLflow's own client on a Ledgit repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git

from ledgit.errors import InvalidValue
from ledgit.mlflow.uris import artifact_root, repository_path, split_artifact_uri
from ledgit.repository import open_repository

pytest.importorskip("mlflow")

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ledgit.mlflow import artifacts, registry, store


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(MlflowException) as error:
        call()
    return str(error.value.error_code)


def test_every_form_of_the_uri_names_the_repository(repo: Path) -> None:
    """MLflow joins URIs in ways that lose slashes."""
    here = str(repo)
    assert {repository_path(uri) for uri in ("ledgit:", "ledgit:.", f"ledgit:{here}", f"ledgit://{here}")} == {here}
    assert split_artifact_uri(artifact_root("/a b", "0" * 32) + "/x/y") == ("/a b", "0" * 32, "x/y")
    for bad in ("ledgit://host/a", "sqlite:///a", "file:///a"):
        with pytest.raises(InvalidValue):
            repository_path(bad)
    with pytest.raises(InvalidValue):
        split_artifact_uri("ledgit:///a/-/runs/-x/artifacts")


def test_no_abstract_method_is_forgotten() -> None:
    """MLflow doesn't enforce it: a forgotten one returns None without a word."""
    for ours in (store.TrackingStore, registry.RegistryStore, artifacts.ArtifactStore):
        base = ours.__mro__[1]
        marked = {name for name in dir(base) if getattr(getattr(base, name), "__isabstractmethod__", False)}
        missing = {name for name in marked if getattr(ours, name) is getattr(base, name)}
        assert missing == set()


def test_a_run_is_a_commit_once_it_ends(client: MlflowClient, repo: Path) -> None:
    """Params, all points, tags and nesting; while it runs others see it, and Git has nothing yet."""
    parent = client.create_run("0", run_name="parent")
    run = client.create_run("0", run_name="calm", tags={"mlflow.parentRunId": parent.info.run_id, "team": "fraud"})
    run_id = run.info.run_id
    client.log_param(run_id, "lr", 0.1)
    for step, value in ((2, 0.5), (1, 0.9), (2, 0.7)):
        client.log_metric(run_id, "loss", value, timestamp=1000 + step, step=step)
    client.set_tag(run_id, "note", "x")
    client.delete_tag(run_id, "note")

    seen = open_repository(str(repo)).run(run_id)
    assert (seen.status, seen.commit) == ("RUNNING", None)
    client.set_terminated(run_id, "FAILED", end_time=run.info.start_time + 5)
    client.set_terminated(parent.info.run_id)

    got = client.get_run(run_id)
    assert (got.info.status, got.info.end_time, got.info.run_name) == ("FAILED", run.info.start_time + 5, "calm")
    assert (got.data.params, got.data.metrics) == ({"lr": "0.1"}, {"loss": 0.7})
    assert got.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {key: value for key, value in got.data.tags.items() if not key.startswith("mlflow.")} == {"team": "fraud"}
    assert [(one.step, one.value) for one in client.get_metric_history(run_id, "loss")] == [
        (1, 0.9),
        (2, 0.5),
        (2, 0.7),
    ]
    assert client.get_metric_history(run_id, "none") == []
    commit = open_repository(str(repo)).run(run_id).commit
    assert commit is not None
    assert "lr: 0.1" in run_git(repo, "show", f"{commit}:.ledgit/run/params.yaml").replace("'", "").replace('"', "")


def test_errors_have_mlflows_codes(client: MlflowClient) -> None:
    run_id = client.create_run("0", run_name="calm").info.run_id
    assert code_of(lambda: client.get_run(run_id[:12])) == "RESOURCE_DOES_NOT_EXIST"
    client.log_param(run_id, "a", 1)
    assert code_of(lambda: client.get_run("f" * 32)) == "RESOURCE_DOES_NOT_EXIST"
    assert code_of(lambda: client.get_run("calm")) == "RESOURCE_DOES_NOT_EXIST"
    assert code_of(lambda: client.log_param(run_id, "a", 2)) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.log_metric(run_id, "../x", 1)) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.delete_tag(run_id, "none")) == "RESOURCE_DOES_NOT_EXIST"
    assert code_of(lambda: client.get_experiment("77")) == "RESOURCE_DOES_NOT_EXIST"
    assert code_of(lambda: client.search_runs(["0"], "lr = 1 OR")) == "INVALID_PARAMETER_VALUE"
    client.create_experiment("e")
    assert code_of(lambda: client.create_experiment("e")) == "RESOURCE_ALREADY_EXISTS"
    for _ in range(2):  # while it goes on, and after its end
        client.delete_run(run_id)
        assert code_of(lambda: client.log_metric(run_id, "m", 1)) == "INVALID_PARAMETER_VALUE"
        client.restore_run(run_id)
        client.set_terminated(run_id)
    client.log_metric(run_id, "m", 1)
    assert client.get_run(run_id).info.status == "FINISHED"


def test_runs_are_found_by_filter_order_and_page(client: MlflowClient) -> None:
    experiment = client.create_experiment("digits", tags={"k": "v"})
    ids = []
    for number in range(5):
        run_id = client.create_run(experiment).info.run_id
        client.log_metric(run_id, "m", number)
        client.set_terminated(run_id)
        ids.append(run_id)
    client.delete_run(ids[4])
    first = client.search_runs([experiment], "metrics.m > 0", order_by=["metrics.m DESC"], max_results=2)
    rest = client.search_runs(
        [experiment], "metrics.m > 0", order_by=["metrics.m DESC"], max_results=2, page_token=first.token
    )
    assert [one.info.run_id for one in [*first, *rest]] == [ids[3], ids[2], ids[1]]
    assert rest.token is None
    assert client.search_runs(["0"]) == []
    assert [one.name for one in client.search_experiments(filter_string="tags.k = 'v'")] == ["digits"]
    client.rename_experiment(experiment, "numbers")
    client.delete_experiment(experiment)
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"
    client.restore_experiment(experiment)
    assert client.get_experiment_by_name("numbers").experiment_id == experiment


def test_artifacts_go_in_and_come_out_as_private_copies(client: MlflowClient, tmp_path: Path) -> None:
    run_id = client.create_run("0").info.run_id
    (tmp_path / "m" / "deep").mkdir(parents=True)
    (tmp_path / "m" / "a.txt").write_text("one")
    (tmp_path / "m" / "deep" / "b.txt").write_text("two")
    client.log_artifacts(run_id, str(tmp_path / "m"), "model")
    client.log_text(run_id, "three", "c.txt")
    client.set_terminated(run_id)
    assert [(one.path, one.is_dir, one.file_size) for one in client.list_artifacts(run_id)] == [
        ("c.txt", False, 5),
        ("model", True, None),
    ]
    assert [one.path for one in client.list_artifacts(run_id, "model")] == ["model/a.txt", "model/deep"]
    assert client.list_artifacts(run_id, "c.txt") == []
    for _ in range(2):
        folder = Path(client.download_artifacts(run_id, "model", str(tmp_path)))
        assert (folder / "deep" / "b.txt").read_text() == "two"
        (folder / "deep" / "b.txt").write_text("mine")


def test_versions_aliases_and_stages_are_the_repositorys_tags(client: MlflowClient, repo: Path) -> None:
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "flavors: {}", "model/MLmodel")
    client.set_terminated(run_id)
    client.create_registered_model("churn", tags={"team": "fraud"}, description="d")
    assert code_of(lambda: client.create_registered_model("churn")) == "RESOURCE_ALREADY_EXISTS"
    source = client.get_run(run_id).info.artifact_uri + "/model"
    version = client.create_model_version("churn", source, run_id)
    assert (version.version, version.status, version.run_id) == (1, "READY", run_id)
    client.set_registered_model_alias("churn", "prod", 1)
    assert client.get_model_version_by_alias("churn", "prod").version == 1
    assert client.get_registered_model("churn").aliases == {"prod": 1}
    assert code_of(lambda: client.get_model_version_by_alias("churn", "none")) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.get_model_version("churn", "9")) == "RESOURCE_DOES_NOT_EXIST"
    assert [one.name for one in client.search_registered_models("name LIKE 'ch%'")] == ["churn"]
    assert [one.version for one in client.search_model_versions(f"run_id = '{run_id}'")] == [1]
    assert client.get_model_version_download_uri("churn", "1") == source
    assert {"churn@v0.0.1", "churn#prod#1"} & set(run_git(repo, "tag").split())


def test_a_run_of_another_process_is_joined_and_ended(client: MlflowClient, repo: Path) -> None:
    """As the workers of MLflow's server do it: one starts, another logs, a third ends."""
    program = (
        "import sys; from ledgit.mlflow.store import TrackingStore; from mlflow.entities import *;"
        "s = TrackingStore('ledgit:'); print(s.create_run('0', '', 0, [], 'w').info.run_id)"
    )
    environment = dict(os.environ) | {"_MLFLOW_SERVER_FILE_STORE": "ledgit:"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=repo, env=environment, capture_output=True, check=True
    )
    run_id = done.stdout.decode().split()[-1]
    client.log_metric(run_id, "m", 1.0)
    assert client.get_run(run_id).info.status == "RUNNING"
    client.set_terminated(run_id)
    assert open_repository(str(repo)).run(run_id).commit is not None
