"""Examples and requests: written as MLflow writes them, read back as the model takes them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import InvalidModelInput, RecordError, UsageError
from ledgit.models import ColSpec, Model, ModelSignature, Schema, TensorSpec, convert_input_example_to_serving_input
from ledgit.models.example import Example
from ledgit.models.inference import infer_schema
from ledgit.models.payload import frame_from_csv, read_request, to_json

FRAME = pd.DataFrame(
    {
        "i": [1, 2],
        "f": [1.5, None],
        "t": ["x", None],
        "b": [b"\x00\xff", b"y"],
        "d": pd.to_datetime(["2026-01-02T00:00:00", "2026-01-03T04:05:06"]).astype("datetime64[ns]"),
        "l": [[1, 2], [3]],
        "o": [{"k": 1}, {"k": 2}],
    }
)
EXAMPLES: dict[str, Any] = {
    "frame": FRAME,
    "frame without names": pd.DataFrame([[1, 2], [3, 4]]),
    "array": np.array([[1.5, np.nan]]),
    "integers": np.arange(3),
    "texts": np.array(["a", "bc"]),
    "arrays": {"x": np.ones((2, 2)), "y": np.array([1, 2])},
    "records": [{"a": 1, "b": [1.5]}, {"a": 2, "b": []}],
    "dictionary": {"a": "x", "b": ["y"]},
    "messages": {"messages": [{"role": "user", "content": "hi"}]},
    "texts in a list": ["a", "b"],
    "scalar": "text",
    "with params": (np.ones((1, 2)), {"n": 3}),
    "messages with params": ({"messages": []}, {"n": 3}),
    "csr": scipy.sparse.csr_matrix(np.eye(3)),
    "csc": scipy.sparse.csc_matrix(np.eye(3)),
}


@pytest.fixture(scope="module", autouse=True)
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real one."""
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as module:
        yield module


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_is_written_as_mlflow_writes_it(name: str) -> None:
    """The file, the request, and what the MLmodel says of them."""
    from mlflow.models.utils import _Example

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _Example(EXAMPLES[name])
    found = Example(EXAMPLES[name])

    def as_json(text: str) -> Any:
        # With pandas 3 MLflow writes NaN for what is missing in a frame, which is no JSON.
        return json.loads(text.replace("NaN", "null"))

    assert expected.info == found.info
    assert as_json(expected.json_input_example) == json.loads(found.content)
    assert as_json(expected.json_serving_input) == json.loads(found.serving)
    assert found.serving == convert_input_example_to_serving_input(EXAMPLES[name])


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_is_read_back_as_it_was(tmp_path: Path, name: str) -> None:
    """With the types of the signature, where JSON has none."""
    given = EXAMPLES[name]
    data = given[0] if isinstance(given, tuple) else given
    example = Example(given)
    signature = ModelSignature(infer_schema(data))
    model = Model(flavors={}, saved_input_example_info=example.save(str(tmp_path)), signature=signature)

    found = model.load_input_example(str(tmp_path))

    if isinstance(data, pd.DataFrame):
        pd.testing.assert_frame_equal(data, found)
    elif isinstance(data, np.ndarray):
        np.testing.assert_array_equal(data, found)
    elif scipy.sparse.issparse(data):
        assert type(data) is type(found)
        np.testing.assert_array_equal(data.toarray(), found.toarray())
    elif name == "arrays":
        assert [*data] == [*found]
        assert all(np.array_equal(data[key], found[key]) for key in data)
    else:
        assert data == found
    assert ({"n": 3} if isinstance(given, tuple) else None) == model.load_input_example_params(str(tmp_path))


