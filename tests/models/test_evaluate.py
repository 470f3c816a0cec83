"""``evaluate``: MLflow's metrics, for whatever a model gives, logged to the run."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.models.real_mlflow import real_mlflow

import ledgit
from ledgit.errors import InvalidName, InvalidValue, MissingDependency, UsageError
from ledgit.models.evaluation import EvaluationResult, MetricValue, evaluate, make_metric

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("repo")]

QUIET: dict[str, Any] = {"log_plots": False, "permutation_importance": False}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"age": random.integers(18, 80, 200), "income": random.normal(50, 10, 200)})
    table["y"] = (table.age + random.normal(0, 15, 200) > 45).astype(int)
    table["weight"] = random.uniform(0.5, 2.0, 200)
    return table


@pytest.fixture(scope="module")
def classifier(people: pd.DataFrame) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(people[["age", "income"]], people.y)


def test_metrics_are_those_of_mlflow(people: pd.DataFrame, classifier: Any, tmp_path: Path) -> None:
    """Names and values of both tasks, with and without weights, of two and of three classes."""
    features = people[["age", "income"]]
    iris = load_iris(as_frame=True)
    many = LogisticRegression(max_iter=500).fit(iris.data, iris.target)
    line = LinearRegression().fit(features, people.weight)
    weights = people.weight.to_numpy()
    cases = [
        (classifier, features.assign(y=people.y), "classifier", {}),
        (classifier, features.assign(y=people.y), "classifier", {"sample_weights": weights}),
        (classifier, features.assign(y=people.y), "classifier", {"pos_label": 0}),
        (many, iris.data.assign(y=iris.target), "classifier", {}),
        (many, iris.data.assign(y=iris.target), "classifier", {"average": "macro"}),
        (line, features.assign(y=people.weight), "regressor", {}),
        (line, features.assign(y=people.weight), "regressor", {"sample_weights": weights}),
    ]
    theirs = []
    with real_mlflow(tmp_path) as mlflow, mlflow.start_run():
        from mlflow.models.evaluation.default_evaluator import BuiltInEvaluator

        # Its plots take a second each, and are not what is compared.
        with mock.patch.object(BuiltInEvaluator, "_log_image_artifact"):
            for model, data, task, config in cases:
                meta = mlflow.models.Model(flavors={"python_function": {"loader_module": "mlflow.sklearn"}})
                loaded = mlflow.pyfunc.PyFuncModel(meta, mlflow.sklearn._SklearnModelWrapper(model))
                settings = {"log_model_explainability": False, **config}
                found = mlflow.models.evaluate(loaded, data, targets="y", model_type=task, evaluator_config=settings)
                theirs.append(found.metrics)

    ours = [
        evaluate(model, data, targets="y", model_type=task, evaluator_config=config, **QUIET).metrics
        for model, data, task, config in cases
    ]

    assert [set(one) for one in theirs] == [set(one) for one in ours]
    for expected, found in zip(theirs, ours, strict=True):
        assert expected == pytest.approx(found)


def test_all_is_logged_to_the_active_run(people: pd.DataFrame, classifier: Any) -> None:
    """Metrics, tables, plots and the data set."""
    with ledgit.start_run() as run:
        result = evaluate(
            classifier, people, targets="y", model_type="classifier", feature_names=["age", "income"],
            evaluator_config={"metric_prefix": "test_"}, permutation_importance=2,
        )  # fmt: skip

    logged = ledgit.get_run(run.id)
    assert result.run_id == run.id
    assert result.metrics == dict(logged.data.metrics)
    assert result.metrics["test_accuracy_score"] == pytest.approx(classifier.score(people[["age", "income"]], people.y))
    assert {
        "test_calibration_curve_plot.png",
        "test_confusion_matrix.png",
        "test_lift_curve_plot.png",
        "test_permutation_importance.json",
        "test_permutation_importance_plot.png",
        "test_precision_recall_curve_plot.png",
        "test_roc_curve_plot.png",
    } == {artifact.path for artifact in ledgit.artifacts.list_artifacts(run_id=run.id)}
    (used,) = logged.inputs.dataset_inputs
    assert "test" == used.tags["mlflow.data.context"]
    table = ledgit.load_table("test_permutation_importance.json", run_ids=[run.id])
    assert ["age", "income"] == list(table.feature)
    assert table.importance_mean[0] > 0.2 > table.importance_mean[1]


def test_a_run_is_started_and_ended_if_none_is_active(people: pd.DataFrame) -> None:
    result = evaluate(None, people.assign(said=1), targets="y", predictions="said", model_type="classifier", **QUIET)

    assert ledgit.active_run() is None
    assert "FINISHED" == ledgit.get_run(str(result.run_id)).info.status


def test_an_ended_run_can_be_named(people: pd.DataFrame) -> None:
    """Its status and end stay as they are."""
    with ledgit.start_run() as run:
        ledgit.log_metric("loss", 1)
    before = ledgit.get_run(run.id).info.end_time

    evaluate(
        None, people.assign(said=1), targets="y", predictions="said", model_type="classifier", run_id=run.id, **QUIET
    )

    after = ledgit.get_run(run.id)
    assert (200, 1.0) == (after.data.metrics["example_count"], after.data.metrics["loss"])
    assert before == after.info.end_time


@pytest.mark.parametrize(
    "form",
    [
        lambda shares: shares,
        lambda shares: shares[:, 1],
        lambda shares: shares[:, 1:],
        lambda shares: pd.DataFrame(shares),
        lambda shares: pd.DataFrame({"label": shares.argmax(axis=1), "probability": shares[:, 1]}),
        lambda shares: {
            "output_label": shares.argmax(axis=1),
            "output_probability": [dict(enumerate(row)) for row in shares],
        },
        lambda shares: {"prediction": shares.argmax(axis=1), "probabilities": shares.tolist()},
    ],
)  # fmt: skip
def test_probabilities_are_understood_in_every_form(people: pd.DataFrame, classifier: Any, form: Any) -> None:
    """Networks give one number or one a class, ONNX dictionaries, others tables."""
    shares = classifier.predict_proba(people[["age", "income"]])
    expected = evaluate(
        classifier, people, targets="y", model_type="classifier", feature_names=["age", "income"], **QUIET
    )

    found = evaluate(lambda data: form(shares), people, targets="y", model_type="classifier", **QUIET)

    assert {k: v for k, v in expected.metrics.items() if k != "score"} == pytest.approx(found.metrics)


def test_a_logged_model_is_evaluated_by_its_uri(people: pd.DataFrame, classifier: Any) -> None:
    """Its probabilities are asked for too, and its signature says which columns it wants."""
    features = people[["age", "income"]]
    expected = evaluate(classifier, people, targets="y", model_type="classifier", **QUIET)
    with ledgit.start_run() as run:
        info = ledgit.sklearn.log_model(classifier, "model", input_example=features[:2])
        loaded = ledgit.pyfunc.load_model(info.model_uri)
        given = [
            evaluate(one, people, targets="y", model_type="classifier", **QUIET) for one in (info.model_uri, loaded)
        ]

    assert [expected.metrics] * 2 == [result.metrics for result in given]
    assert expected.metrics == dict(ledgit.get_run(run.id).data.metrics)


def test_models_of_other_libraries_are_asked_in_their_way(people: pd.DataFrame) -> None:
    """A booster takes matrices of its own, a network tensors."""
    import torch
    import xgboost

    features = people[["age", "income"]]
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(features, people.y), 3)
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Softmax(dim=1))

    of_booster = evaluate(booster, features, targets=people.y, model_type="classifier", **QUIET).metrics
    of_network = evaluate(network, features, targets=people.y, model_type="classifier", **QUIET).metrics

    assert of_booster["accuracy_score"] > 0.8
    assert {"roc_auc", "log_loss"} <= set(of_booster) & set(of_network)


def test_scores_that_are_no_probabilities_give_labels_alone() -> None:
    """Logits have no log loss; their greatest is the prediction."""
    logits = np.array([[4.0, -1, 0], [0, 3, 1], [0, 1, 9], [2, 1, 0]])

    result = evaluate(lambda data: logits, np.zeros((4, 1)), targets=[0, 1, 2, 1], model_type="classifier", **QUIET)

    assert 0.75 == result.metrics["accuracy_score"]
    assert "log_loss" not in result.metrics


def test_labels_may_be_texts_and_bools(people: pd.DataFrame) -> None:
    text = people.y.map({0: "no", 1: "yes"})
    said = np.where(people.age > 40, "yes", "no")
    words = evaluate(None, people.assign(y=text, said=said), targets="y", predictions="said",
                     model_type="classifier", **QUIET)  # fmt: skip
    bools = evaluate(None, people.assign(y=people.y == 1, said=people.age > 40), targets="y", predictions="said",
                     model_type="classifier", **QUIET)  # fmt: skip
    table = people.assign(y=people.y.astype("Int64"), said=(people.age > 40).astype("boolean"))
    nullable = evaluate(None, table, targets="y", predictions="said", model_type="classifier", **QUIET)
    categories = evaluate(None, people.assign(y=text.astype("category"), said=said), targets="y", predictions="said",
                          model_type="classifier", **QUIET)  # fmt: skip

    assert words.metrics == bools.metrics == categories.metrics == nullable.metrics
    assert words.metrics["true_positives"] == float(((people.age > 40) & (people.y == 1)).sum())


def test_classes_that_the_data_lack_are_the_models(people: pd.DataFrame) -> None:
    """A model of three classes stays one where only two of them occur."""
    iris = load_iris()
    model = LogisticRegression(max_iter=500).fit(iris.data, iris.target)

    result = evaluate(model, iris.data[:100], targets=iris.target[:100], model_type="classifier", **QUIET)

    assert "true_positives" not in result.metrics
    assert result.metrics["log_loss"] < 0.2
    assert [0, 1, 2] == list(result.artifacts["per_class_metrics"].content.positive_class)


def test_a_class_the_model_never_saw_has_no_probability() -> None:
    iris = load_iris()
    model = LogisticRegression(max_iter=500).fit(iris.data[:100], iris.target[:100])

    result = evaluate(model, iris.data, targets=iris.target, model_type="classifier", **QUIET)

    assert 2 / 3 == pytest.approx(result.metrics["accuracy_score"])
    assert math.isfinite(result.metrics["log_loss"])


def test_several_averages_have_endings() -> None:
    iris = load_iris()
    model = LogisticRegression(max_iter=500).fit(iris.data, iris.target)

    metrics = evaluate(
        model, iris.data[20:], targets=iris.target[20:], model_type="classifier", average=["weighted", "macro"], **QUIET
    ).metrics

    assert {"f1_score", "f1_score_macro", "roc_auc", "roc_auc_macro"} <= set(metrics)
    assert metrics["f1_score"] != metrics["f1_score_macro"]


def test_data_may_come_in_many_forms(people: pd.DataFrame, tmp_path: Path) -> None:
    """Tables of pandas and polars, mappings, records, arrays, rows, tensors, and MLflow's data sets."""
    import polars as pl
    import torch

    def young(data: Any) -> Any:
        ages = data["age"] if hasattr(data, "columns") else data[:, 0]
        return (np.asarray(ages) > 45).astype(int)

    table = people[["age", "income", "y"]]
    rows = people[["age", "income"]].to_numpy()
    with real_mlflow(tmp_path) as mlflow:
        sets = [mlflow.data.from_pandas(table, targets="y"), mlflow.data.from_numpy(rows, targets=people.y.to_numpy())]
    columns = {name: table[name].tolist() for name in table}
    named = [table, pl.from_pandas(table), columns, table.to_dict("records")]
    plain = [rows, rows.tolist(), torch.tensor(rows)]

    found = [
        *(evaluate(young, one, targets="y", model_type="classifier", **QUIET).metrics for one in named),
        *(evaluate(young, one, targets=people.y, model_type="classifier", **QUIET).metrics for one in plain),
        *(evaluate(young, one, model_type="classifier", **QUIET).metrics for one in sets),
    ]

    assert [found[0]] * len(found) == found
    with pytest.raises(InvalidValue, match="only describes it"):
        evaluate(young, ledgit.data.from_pandas(table), model_type="classifier")
    with pytest.raises(UsageError, match="leave out targets="):
        evaluate(young, sets[0], targets="y", model_type="classifier")
    with pytest.raises(InvalidValue, match="a DataFrame, a mapping"):
        evaluate(young, 3, targets="y", model_type="classifier")


