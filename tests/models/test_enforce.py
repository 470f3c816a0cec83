"""Input is checked against the signature as MLflow checks it: the same is let through, converted and refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.models.real_mlflow import real_mlflow
from tests.models.strategies import ANYTHING, DTYPES, columns, frames

from ledgit.errors import InvalidModelInput, LedgitWarning
from ledgit.models import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from ledgit.models.enforce import enforce_params, enforce_schema
from ledgit.models.inference import infer_schema


@pytest.fixture(scope="module", autouse=True)
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real one."""
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as module:
        yield module


REFUSED = "refused"


def ours(data: Any, schema: Schema) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of casts
        try:
            return enforce_schema(deepcopy(data), schema)
        except InvalidModelInput:
            return REFUSED


def theirs(data: Any, schema: Schema) -> Any:
    """What MLflow makes of it; REFUSED for its errors and those it lets through from pandas and NumPy."""
    from mlflow.models.utils import _enforce_schema
    from mlflow.types import Schema as Theirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _enforce_schema(deepcopy(data), Theirs.from_json(schema.to_json()))
        except Exception:
            return REFUSED


def same(expected: Any, found: Any) -> bool:
    """Whether two inputs are equal, types included."""
    if type(expected) is not type(found):
        return False
    if isinstance(expected, pd.DataFrame):
        if expected.columns.empty:  # MLflow loses the rows then
            return bool(found.columns.empty)
        pd.testing.assert_frame_equal(expected, found)
        return True
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(expected, found)
        return expected.dtype == found.dtype
    if isinstance(expected, dict):
        return list(expected) == list(found) and all(same(expected[key], found[key]) for key in expected)
    if scipy.sparse.issparse(expected):
        return same(expected.toarray(), found.toarray())
    return bool(expected == found)


@settings(max_examples=120)
@given(frames(), st.data())
def test_a_frame_like_the_one_the_signature_is_from_is_treated_as_by_mlflow(frame: pd.DataFrame, data: Any) -> None:
    """With a column changed, one left out, one more, or in another order."""
    frame = frame.rename(columns=lambda name: name or "zero")  # MLflow takes a column called 0 for one without a name
    try:
        schema = infer_schema(frame)
        schema.to_json()
    except Exception:
        return
    changed = frame.copy()
    what = data.draw(st.sampled_from(["same", "change", "drop", "add", "turn", "anything"]))
    name = data.draw(st.sampled_from(list(frame.columns)))
    if what == "change":
        changed[name] = data.draw(columns(len(frame)))
    elif what == "drop":
        changed = changed.drop(columns=[name])
    elif what == "add":
        changed["more"] = 1
    elif what == "turn":
        changed = changed[list(changed.columns)[::-1]]
    given_input = data.draw(ANYTHING) if what == "anything" else changed

    found = ours(given_input, schema)  # first: MLflow writes into the objects it is given
    assert same(theirs(given_input, schema), found)


SAMPLES: dict[str, Any] = {
    "bool": [True, False],
    "object bool": pd.Series([True, None], dtype=object),
    "zeros and ones": [0, 1],
    "integers": [1, 2],
    "big": [2**40, 1],
    "integers with none": pd.Series([1, None], dtype=object),
    "whole floats with nan": [1.0, np.nan],
    "floats": [1.5, 2.5],
    "text": ["x", "y"],
    "numbers as text": ["1", "2"],
    "bytes": [b"x", b"y"],
    "dates as text": ["2026-01-01", "2026-01-02"],
    "times": pd.to_datetime(["2026-01-01", None]),
    "times with a zone": pd.to_datetime(["2026-01-01", None], utc=True),
    "decimals": pd.Series([Decimal("1.5"), Decimal(2)], dtype=object),
    "nothing": pd.Series([None, None], dtype=object),
    "mixed": pd.Series([1, "x"], dtype=object),
    **{name: pd.Series([1, 0]).astype(name) for name in DTYPES if name[0] not in "USO"},
}


@pytest.mark.parametrize("sample", list(SAMPLES))
@pytest.mark.parametrize("kind", [kind.name for kind in DataType])
@pytest.mark.parametrize("required", [True, False])
def test_each_type_of_column_takes_what_mlflow_takes(sample: str, kind: str, required: bool) -> None:
    """NaN in integers, integers as floats, what would lose something: each pair, one by one."""
    frame = pd.DataFrame({"x": SAMPLES[sample]})
    schema = Schema([ColSpec(kind, "x", required)])
    expected, found = theirs(frame, schema), ours(frame, schema)

    assert same(expected, found)


