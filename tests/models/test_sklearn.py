"""scikit-learn models by MLflow's names: logged, found again by any URI, the same in Ledgit and in MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tests.models.real_mlflow import real_mlflow

import ledgit as mlflow
from ledgit.errors import (
    Conflict,
    FlavorNotFound,
    InvalidModelInput,
    InvalidName,
    ModelNotFound,
    RecordError,
    UsageError,
)
from ledgit.models import Model, get_model_info, infer_signature

pytestmark = pytest.mark.frameworks

TABLE = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1, 0, 1, 0]})
LABELS = np.array([0, 0, 1, 1])


@pytest.fixture
def model() -> Any:
    """A small pipeline, so that it has parts."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, LABELS)


@pytest.fixture(autouse=True)
def _nothing_active(repo: Path) -> Any:
    """No run is left behind for the next test."""
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()


def test_the_snippet_of_the_readme_works(model: Any) -> None:
    """Outside of a run one is started; the model is found while it is active, and afterwards."""
    info = mlflow.sklearn.log_model(model, "my_model")
    run = mlflow.active_run()

    assert run is not None
    assert f"runs:/{run.id}/my_model" == info.model_uri
    assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model("my_model").predict(TABLE))

    mlflow.end_run()

    assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model("my_model").predict(TABLE))
    assert "sklearn" == mlflow.get_run(run.id).tags["ledgit.model.my_model"]


def test_the_newest_run_of_the_experiment_has_the_model_of_a_bare_name(model: Any) -> None:
    """The active run's comes first; another experiment's is not taken, but named."""
    other = LogisticRegression(C=7).fit(TABLE, LABELS)
    for one in (LogisticRegression(C=5).fit(TABLE, LABELS), other):
        with mlflow.start_run():
            mlflow.sklearn.log_model(one, "my_model")

    assert 7 == mlflow.sklearn.load_model("my_model").C

    with mlflow.start_run():
        mlflow.sklearn.log_model(LogisticRegression(C=9).fit(TABLE, LABELS), "my_model")

        assert 9 == mlflow.sklearn.load_model("my_model").C

    mlflow.set_experiment("another")
    with pytest.raises(ModelNotFound, match="of experiment 'Default' did: runs:/"):
        mlflow.sklearn.load_model("my_model")
    mlflow.set_experiment("Default")


def test_any_uri_names_the_same_model(repo: Path, model: Any) -> None:
    """Run, run's name, commit, registered version, stage, tag, folder."""
    with mlflow.start_run(run_name="calm") as run:
        mlflow.sklearn.log_model(model, "deep/my_model", registered_model_name="team/churn")
    registry = mlflow.registry.Registry(mlflow.open())
    registry.promote("team/churn@1", "prod")
    commit = mlflow.get_run(run.id).commit
    mlflow.sklearn.save_model(model, "saved")
    uuid = get_model_info(f"runs:/{run.id}/deep/my_model").model_uuid

    for uri in (
        f"runs:/{run.id[:10]}/deep/my_model",
        "runs:/calm/deep/my_model",
        f"git:{commit}#deep/my_model",
        "models:/team/churn/1",
        "models:/team/churn/v0.0.1",
        "models:/team/churn/latest",
        "models:/team/churn@prod",
        "models:/team/churn/Prod",
        "team/churn@v0.0.1",
        "team/churn#prod",
        "deep/my_model",
    ):
        assert uuid == get_model_info(uri).model_uuid, uri
        assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model(uri).predict(TABLE)), uri
    for uri in ("saved", "./saved", str(repo / "saved"), f"file://{repo}/saved", "saved/MLmodel"):
        assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model(uri).predict(TABLE)), uri


@pytest.mark.parametrize(
    ("uri", "error", "words"),
    [
        ("runs:/nobody/my_model", ModelNotFound, "no run matches 'nobody'"),
        ("runs:/RUN/other", ModelNotFound, "did you mean my_model.*has no MLmodel there"),
        ("runs:/RUN", UsageError, "names no model"),
        ("models:/nobody/1", ModelNotFound, "'nobody'"),
        ("models:/nobody", UsageError, "names no version"),
        ("models:/m-" + "0" * 32, UsageError, "an MLflow server gave a model"),
        ("git:nothing#my_model", ModelNotFound, "there is no commit 'nothing'"),
        ("git:HEAD#my_model", ModelNotFound, "has no MLmodel in my_model"),
        ("s3://bucket/model", UsageError, "can't be read here"),
        ("./nowhere", ModelNotFound, "there is no such folder"),
        (".", ModelNotFound, "it has no MLmodel file"),
        ("my_modell", ModelNotFound, "no run of experiment 'Default' logged a model of this name"),
        ("", UsageError, "expected text"),
    ],
)
def test_a_uri_that_names_no_model_is_one_sentence(model: Any, uri: str, error: type[Exception], words: str) -> None:
    """Each kind says what is not there."""
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, "my_model")

    with pytest.raises(error, match=words) as caught:
        mlflow.sklearn.load_model(uri.replace("RUN", run.id))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["skops", "cloudpickle", "pickle"])
