"""ONNX: the same graph and predictions in Ledgit and MLflow, in both directions; and nothing beside the folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UsageError
from ledgit.models.evaluation import evaluate
from ledgit.models.faces import face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("repo")]

TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
LABELS = (TABLE.a > 0).astype(int)


@pytest.fixture
def line() -> Any:
    """``y = x @ weights`` with weights large enough to stand in a file of their own."""
    weights = numpy_helper.from_array(np.arange(1024, dtype=np.float32).reshape(2, 512), "weights")
    node = helper.make_node("MatMul", ["x", "weights"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 512])
    graph = helper.make_graph([node], "line", [x], [y], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@pytest.fixture
def both() -> Any:
    """``sum = left + right``."""
    node = helper.make_node("Add", ["left", "right"], ["sum"])
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("left", "right")]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None])
    graph = helper.make_graph([node], "both", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def test_a_saved_model_predicts_the_same_everywhere(line: Any, tmp_path: Path) -> None:
    """Saved here and there, loaded here and there; the weights are still in the object that was saved."""
    data = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    want = data @ np.arange(1024, dtype=np.float32).reshape(2, 512)
    before = line.SerializeToString()
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    with real_mlflow(tmp_path) as mlflow:
        info = face("onnx").save_model(line, here, input_example=data)
        assert before == line.SerializeToString()
        mlflow.onnx.save_model(line, there, pip_requirements=["onnx"])  # takes the weights out of it

        for folder in (here, there):
            for native in (face("onnx").load_model(folder), mlflow.onnx.load_model(folder)):
                assert "line" == native.graph.name
            for loaded in (load_model(folder), mlflow.pyfunc.load_model(folder)):
                np.testing.assert_allclose(want, loaded.predict(data)["y"], rtol=1e-6)

    assert "onnx" == flavor_for(line).name
    assert ["y"] == info.get_output_schema().input_names()
    assert 4096 <= Path(here, "model.onnx.data").stat().st_size
    needed = {text.partition("==")[0] for text in Path(here, "requirements.txt").read_text().split()}
    assert {"onnx", "onnxruntime"} <= needed
    load_model(here, trust=False)
    with pytest.raises(UsageError, match="'weights' are not in the model"):
        face("onnx").save_model(line, tmp_path / "empty")


def test_frames_and_dictionaries_name_the_inputs(both: Any, tmp_path: Path) -> None:
    """Numbers of 64 bits are narrowed to what the graph wants; a frame gives a frame."""
    folder = str(tmp_path / "both")
    face("onnx").save_model(both, folder)
    model = load_model(folder)

    frame = model.predict(pd.DataFrame({"right": [1.0, 2.0], "left": [10.0, 20.0]}))
    arrays = model.predict({"left": np.array([1.0]), "right": np.array([2.0])})

    pd.testing.assert_frame_equal(pd.DataFrame({"sum": np.array([11, 22], dtype=np.float32)}), frame)
    assert [3.0] == list(arrays["sum"])
    with pytest.raises(InvalidModelInput, match="'right' is no column"):
        model.predict(pd.DataFrame({"left": [1.0]}))
    with pytest.raises(InvalidModelInput, match="2 inputs"):
        model.predict(np.array([1.0]))
    with pytest.raises(InvalidModelInput, match="str"):
        model.predict("text")


def test_a_converted_classifier_can_be_evaluated(tmp_path: Path) -> None:
    """Labels and probabilities are found among its outputs."""
    from skl2onnx import to_onnx

    fitted = LogisticRegression().fit(TABLE, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = to_onnx(fitted, TABLE.to_numpy(np.float32)[:1], options={"zipmap": False})
    folder = str(tmp_path / "classifier")
    face("onnx").save_model(converted, folder)

    found = evaluate(folder, TABLE, targets=LABELS, model_type="classifier", log_plots=False, permutation_importance=1)

    assert fitted.score(TABLE, LABELS) == found.metrics["accuracy_score"]
    assert "roc_auc" in found.metrics
    assert "a" == found.tables["permutation_importance"].feature[0]


def test_settings_of_the_session_are_kept_but_load_no_code(line: Any, tmp_path: Path) -> None:
    """A library of operators that a file names is not loaded: it would be code of who knows whom."""
    folder = tmp_path / "model"
    extra = {"session.custom_op_library": "/tmp/x.so", "session.use_env_allocators": "0"}
    options: dict[str, Any] = {
        "intra_op_num_threads": 1,
        "execution_mode": "sequential",
        "graph_optimization_level": 99,
    }
    options["extra_session_config"] = extra
    face("onnx").save_model(line, folder, onnx_session_options=options, onnx_execution_providers="CPUExecutionProvider")

    model = load_model(str(folder))

    entry = model.metadata.flavors["onnx"]
    assert (options, ["CPUExecutionProvider"]) == (entry["onnx_session_options"], entry["providers"])
    assert (1, 512) == model.predict(np.ones((1, 2), dtype=np.float32))["y"].shape


def test_weights_outside_of_the_folder_are_refused(line: Any, tmp_path: Path) -> None:
    """A graph may name files of weights; one that leads out of the model could read anything."""
    folder = tmp_path / "model"
    face("onnx").save_model(line, folder)
    (folder / "model.onnx.data").rename(tmp_path / "secret")
    changed = onnx.load(folder / "model.onnx", load_external_data=False)
    for entry in changed.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../secret"
    (folder / "model.onnx").write_bytes(changed.SerializeToString())

    with pytest.raises(RecordError, match=r"model\.onnx"):
        load_model(str(folder))
    with pytest.raises(RecordError, match=r"model\.onnx"):
        face("onnx").load_model(str(folder))


def test_damaged_files_are_said_to_be(line: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    face("onnx").save_model(line, folder)
    (folder / "model.onnx").write_bytes(b"nonsense")

    with pytest.raises(RecordError, match=r"model\.onnx.*no valid ONNX model"):
        load_model(str(folder))


def test_what_is_no_model_is_refused(line: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="ModelProto"):
        face("onnx").save_model("model.onnx", tmp_path / "model")
    with pytest.raises(InvalidValue, match="execution_mode"):
        face("onnx").save_model(line, tmp_path / "model", onnx_session_options={"execution_mode": "wild"})
    with pytest.raises(InvalidValue, match="onnx_session_options"):
        face("onnx").save_model(line, tmp_path / "model", onnx_session_options={"threads": 1})
