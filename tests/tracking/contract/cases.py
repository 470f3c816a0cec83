"""The same calls on MLflow and on Ledgit. Run as a script it writes what MLflow answers::

    python cases.py mlflow-3.17.json

``test_contract.py`` asks Ledgit the same and compares.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

Case = Callable[[Any], Any]
CASES: dict[str, Case] = {}
ERROR = "error"

VALUES = [1, 0.1, True, None, "t", [1, 2], 1e-5, 1e20, float("nan"), float("inf"), {"a": 1}, b"x"]
NUMBERS = [1, True, "0.5", "x", None, [1], float("nan"), "nan"]
STEPS = [3, -2, 2.0, "3", None, True, 2**62]
KEYS = [
    *("a b", "a/b", "a:b", "a.b", "é", "", "../x", "a//b", "/x", "a/", "./a", ".", "..a", "a" * 250, "a" * 251),
    *("a\tb", "a,b", "a(b)", "a\\b", "a=b", "a#b", "a@b"),
]
FILTERS = [
    "",
    "metrics.m > 0.1",
    "metrics.m != 0.5",
    "metrics.m = 0.5",
    "metrics.m = 'x'",
    "metric.m < 1",
    "params.p = '0'",
    "params.p != '0'",
    "params.p IS NULL",
    "params.p IS NOT NULL",
    'params.`p` = "1"',
    "param.p='1'",
    "tags.t LIKE 'A%'",
    "tags.t ILIKE 'a%'",
    "tags.t = 'A' AND params.p = '1'",
    "tags.x != 'y'",
    "tag.t='b'",
    "tags.`mlflow.runName` = 'r2'",
    "tags.mlflow.runName = 'r2'",
    "attributes.run_name = 'r1'",
    "run_name LIKE 'r%'",
    "`run name` = 'r1'",
    "attribute.status = 'FINISHED'",
    "status != 'FAILED'",
    "run_id IN ('a')",
    "user_id = 'x'",
    "start_time > 0",
    "created > 1",
    "attributes.start_time > 10 and metrics.m <= 0.5",
]
DATA_FILTERS = [
    "dataset.name = 'a.csv'",
    "dataset.name = 'A.csv'",
    "datasets.name = 'a.csv' AND datasets.context = 'test'",
    "dataset.name != 'a.csv'",
    "dataset.name LIKE 'a%'",
    "dataset.name LIKE 'A%'",
    "dataset.name ILIKE 'A%'",
    "dataset.name IN ('a.csv', 'c.csv')",
    "dataset.name NOT IN ('a.csv', 'c.csv')",
    "dataset.name IN ('nobody')",
    "attributes.status = 'FINISHED' and dataset.name = 'b.csv'",
    "dataset.digest = '44b2e8ea'",
    "dataset.digest != '44b2e8ea'",
    "dataset.digest LIKE '44B%'",
    "dataset.digest ILIKE '44B%'",
    "dataset.digest IN ('44b2e8ea', 'x')",
    "dataset.context = 'train'",
    "dataset.context != 'train'",
    "dataset.context LIKE 't%'",
    "dataset.context IN ('train', 'test')",
    "dataset.context NOT IN ('train')",
    "datasets.context = 'nobody'",
    "dataset.`name` = 'a.csv'",
    'dataset.name = "b.csv"',
    "dataset.name = 3",
    "dataset.name > 'a'",
    "dataset.source = 'a'",
]
ORDERS = [
    ["metrics.m"],
    ["metrics.m DESC"],
    ["params.p"],
    ["params.p DESC"],
    ["tags.t"],
    ["start_time"],
    ["attributes.run_name DESC"],
    ["metrics.m ASC", "start_time DESC"],
    ["nope"],
    ["run_name"],
    ["attribute.end_time ASC"],
]


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def ended(mlflow: Any, work: Callable[[], Any], **start: Any) -> Any:
    """Do *work* in a run of its own and return the run as it is afterwards."""
    with mlflow.start_run(**start) as run:
        work()
    return mlflow.get_run(run.info.run_id)


def params() -> None:
    for value in VALUES:

        def logged(mlflow: Any, value: Any = value) -> Any:
            run = ended(mlflow, lambda: mlflow.log_param("p", value))
            return run.data.params["p"]

        CASES[f"param {value!r}"] = logged
    for key in KEYS:
        for verb in ("log_param", "log_metric", "set_tag"):

            def keyed(mlflow: Any, key: str = key, verb: str = verb) -> Any:
                run = ended(mlflow, lambda: getattr(mlflow, verb)(key, 1))
                return key in {**run.data.params, **run.data.metrics, **run.data.tags}

            CASES[f"{verb} {key[:12]!r} of {len(key)}"] = keyed


def metrics() -> None:
    for value in NUMBERS:

        def logged(mlflow: Any, value: Any = value) -> Any:
            run = ended(mlflow, lambda: mlflow.log_metric("m", value))
            return repr(run.data.metrics["m"])

        CASES[f"metric {value!r}"] = logged
    for step in STEPS:
        CASES[f"step {step!r}"] = lambda mlflow, step=step: bool(
            ended(mlflow, lambda: mlflow.log_metric("m", 1, step=step))
        )


def three_runs(mlflow: Any) -> None:
    mlflow.set_experiment("search")
    if not mlflow.search_runs(output_format="list"):
        for number in range(3):
            with mlflow.start_run(run_name=f"r{number}"):
                if number < 2:
                    mlflow.log_param("p", number)
                    mlflow.log_metric("m", [0.5, math.nan][number])
                    mlflow.set_tag("t", "A" if number else "b")


def runs_with_data(mlflow: Any) -> None:
    """Runs with both data sets, the second alone, one for nothing in particular, and none."""
    import numpy as np

    mlflow.set_experiment("data searches")
    if mlflow.search_runs(output_format="list"):
        return
    a, b, c = (mlflow.data.from_numpy(np.arange(float(n)), name=f"{name}.csv") for n, name in enumerate("abc", 3))
    for name, inputs in {"ab": [(a, "train"), (b, "test")], "b": [(b, "train")], "c": [(c, None)], "-": []}.items():
        with mlflow.start_run(run_name=name):
            for data, context in inputs:
                mlflow.log_input(data, context)


def searches() -> None:
    def by_data(mlflow: Any, text: str) -> Any:
        runs_with_data(mlflow)
        return sorted(run.info.run_name for run in mlflow.search_runs(output_format="list", filter_string=text))

    for text in DATA_FILTERS:
        CASES[f"filter {text}"] = lambda mlflow, text=text: by_data(mlflow, text)

    def found(mlflow: Any, **options: Any) -> Any:
        three_runs(mlflow)
        return [run.info.run_name for run in mlflow.search_runs(output_format="list", **options)]

    for text in FILTERS:
        CASES[f"filter {text}"] = lambda mlflow, text=text: sorted(found(mlflow, filter_string=text))
    for order in ORDERS:
        CASES[f"order {order}"] = lambda mlflow, order=order: found(mlflow, order_by=order)


params()
metrics()
searches()


@case
def a_second_run_needs_nested(mlflow: Any) -> Any:
    mlflow.start_run()
    mlflow.start_run()


@case
def a_nested_run_names_its_parent(mlflow: Any) -> Any:
    with mlflow.start_run() as outer, mlflow.start_run(nested=True) as inner:
        pass
    return mlflow.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id


@case
def an_interrupt_fails_the_run(mlflow: Any) -> Any:
    try:
        with mlflow.start_run() as run:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return mlflow.get_run(run.info.run_id).info.status


@case
def a_clean_exit_in_the_block(mlflow: Any) -> Any:
    try:
        with mlflow.start_run() as run:
            raise SystemExit(0)
    except SystemExit:
        return mlflow.get_run(run.info.run_id).info.status


@case
def resuming(mlflow: Any) -> Any:
    run = ended(mlflow, lambda: None, run_name="x")
    mlflow.start_run(run_id=run.info.run_id, run_name="y", tags={"k": "v"})
    during = mlflow.get_run(run.info.run_id).info.status
    mlflow.end_run()
    after = mlflow.get_run(run.info.run_id)
    return [during, after.info.status, after.info.run_name, after.data.tags["k"], after.data.tags["mlflow.runName"]]


@case
def a_description_is_a_tag(mlflow: Any) -> Any:
    return ended(mlflow, lambda: None, description="d").data.tags["mlflow.note.content"]


@case
def a_description_given_twice(mlflow: Any) -> Any:
    mlflow.start_run(description="d", tags={"mlflow.note.content": "e"})


@case
def a_param_again(mlflow: Any) -> Any:
    return ended(mlflow, lambda: [mlflow.log_param("p", 1), mlflow.log_param("p", "1")]).data.params


@case
def a_param_changed(mlflow: Any) -> Any:
    ended(mlflow, lambda: [mlflow.log_param("p", 1), mlflow.log_param("p", 2)])


@case
def what_log_param_returns(mlflow: Any) -> Any:
    with mlflow.start_run():
        return mlflow.log_param("p", [1])


@case
def a_batch_with_a_changed_param(mlflow: Any) -> Any:
    with mlflow.start_run() as run:
        mlflow.log_param("p", 1)
        try:
            mlflow.log_params({"q": 1, "p": 2})
        except Exception:
            return mlflow.get_run(run.info.run_id).data.params


@case
def the_latest_metric(mlflow: Any) -> Any:
    points = [(5.0, 2, 10), (9.0, 1, 99), (6.0, 2, 11), (4.0, 2, 11)]
    run = ended(mlflow, lambda: [mlflow.log_metric("m", v, step=s, timestamp=t) for v, s, t in points])
    return run.data.metrics


@case
def logging_to_an_ended_run(mlflow: Any) -> Any:
    run = ended(mlflow, lambda: None)
    mlflow.log_metric("x", 1, run_id=run.info.run_id)
    run = mlflow.get_run(run.info.run_id)
    return [run.info.status, run.data.metrics]


@case
def logging_to_a_deleted_run(mlflow: Any) -> Any:
    run = ended(mlflow, lambda: None)
    mlflow.delete_run(run.info.run_id)
    mlflow.log_metric("x", 1, run_id=run.info.run_id)


@case
def deleting_a_tag_that_is_not_there(mlflow: Any) -> Any:
    ended(mlflow, lambda: mlflow.delete_tag("x"))


@case
def tags_are_text(mlflow: Any) -> Any:
    tags = ended(mlflow, lambda: mlflow.set_tags({"a": 1, "b": None, "c": [1]})).data.tags
    return [tags[key] for key in "abc"]


@case
def a_wrong_status(mlflow: Any) -> Any:
    mlflow.start_run()
    mlflow.end_run("DONE")


@case
def ending_nothing(mlflow: Any) -> Any:
    return mlflow.end_run()


@case
def the_last_active_run(mlflow: Any) -> Any:
    return mlflow.last_active_run().info.run_id == ended(mlflow, lambda: None).info.run_id or (
        mlflow.last_active_run() is not None
    )


@case
def a_deleted_experiment_is_not_set(mlflow: Any) -> Any:
    mlflow.delete_experiment(mlflow.set_experiment("gone").experiment_id)
    try:
        mlflow.set_experiment("gone")
    finally:
        mlflow.set_experiment("after")


@case
def the_name_of_a_deleted_experiment_is_taken(mlflow: Any) -> Any:
    mlflow.delete_experiment(mlflow.create_experiment("taken"))
    mlflow.create_experiment("taken")


@case
def an_experiment_id_that_is_not_there(mlflow: Any) -> Any:
    mlflow.set_experiment(experiment_id="987654")


@case
def an_experiment_by_name_and_id(mlflow: Any) -> Any:
    mlflow.set_experiment("a", experiment_id="0")


@case
def experiments_that_are_not_there(mlflow: Any) -> Any:
    assert mlflow.get_experiment_by_name("nope") is None
    mlflow.get_experiment("123456")


@case
def the_default_experiment(mlflow: Any) -> Any:
    experiment = mlflow.get_experiment("0")
    return [experiment.name, experiment.lifecycle_stage, experiment.experiment_id]


@case
def types_of_experiments(mlflow: Any) -> Any:
    experiment = mlflow.set_experiment("types")
    return [
        type(experiment.experiment_id).__name__,
        type(mlflow.create_experiment("types 2")).__name__,
        experiment.name,
    ]


@case
def columns_of_the_frame(mlflow: Any) -> Any:
    three_runs(mlflow)
    frame = mlflow.search_runs()
    return {key: str(kind) for key, kind in frame.dtypes.items() if not key.startswith("tags.mlflow")}


@case
def dictionaries_as_files(mlflow: Any) -> Any:
    run = ended(mlflow, lambda: [mlflow.log_dict({"a": [1, 2]}, name) for name in ("d.json", "d.yaml", "d")])
    return [mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{name}").strip() for name in ("d.json", "d.yaml", "d")]


@case
def an_artifact_that_is_not_there(mlflow: Any) -> Any:
    ended(mlflow, lambda: mlflow.log_artifact("nope"))


@case
def an_artifact_path_that_leads_out(mlflow: Any) -> Any:
    ended(mlflow, lambda: mlflow.log_text("x", "../y"))


@case
def folders_as_artifacts(mlflow: Any) -> Any:
    os.makedirs("dd/e", exist_ok=True)
    with open("dd/e/f", "w", encoding="utf-8") as file:
        file.write("x")
    run = ended(mlflow, lambda: [mlflow.log_artifact("dd"), mlflow.log_artifacts("dd", "z")])
    listed = [
        mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path=path) for path in (None, "z", "dd/e")
    ]
    return [[item.path for item in one] for one in listed]


@case
def inputs(mlflow: Any) -> Any:
    import numpy as np

    dataset = mlflow.data.from_numpy(np.ones(3), name="n")
    (used,) = ended(mlflow, lambda: mlflow.log_input(dataset, "training", {"k": "v"})).inputs.dataset_inputs
    tags = used.tags if isinstance(used.tags, dict) else {tag.key: tag.value for tag in used.tags}
    return [used.dataset.name, used.dataset.digest, used.dataset.source_type, dict(sorted(tags.items()))]


@case
def autologging_a_classifier(mlflow: Any) -> Any:
    from sklearn import metrics as scores
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("sklearn")
    mlflow.sklearn.autolog()
    x, y = load_iris(return_X_y=True)
    x_test, y_test = x[::2], y[::2]
    model = LogisticRegression(max_iter=500).fit(x, y)
    model.score(x_test, y_test)
    scores.accuracy_score(y_test, model.predict(x_test))
    mlflow.sklearn.autolog(disable=True)
    (run,) = mlflow.search_runs(output_format="list")
    tags = {key: value for key, value in run.data.tags.items() if "estimator" in key or "autolog" in key}
    return [{key: round(value, 3) for key, value in run.data.metrics.items()}, run.data.params, tags]


@case
def autologging_a_search(mlflow: Any) -> Any:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    mlflow.set_experiment("grid")
    mlflow.sklearn.autolog(max_tuning_runs=2)
    GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=3).fit(*load_iris(return_X_y=True))
    mlflow.sklearn.autolog(disable=True)
    runs = mlflow.search_runs(output_format="list")
    return sorted([sorted(run.data.metrics), run.data.params] for run in runs)


def answers(mlflow: Any) -> dict[str, Any]:
    """Return what each case gives, as JSON has it; ``error`` for any exception."""
    import json

    found = {}
    for name, function in CASES.items():
        try:
            found[name] = function(mlflow)
        except Exception:
            found[name] = ERROR
        while mlflow.active_run():
            mlflow.end_run()
    copied: dict[str, Any] = json.loads(json.dumps(found))
    return copied


if __name__ == "__main__":
    import json
    import logging
    import sys
    import tempfile
    import warnings

    target = os.path.abspath(sys.argv[1])
    os.chdir(tempfile.mkdtemp())
    os.environ.update(MLFLOW_TRACKING_URI="sqlite:///mlflow.db", MLFLOW_DISABLE_TELEMETRY="true")
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    import mlflow

    with open(target, "w", encoding="utf-8") as file:
        json.dump(answers(mlflow), file, indent=1, sort_keys=True)
        file.write("\n")
