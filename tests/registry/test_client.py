"""``MlflowClient``: MLflow's names and meanings over tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import MakeRun

import ledgit
from ledgit.client import MlflowClient
from ledgit.errors import (
    Conflict,
    FilterError,
    InvalidName,
    InvalidValue,
    ModelNotFound,
    ParamConflict,
    PolicyRefused,
    RunNotFound,
    UsageError,
    VersionNotFound,
)
from ledgit.tracking import session


@pytest.fixture
def client(repo: Path) -> MlflowClient:
    """A client of the test's repository."""
    session._explicit = session._found = session._opened = None
    session.open_runs.clear()
    session.local.stack.clear()
    return ledgit.MlflowClient()


@pytest.fixture
def churn(client: MlflowClient, make_run: MakeRun) -> str:
    """A model with three versions of one run, which is what it returns."""
    run = make_run()
    client.create_registered_model("churn")
    for _ in range(3):
        client.create_model_version("churn", f"runs:/{run}/model", run)
    return run


# ---------------------------------------------------------------------- models


def test_a_model_begins_without_versions(client: MlflowClient) -> None:
    """Its record is all there is."""
    made = client.create_registered_model("churn", {"team": "fraud"}, "Who leaves")

    found = client.get_registered_model("churn")

    assert made == found
    assert ("churn", "Who leaves", {"team": "fraud"}) == (found.name, found.description, found.tags)
    assert ([], {}) == (found.latest_versions, found.aliases)
    assert found.creation_timestamp > 1_700_000_000_000
    assert dict(found)["name"] == "churn"


def test_a_second_model_of_a_name_is_refused(client: MlflowClient) -> None:
    """MLflow's RESOURCE_ALREADY_EXISTS."""
    client.create_registered_model("churn")

    with pytest.raises(Conflict, match="already"):
        client.create_registered_model("churn")


def test_models_are_described_tagged_and_renamed(client: MlflowClient) -> None:
    """All of it can be changed as long as there is no version."""
    client.create_registered_model("churn")
    client.update_registered_model("churn", "Who leaves")
    client.set_registered_model_tag("churn", "team", 7)
    client.set_registered_model_tag("churn", "other", "x")
    client.delete_registered_model_tag("churn", "other")
    client.delete_registered_model_tag("churn", "absent")

    renamed = client.rename_registered_model("churn", "leavers")

    assert ("leavers", "Who leaves", {"team": "7"}) == (renamed.name, renamed.description, renamed.tags)
    with pytest.raises(ModelNotFound):
        client.get_registered_model("churn")


def test_a_model_with_versions_keeps_its_name(client: MlflowClient, churn: str) -> None:
    """They are tags that others have."""
    with pytest.raises(Conflict, match="copy_model_version"):
        client.rename_registered_model("churn", "leavers")


def test_a_deleted_model_takes_its_versions_along_and_their_numbers_never_come_back(
    client: MlflowClient, churn: str
) -> None:
    """MLflow's rule for numbers, for a whole model."""
    client.set_registered_model_alias("churn", "prod", 2)
    client.delete_registered_model("churn")
    with pytest.raises(ModelNotFound):
        client.get_registered_model("churn")
    with pytest.raises(ModelNotFound):
        client.delete_registered_model("churn")
    assert [] == client.search_registered_models()
    assert [] == client.search_model_versions("name = 'churn'")

    client.create_registered_model("churn", description="anew")
    made = client.create_model_version("churn", f"runs:/{churn}/model")

    assert 4 == made.version
    assert [4] == [one.version for one in client.search_model_versions("name = 'churn'")]
    assert "anew" == client.get_registered_model("churn").description


def test_models_are_searched_sorted_and_paged(client: MlflowClient) -> None:
    """By MLflow's grammar."""
    for name in ("b", "a", "team/c"):
        client.create_registered_model(name, {"owner": name})

    assert ["a", "b", "team/c"] == [one.name for one in client.search_registered_models()]
    assert ["team/c"] == [one.name for one in client.search_registered_models("name LIKE 'team/%'")]
    assert ["a"] == [one.name for one in client.search_registered_models("tags.owner = 'a'")]
    assert ["team/c", "b", "a"] == [one.name for one in client.search_registered_models(order_by=["name DESC"])]
    first = client.search_registered_models(max_results=2)
    second = client.search_registered_models(max_results=2, page_token=first.token)
    assert (["a", "b"], ["team/c"], None) == ([one.name for one in first], [one.name for one in second], second.token)
    with pytest.raises(FilterError):
        client.search_registered_models("version = 1")
    with pytest.raises(InvalidValue):
        client.search_registered_models(max_results=0)
    with pytest.raises(InvalidValue):
        client.search_registered_models(page_token="x")


