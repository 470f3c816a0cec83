"""Autologging scikit-learn: the real library, small data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit.errors import InvalidValue, LedgitWarning

pytestmark = pytest.mark.frameworks


@pytest.fixture(autouse=True)
def _off(repo: Path) -> Iterator[None]:
    yield
    ledgit.sklearn.autolog(disable=True)


@pytest.fixture
def iris() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def runs() -> list[ledgit.Run]:
    return sorted(ledgit.open().runs, key=lambda run: (run.parent_run is not None, run.start))


def test_a_classifier_logs_params_metrics_data_and_class(iris: tuple[Any, Any]) -> None:
    """Under MLflow's names; the run is started for it and ended."""
    from sklearn.linear_model import LogisticRegression

    ledgit.sklearn.autolog(extra_tags={"project": "x"})
    model = LogisticRegression(max_iter=200, C=0.5)
    assert model is model.fit(*iris)

    (run,) = runs()
    assert "FINISHED" == run.status
    assert (0.5, 200, False) == (run.params["C"], run.params["max_iter"], run.params["warm_start"])
    names = ["accuracy_score", "f1_score", "log_loss", "precision_score", "recall_score", "roc_auc", "score"]
    assert [f"training_{name}" for name in names] == sorted(run.metrics)
    assert model.score(*iris) == run.metrics["training_score"] == run.metrics["training_accuracy_score"]
    assert {
        "estimator_name": "LogisticRegression",
        "estimator_class": "sklearn.linear_model._logistic.LogisticRegression",
        "mlflow.autologging": "sklearn",
        "project": "x",
    }.items() <= dict(run.tags).items()
    (data,) = run.record().inputs
    assert (ledgit.data.from_numpy(iris[0], targets=iris[1]).digest, "train") == (data.digest, data.context)
    assert ledgit.active_run() is None


def test_a_regressor_logs_its_errors(iris: tuple[Any, Any]) -> None:
    """Root mean squared error is the root."""
    from sklearn.tree import DecisionTreeRegressor

    ledgit.sklearn.autolog()
    DecisionTreeRegressor(max_depth=2).fit(*iris)

    (run,) = runs()
    names = ["mean_absolute_error", "mean_squared_error", "r2_score", "root_mean_squared_error", "score"]
    assert [f"training_{name}" for name in names] == sorted(run.metrics)
    squared = run.metrics["training_mean_squared_error"]
    assert squared**0.5 == pytest.approx(run.metrics["training_root_mean_squared_error"])


def test_an_active_run_is_logged_into_and_left_open(iris: tuple[Any, Any]) -> None:
    """Unless it is to be left alone (exclusive)."""
    from sklearn.naive_bayes import GaussianNB

    ledgit.sklearn.autolog()
    with ledgit.start_run() as run:
        GaussianNB().fit(*iris)
        assert "RUNNING" == run.status
        assert "training_score" in run.metrics
    ledgit.sklearn.autolog(exclusive=True)
    with ledgit.start_run() as other:
        GaussianNB().fit(*iris)

    assert {} == other.metrics


def test_a_pipeline_is_one_training(iris: tuple[Any, Any]) -> None:
    """With the params of its steps; preparing data alone is none."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ledgit.sklearn.autolog()
    StandardScaler().fit_transform(iris[0])
    make_pipeline(StandardScaler(), LogisticRegression(C=2.0)).fit(*iris)

    (run,) = runs()
    assert "Pipeline" == run.tags["estimator_name"]
    assert 2.0 == run.params["logisticregression__C"]
    assert "training_score" in run.metrics


def test_fit_predict_and_fit_transform_are_trainings_too(iris: tuple[Any, Any]) -> None:
    """Each is one run, though they call ``fit`` inside."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    ledgit.sklearn.autolog()
    KMeans(2, n_init=1, random_state=0).fit_predict(iris[0])
    PCA(2).fit_transform(iris[0])
    make_pipeline(PCA(2), KMeans(2, n_init=1, random_state=0)).fit_predict(iris[0])

    assert ["KMeans", "PCA", "Pipeline"] == [run.tags["estimator_name"] for run in runs()]