def test_the_features_are_the_columns_the_model_was_fitted_on(people: pd.DataFrame, classifier: Any) -> None:
    """Others may be there: to slice by, or weights."""
    result = evaluate(classifier, people, targets="y", sample_weights="weight", model_type="classifier", **QUIET)

    assert result.metrics["accuracy_score"] == pytest.approx(
        classifier.score(people[["age", "income"]], people.y, people.weight)
    )


def test_the_data_stay_as_they_are(people: pd.DataFrame) -> None:
    """Models that write into what they are given, and shuffled columns, change copies."""
    before = people.copy()

    def careless(data: pd.DataFrame) -> Any:
        answer = (data["age"] > 45).astype(int)
        data["age"] = 0
        return answer

    metrics = evaluate(careless, people, targets="y", model_type="classifier", slices={"age": [45]}, log_plots=False)

    pd.testing.assert_frame_equal(before, people)
    assert metrics.metrics["selection_rate/age:below 45"] == 0.0
    assert metrics.metrics["example_count/age:below 45"] == (people.age < 45).sum()


def test_plots_leave_pyplot_as_it_was(people: pd.DataFrame, classifier: Any) -> None:
    """Neither its backend nor its figures are touched."""
    import matplotlib.pyplot as plt

    before = (plt.get_backend(), plt.get_fignums())
    result = evaluate(classifier, people, targets="y", model_type="classifier", permutation_importance=False)
    regression = evaluate(
        None, people, targets="age", predictions="income", model_type="regressor", permutation_importance=False
    )

    assert before == (plt.get_backend(), plt.get_fignums())
    assert (900, 600) == result.artifacts["roc_curve_plot"].content.size
    assert {"residuals_plot", "prediction_error_plot"} == set(regression.artifacts)