# ---------------------------------------------------------------------- versions


def test_versions_are_1_2_3(client: MlflowClient, churn: str, repo: Path, git: GitFunction) -> None:
    """With the tag and the semantic version beside MLflow's attributes."""
    found = client.get_model_version("churn", "2")

    assert (2, "v0.0.2", "churn@v0.0.2") == (found.version, found.semver, found.tag)
    assert ("churn", churn, f"runs:/{churn}/model", "READY") == (found.name, found.run_id, found.source, found.status)
    assert ("None", [], {}, None) == (found.current_stage, found.aliases, found.tags, found.description)
    assert "Ada Lovelace" == found.user_id
    assert git(repo, "rev-parse", "churn@v0.0.2^{commit}") == found.commit
    assert found == client.get_model_version("churn", 2) == client.get_model_version("churn", "v0.0.2")
    assert 3 == client.get_model_version("churn", "latest").version
    assert found.source == client.get_model_version_download_uri("churn", 2)


def test_a_version_needs_its_model(client: MlflowClient, make_run: MakeRun) -> None:
    """``register_model`` makes it."""
    run = make_run()
    with pytest.raises(ModelNotFound):
        client.create_model_version("churn", f"runs:/{run}/model")

    made = ledgit.register_model(f"runs:/{run}/model", "churn", tags={"a": 1})

    assert (1, {"a": "1"}) == (made.version, made.tags)
    assert 2 == ledgit.register_model(f"runs:/{run}/model", "churn", bump="minor", reason="more").version
    nothing: Any = None
    with pytest.raises(InvalidName, match="model name 'None' is NoneType, not text"):
        ledgit.register_model(f"runs:/{run}/model", nothing)


def test_a_source_may_be_a_path_in_the_run_or_another_version(client: MlflowClient, churn: str) -> None:
    """And two different runs are refused."""
    assert "model" == client.create_model_version("churn", "model", churn).source.rpartition("/")[2]
    assert churn == client.create_model_version("churn", "models:/churn/1").run_id
    with pytest.raises(UsageError, match="different runs"):
        client.create_model_version("churn", f"runs:/{churn}/model", "f" * 32)
    with pytest.raises(UsageError, match="log it first"):
        client.create_model_version("churn", "s3://bucket/model")
    with pytest.raises(UsageError, match=r"'\./models' is a path, .*log it first"):
        client.create_model_version("churn", "./models")
    with pytest.raises(RunNotFound):
        client.create_model_version("churn", f"runs:/{'f' * 32}/model")


def test_versions_are_described_and_tagged(client: MlflowClient, churn: str) -> None:
    """An absent tag is deleted silently, as in MLflow."""
    client.update_model_version("churn", 1, "Trained on May")
    client.set_model_version_tag("churn", 1, "validated", True)
    client.set_model_version_tag("churn", "1", "note", "x")
    client.delete_model_version_tag("churn", 1, "note")
    client.delete_model_version_tag("churn", 1, "absent")
    client.transition_model_version_stage("churn", 2, "staging")
    client.set_model_version_tag("churn", key="by", value="stage", stage="Staging")

    found = client.get_model_version("churn", 1)

    assert ("Trained on May", {"validated": "True"}) == (found.description, found.tags)
    assert {"by": "stage"} == client.get_model_version("churn", 2).tags
    with pytest.raises(VersionNotFound):
        client.set_model_version_tag("churn", 9, "a", "b")
    with pytest.raises(UsageError):
        client.set_model_version_tag("churn", 1, "a", "b", stage="Staging")
    with pytest.raises(UsageError):
        client.set_model_version_tag("churn", 1)