def test_a_grid_search_logs_its_best_candidates_as_children(iris: tuple[Any, Any]) -> None:
    """And its table of results."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    ledgit.set_experiment("grid")
    ledgit.sklearn.autolog(max_tuning_runs=3)
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3, 4], "splitter": ["best"]}, cv=3
    )
    search.fit(*iris)

    parent, *children = runs()
    assert "GridSearchCV" == parent.tags["estimator_name"]
    assert (search.best_score_, search.best_params_["max_depth"]) == (
        parent.metrics["best_cv_score"],
        parent.params["best_max_depth"],
    )
    assert "estimator__max_depth" not in parent.params
    rows = list(csv.DictReader(io.StringIO(parent.read_artifact("cv_results.csv").decode())))
    assert ["1", "2", "3", "4"] == [row["param_max_depth"] for row in rows]
    assert 3 == len(children)
    assert {(parent.id, "grid", "FINISHED")} == {(run.parent_run, run.experiment, run.status) for run in children}
    assert [1, 2, 3] == sorted(run.metrics["rank_test_score"] for run in children)
    best = max(children, key=lambda run: run.metrics["mean_test_score"])
    assert search.best_params_["max_depth"] == best.params["max_depth"]
    assert ("DecisionTreeClassifier", "gini") == (best.tags["estimator_name"], best.params["criterion"])
    assert not any(name.startswith("split") for name in best.metrics)
    with pytest.raises(InvalidValue):
        ledgit.sklearn.autolog(max_tuning_runs=-1)


def test_fits_in_worker_threads_are_steps_of_the_training(iris: tuple[Any, Any]) -> None:
    """joblib runs them so; in a thread of one's own, too, and beside other runs."""
    import threading

    import joblib
    from sklearn.model_selection import GridSearchCV
    from sklearn.naive_bayes import GaussianNB

    ledgit.sklearn.autolog()
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}, cv=3, n_jobs=2)

    def trial() -> None:
        with joblib.parallel_backend("threading"), ledgit.start_run(run_name="trial"):
            search.fit(*iris)

    thread = threading.Thread(target=trial)
    thread.start()
    thread.join()
    with joblib.parallel_backend("threading"):
        search.fit(*iris)

    names = sorted(run.tags["estimator_name"] for run in runs())
    assert ["GaussianNB"] * 4 + ["GridSearchCV"] * 2 == names


def test_a_training_that_fails_fails_its_run(iris: tuple[Any, Any]) -> None:
    """And raises what it would have raised."""
    from sklearn.linear_model import LinearRegression

    ledgit.sklearn.autolog()
    with pytest.raises(ValueError, match="inconsistent"):
        LinearRegression().fit(iris[0], iris[1][:5])
    with pytest.raises(TypeError):
        LinearRegression().fit()

    assert ["FAILED", "FAILED"] == [run.status for run in runs()]


def test_scores_after_the_training_go_into_its_run(iris: tuple[Any, Any]) -> None:
    """Under the name of the variable that held the data, numbered when repeated."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    ledgit.sklearn.autolog()
    X_train, X_test, y_train, y_test = train_test_split(*iris, random_state=0)  # noqa: N806
    model = LogisticRegression(max_iter=200).fit(X_train, y_train)
    score = model.score(X_test, y_test)
    model.score(X_test, y_test)

    (run,) = runs()
    assert score == run.metrics["LogisticRegression_score_X_test"] == run.metrics["LogisticRegression_score_X_test-2"]
    assert "FINISHED" == run.status


def test_metrics_of_later_predictions_go_into_the_run(iris: tuple[Any, Any]) -> None:
    """By the prediction it is known which run and data they are about."""
    from sklearn import metrics
    from sklearn.linear_model import LogisticRegression

    ledgit.sklearn.autolog()
    X_new, y_new = iris[0][::2], iris[1][::2]  # noqa: N806
    model = LogisticRegression(max_iter=300).fit(*iris)
    found = model.predict(X_new)
    accuracy = metrics.accuracy_score(y_new, found)
    loss = metrics.log_loss(y_new, model.predict_proba(X_new), normalize=True)
    metrics.confusion_matrix(y_new, found)
    metrics.f1_score(y_new, found, average=None)
    metrics.accuracy_score(y_new, y_new)

    (run,) = runs()
    later = {name: value for name, value in run.metrics.items() if not name.startswith("training_")}
    assert {"accuracy_score_X_new": accuracy, "log_loss_X_new": loss} == later


def test_a_second_training_in_one_run_warns_and_trains(iris: tuple[Any, Any]) -> None:
    """Its params differ and can't be logged; the training does not mind, and silent is silent."""
    from sklearn.linear_model import LogisticRegression

    ledgit.sklearn.autolog()
    with ledgit.start_run() as run:
        LogisticRegression(C=1.0, max_iter=200).fit(*iris)
        with pytest.warns(LedgitWarning, match="autologging sklearn, params: param 'C' is already '1.0'"):
            model = LogisticRegression(C=2.0, max_iter=200).fit(*iris)
        ledgit.sklearn.autolog(silent=True)
        LogisticRegression(C=3.0, max_iter=200).fit(*iris)

    assert hasattr(model, "coef_")
    assert 1.0 == run.params["C"]