def test_without_matplotlib_there_are_no_plots(people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without scikit-learn there is a sentence that says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    call: dict[str, Any] = {"data": people, "targets": "y", "model_type": "classifier"}

    result = evaluate(lambda data: (data.age > 45).astype(int), **call)

    assert {"permutation_importance"} == set(result.artifacts)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependency, match="pip install scikit-learn"):
        evaluate(lambda data: (data.age > 45).astype(int), **call)


def test_own_metrics_see_what_they_ask_for(people: pd.DataFrame) -> None:
    """Arguments are found by name; MLflow's older form with eval_df works too."""

    def cost(predictions: Any, targets: Any, metrics: Any, price: float, age: Any) -> float:
        assert metrics["example_count"] == len(predictions) == len(age)
        return float((predictions != targets).sum() * price)

    def old(eval_df: Any, builtin_metrics: Any) -> float:
        return float((eval_df["prediction"] == eval_df["target"]).mean() - builtin_metrics["accuracy_score"])

    def rows(predictions: Any, targets: Any) -> MetricValue:
        right = (predictions == targets).astype(int)
        return MetricValue(scores=list(right), aggregate_results={"mean": right.mean()})

    result = evaluate(
        None, people.assign(said=1), targets="y", predictions="said", model_type="classifier",
        extra_metrics=[make_metric(eval_fn=cost, greater_is_better=False), old, rows],
        evaluator_config={"price": 2.0}, custom_artifacts=[lambda eval_df, metrics, folder: {"head": eval_df.head(3)}],
        slices={"old": lambda table: table.age > 50}, **QUIET,
    )  # fmt: skip

    assert 2.0 * (people.y == 0).sum() == result.metrics["cost"]
    assert 0.0 == result.metrics["old"]
    assert result.metrics["accuracy_score"] == result.metrics["rows/mean"]
    assert 2.0 * ((people.y == 0) & (people.age > 50)).sum() == result.metrics["cost/old:true"]
    assert max(result.metrics["cost/old:true"], result.metrics["cost/old:false"]) == result.metrics["cost_worst/old"]
    assert 3 == len(result.artifacts["head"].content)
    assert list(people.y) == list(result.tables["eval_results_table"]["rows/score"])