def test_a_deleted_version_s_number_never_comes_back(client: MlflowClient, churn: str) -> None:
    """Also of the highest; its aliases go with it."""
    client.set_registered_model_alias("churn", "prod", 3)
    client.delete_model_version("churn", 3)

    with pytest.raises(VersionNotFound):
        client.get_model_version("churn", 3)
    with pytest.raises(VersionNotFound):
        client.delete_model_version("churn", 3)
    assert {} == client.get_registered_model("churn").aliases
    assert 4 == client.create_model_version("churn", f"runs:/{churn}/model").version


def test_versions_are_searched_sorted_and_paged(client: MlflowClient, churn: str, make_run: MakeRun) -> None:
    """Those changed last come first."""
    other = make_run(weights="other")
    ledgit.register_model(f"runs:/{other}/model", "spam", tags={"team": "mail"})

    def numbers(text: str, **options: object) -> list[tuple[str, object]]:
        return [(one.name, one.version) for one in client.search_model_versions(text, **options)]  # type: ignore[arg-type]

    assert {("churn", 1), ("churn", 2), ("churn", 3), ("spam", 1)} == set(numbers(""))
    assert [("churn", 3), ("churn", 2), ("churn", 1)] == numbers("name = 'churn'")
    assert [("spam", 1)] == numbers(f"run_id IN ('{other}', 'x')")
    assert [("churn", 3), ("churn", 2)] == numbers("name = 'churn' AND version_number > 1")
    assert [("spam", 1)] == numbers("tags.team = 'mail'")
    assert [("spam", 1)] == numbers(f"source_path = 'runs:/{other}/model'")
    assert [("churn", 1), ("churn", 2), ("churn", 3)] == numbers("name = 'churn'", order_by=["version_number ASC"])
    first = client.search_model_versions("name = 'churn'", max_results=2)
    assert [1] == [one.version for one in client.search_model_versions("name = 'churn'", 2, page_token=first.token)]
    assert ["churn", "spam"] == [one.name for one in ledgit.search_registered_models()]
    assert 4 == len(ledgit.search_model_versions())
    assert 1 == len(ledgit.search_model_versions(max_results=1, filter_string="name = 'churn'"))
    with pytest.raises(FilterError):
        client.search_model_versions("current_stage = 'Production'")


def test_a_version_is_copied_to_another_model(client: MlflowClient, churn: str) -> None:
    """Which begins with it; tags come along."""
    client.set_model_version_tag("churn", 2, "validated", "yes")
    client.set_registered_model_alias("churn", "prod", 2)

    made = client.copy_model_version("models:/churn@prod", "released")

    assert ("released", 1, churn, {"validated": "yes"}) == (made.name, made.version, made.run_id, made.tags)
    with pytest.raises(UsageError):
        client.copy_model_version(f"runs:/{churn}/model", "released")


# ---------------------------------------------------------------------- aliases and stages


def test_an_alias_is_a_stage(client: MlflowClient, churn: str, repo: Path, git: GitFunction) -> None:
    """Moving is one call, once more is no change, deleting an absent one is silent."""
    client.set_registered_model_alias("churn", "prod", "1")
    client.set_registered_model_alias("churn", "prod", 1)
    client.set_registered_model_alias("churn", "prod", 2)
    client.set_registered_model_alias("churn", "champion", 2)

    assert {"prod": 2, "champion": 2} == client.get_registered_model("churn").aliases
    assert ["champion", "prod"] == sorted(client.get_model_version_by_alias("churn", "prod").aliases)
    assert [] == client.get_model_version("churn", 1).aliases
    assert ["churn#champion#3", "churn#prod#1", "churn#prod#2"] == git(repo, "tag", "-l", "churn#*").splitlines()
    client.delete_registered_model_alias("churn", "prod")
    client.delete_registered_model_alias("churn", "prod")
    client.delete_registered_model_alias("churn", "never")
    with pytest.raises(VersionNotFound):
        client.get_model_version_by_alias("churn", "prod")
    with pytest.raises(ModelNotFound):
        client.delete_registered_model_alias("spam", "prod")


@pytest.mark.parametrize("alias", ["latest", "Latest", "v1", "V23", "7", ""])
def test_reserved_aliases_are_refused(client: MlflowClient, churn: str, alias: str) -> None:
    """``models:/churn@v1`` means one thing; ``latest`` can be read without being set."""
    with pytest.raises(InvalidName):
        client.set_registered_model_alias("churn", alias, 1)

    assert 3 == client.get_model_version_by_alias("churn", "latest").version


