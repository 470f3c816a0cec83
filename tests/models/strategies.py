"""Data that a model may take: frames, arrays, records, of every type a signature knows and of some it does not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "länge", "x y", "0"])
TIMES = st.datetimes(min_value=dt.datetime(1990, 1, 1), max_value=dt.datetime(2100, 1, 1))  # noqa: DTZ001 - plain
INTEGERS = st.integers(-(2**31), 2**31 - 1)
SCALARS = st.one_of(
    st.booleans(),
    INTEGERS,
    st.floats(allow_infinity=False, width=32),
    st.text(max_size=4),
    st.binary(max_size=4),
    TIMES,
    TIMES.map(lambda time: time.date()),
    INTEGERS.map(np.int32),
    INTEGERS.map(np.int64),
    st.floats(width=32, allow_nan=False).map(np.float32),
    st.floats(width=32, allow_nan=False).map(np.float64),
    st.booleans().map(np.bool_),
    st.text(max_size=3).map(np.str_),
    st.binary(max_size=3).map(np.bytes_),
    st.binary(max_size=3).map(bytearray),
    TIMES.map(lambda time: np.datetime64(time, "s")),
)
ODD = st.sampled_from([Decimal(1), 1j, {1, 2}, object(), np.int8(1), np.uint64(1), pd.Timestamp(2020, 1, 1)])
MISSING = st.sampled_from([None, float("nan"), pd.NA, pd.NaT])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(SCALARS, MISSING),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.lists(INTEGERS, max_size=3).map(np.array),
    ),
    max_leaves=5,
)

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "datetime64[ns]", "datetime64[s]", "U3", "S3", "O", "complex64", "Int64", "Float32", "boolean", "string",
    "timedelta64[ns]",
]  # fmt: skip


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pd.Series[Any]:
    """A column: of one dtype, or of objects that are alike, or of anything."""
    kind = draw(st.sampled_from(["dtype", "alike", "any", "lists", "records"]))
    if kind == "dtype":
        dtype = draw(st.sampled_from(DTYPES))
        values = draw(st.lists(st.integers(0, 100), min_size=rows, max_size=rows))
        if dtype in {"U3", "S3", "O", "string"}:
            return pd.Series(
                np.array([str(value) for value in values], dtype="U3"), dtype="str" if dtype != "O" else "O"
            )
        if dtype in {"bool", "boolean"}:
            return pd.Series([value % 2 == 0 for value in values], dtype=dtype)
        column = pd.Series(values).astype(dtype)
        if dtype in {"float32", "float64", "Int64", "Float32", "datetime64[ns]"} and rows and draw(st.booleans()):
            column.iloc[0] = None
        return column
    if kind == "lists":
        values = draw(st.lists(st.lists(INTEGERS, max_size=2), min_size=rows, max_size=rows))
    elif kind == "records":
        records = st.dictionaries(
            st.sampled_from("kl"), st.one_of(INTEGERS, MISSING, st.lists(st.text(max_size=2))), max_size=2
        )
        values = draw(st.lists(records, min_size=rows, max_size=rows))
    elif kind == "alike":
        like = draw(st.sampled_from([st.booleans(), INTEGERS, st.text(max_size=3), st.binary(max_size=3), TIMES]))
        values = draw(st.lists(st.one_of(like, MISSING), min_size=rows, max_size=rows))
    else:
        values = draw(st.lists(st.one_of(VALUES, ODD), min_size=rows, max_size=rows))
    return pd.Series(values, dtype=object)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A data frame with up to three columns."""
    rows = draw(st.integers(0, 3))
    names = draw(st.lists(st.one_of(NAMES, st.integers(0, 3)), unique=True, min_size=1, max_size=3))
    return pd.DataFrame({name: draw(columns(rows)) for name in names})


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """An array of up to three dimensions, of any dtype NumPy has."""
    dtype = draw(st.sampled_from([name for name in DTYPES if name[0].islower() or name in {"U3", "S3", "O"}]))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    return np.zeros(shape, dtype if dtype not in {"boolean", "string"} else "int64")


RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)
DICTIONARIES = st.one_of(
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), st.dictionaries(NAMES, arrays(), min_size=1, max_size=3)
)
ANYTHING = st.one_of(
    frames(), arrays(), RECORDS, DICTIONARIES, VALUES, st.lists(st.one_of(SCALARS, MISSING), max_size=3), ODD,
    columns(2),
)  # fmt: skip
