"""Signatures are told from data as MLflow tells them, and their JSON is MLflow's to the letter."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.models.real_mlflow import real_mlflow
from tests.models.strategies import ANYTHING, DTYPES, INTEGERS, ODD, TIMES, VALUES

from ledgit.errors import LedgitWarning, UsageError
from ledgit.models import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    ModelSignature,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
    infer_signature,
)
from ledgit.models.inference import infer_params, infer_schema


@pytest.fixture(scope="module", autouse=True)
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real one."""
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as module:
        yield module


def ours(data: Any) -> str | None:
    """The schema's JSON, None where it is refused."""
    try:
        return infer_schema(data).to_json()
    except (UsageError, TypeError):  # TypeError: a name that JSON has no word for
        return None


def theirs(data: Any) -> str | None:
    """MLflow's JSON, None where it refuses or fails."""
    from mlflow.types.utils import _infer_schema

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(_infer_schema(data).to_json())
        except Exception:
            return None


@settings(max_examples=250)
@given(ANYTHING)
@example(pd.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", None]}))
@example([{"a": 1}, {"a": None, "b": [1, None]}])
@example({"a": np.zeros((2, 3)), "b": np.zeros(2, "U5")})
@example([])
@example({})
@example("text")
def test_any_data_has_the_schema_that_mlflow_gives_it(data: Any) -> None:
    """Of data of every type, and mixtures that have none."""
    assert theirs(data) == ours(data)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [0, 2])
def test_each_dtype_of_a_column_has_mlflows_type(dtype: str, rows: int) -> None:
    """One by one, so that none is left to chance."""
    column = pd.Series(np.zeros(rows, dtype), dtype=None) if dtype[0] in "US" else pd.Series([1] * rows).astype(dtype)

    assert theirs(pd.DataFrame({"x": column})) == ours(pd.DataFrame({"x": column}))


@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
def test_a_sparse_matrix_has_mlflows_schema(make: Any) -> None:
    """Its dtype is that of its values."""
    matrix = make(np.eye(3, dtype="float32"))

    assert theirs(matrix) == ours(matrix) is not None


PARAMS = st.one_of(
    st.booleans(), INTEGERS, st.floats(allow_nan=False), st.text(max_size=3), TIMES,
    TIMES.map(lambda time: time.date()), st.lists(INTEGERS, max_size=2),
    st.lists(st.floats(allow_nan=False), max_size=2), st.lists(TIMES, min_size=1, max_size=2),
    st.lists(st.text(max_size=3), min_size=1, max_size=2), st.binary(max_size=2), VALUES, ODD,
    st.lists(INTEGERS, max_size=2).map(np.array), st.just([[1]]),
)  # fmt: skip


@settings(max_examples=120)
@given(st.dictionaries(st.sampled_from(["n", "k", "t"]), PARAMS, max_size=3))
def test_params_have_the_schema_that_mlflow_gives_them(params: dict[str, Any]) -> None:
    """Scalars, lists and dictionaries, with their values as defaults."""
    from mlflow.types.utils import _infer_param_schema

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = _infer_param_schema(params).to_json()
        except Exception:
            expected = None
        try:
            found = infer_params(params).to_json()
        except (UsageError, TypeError):
            found = None

    assert expected == found


TYPES = st.recursive(
    st.one_of(st.sampled_from(list(DataType)), st.builds(AnyType)),
    lambda inner: st.one_of(
        st.builds(Array, inner),
        st.builds(Map, inner),
        st.lists(
            st.builds(Property, st.sampled_from("abc"), inner, st.booleans()),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one.name,
        ).map(Object),
    ),
    max_leaves=5,
)
COLUMNS = st.lists(st.builds(ColSpec, TYPES, st.sampled_from("wxyz"), st.booleans()), min_size=1, max_size=4).map(
    Schema
)
TENSORS = st.lists(
    st.builds(
        TensorSpec,
        st.sampled_from(["float32", "int64", "str", "bytes", "bool", "O"]).map(np.dtype),
        st.lists(st.integers(-1, 5), max_size=3).map(tuple),
        st.sampled_from("wxyz"),
    ),
    min_size=1,
    max_size=3,
).map(Schema)
PARAM_SCHEMAS = st.just(
    ParamSchema(
        [
            ParamSpec("n", "long", 3),
            ParamSpec("t", DataType.datetime, dt.date(2026, 1, 2)),
            ParamSpec("l", "double", [1.5], (-1,)),
            ParamSpec("none", "string", None),
            ParamSpec("o", Object([Property("a", "long")]), {"a": 1}),
        ]
    )
)


@settings(max_examples=80)
@given(st.builds(ModelSignature, st.one_of(COLUMNS, TENSORS), st.one_of(COLUMNS, TENSORS), PARAM_SCHEMAS))
def test_a_written_signature_is_read_back_here_and_by_mlflow(signature: ModelSignature) -> None:
    """Every type that can be declared, though no data may have it."""
    from mlflow.models.signature import ModelSignature as Theirs

    written = json.loads(json.dumps(signature.to_dict()))

    assert signature == ModelSignature.from_dict(written)
    assert written == Theirs.from_dict(written).to_dict()


def test_data_of_no_type_gives_any_with_a_warning(repo: Path) -> None:
    """A model is logged all the same, as in MLflow."""
    with pytest.warns(LedgitWarning, match="nothing will be checked"):
        signature = infer_signature([1, "a"], None)

    assert Schema([ColSpec(AnyType())]) == signature.inputs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Schema([]), "at least one column"),
        (lambda: Schema([ColSpec("long", "a"), ColSpec("long")]), "have names and others have not"),
        (lambda: Schema([ColSpec("long", required=False)]), "without a name can't be optional"),
        (lambda: Schema([TensorSpec("int64", (1,)), TensorSpec("int64", (1,))]), "needs a name for each"),
        (lambda: ColSpec("number", "a"), "the type of column 'a' is 'number'"),
        (lambda: TensorSpec(np.dtype("U3"), (1,)), "has no size in its type"),
        (lambda: Object([Property("a", "long"), Property("a", "long")]), "twice"),
        (lambda: ParamSpec("n", "binary", b""), "not binary"),
        (lambda: ParamSpec("n", "long", 1.5), "expected long"),
        (lambda: ParamSchema([ParamSpec("n", "long", 1)] * 2), "twice"),
        (lambda: ModelSignature(), "needs inputs, outputs or params"),
        (lambda: ModelSignature([1]), "expected a Schema"),  # type: ignore[arg-type]
        (lambda: Schema.from_json("{"), "does not decode"),
        (lambda: Schema.from_json('[{"name": "a"}]'), "type of column 'a' is missing"),
        (lambda: Schema.from_json('[{"type": "tensor"}]'), "tensor of the signature"),
        (lambda: infer_signature([1], None, {"n": [[1]]}), "not a list of scalars"),
    ],
)
def test_a_schema_that_makes_no_sense_is_refused_in_one_sentence(make: Any, words: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(UsageError, match=words) as caught:
        make()

    assert "\n" not in str(caught.value)