def test_an_alias_of_nothing_is_refused(client: MlflowClient, churn: str) -> None:
    """No version, no model."""
    with pytest.raises(VersionNotFound):
        client.set_registered_model_alias("churn", "prod", 9)
    with pytest.raises(ModelNotFound):
        client.set_registered_model_alias("spam", "prod", 1)


def test_stages_as_mlflow_has_them(client: MlflowClient, churn: str) -> None:
    """In any letter case; a version is in one at a time, and archived ones are many."""
    client.transition_model_version_stage("churn", 1, "Production")
    client.transition_model_version_stage("churn", 2, "staging")
    moved = client.transition_model_version_stage("churn", 2, "PRODUCTION", archive_existing_versions=True)
    client.transition_model_version_stage("churn", 3, "Archived")

    stages = [client.get_model_version("churn", number).current_stage for number in (1, 2, 3)]
    latest = {one.current_stage: one.version for one in client.get_latest_versions("churn")}

    assert "Production" == moved.current_stage
    assert ["Archived", "Production", "Archived"] == stages
    assert {"Production": 2, "Archived": 3} == latest
    assert [2] == [one.version for one in client.get_latest_versions("churn", ["production"])]
    assert {} == client.get_registered_model("churn").aliases
    assert ["None", "Staging", "Production", "Archived"] == client.get_model_version_stages("churn", 1)
    assert "None" == client.transition_model_version_stage("churn", 1, "none").current_stage
    assert "None" == client.transition_model_version_stage("churn", 2, "None").current_stage


def test_a_stage_that_is_none_of_mlflow_s_is_refused(client: MlflowClient, churn: str) -> None:
    """It is an alias."""
    with pytest.raises(InvalidValue, match="set_registered_model_alias"):
        client.transition_model_version_stage("churn", 1, "live")
    with pytest.raises(InvalidValue):
        client.transition_model_version_stage("churn", 1, "Archived", archive_existing_versions=True)
    with pytest.raises(InvalidValue):
        client.get_latest_versions("churn", ["live"])


def test_the_policy_holds_for_the_client_too(client: MlflowClient, churn: str, policy: Callable[[str], None]) -> None:
    """Whatever door is taken."""
    policy("- {stages: [prod, Production], who: nobody@example.org}")

    with pytest.raises(PolicyRefused):
        client.set_registered_model_alias("churn", "prod", 1)
    with pytest.raises(PolicyRefused):
        client.transition_model_version_stage("churn", 1, "Production")


# ---------------------------------------------------------------------- runs


def test_a_run_of_the_client_s_own(client: MlflowClient) -> None:
    """It is not the active one, and lives until it is terminated."""
    experiment = client.create_experiment("digits")
    run = client.create_run(experiment, tags={"a": 1}, run_name="mine", start_time=1_700_000_000_000)
    run_id = run.info.run_id
    client.log_metric(run_id, "loss", 2.0, step=1)
    client.log_metric(run_id, "loss", 1.0, step=2, timestamp=1_700_000_000_500)
    client.log_param(run_id, "lr", 0.1)
    client.set_tag(run_id, "b", "x")
    client.delete_tag(run_id, "a")
    client.log_text(run_id, "hello", "notes/hello.txt")
    client.log_batch(run_id, metrics=[("acc", 0.9)], params={"depth": 3})
    with pytest.raises(ParamConflict):
        client.log_param(run_id, "lr", 0.2)
    before = client.get_run(run_id).info.status
    client.set_terminated(run_id, end_time=1_700_000_001_000)

    found = client.get_run(run_id)
    history = client.get_metric_history(run_id, "loss")

    assert ledgit.active_run() is None
    assert ("RUNNING", "FINISHED", "mine") == (before, found.info.status, found.info.run_name)
    assert (1_700_000_000_000, 1_700_000_001_000) == (found.info.start_time, found.info.end_time)
    assert {"loss": 1.0, "acc": 0.9} == found.data.metrics
    assert {"lr": "0.1", "depth": "3"} == found.data.params
    assert "x" == found.data.tags["b"]
    assert [(1, 2.0), (2, 1.0)] == [(point.step, point.value) for point in history]
    assert [] == client.get_metric_history(run_id, "absent")
    assert ["notes"] == [one.path for one in client.list_artifacts(run_id)]
    assert ["notes/hello.txt"] == [one.path for one in client.list_artifacts(run_id, "notes")]
    assert "hello" == Path(client.download_artifacts(run_id, "notes/hello.txt")).read_text()