def test_mlflow_loads_what_ledgit_saved(tmp_path: Path, model: Any, kind: str) -> None:
    """Through python_function and through its own flavor, with the same predictions and signature."""
    mlflow.sklearn.save_model(model, tmp_path / "m", serialization_format=kind, input_example=TABLE)

    with real_mlflow(tmp_path) as real:
        import mlflow.sklearn as _  # noqa: F401

        loaded = real.pyfunc.load_model(str(tmp_path / "m"))
        native = real.sklearn.load_model(str(tmp_path / "m"))

        assert np.array_equal(model.predict(TABLE), loaded.predict(TABLE[["b", "a"]]))
        assert np.array_equal(model.predict_proba(TABLE), native.predict_proba(TABLE))
        signature = infer_signature(TABLE, pd.Series(model.predict(TABLE)))  # a row for each row is a column
        assert signature.to_dict() == loaded.metadata.signature.to_dict()
        pd.testing.assert_frame_equal(TABLE, loaded.input_example)


@pytest.mark.parametrize("kind", ["skops", "cloudpickle", "pickle"])
def test_ledgit_loads_what_mlflow_saved(tmp_path: Path, model: Any, kind: str) -> None:
    """The reverse."""
    with real_mlflow(tmp_path) as real:
        import mlflow.sklearn as _  # noqa: F401

        options = {"input_example": TABLE, "pip_requirements": ["scikit-learn"], "metadata": {"team": "fraud"}}
        real.sklearn.save_model(model, str(tmp_path / "m"), serialization_format=kind, **options)

    loaded = mlflow.pyfunc.load_model(tmp_path / "m")

    assert np.array_equal(model.predict(TABLE), loaded.predict(TABLE[["b", "a"]]))
    assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model(str(tmp_path / "m")).predict(TABLE))
    assert {"team": "fraud"} == loaded.metadata.metadata
    pd.testing.assert_frame_equal(TABLE, loaded.metadata.load_input_example(str(tmp_path / "m")))
    with pytest.raises(InvalidModelInput, match="lacks the column 'a'"):
        loaded.predict(TABLE[["b"]])


def test_the_files_beside_the_model_are_mlflows(tmp_path: Path, model: Any) -> None:
    """Names and keys as MLflow writes them; what differs is known."""
    example = TABLE.head(2)
    mlflow.sklearn.save_model(model, tmp_path / "ours", input_example=example, metadata={"a": 1})
    with real_mlflow(tmp_path) as real:
        import mlflow.sklearn as _  # noqa: F401

        requirements = (tmp_path / "ours/requirements.txt").read_text().split()
        real.sklearn.save_model(
            model, str(tmp_path / "theirs"), input_example=example, metadata={"a": 1}, pip_requirements=requirements
        )
    ours, theirs = (yaml.safe_load((tmp_path / side / "MLmodel").read_text()) for side in ("ours", "theirs"))

    assert sorted(os.listdir(tmp_path / "theirs")) == sorted(os.listdir(tmp_path / "ours"))
    for name in ("input_example.json", "serving_input_example.json"):
        assert json.loads((tmp_path / "theirs" / name).read_text()) == json.loads(
            (tmp_path / "ours" / name).read_text()
        )
    for key in ("signature", "saved_input_example_info", "metadata", "mlflow_version"):
        assert theirs[key] == ours[key], key
    # null there is absent here
    for name, entry in theirs["flavors"].items():
        assert {key: value for key, value in entry.items() if value is not None} == ours["flavors"][name]
    assert theirs.keys() - ours.keys() <= {
        "is_signature_from_type_hint",
        "type_hint_from_example",
        "model_id",
        "prompts",
    }
    env = [yaml.safe_load((tmp_path / side / "python_env.yaml").read_text()) for side in ("ours", "theirs")]
    assert env[0].keys() == env[1].keys()
    assert env[0]["python"] == env[1]["python"]