def test_switching_off_puts_everything_back(iris: tuple[Any, Any]) -> None:
    """However often it was switched on."""
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    ledgit.sklearn.autolog(disable=True)
    watched = [(LogisticRegression, "fit"), (Pipeline, "fit_predict"), (Pipeline, "score"), (Pipeline, "fit")]
    before = [vars(cls)[name] for cls, name in watched]
    had = "__init_subclass__" in vars(BaseEstimator)
    ledgit.sklearn.autolog()
    ledgit.sklearn.autolog()
    assert before[0] is not LogisticRegression.fit
    assert "fit" == LogisticRegression.fit.__name__
    ledgit.sklearn.autolog(disable=True)
    LogisticRegression(max_iter=200).fit(*iris)

    assert all(old is vars(cls)[name] for old, (cls, name) in zip(before, watched, strict=True))
    assert had == ("__init_subclass__" in vars(BaseEstimator))
    assert [] == runs()


def test_a_positive_label_changes_the_average(iris: tuple[Any, Any]) -> None:
    """Precision, recall and F1 of that class."""
    from sklearn.metrics import precision_score
    from sklearn.tree import DecisionTreeClassifier

    ledgit.sklearn.autolog(pos_label=1)
    x, y = iris[0], (iris[1] == 1).astype(int)
    model = DecisionTreeClassifier(max_depth=2).fit(x, y)

    (run,) = runs()
    assert precision_score(y, model.predict(x), pos_label=1) == run.metrics["training_precision_score"]


def test_sample_weights_count(iris: tuple[Any, Any]) -> None:
    """As the estimator counted them, by position or by name."""
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    ledgit.sklearn.autolog()
    weight = np.where(iris[1] == 0, 1.0, 0.0)
    model = DecisionTreeClassifier(max_depth=1)
    model.fit(*iris, weight)
    ledgit.end_run()
    model.fit(X=iris[0], y=iris[1], sample_weight=weight)

    assert [1.0, 1.0] == [run.metrics["training_accuracy_score"] for run in runs()]


def test_frames_sparse_matrices_and_lists_are_data(iris: tuple[Any, Any]) -> None:
    """Whatever ``fit`` takes."""
    import pandas as pd
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    ledgit.sklearn.autolog()
    for x in (pd.DataFrame(iris[0], columns=list("abcd")), csr_matrix(iris[0]), iris[0].tolist()):
        LogisticRegression(max_iter=300).fit(x, iris[1])

    frame, *_ = (run.record().inputs[0] for run in runs())
    assert '"name": "a"' in frame.schema
    assert all("training_score" in run.metrics for run in runs())


def test_estimators_that_are_imported_later_log_too(repo: Path, script: Any) -> None:
    """``autolog()`` stands at the top of a script, before scikit-learn is imported."""
    script(
        """
        import ledgit, sys
        ledgit.autolog()
        assert "sklearn" not in sys.modules
        from sklearn.ensemble import RandomForestClassifier
        RandomForestClassifier(3).fit([[0], [1], [2]], [0, 1, 1])
        import sklearn.gaussian_process as later
        later.GaussianProcessRegressor().fit([[0], [1]], [0, 1])
        """
    )

    assert ["RandomForestClassifier", "GaussianProcessRegressor"] == [run.tags["estimator_name"] for run in runs()]


def test_autologging_everything_leaves_out_what_it_is_told_to(repo: Path) -> None:
    """By MLflow's names of the flavors."""
    from sklearn.naive_bayes import GaussianNB

    ledgit.autolog(exclude_flavors=["sklearn", "pytorch", "keras", "lightgbm", "xgboost", "transformers"])
    GaussianNB().fit([[0], [1]], [0, 1])

    assert [] == runs()
    with pytest.raises(InvalidValue, match="prophet"):
        ledgit.autolog(exclude_flavors=["prophet"])