def test_runs_are_searched_in_pages(client: MlflowClient, make_run: MakeRun) -> None:
    """Of the experiments that are named, or of all."""
    ids = [make_run(accuracy) for accuracy in (0.1, 0.5, 0.9)]

    first = client.search_runs(max_results=2, order_by=["metrics.accuracy DESC"])
    second = client.search_runs(max_results=2, order_by=["metrics.accuracy DESC"], page_token=first.token)

    assert ids[::-1] == [run.info.run_id for run in [*first, *second]]
    assert second.token is None
    assert [ids[2]] == [run.info.run_id for run in client.search_runs(filter_string="metrics.accuracy > 0.6")]
    assert [] == client.search_runs(["no such experiment"])


def test_runs_are_renamed_ended_deleted_and_restored(client: MlflowClient) -> None:
    """Also after they have ended."""
    run_id = client.create_run(run_name="before").info.run_id
    client.update_run(run_id, name="after")
    client.update_run(run_id, status="FAILED")
    failed = client.get_run(run_id).info
    client.set_terminated(run_id, "FINISHED")
    client.delete_run(run_id)
    deleted = client.search_runs()
    client.restore_run(run_id)

    assert ("after", "FAILED") == (failed.run_name, failed.status)
    assert "FINISHED" == client.get_run(run_id).info.status
    assert [] == deleted
    assert [run_id] == [run.info.run_id for run in client.search_runs()]
    with pytest.raises(InvalidValue):
        client.set_terminated(run_id, "SLEEPING")


def test_experiments(client: MlflowClient) -> None:
    """Made, found, renamed, tagged, deleted."""
    made = client.create_experiment("digits", tags={"a": "1"})
    client.rename_experiment(made, "numbers")
    client.set_experiment_tag(made, "b", 2)

    found = client.get_experiment(made)

    assert ("numbers", {"a": "1", "b": "2"}) == (found.name, dict(found.tags))
    named = client.get_experiment_by_name("numbers")
    assert named is not None
    assert made == named.experiment_id
    assert client.get_experiment_by_name("absent") is None
    client.delete_experiment(made)
    assert "numbers" not in [one.name for one in client.search_experiments()]
    client.restore_experiment(made)
    assert "numbers" in [one.name for one in client.search_experiments()]


def test_nested_runs_have_a_parent(client: MlflowClient) -> None:
    """By MLflow's tag."""
    parent = client.create_run()
    child = client.create_run(tags={"mlflow.parentRunId": parent.info.run_id})
    client.set_terminated(child.info.run_id)
    client.set_terminated(parent.info.run_id)

    found = client.get_parent_run(child.info.run_id)

    assert found is not None
    assert parent.info.run_id == found.info.run_id


def test_mlflow_s_older_place_of_the_client_says_where_it_is() -> None:
    """``from mlflow.tracking import MlflowClient`` is in many scripts."""
    import ledgit.tracking

    with pytest.raises(AttributeError, match=r"it is ledgit\.MlflowClient"):
        _ = ledgit.tracking.MlflowClient


def test_every_call_of_mlflow_s_registry_is_here() -> None:
    """With MLflow's argument names, as far as they mean something here."""
    import inspect

    from mlflow import MlflowClient as Theirs  # type: ignore[import-untyped]

    words = ("registered_model", "model_version", "latest_versions")
    names = [name for name in dir(Theirs) if any(word in name for word in words) and not name.startswith("_")]
    unknown = {"deployment_job_id", "self"}
    assert len(names) > 20
    for name in names:
        ours = inspect.signature(getattr(MlflowClient, name)).parameters
        taken = set(ours)
        anything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in ours.values())
        for argument in inspect.signature(getattr(Theirs, name)).parameters:
            assert argument in taken | unknown or anything, (name, argument)
