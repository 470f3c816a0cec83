"""Calls of MLflow's client to the registry, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from tests.mlflow_plugin.calls import Call, _named
from tests.mlflow_plugin.pair import Side, pages

_NAME = st.sampled_from(["churn", "churn", "churn", "fraud", "fraud", "none", "", "a/b"])
_VERSION = st.sampled_from(["1", "1", "2", "2", "3", "9", 1, "x", 0])
_KEY = st.sampled_from(["team", "a b", "team", "", "../x", "x" * 251])
_VALUE = st.sampled_from(["1", "two", "ü", "", 1])
_ALIAS = st.sampled_from(["champion", "best-1", "champion", "latest", "v1", "", "a b", "x" * 256])
_STAGE = st.sampled_from(["Staging", "production", "Archived", "None", "nowhere"])
_TEXT = st.sampled_from([None, "", "what it is"])
_FILTER = st.sampled_from(
    [
        *("", "name = 'churn'", "name LIKE 'c%'", "name ILIKE 'F%'", "name != 'churn'", "tags.team = '1'"),
        *(
            "tags.team != '1'",
            "tags.team LIKE '%'",
            "name = 'fraud' AND tags.team = 'two'",
            "nothing = 'x'",
            "name > 'a'",
        ),
    ]
)
_VERSION_FILTER = st.sampled_from(
    [
        *("", "name = 'churn'", "name LIKE 'c%'", "version_number = 1", "version_number > 1", "tags.team = '1'"),
        *("tags.team != '1'", "run_id = 'x'", "run_id IN ('x', 'y')", "version_number LIKE '1'", "nothing = 'x'"),
    ]
)


def registry_calls() -> st.SearchStrategy[Call]:
    """Return any call."""
    return st.one_of(_models() + _versions() + _places())


def _on(method: str, *arguments: st.SearchStrategy[Any]) -> Any:
    def make(*given: Any) -> Callable[[Side], Any]:
        return lambda side: getattr(side.client, method)(*given)

    return _named(method, make, *arguments)


def _models() -> list[Any]:
    def create(name: str, tags: Any, text: Any) -> Any:
        def call(side: Side) -> Any:
            # Numbers never come back here, where MLflow begins again with 1.
            if name in side.gone:
                return "was deleted"
            return side.client.create_registered_model(name, tags, text)

        return call

    def rename(name: str, to: str) -> Any:
        def call(side: Side) -> Any:
            # What has versions, or had, keeps its name here.
            if side.made.get(name):
                return "has versions"
            return side.client.rename_registered_model(name, to)

        return call

    def delete(name: str) -> Any:
        def call(side: Side) -> Any:
            side.client.delete_registered_model(name)
            side.gone.add(name)

        return call

    def search(text: str, most: int, order: Any) -> Any:
        return lambda side: pages(lambda token: side.client.search_registered_models(text, most, order, token))

    created = _named("create_registered_model", create, _NAME, st.none() | st.dictionaries(_KEY, _VALUE), _TEXT)
    return [
        *[created] * 3,
        _on("get_registered_model", _NAME),
        _on("update_registered_model", _NAME, _TEXT),
        _named("rename_registered_model", rename, _NAME, st.sampled_from(["churn", "new", ""])),
        _named("delete_registered_model", delete, _NAME),
        _on("set_registered_model_tag", _NAME, _KEY, _VALUE),
        _on("delete_registered_model_tag", _NAME, _KEY),
        _named(
            "search_registered_models",
            search,
            _FILTER,
            st.sampled_from([1, 2, 100, 1001]),
            st.sampled_from([None, ["name DESC"], ["name ASC"], ["nothing"]]),
        ),
    ]


def _versions() -> list[Any]:
    def create(name: str, tags: Any, text: Any) -> Any:
        def call(side: Side) -> Any:
            run = side.client.get_run(side.runs[0]).info
            made = side.client.create_model_version(
                name, f"{run.artifact_uri}/model", run.run_id, tags, None, text, await_creation_for=0
            )
            side.made[name] = True
            return made

        return call

    def search(text: str, most: int, order: list[str]) -> Any:
        return lambda side: pages(lambda token: side.client.search_model_versions(text, most, order, token))

    created = _named("create_model_version", create, _NAME, st.none() | st.dictionaries(_KEY, _VALUE), _TEXT)
    return [
        *[created] * 4,
        _on("get_model_version", _NAME, _VERSION),
        _on("update_model_version", _NAME, _VERSION, _TEXT),
        _on("delete_model_version", _NAME, _VERSION),
        _on("set_model_version_tag", _NAME, _VERSION, _KEY, _VALUE),
        _on("delete_model_version_tag", _NAME, _VERSION, _KEY),
        _named(
            "search_model_versions",
            search,
            _VERSION_FILTER,
            st.sampled_from([1, 2, 100, 0]),
            st.sampled_from([["name", "version_number DESC"], ["version_number ASC", "name"], ["nothing"]]),
        ),
    ]


def _places() -> list[Any]:
    def move(name: str, version: Any, stage: str) -> Any:
        # Staging and Production stand at one version at a time here, so what was there is archived.
        archive = stage.lower() in ("staging", "production")
        return lambda side: side.client.transition_model_version_stage(name, version, stage, archive)

    def latest(name: str, stages: Any) -> Any:
        return lambda side: sorted(
            (side.plain(one) for one in side.client.get_latest_versions(name, stages)), key=lambda one: one["stage"]
        )

    return [
        *[_on("set_registered_model_alias", _NAME, _ALIAS, _VERSION)] * 2,
        _on("delete_registered_model_alias", _NAME, _ALIAS),
        _on("get_model_version_by_alias", _NAME, _ALIAS),
        _named("transition_model_version_stage", move, _NAME, _VERSION, _STAGE),
        _named(
            "get_latest_versions", latest, _NAME, st.sampled_from([None, [], ["Staging"], ["none", "archived"], ["x"]])
        ),
    ]