TENSOR_INPUTS: list[Any] = [
    np.zeros((2, 3)),
    np.zeros((2, 3), "float32"),
    np.zeros((0, 3)),
    np.zeros(3),
    np.zeros((2, 3, 1)),
    np.array([[1, 2], [3]], dtype=object),
    np.array([["a", "b", "c"]]),
    pd.DataFrame(np.zeros((2, 3))),
    pd.DataFrame({"x": [1.0, 2.0]}),
    pd.DataFrame({"x": [[1.0, 2.0, 3.0]], "y": [1]}),
    pd.DataFrame({"x": [[1.0, 2.0], [3.0]]}),
    pd.DataFrame({"x": [np.zeros(3), np.zeros(3)]}),
    pd.DataFrame({"x": [{"a": 1}]}),
    pd.DataFrame({"x": []}),
    pd.DataFrame(),
    {"x": np.zeros((2, 3))},
    {"x": [[1, 2, 3]]},
    {"x": np.zeros((2, 3)), "y": np.zeros(2, "int64")},
    {"y": np.zeros((2, 3))},
    {},
    [[1.0, 2.0, 3.0]],
    "text",
    scipy.sparse.csr_matrix(np.eye(3)),
    scipy.sparse.csc_matrix(np.eye(3, dtype="float32")),
]


@pytest.mark.parametrize(
    "schema",
    [
        Schema([TensorSpec("float64", (-1, 3))]),
        Schema([TensorSpec("float64", (-1,))]),
        Schema([TensorSpec("float64", (-1, 1))]),
        Schema([TensorSpec("float64", (2, 3))]),
        Schema([TensorSpec("float64", (-1, -1, 3))]),
        Schema([TensorSpec("O", (-1,))]),
        Schema([TensorSpec("str", (-1, 3))]),
        Schema([TensorSpec("float64", (-1, 3), "x")]),
        Schema([TensorSpec("float64", (-1, 3), "x"), TensorSpec("int64", (-1,), "y")]),
    ],
    ids=str,
)
def test_tensors_are_taken_as_mlflow_takes_them(schema: Schema) -> None:
    """Shapes, dtypes, names, frames in their place, sparse and ragged ones."""
    for data in TENSOR_INPUTS:
        assert same(theirs(data, schema), ours(data, schema)), data


SPECS = ParamSchema(
    [
        ParamSpec("n", "long", 3),
        ParamSpec("x", "double", 1.5),
        ParamSpec("f", "float", 1.5),
        ParamSpec("i", "integer", 1),
        ParamSpec("b", "boolean", True),
        ParamSpec("s", "string", "x"),
        ParamSpec("l", "double", [1.5], (-1,)),
    ]
)
GIVEN: list[Any] = [
    1, 1.5, True, "x", None, [1, 2], [1.5], ["x"], np.array([1.0]), np.int32(1), np.int64(1), np.float32(1.5),
    np.float64(1.5), np.bool_(True), {}, [[1]], b"x",
]  # fmt: skip


@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_each_type_of_param_takes_what_mlflow_takes(name: str) -> None:
    """Integers become floats, floats no integers; lists are lists."""
    from mlflow.models.utils import _enforce_params_schema
    from mlflow.types import ParamSchema as Theirs

    schema = Theirs.from_json(SPECS.to_json())
    for value in GIVEN:
        try:
            expected: Any = _enforce_params_schema({name: value}, schema)
        except Exception:
            expected = REFUSED
        try:
            found: Any = enforce_params({name: value}, SPECS)
        except InvalidModelInput:
            found = REFUSED

        assert expected == found, value
        if expected != REFUSED:
            assert type(expected[name]) is type(found[name]), value


def test_unknown_params_are_left_out_with_a_warning(repo: Path) -> None:
    """As MLflow does; the known ones have their defaults."""
    with pytest.warns(LedgitWarning, match="has no param temperature; it has n"):
        found = enforce_params({"temperature": 1}, ParamSchema([ParamSpec("n", "long", 3)]))

    assert {"n": 3} == found


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (pd.DataFrame({"b": ["x"]}), "a", "the input lacks the column 'a'$"),
        (
            pd.DataFrame({"c": [1]}),
            "a",
            "the input lacks the columns 'a', 'b'; it has 'c', which the model does not know",
        ),
        (pd.DataFrame({"a": ["x"], "b": ["x"]}), "a", "column 'a' has .*, the model takes long"),
        (pd.DataFrame({"a": [1.5], "b": ["x"]}), "a", "column 'a' has float64, the model takes long$"),
        (pd.DataFrame({"a": [1, None], "b": "x"}), "a", "integers with missing values are floats in pandas"),
        (5, "a", "lacks the columns"),
        (object(), "", "the input is a object, the model takes a data frame"),
    ],
)
def test_a_refusal_names_the_column(data: Any, name: str, words: str) -> None:
    """So that whoever sent it finds it."""
    schema = Schema([ColSpec("long", "a"), ColSpec("string", "b")])

    with pytest.raises(InvalidModelInput, match=words) as caught:
        enforce_schema(data, schema)

    assert name == caught.value.name


@example(["a"])
@given(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
def test_extra_columns_are_ignored_and_the_order_is_the_signatures(names: list[str]) -> None:
    """A model gets just what it was trained on."""
    frame = pd.DataFrame({name: [1] for name in names})
    found = ours(frame, Schema([ColSpec("long", "b"), ColSpec("long", "a")]))

    assert (["b", "a"] if {"a", "b"} <= set(names) else REFUSED) == (found if found is REFUSED else list(found.columns))