def test_metrics_of_the_user_alone_need_no_task(people: pd.DataFrame) -> None:
    metric = make_metric(eval_fn=lambda predictions: predictions.mean(), greater_is_better=True, name="mean")

    result = evaluate(lambda data: data.age, people, targets="y", extra_metrics=[metric])

    assert {"mean": people.age.mean()} == result.metrics


def test_a_result_survives_saving(people: pd.DataFrame, tmp_path: Path) -> None:
    result = evaluate(None, people.assign(said=1), targets="y", predictions="said", model_type="classifier",
                      slices={"old": people.age > 50}, log_plots=False)  # fmt: skip

    result.save(tmp_path / "found")
    again = EvaluationResult.load(tmp_path / "found")

    assert result.metrics == again.metrics
    assert result.artifacts["slice_metrics"].data == again.artifacts["slice_metrics"].data
    pd.testing.assert_frame_equal(result.tables["slice_metrics"], again.tables["slice_metrics"])
    assert result.metrics == json.loads((tmp_path / "found" / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": None}, "model_type='classifier'"),
        ({"model_type": "ranker"}, "model_type is 'ranker'"),
        ({"targets": "label"}, "a column of the data (age"),
        ({"targets": None}, "needs targets"),
        ({"targets": [1, 0]}, "2 values"),
        ({"predictions": "nothing"}, "nothing"),
        ({"predictions": [1, 0]}, "2 values"),
        ({"predictions": None}, "a model or predictions"),
        ({"predictions": "income"}, "probabilities of the positive class"),
        ({"predictions": ["1"] * 200}, "of the labels' type"),
        ({"model_type": "regressor", "predictions": ["x"] * 200}, "choose model_type='classifier'"),
        ({"sample_weights": [-1.0] * 200}, "numbers from 0"),
        ({"average": "sum"}, "weighted, macro or micro"),
        ({"evaluators": "shap"}, "evaluators is 'shap'"),
        ({"env_manager": "conda"}, "in this process"),
        ({"evaluator_config": {"pos_label": 7}}, "pos_label is 7"),
        ({"extra_metrics": [3]}, "make_metric"),
        ({"extra_metrics": [lambda predictions: 1.0]}, "given as name="),
        ({"model": 3}, "predict method"),
        ({"data": None}, "needs data"),
        ({"data": pd.DataFrame({"age": [], "said": [], "y": []})}, "at least one row"),
        ({"min_slice_rows": 0, "slices": "age"}, "min_slice_rows is 0"),
    ],
)
def test_mistakes_are_named_and_log_nothing(people: pd.DataFrame, change: dict[str, Any], words: str) -> None:
    """Each is one sentence, and no run is started for it."""
    call: dict[str, Any] = {
        "data": people.assign(said=1), "targets": "y", "predictions": "said", "model_type": "classifier", **QUIET
    }  # fmt: skip

    with pytest.raises((UsageError, InvalidValue)) as caught:
        evaluate(**{**call, **change})

    assert words in str(caught.value)
    assert 0 == len(ledgit.open().runs)


def test_missing_labels_and_predictions_are_counted(people: pd.DataFrame) -> None:
    lacking = people.assign(y=people.y.where(people.index > 2), said=people.age.where(people.index > 0))

    with pytest.raises(InvalidValue, match=r"without a value in 3 of 200 rows"):
        evaluate(None, lacking, targets="y", predictions="age", model_type="regressor")
    with pytest.raises(InvalidValue, match=r"NaN or infinite in 1 of 200 rows"):
        evaluate(None, lacking, targets="age", predictions="said", model_type="regressor")


def test_a_metric_name_that_cannot_be_stored_leaves_nothing(people: pd.DataFrame) -> None:
    """The names are checked before the first thing is logged."""
    with ledgit.start_run() as run, pytest.raises(InvalidName):
        evaluate(None, people.assign(said=1), targets="y", predictions="said", model_type="classifier",
                 evaluator_config={"metric_prefix": "a=b"}, **QUIET)  # fmt: skip

    assert {} == dict(ledgit.get_run(run.id).data.metrics)
