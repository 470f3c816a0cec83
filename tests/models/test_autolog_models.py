"""Autologging logs the trained model, with its signature, so that it can be registered and served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import ledgit as mlflow
from ledgit.errors import LedgitWarning
from ledgit.models import infer_signature

pytestmark = pytest.mark.frameworks

TABLE = pd.DataFrame({"a": np.linspace(0, 1, 40), "b": [1, 0] * 20})
LABELS = np.array([0, 0, 1, 1] * 10)


@pytest.fixture(autouse=True)
def _switched_off(repo: Path) -> Iterator[None]:
    yield
    mlflow.autolog(disable=True)


def test_a_fit_logs_its_model_with_the_signature_of_the_training_data() -> None:
    """As ``model``, which any URI finds."""
    mlflow.sklearn.autolog(registered_model_name="churn", log_input_examples=True)
    model = RandomForestClassifier(n_estimators=3).fit(TABLE, LABELS)
    loaded = mlflow.pyfunc.load_model("model")

    assert infer_signature(TABLE, pd.Series(LABELS)) == loaded.metadata.signature
    assert np.array_equal(model.predict(TABLE), loaded.predict(TABLE))
    assert 5 == len(mlflow.models.load_input_example("model"))
    assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model("models:/churn/1").predict(TABLE))


def test_a_search_logs_its_best_estimator_too() -> None:
    """Beside the search itself, as in MLflow; its candidates log none."""
    mlflow.autolog()
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(TABLE, LABELS)

    assert search.best_params_["C"] == mlflow.sklearn.load_model("best_estimator").C
    assert np.array_equal(search.predict(TABLE), mlflow.pyfunc.load_model("model").predict(TABLE))
    models = [run.tags.get("ledgit.model.model") for run in mlflow.open().runs]
    assert [None, None, "sklearn"] == sorted(models, key=str)


def test_models_are_left_out_where_that_is_wanted() -> None:
    """For who has no room, or no need."""
    mlflow.sklearn.autolog(log_models=False)
    LogisticRegression().fit(TABLE, LABELS)

    (run,) = mlflow.open().runs
    assert "ledgit.model.model" not in run.tags


def test_a_model_that_cant_be_logged_does_not_end_the_training() -> None:
    """It is said, once; the training is logged as ever."""
    mlflow.sklearn.autolog()
    with pytest.warns(LedgitWarning, match="the model: the model holds types"):
        model = GridSearchCV(
            LogisticRegression(), {"C": [1.0]}, cv=2, scoring=lambda estimator, x, y: estimator.score(x, y)
        ).fit(TABLE, LABELS)

    assert model.best_score_ == max(run.metrics.get("best_cv_score", -1) for run in mlflow.open().runs)


def test_without_an_array_or_frame_there_is_no_signature() -> None:
    """The model is logged all the same."""
    mlflow.sklearn.autolog()
    LogisticRegression().fit(TABLE.to_numpy().tolist(), LABELS.tolist())

    assert mlflow.pyfunc.load_model("model").metadata.signature is None


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_booster_is_logged_in_its_librarys_own_format(library: str) -> None:
    """What nobody has to trust."""
    import lightgbm
    import xgboost

    getattr(mlflow, library).autolog()
    if library == "xgboost":
        model = xgboost.train({"nthread": 1}, xgboost.DMatrix(TABLE, LABELS), 2)
        expected = model.predict(xgboost.DMatrix(TABLE))
    else:
        quiet = {"verbose": -1, "num_threads": 1, "min_child_samples": 2}
        expected = lightgbm.train(quiet, lightgbm.Dataset(TABLE, LABELS), 2).predict(TABLE)

    found = mlflow.pyfunc.load_model("model", trust=False)
    assert np.allclose(expected, found.predict(TABLE))
    assert library == found.flavor