@pytest.mark.parametrize("predict", ["predict_proba", "predict_log_proba"])
def test_python_function_predicts_with_the_method_that_was_named(tmp_path: Path, model: Any, predict: str) -> None:
    """Here and in MLflow."""
    mlflow.sklearn.save_model(model, tmp_path / "m", pyfunc_predict_fn=predict)
    expected = getattr(model, predict)(TABLE)

    assert np.array_equal(expected, mlflow.pyfunc.load_model(tmp_path / "m").predict(TABLE))
    with real_mlflow(tmp_path) as real:
        assert np.array_equal(expected, real.pyfunc.load_model(str(tmp_path / "m")).predict(TABLE))


def test_a_method_that_is_none_is_not_called(tmp_path: Path, model: Any) -> None:
    """The MLmodel is somebody's file: it can't choose what runs."""
    mlflow.sklearn.save_model(model, tmp_path / "m")
    path = tmp_path / "m/MLmodel"
    path.write_text(path.read_text().replace("predict_fn: predict", "predict_fn: __reduce__"))

    with pytest.raises(RecordError, match="no way to predict"):
        mlflow.pyfunc.load_model(tmp_path / "m")


def test_a_model_of_types_that_skops_does_not_know_has_to_name_them(tmp_path: Path) -> None:
    """They are listed; named, the model is saved, and loads for whoever made it."""
    model = make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier(n_estimators=2)).fit(TABLE, LABELS)
    odd = FunctionTransformer(os.path.basename)

    mlflow.sklearn.save_model(model, tmp_path / "known")
    with pytest.raises(UsageError, match=r"posixpath\.basename.*skops_trusted_types="):
        mlflow.sklearn.save_model(odd, tmp_path / "odd")

    assert not (tmp_path / "odd").exists()
    mlflow.sklearn.save_model(odd, tmp_path / "odd", skops_trusted_types=["posixpath.basename"])

    assert os.path.basename is mlflow.sklearn.load_model(tmp_path / "odd").func


def test_nothing_half_saved_stays(tmp_path: Path) -> None:
    """A model that can't be written leaves no folder, and an empty one stays empty."""
    (tmp_path / "empty").mkdir()
    for where in (tmp_path / "new", tmp_path / "empty"):
        with pytest.raises(UsageError, match="can't be pickled"):
            mlflow.sklearn.save_model(
                LogisticRegression(C=lambda: 1),
                where,
                serialization_format="pickle",  # type: ignore[arg-type]
            )

    assert not (tmp_path / "new").exists()
    assert [] == os.listdir(tmp_path / "empty")
    with pytest.raises(Conflict, match="is there already and not empty"):
        mlflow.sklearn.save_model(LogisticRegression(), tmp_path)


def test_arguments_are_mlflows_and_unknown_ones_are_named(tmp_path: Path, model: Any) -> None:
    """Its name for the model, its older word for the name; a typo is no silent nothing."""
    info = mlflow.sklearn.log_model(sk_model=model, artifact_path="old", params={"p": 1}, await_registration_for=3)

    assert "old" == info.artifact_path
    assert {"params": {"p": 1}} == mlflow.pyfunc.load_model("old").metadata.others["ledgit"]
    with pytest.raises(UsageError, match="has no argument signatur; it has code_paths"):
        mlflow.sklearn.log_model(model, "m", signatur=1)
    with pytest.raises(UsageError, match="there is no model to save"):
        mlflow.sklearn.log_model(name="m")
    with pytest.raises(UsageError, match="has no argument map_location"):
        mlflow.sklearn.load_model("old", map_location=1)
    for name in ("../up", "/abs", "a\0b"):
        with pytest.raises(InvalidName):
            mlflow.sklearn.log_model(model, name)