REQUESTS: list[tuple[dict[str, Any], Any]] = [
    ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"]]}}, FRAME.iloc[:0]),
    ({"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}, None),
    ({"dataframe_split": {"columns": ["a"], "data": [[1.0], [2.0]]}}, Schema([ColSpec("long", "a")])),
    ({"dataframe_records": [{"a": "eHk="}]}, Schema([ColSpec("binary", "a")])),
    ({"dataframe_records": [{"a": "2026-01-02T03:04:05"}]}, Schema([ColSpec("datetime", "a")])),
    ({"dataframe_records": [{"a": [1, 2]}]}, infer_schema([{"a": [1, 2]}])),
    ({"dataframe_split": {"data": [[1, 2.5]]}}, Schema([ColSpec("long"), ColSpec("double")])),
    ({"inputs": [[1, 2]]}, Schema([TensorSpec("float32", (-1, 2))])),
    ({"inputs": {"x": [[1]], "y": [2]}}, Schema([TensorSpec("int64", (-1, 1), "x"), TensorSpec("int32", (-1,), "y")])),
    ({"inputs": [1, 2]}, Schema([TensorSpec("int64", (-1,), "x")])),
    ({"inputs": [{"a": 1}, {"a": 2}]}, Schema([ColSpec("integer", "a")])),
    ({"inputs": "text"}, Schema([ColSpec("string")])),
    ({"instances": [[1, 2]]}, Schema([TensorSpec("float64", (-1, 2))])),
    ({"instances": [{"x": [1], "y": 2}, {"x": [3], "y": 4}]}, None),
    ({"instances": [{"x": 1.5}]}, Schema([ColSpec("double", "x")])),
]


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_a_request_is_read_as_mlflows_server_reads_it(number: int) -> None:
    """Each layout, with the types of the signature."""
    from mlflow.types import Schema as Theirs
    from mlflow.utils.proto_json_utils import dataframe_from_parsed_json, parse_tf_serving_input

    body, schema = REQUESTS[number]
    schema = schema if isinstance(schema, Schema) else None
    theirs = None if schema is None else Theirs.from_json(schema.to_json())
    kind, data = next(iter(body.items()))
    if kind.startswith("dataframe"):
        expected = dataframe_from_parsed_json(data, kind.removeprefix("dataframe_"), theirs)
    else:
        expected = parse_tf_serving_input(body, theirs)

    found, params = read_request(json.dumps({**body, "params": {"n": 1}}), schema)

    assert {"n": 1} == params
    assert type(expected) is type(found)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(expected, found)
    elif isinstance(expected, dict):
        assert {key: (value.dtype, value.tolist()) for key, value in expected.items()} == {
            key: (value.dtype, value.tolist()) for key, value in found.items()
        }
    else:
        np.testing.assert_array_equal(expected, found)
        assert getattr(expected, "dtype", None) == getattr(found, "dtype", None)


LONG = Schema([ColSpec("long", "a"), ColSpec("string", "b", required=False)])


@pytest.mark.parametrize(
    ("body", "schema", "words"),
    [
        ("{", None, "no JSON"),
        ("[1]", None, "no JSON object"),
        ("{}", None, "the request has nothing"),
        ('{"rows": []}', None, "the request has rows, and should have exactly one of"),
        ('{"inputs": [], "instances": []}', None, "has instances and inputs"),
        ('{"inputs": [], "more": 1}', None, "has more besides inputs"),
        ('{"inputs": [], "params": 1}', None, "params are 1"),
        ('{"dataframe_records": {}}', None, "no list of objects"),
        ('{"dataframe_split": []}', None, "no object with 'data'"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', None, "2 values for 1 columns"),
        ('{"dataframe_records": [{"a": 1.5}]}', LONG, "column 'a' has 1.5, the model takes long"),
        ('{"dataframe_records": [{"a": null}]}', LONG, "column 'a' has a missing value"),
        ('{"dataframe_records": [{"a": "x"}]}', LONG, "column 'a' has 'x', the model takes long"),
        ('{"dataframe_records": [{"a": [1]}]}', LONG, "column 'a' has .*, the model takes long"),
        ('{"inputs": {"a": "x"}}', LONG, "input 'a' can't become long"),
        ('{"inputs": {"a": 1}}', Schema([TensorSpec("int64", (-1,))]), "takes one array"),
        ('{"inputs": [[1], [1, 2]]}', Schema([TensorSpec("int64", (-1, 2))]), "can't become"),
        ('{"instances": [{"a": 1}, {}]}', LONG, "'a' is in 1 of 2 instances"),
        ('{"instances": [{"a": 1}, 2]}', LONG, "an object first and 2 later"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(body: str, schema: Schema | None, words: str) -> None:
    """Which names the column, where it is about one."""
    with pytest.raises(UsageError, match=words) as caught:
        read_request(body, schema)

    assert "Traceback" not in str(caught.value)


def test_csv_is_cast_by_the_signature() -> None:
    """Texts that look like numbers stay texts."""
    schema = Schema([ColSpec("string", "code"), ColSpec("double", "x")])

    found = frame_from_csv("code,x\n007,1\n008,2\n", schema)

    assert [["007", 1.0], ["008", 2.0]] == found.values.tolist()
    with pytest.raises(UsageError, match="no CSV"):
        frame_from_csv("", schema)
    with pytest.raises(InvalidModelInput, match="column 'x' has 'y'"):
        frame_from_csv("code,x\n1,y\n", schema)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pd.DataFrame({"a": [1, 2], "b": [None, 1.5]}), [{"a": 1, "b": None}, {"a": 2, "b": 1.5}]),
        (pd.Series([1, 2]), [1, 2]),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ({"x": np.float32(1.5), "y": (np.int64(1), b"x")}, {"x": 1.5, "y": [1, "eA=="]}),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (scipy.sparse.csr_matrix(np.eye(2)), [[1.0, 0.0], [0.0, 1.0]]),
        (np.array(3), 3),
        ("x", "x"),
    ],
)
def test_predictions_become_json(data: Any, expected: Any) -> None:
    """Whatever a model gives."""
    assert expected == json.loads(json.dumps(to_json(data)))


@pytest.mark.parametrize("data", [{"x": np.ones(1), "y": 1}, [np.ones(1)], object(), {1, 2}])
def test_an_example_that_cant_be_saved_is_refused(data: Any) -> None:
    """Before the model is."""
    with pytest.raises(UsageError, match="input example"):
        Example(data)


def test_a_damaged_example_is_one_sentence(tmp_path: Path) -> None:
    """Paths that lead out, files that are no JSON, kinds nobody knows."""
    (tmp_path / "input_example.json").write_text("{")
    for info, words in (
        ({"artifact_path": "../x", "type": "ndarray"}, "leaves the model's folder"),
        ({"artifact_path": "input_example.json", "type": "ndarray"}, "no JSON"),
        ({"artifact_path": "gone.json", "type": "ndarray"}, "No such file"),
    ):
        with pytest.raises(RecordError, match=words):
            Model(flavors={}, saved_input_example_info=info).load_input_example(str(tmp_path))
    (tmp_path / "input_example.json").write_text("{}")
    info = {"artifact_path": "input_example.json", "type": "odd"}
    with pytest.raises(RecordError, match="'odd' is not known"):
        Model(flavors={}, saved_input_example_info=info).load_input_example(str(tmp_path))
