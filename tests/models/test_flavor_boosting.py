"""XGBoost and LightGBM: their own formats, the same in Ledgit and MLflow, in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import InvalidValue, RecordError, UsageError
from ledgit.models.faces import face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("repo")]

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RANDOM.normal(size=80), "b": RANDOM.normal(size=80)})
LABELS = (TABLE.a + TABLE.b > 0).astype(int)
NAMES = np.array(["no", "yes"])[LABELS]


def boosters() -> dict[str, Any]:
    data = xgboost.DMatrix(TABLE, LABELS)
    options: dict[str, Any] = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}
    trees = {**options, "min_child_samples": 2, "verbose": -1}
    return {
        "xgboost.Booster": xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 3),
        "XGBClassifier": xgboost.XGBClassifier(**options).fit(TABLE, LABELS),
        "XGBRegressor": xgboost.XGBRegressor(**options).fit(TABLE, TABLE.a),
        "XGBRanker": xgboost.XGBRanker(**options).fit(TABLE, LABELS, group=[40, 40]),
        "lightgbm.Booster": lightgbm.LGBMRegressor(**trees).fit(TABLE, TABLE.a).booster_,
        "LGBMClassifier": lightgbm.LGBMClassifier(**trees).fit(TABLE, NAMES),
        "LGBMRegressor": lightgbm.LGBMRegressor(**trees).fit(TABLE, TABLE.a),
    }


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return boosters()


def expected(model: Any) -> Any:
    return model.predict(xgboost.DMatrix(TABLE) if isinstance(model, xgboost.Booster) else TABLE)


def test_a_saved_model_predicts_the_same_everywhere(models: dict[str, Any], tmp_path: Path) -> None:
    """Saved here and there, loaded here and there, as itself and as a python_function."""
    with real_mlflow(tmp_path) as mlflow:
        for name, model in models.items():
            flavor = flavor_for(model).name
            ours, theirs, want = face(flavor), getattr(mlflow, flavor), expected(model)
            here, there = str(tmp_path / f"{name}-here"), str(tmp_path / f"{name}-there")

            info = ours.save_model(model, here, input_example=TABLE[:3])
            theirs.save_model(model, there, pip_requirements=[flavor])

            assert ["a", "b"] == info.get_input_schema().input_names()
            for folder in (here, there):
                for native in (ours.load_model(folder), theirs.load_model(folder)):
                    assert type(model) is type(native)
                    np.testing.assert_array_equal(want, expected(native))
                for loaded in (load_model(folder), mlflow.pyfunc.load_model(folder)):
                    np.testing.assert_array_equal(want, loaded.predict(TABLE))
            needed = Path(here, "requirements.txt").read_text().split()
            assert 1 == sum(line.startswith(f"{flavor}") and "==" in line for line in needed)


def test_no_pickle_is_among_the_files(models: dict[str, Any], tmp_path: Path) -> None:
    """All of them can be loaded with nobody's word."""
    for name, model in models.items():
        folder = tmp_path / name
        face(flavor_for(model).name).save_model(model, folder)

        assert not list(folder.rglob("*.pkl"))
        load_model(str(folder), trust=False)


def test_an_estimator_is_whole_again(models: dict[str, Any], tmp_path: Path) -> None:
    """Its params, classes and probabilities, not only its predictions."""
    for name in ("XGBClassifier", "LGBMClassifier"):
        model = models[name]
        own = face(flavor_for(model).name)
        own.save_model(model, tmp_path / name)

        again = own.load_model(str(tmp_path / name))

        assert list(model.classes_) == list(again.classes_)
        np.testing.assert_array_equal(model.predict_proba(TABLE), again.predict_proba(TABLE))
    assert 3 == again.get_params()["n_estimators"]


def test_xgboost_writes_json_if_asked(models: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    face("xgboost").save_model(models["xgboost.Booster"], folder, model_format="json")

    assert "learner" in json.loads((folder / "model.json").read_text())
    np.testing.assert_array_equal(expected(models["xgboost.Booster"]), load_model(str(folder)).predict(TABLE))


def test_params_reach_xgboost(models: dict[str, Any], tmp_path: Path) -> None:
    """Those that its predict has."""
    from ledgit.models.signature import infer_signature

    folder, model = tmp_path / "model", models["XGBClassifier"]
    signature = infer_signature(TABLE, LABELS.to_numpy(), {"output_margin": False})
    face("xgboost").save_model(model, folder, signature=signature)

    margins = load_model(str(folder)).predict(TABLE, {"output_margin": True})

    np.testing.assert_array_equal(model.predict(TABLE, output_margin=True), margins)


def test_an_own_class_becomes_the_one_it_derives_from(tmp_path: Path) -> None:
    """A file that names a class of the user's would run code of who knows whom."""

    class Mine(xgboost.XGBClassifier):
        pass

    folder = tmp_path / "model"
    face("xgboost").save_model(Mine(n_estimators=2, n_jobs=1).fit(TABLE, LABELS), folder)

    assert xgboost.XGBClassifier is type(face("xgboost").load_model(str(folder)))


def test_a_file_that_names_another_class_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    face("xgboost").save_model(models["XGBClassifier"], folder)
    changed = yaml.safe_load((folder / "MLmodel").read_text())
    changed["flavors"]["xgboost"]["model_class"] = "xgboost.dask.DaskXGBClassifier"
    (folder / "MLmodel").write_text(yaml.safe_dump(changed))

    with pytest.raises(RecordError, match="none of XGBoost's models"):
        load_model(str(folder))


@pytest.mark.parametrize(("name", "file"), [("XGBClassifier", "model.ubj"), ("lightgbm.Booster", "model.lgb")])
def test_damaged_files_are_said_to_be(models: dict[str, Any], tmp_path: Path, name: str, file: str) -> None:
    folder = tmp_path / "model"
    face(flavor_for(models[name]).name).save_model(models[name], folder)
    (folder / file).write_bytes(b"nonsense\n")

    with pytest.raises(RecordError, match=file):
        load_model(str(folder))


def test_what_is_no_model_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="Booster"):
        face("xgboost").save_model(3, tmp_path / "model")
    with pytest.raises(InvalidValue, match="Booster"):
        face("lightgbm").save_model("model", tmp_path / "model")
    with pytest.raises(InvalidValue, match="ubj or json"):
        face("xgboost").save_model(xgboost.XGBRegressor(), tmp_path / "model", model_format="xml")
    with pytest.raises(UsageError, match="not fitted"):
        face("xgboost").save_model(xgboost.XGBRegressor(), tmp_path / "model")

    assert not (tmp_path / "model").exists()