def test_another_flavor_is_not_what_it_is_not(model: Any) -> None:
    """A model loads as what it was saved as."""
    mlflow.sklearn.log_model(model, "my_model")

    with pytest.raises(FlavorNotFound, match=r"xgboost in runs:/.*/my_model.*sklearn"):
        mlflow.xgboost.load_model("my_model")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is no mapping"),
        ("a: [", "is not valid YAML"),
        ("flavors: 3", "has no flavors"),
        ("flavors: {}\nsignature: {inputs: '['}", "does not decode"),
        ("flavors: {sklearn: 1}", "has no flavors"),
        ("flavors: {}\nrun_id: [1]", "run_id is no text"),
        ("flavors: &a {x: *a}", "alias"),
        ("flavors: {python_function: {loader_module: 3}}", "has no loader_module"),
        ("flavors: {python_function: {loader_module: mlflow.sklearn}, sklearn: {pickled_model: ../../x}}", "leaves"),
    ],
)
def test_an_mlmodel_that_does_not_decode_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Bad input from a repository is no traceback."""
    (tmp_path / "MLmodel").write_text(text)

    with pytest.raises(RecordError, match=words):
        mlflow.pyfunc.load_model(tmp_path)


@pytest.mark.parametrize("name", ["catboost", "mlflow.catboost"])
def test_an_unknown_flavor_is_named(tmp_path: Path, name: str) -> None:
    """With what it is called."""
    loader = f"mlflow.{name}" if "." not in name else name
    (tmp_path / "MLmodel").write_text(f"flavors: {{python_function: {{loader_module: {loader}}}, catboost: {{}}}}")

    with pytest.raises(FlavorNotFound, match="no flavor matches 'catboost'"):
        mlflow.pyfunc.load_model(tmp_path)


def test_a_model_is_changed_by_nobody_after_it_was_logged(repo: Path, model: Any) -> None:
    """What is loaded is a private copy; damaged content is never loaded."""
    big = RandomForestClassifier(n_estimators=200, max_depth=None).fit(
        np.random.default_rng(0).random((500, 4)), [0, 1] * 250
    )
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(big, "big")
    files = [path for path in (repo / ".git/ledgit/cache").rglob("*") if path.is_file() and path.stat().st_size > 2**18]
    assert files
    copy = mlflow.sklearn.load_model("big", dst_path=str(repo.parent / "mine"))
    assert 200 == len(copy.estimators_)
    (repo.parent / "mine/big/MLmodel").write_text("changed")
    mlflow.sklearn.load_model("big")
    for path in files:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(RecordError, match="digest"):
        mlflow.sklearn.load_model(f"runs:/{run.id}/big")


def test_signature_and_example_are_optional(tmp_path: Path, model: Any) -> None:
    """Without a signature nothing is checked; False says so even with an example."""
    mlflow.sklearn.save_model(model, tmp_path / "none")
    mlflow.sklearn.save_model(model, tmp_path / "false", input_example=TABLE, signature=False)
    given = infer_signature(TABLE)
    mlflow.sklearn.save_model(model, tmp_path / "given", input_example=TABLE, signature=given)

    assert Model.load(tmp_path / "none").signature is None
    assert Model.load(tmp_path / "false").signature is None
    assert given == Model.load(tmp_path / "given").signature
    assert np.array_equal(model.predict(TABLE), mlflow.pyfunc.load_model(tmp_path / "none").predict(TABLE))


def test_importing_the_faces_loads_no_library(tmp_path: Path) -> None:
    """They are found by name, and pay when used."""
    code = "import sys, ledgit.sklearn, ledgit.pyfunc, ledgit.models, ledgit.register; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "sklearn", "skops", "yaml", "pygit2", "cloudpickle", "mlflow", "sqlite3", "lark"}

    assert set() == heavy & set(done.stdout.split())


def test_what_a_model_writes_is_moved_into_the_run_and_not_copied(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gigabytes are written once; nothing is left where they were written."""
    rows = np.random.default_rng(0).random((500, 4))
    forest = RandomForestClassifier(n_estimators=50).fit(rows, [0, 1] * 250)

    def refuse(*_: Any) -> Any:
        raise AssertionError("a file was copied")

    monkeypatch.setattr("ledgit.store.filelog.stage_file", refuse)
    monkeypatch.setattr("ledgit.store.staging.stage_file", refuse)
    with mlflow.start_run():
        mlflow.sklearn.log_model(forest, "forest")
        assert 50 == len(mlflow.sklearn.load_model("forest").estimators_)  # from the journal

    assert [] == os.listdir(repo / ".git/ledgit/scratch")
    assert np.array_equal(forest.predict(rows), mlflow.sklearn.load_model("forest").predict(rows))


def test_many_files_beside_a_model_are_one_object(repo: Path, model: Any) -> None:
    """A package of code with hundreds of files is no hundred entries in each list."""
    code = repo / "package"
    code.mkdir()
    for number in range(120):
        (code / f"m{number}.py").write_text(f"N = {number}\n")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, "m", code_paths=["package"])

    assert ["m"] == [record.path for record in mlflow.get_run(run.id).artifacts()]
    assert np.array_equal(model.predict(TABLE), mlflow.sklearn.load_model("m").predict(TABLE))
    assert "sklearn" in get_model_info("m").flavors
