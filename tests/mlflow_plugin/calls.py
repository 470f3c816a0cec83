"""Calls of MLflow's client, drawn at random: each is its name, and what it does to one side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS
from tests.mlflow_plugin.pair import T0, Side, dataset, entities, pages

Call = tuple[str, Callable[[Side], Any]]

_ANY = st.integers(-1, 3)  # which of those that were made; -1 is one that isn't there
_SOME = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, -1])
_EXPERIMENTS = st.sampled_from(["calm", "a/b", "übung", "A", "Default", "calm", "", "x" * 501])
_TEXT = st.sampled_from(["1", "1.0", "two", "", "ü", "a\nb", "it's", "x" * 6001, "x" * 8001])
_VALUE = st.one_of(_TEXT, st.sampled_from([1, 1.0, True, None, 0.1]))
_KEY = st.sampled_from(["m", "m", "loss", "a/b", "a b", "ü.1", "M"])
_ODD_KEY = st.one_of(*[_KEY] * 9, st.sampled_from(["", "../x", "a//b", "/x", "x" * 251, "a!b", ".", "a\x00b"]))
_TAG = st.one_of(_ODD_KEY, st.sampled_from(["mlflow.note.content", "mlflow.runName", "mlflow.parentRunId"]))
_NUMBER = st.sampled_from([0, 1, -1.5, 0.5, 0.5, 2, float("nan"), float("inf"), float("-inf"), True])
_ODD_NUMBER = st.one_of(*[_NUMBER] * 9, st.sampled_from(["1.5", "x", None, 10**400, [1]]))
_STEP = st.sampled_from([0, 0, 1, 2, 5, -1, 2**63 - 1])
_ODD_STEP = st.one_of(*[_STEP] * 12, st.just("x"))
_WHEN = st.sampled_from([T0, T0, T0 + 1, T0 + 2, 5])
_ODD_WHEN = st.one_of(*[_WHEN] * 12, st.sampled_from([-1, 1.5, "x"]))
_STATUS = st.sampled_from(["FINISHED", "FINISHED", "FAILED", "KILLED", "RUNNING", "NONE"])
_VIEW = st.sampled_from([1, 1, 2, 3])

_COMPARED = st.sampled_from(["=", "!=", ">", "<", ">=", "<="])
_ALIKE = st.sampled_from(["=", "!=", "LIKE", "ILIKE"])
_NAMED = st.sampled_from(["m", "loss", "`a/b`", '"a b"', "none", "M"])
_TEXTS = st.sampled_from(["1", "two", "T%", "%", "", "_"])
_DATASETS = st.sampled_from(["datasets.name", "dataset.digest", "datasets.context"])
_TERM = st.one_of(
    st.builds("metrics.{} {} {}".format, _NAMED, _COMPARED, st.sampled_from(["0", "0.5", "-1.5", "1"])),
    st.builds("params.{} {} '{}'".format, _NAMED, _ALIKE, _TEXTS),
    st.builds("tag.{} {} '{}'".format, _NAMED, _ALIKE, _TEXTS),
    st.builds("tags.{} {}".format, _NAMED, st.sampled_from(["IS NULL", "IS NOT NULL"])),
    st.builds("params.{} {}".format, _NAMED, st.sampled_from(["IS NULL", "IS NOT NULL"])),
    st.builds("attributes.status {} '{}'".format, _ALIKE, st.sampled_from(["FINISHED", "RUNNING"])),
    st.builds("status {} '{}'".format, st.sampled_from(["LIKE", "ILIKE"]), st.sampled_from(["F%", "f%", "_AILED"])),
    st.builds("run_name {} 'calm%'".format, _ALIKE),
    st.builds("tags.`mlflow.runName` {} 'calm%'".format, _ALIKE),
    st.builds(
        "{} {} {}".format, st.sampled_from(["start_time", "end_time"]), _COMPARED, st.sampled_from([T0 + 2, T0 + 99])
    ),
    st.builds("{} {} '{}'".format, _DATASETS, _ALIKE, st.sampled_from(["d", "train", "%a%"])),
    st.builds("{} IN ('d', 'train')".format, st.sampled_from(["datasets.name", "run_id", "status", "tags.m"])),
    st.sampled_from(["metrics.m = 'x'", "params.m = 1", "m > 1", "nothing.x = 1", "status IS NULL", "metrics.m"]),
)
_FILTER = st.lists(_TERM, max_size=3).map(" AND ".join)
_SORTED = [
    *("metrics.m", "metrics.`a/b`", "params.m", "tags.m", "start_time", "end_time", "status", "run_name"),
    *("attributes.start_time", "Created", "m", "nothing.x", "metrics.none"),
]
_ORDER = st.lists(
    st.builds("{}{}".format, st.sampled_from(_SORTED), st.sampled_from(["", " ASC", " DESC", " desc", " DOWN"])),
    max_size=2,
    unique_by=lambda one: one.split()[0],  # MLflow has no answer to the same one twice
)
_EXPERIMENT_FILTER = st.sampled_from(
    [
        *("", "", "name = 'calm'", "name LIKE 'c%'", "name ILIKE 'a%'", "name != 'calm'", "tags.m = '1'"),
        *("tags.`a/b` LIKE '%'", "tags.m != '1'", "creation_time > 5", "last_update_time > 5 AND name = 'A'"),
        *("id = 1", "name > 'a'", "tags.m IS NULL"),
    ]
)


def calls() -> st.SearchStrategy[Call]:
    """Return any call."""
    return st.one_of([made for one in (_experiments, _runs, _values, _searches) for made in one()])


def _named(name: str, make: Callable[..., Callable[[Side], Any]], *arguments: st.SearchStrategy[Any]) -> Any:
    def built(*given: Any) -> Call:
        shown = ", ".join(repr(one) if len(repr(one)) < 80 else repr(one)[:77] + "…" for one in given)
        return f"{name}({shown})", make(*given)

    return st.builds(built, *arguments)


def _experiments() -> list[Any]:
    def create(name: str, tags: Any) -> Any:
        def call(side: Side) -> Any:
            # The name that a renamed experiment had first stays its own: its runs carry it.
            unused = f"{name} {len(side.experiments)}" if side.renamed else name
            made = side.client.create_experiment(unused, tags=tags)
            side.experiments.append(made)
            return len(side.experiments)

        return call

    def rename(one: int, name: str) -> Any:
        def call(side: Side) -> Any:
            try:
                side.client.rename_experiment(side.experiment(one), name)
                side.renamed = True
            except MlflowException as error:
                if error.error_code == "BAD_REQUEST":  # the database's own words, where others say what is wrong
                    raise MlflowException("taken", RESOURCE_ALREADY_EXISTS) from error
                raise

        return call

    def search(view: int, text: str, order: list[str], most: int) -> Any:
        return lambda side: pages(lambda token: side.client.search_experiments(view, most, text or None, order, token))

    return [
        _named("create_experiment", create, _EXPERIMENTS, st.none() | st.dictionaries(_TAG, _VALUE, max_size=2)),
        _named("get_experiment", lambda one: lambda side: side.client.get_experiment(side.experiment(one)), _ANY),
        _named(
            "get_experiment_by_name", lambda name: lambda side: side.client.get_experiment_by_name(name), _EXPERIMENTS
        ),
        _named(
            "rename_experiment",
            rename,
            _ANY,
            _EXPERIMENTS,
        ),
        _named("delete_experiment", lambda one: lambda side: side.client.delete_experiment(side.experiment(one)), _ANY),
        _named(
            "restore_experiment", lambda one: lambda side: side.client.restore_experiment(side.experiment(one)), _ANY
        ),
        _named(
            "set_experiment_tag",
            lambda one, key, value: lambda side: side.client.set_experiment_tag(side.experiment(one), key, value),
            _ANY,
            _TAG,
            _VALUE,
        ),
        _named(
            "delete_experiment_tag",
            lambda one, key: lambda side: side.client.delete_experiment_tag(side.experiment(one), key),
            _ANY,
            _KEY,
        ),
        _named(
            "search_experiments",
            search,
            _VIEW,
            _EXPERIMENT_FILTER,
            st.sampled_from([["name"], ["name DESC"], ["name ASC", "creation_time"], ["nothing"]]),
            st.sampled_from([1, 2, 1000, 0, 50_001]),
        ),
    ]


def _runs() -> list[Any]:
    def create(one: int, name: Any, tags: Any) -> Any:
        def call(side: Side) -> Any:
            given = {key: side.run(0) if key == "mlflow.parentRunId" else value for key, value in tags.items()}
            made = side.client.create_run(side.experiment(one), T0 + len(side.runs), given, name)
            side.runs.append(made.info.run_id)
            return made

        return call

    def restored(one: int) -> Any:
        def call(side: Side) -> Any:
            run = side.client.get_run(side.run(one))
            if side.client.get_experiment(run.info.experiment_id).lifecycle_stage == "deleted":
                return "its experiment is first"
            return side.client.restore_run(run.info.run_id)

        return call

    created = _named(
        "create_run",
        create,
        _SOME,
        st.sampled_from([None, "calm", "owl", "calm owl", "", "x" * 300]),
        st.dictionaries(_KEY | st.sampled_from(["mlflow.note.content", "mlflow.parentRunId"]), _TEXT, max_size=2),
    )

    def renamed(one: int, status: Any, name: Any) -> Any:
        return lambda side: side.client.update_run(side.run(one), status, name)

    ended = _named(
        "set_terminated",
        lambda one, status, when: lambda side: side.client.set_terminated(side.run(one), status, when),
        _SOME,
        _STATUS,
        st.just(T0 + 99),
    )
    return [
        created,
        created,
        ended,
        ended,
        _named(
            "update_run",
            renamed,
            _SOME,
            st.sampled_from([None, "RUNNING", "NONE"]),
            st.sampled_from([None, "owl", "calm", "", "x" * 300]),
        ),
        _named("delete_run", lambda one: lambda side: side.client.delete_run(side.run(one)), _SOME),
        _named("restore_run", restored, _SOME),
        _named("get_run", lambda one: lambda side: side.client.get_run(side.run(one)), _SOME),
    ]


def _values() -> list[Any]:
    def metric(one: int, key: Any, value: Any, step: Any, when: Any) -> Any:
        return lambda side: side.client.log_metric(side.run(one), key, value, when, step)

    def param(one: int, key: Any, value: Any) -> Any:
        return lambda side: side.client.log_param(side.run(one), key, value)

    def tag(one: int, key: Any, value: Any) -> Any:
        return lambda side: side.client.set_tag(side.run(one), key, value)

    def batch(one: int, metrics: Any, params: Any, tags: Any) -> Any:
        return lambda side: side.client.log_batch(side.run(one), **entities(metrics, params, tags))

    def inputs(one: int, sets: Any) -> Any:
        return lambda side: side.client.log_inputs(side.run(one), [dataset(*given) for given in sets])

    def history(one: int, key: str, most: int) -> Any:
        return lambda side: pages(
            lambda token: side.store.get_metric_history(side.run(one), key, max_results=most, page_token=token)
        )

    logged = _named("log_metric", metric, _SOME, _ODD_KEY, _ODD_NUMBER, _ODD_STEP, _ODD_WHEN)
    return [
        logged,
        logged,
        logged,
        _named("log_param", param, _SOME, _ODD_KEY, _VALUE),
        _named("set_tag", tag, _SOME, _TAG, _VALUE),
        _named("delete_tag", lambda one, key: lambda side: side.client.delete_tag(side.run(one), key), _SOME, _ODD_KEY),
        _named(
            "log_batch",
            batch,
            _SOME,
            st.lists(st.tuples(_ODD_KEY, _ODD_NUMBER, _ODD_STEP, _ODD_WHEN), max_size=4),
            st.lists(st.tuples(_ODD_KEY, _TEXT), max_size=2),
            st.lists(st.tuples(_TAG, _TEXT), max_size=2),
        ),
        _named(
            "log_inputs",
            inputs,
            _SOME,
            st.lists(
                st.tuples(
                    st.sampled_from(["d", "train", "", "x" * 501]),
                    st.sampled_from(["a", "b", "x" * 37]),
                    st.sampled_from([None, "train", "eval"]),
                    st.sampled_from([None, None, "more"]),
                ),
                max_size=2,
            ),
        ),
        _named("get_metric_history", history, _SOME, _KEY, st.sampled_from([1, 2, 3, 1000])),
    ]


def _searches() -> list[Any]:
    def search(which: list[int], text: str, view: int, most: int, order: list[str]) -> Any:
        return lambda side: pages(
            lambda token: side.client.search_runs(
                [side.experiment(one) for one in which], text, view, most, order, token
            )
        )

    searched = _named(
        "search_runs",
        search,
        st.one_of(st.just([0, 1, 2]), st.lists(_ANY, max_size=3)),
        _FILTER,
        _VIEW,
        st.sampled_from([1, 2, 3, 1000, 1000, 1000, 0, 50_001]),
        _ORDER,
    )
    return [searched] * 5
