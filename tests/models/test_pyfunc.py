"""Models written in Python: any class or function, files of code, artifacts; with MLflow both ways."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.models.real_mlflow import real_mlflow

import ledgit as mlflow
from ledgit.errors import FlavorNotFound, InvalidValue, LedgitWarning, MissingDependency, RecordError, UsageError
from ledgit.models import ModelSignature, ParamSchema, ParamSpec, infer_signature

LOCK = threading.Lock()
TABLE = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})


@pytest.fixture(autouse=True)
def _nothing_active(repo: Path) -> Iterator[None]:
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()


def double(data: Any) -> Any:
    return data * 2


def power(data: Any, params: dict[str, Any] | None = None) -> Any:
    return data ** (params or {}).get("n", 1)


class Adds(mlflow.pyfunc.PythonModel):
    """The longest form there is."""

    def load_context(self, context: Any) -> None:
        self.offset = float(Path(context.artifacts["offset"]).read_text())

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        return model_input + self.offset * context.model_config["times"]


class Short(mlflow.pyfunc.PythonModel):
    """Without context or params, and in pieces."""

    def predict(self, model_input: Any) -> Any:  # type: ignore[override]
        return model_input * 3

    def predict_stream(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        yield from model_input.x


class Plain:
    """No base class at all."""

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        return data - 1


class Words(mlflow.pyfunc.PythonModel):
    """Texts by its type hint."""

    def predict(self, context: Any, model_input: list[str], params: dict[str, Any] | None = None) -> list[str]:
        return [word.upper() for word in model_input]


def models(folder: Path) -> dict[str, tuple[Any, dict[str, Any], Any, Any]]:
    """Model, options, input, what it predicts."""
    (folder / "offset.txt").write_text("10")
    context = {"artifacts": {"offset": str(folder / "offset.txt")}, "model_config": {"times": 2}}
    return {
        "function": (double, {}, TABLE, TABLE * 2),
        "lambda": (lambda data: data + 1, {}, TABLE, TABLE + 1),
        "context": (Adds(), context, TABLE, TABLE + 20),
        "short": (Short(), {}, TABLE, TABLE * 3),
        "plain object": (Plain(), {}, TABLE, TABLE - 1),
        "type hints": (Words(), {"input_example": pd.DataFrame({"t": ["a"]})}, pd.DataFrame({"t": ["b"]}), ["B"]),
    }


NAMES = ["function", "lambda", "context", "short", "plain object", "type hints"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_logged_predicts_the_same_here_and_in_mlflow(tmp_path: Path, name: str) -> None:
    """Any class or function, pickled with its code."""
    model, options, data, expected = models(tmp_path)[name]
    mlflow.pyfunc.log_model("m", python_model=model, **options)
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=model, **options)

    found = mlflow.pyfunc.load_model("m").predict(data)
    with real_mlflow(tmp_path) as real:
        theirs = real.pyfunc.load_model(str(tmp_path / "m")).predict(data)

    for one in (found, theirs):
        assert expected.equals(one) if isinstance(expected, pd.DataFrame) else expected == one


@pytest.mark.parametrize("name", ["function", "context", "type hints"])
def test_what_mlflow_saved_predicts_the_same_here(tmp_path: Path, name: str) -> None:
    """The reverse, with MLflow's own base class."""
    _, options, data, expected = models(tmp_path)[name]
    with real_mlflow(tmp_path) as real:

        class Theirs(real.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
            def load_context(self, context: Any) -> None:
                self.offset = float(Path(context.artifacts["offset"]).read_text()) if context.artifacts else 0

            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return model_input + self.offset * context.model_config["times"]

        class Words(real.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
            def predict(self, context: Any, model_input: list[str], params: Any = None) -> list[str]:
                return [word.upper() for word in model_input]

        model = {"function": lambda data: data * 2, "context": Theirs(), "type hints": Words()}[name]
        real.pyfunc.save_model(str(tmp_path / "m"), python_model=model, pip_requirements=["numpy"], **options)
        found = mlflow.pyfunc.load_model(tmp_path / "m").predict(data)

    assert expected.equals(found) if isinstance(expected, pd.DataFrame) else expected == found


def test_what_is_saved_needs_no_ledgit_to_be_read(tmp_path: Path) -> None:
    """The base class goes along: where the model is served, MLflow alone will do."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, ledgit as mlflow\n"
        "class Short(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, model_input): return model_input * 3\n"
        "mlflow.pyfunc.save_model('own', python_model=Short())\n"
        "mlflow.pyfunc.save_model('func', python_model=lambda data: data * 2)\n"
    )
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True)
    check = (
        "import sys; sys.modules['ledgit'] = None\n"
        "import cloudpickle\n"
        "for name, least in (('own', 3), ('func', 2)):\n"
        "    assert cloudpickle.load(open(f'{name}/python_model.pkl', 'rb')).predict(1) == least\n"
    )

    subprocess.run([sys.executable, "-c", check], cwd=tmp_path, check=True)

    assert "ledgit" not in (tmp_path / "own/requirements.txt").read_text()


def test_params_of_the_signature_reach_the_model(tmp_path: Path) -> None:
    """With their defaults; unknown ones are left out."""
    signature = ModelSignature(infer_signature(TABLE).inputs, None, ParamSchema([ParamSpec("n", "long", 2)]))
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=power, signature=signature)
    model = mlflow.pyfunc.load_model(tmp_path / "m")

    assert (TABLE**2).equals(model.predict(TABLE))
    assert (TABLE**3).equals(model.predict(TABLE, {"n": 3}))
    with pytest.warns(LedgitWarning, match="has no param m"):
        assert (TABLE**2).equals(model.predict(TABLE, {"m": 3}))


def test_the_model_comes_back_as_it_was(tmp_path: Path) -> None:
    """The user's own object or function, and the stream where it has one."""
    mlflow.pyfunc.save_model(tmp_path / "short", python_model=Short())
    mlflow.pyfunc.save_model(tmp_path / "double", python_model=double)
    short, function = (mlflow.pyfunc.load_model(tmp_path / name) for name in ("short", "double"))

    assert "Short" == type(short.unwrap_python_model()).__name__
    assert 4 == function.unwrap_python_model()(2)
    assert [1.0, 2.0] == list(short.predict_stream(TABLE))
    with pytest.raises(UsageError, match="has no predict_stream"):
        next(function.predict_stream(TABLE))
    assert {"streamable": True} == {key: short.metadata.flavors["python_function"][key] for key in ("streamable",)}


CODE = """
from helper import FACTOR
import ledgit as mlflow
config = mlflow.models.ModelConfig(development_config={"more": 1})
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * FACTOR + config.get("more")
mlflow.models.set_model(Model())
"""


@pytest.mark.parametrize("config", [None, {"more": 5}])
def test_a_file_of_code_is_a_model(
    tmp_path: Path, config: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pickle at all: the file and what it imports go along."""
    (tmp_path / "helper.py").write_text("FACTOR = 7\n")
    (tmp_path / "model.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    options = {"code_paths": [str(tmp_path / "helper.py")], "model_config": config, "input_example": TABLE}
    mlflow.pyfunc.log_model(name="m", python_model=str(tmp_path / "model.py"), **options)
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=tmp_path / "model.py", **options)
    # Before anything is loaded: MLflow leaves bytecode beside what it loads.
    assert ["code", "model.py"] == sorted(
        path.name for path in (tmp_path / "m").iterdir() if path.suffix == ".py" or path.is_dir()
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path.joinpath("repo"))
    (tmp_path / "helper.py").unlink()
    expected = TABLE * 7 + (5 if config else 1)

    sys.modules.pop("helper", None)
    assert expected.equals(mlflow.pyfunc.load_model("m").predict(TABLE))
    sys.modules.pop("helper", None)
    with real_mlflow(tmp_path) as real:
        assert expected.equals(real.pyfunc.load_model(str(tmp_path / "m")).predict(TABLE))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\n", "sets no model"),
        ("raise RuntimeError('boom')\n", r"failed: RuntimeError\('boom'\)"),
        ("import ledgit\nledgit.models.set_model(3)\n", "set_model got a int"),
    ],
)
def test_a_file_of_code_without_a_model_is_refused_when_it_is_saved(tmp_path: Path, code: str, words: str) -> None:
    """And not when somebody wants to serve it."""
    (tmp_path / "model.py").write_text(code)

    with pytest.raises(UsageError, match=words):
        mlflow.pyfunc.save_model(tmp_path / "m", python_model=str(tmp_path / "model.py"))

    assert not (tmp_path / "m").exists()


def test_a_loader_module_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's third way: a module that reads data of its own."""
    (tmp_path / "my_loader.py").write_text(
        "import pathlib\nclass Model:\n    def __init__(self, path): self.add = float(pathlib.Path(path).read_text())\n"
        "    def predict(self, data, params=None): return data + self.add\n"
        "def _load_pyfunc(path): return Model(path)\n"
    )
    (tmp_path / "number").write_text("4")
    options = {
        "loader_module": "my_loader",
        "data_path": tmp_path / "number",
        "code_paths": [tmp_path / "my_loader.py"],
    }

    mlflow.pyfunc.save_model(tmp_path / "m", **options)

    assert (TABLE + 4).equals(mlflow.pyfunc.load_model(tmp_path / "m").predict(TABLE))
    with real_mlflow(tmp_path) as real:
        assert (TABLE + 4).equals(real.pyfunc.load_model(str(tmp_path / "m")).predict(TABLE))


def test_artifacts_of_a_run_go_along(tmp_path: Path) -> None:
    """By their URI; two of one name don't overwrite each other."""
    with mlflow.start_run() as run:
        mlflow.log_text("1", "a/offset")
        mlflow.log_text("2", "b/offset")

    class Both:
        def load_context(self, context: Any) -> None:
            self.sum = sum(float(Path(path).read_text()) for path in context.artifacts.values())

        def predict(self, data: Any) -> Any:
            return data + self.sum

    artifacts = {name: f"runs:/{run.id}/{name}/offset" for name in ("a", "b")}
    mlflow.pyfunc.log_model("m", python_model=Both(), artifacts=artifacts)

    assert (TABLE + 3).equals(mlflow.pyfunc.load_model("m").predict(TABLE))


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (3, InvalidValue, "expected an object with predict"),
        (Short, InvalidValue, "call the class"),
        ("nowhere.py", InvalidValue, "a Python file, which calls set_model"),
        (lambda data: LOCK, UsageError, "can't be pickled"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, model: Any, error: type[Exception], words: str) -> None:
    """In a sentence."""
    with pytest.raises(error, match=words):
        mlflow.pyfunc.save_model(tmp_path / "m", python_model=model)


@pytest.mark.parametrize(
    ("entry", "error", "words"),
    [
        ("loader_module: mlflow.pyfunc.loaders.chat_model", FlavorNotFound, "chat_model"),
        ("loader_module: no_such_module", MissingDependency, "no_such_module"),
        ("loader_module: mlflow.pyfunc.model, python_model: ../x", RecordError, "leaves the model's folder"),
        ("loader_module: mlflow.pyfunc.model", RecordError, "No such file"),
        ("loader_module: mlflow.pyfunc.model, artifacts: [1]", RecordError, "artifacts do not decode"),
        ("loader_module: mlflow.pyfunc.model, python_model_compression: rar", RecordError, "'rar' is not known"),
    ],
)
def test_an_mlmodel_that_makes_no_sense_is_refused(
    tmp_path: Path, entry: str, error: type[Exception], words: str
) -> None:
    """Loaders that are not known, modules that are not there, paths that lead out."""
    (tmp_path / "MLmodel").write_text(f"flavors: {{python_function: {{{entry}}}}}")

    with pytest.raises(error, match=words):
        mlflow.pyfunc.load_model(tmp_path)


def test_models_find_the_flavor_by_themselves(tmp_path: Path) -> None:
    """``ledgit.models.save, log, load, predict`` of any kind."""
    mlflow.models.save(double, tmp_path / "m", input_example=np.ones((2, 2)))
    mlflow.models.log(Plain(), "plain")

    assert 4 == mlflow.models.load(tmp_path / "m").predict(np.ones((1, 2))).sum()
    assert [[2.0, 4.0]] == mlflow.models.predict(str(tmp_path / "m"), '{"inputs": [[1, 2]]}').tolist()
    assert "pyfunc" == mlflow.models.load("plain").flavor
    with pytest.raises(FlavorNotFound, match=r"a model of type builtins\.object"):
        mlflow.models.save(object(), tmp_path / "o")


def test_a_file_of_code_may_be_mlflows_own(tmp_path: Path) -> None:
    """It sets its model by MLflow's function; a model that another file set before is not taken for it."""
    (tmp_path / "model.py").write_text("import mlflow\nmlflow.models.set_model(lambda data: data + 5)\n")
    (tmp_path / "none.py").write_text("x = 1\n")
    with real_mlflow(tmp_path) as real:
        real.models.set_model(double)
        mlflow.pyfunc.save_model(tmp_path / "m", python_model=str(tmp_path / "model.py"))

        assert (TABLE + 5).equals(mlflow.pyfunc.load_model(tmp_path / "m").predict(TABLE))
        with pytest.raises(UsageError, match="sets no model"):
            mlflow.pyfunc.save_model(tmp_path / "n", python_model=str(tmp_path / "none.py"))
