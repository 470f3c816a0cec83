"""Schemas told from data, by MLflow's rules.

Arrays and dictionaries of arrays become tensors; frames, series, records and scalars become columns. A column
that has None or NaN is optional.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from ledgit.errors import LedgitError, UsageError
from ledgit.models.kinds import is_array, is_frame, is_missing, is_series, is_sparse
from ledgit.models.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from ledgit.models.types import AnyType, Array, ColumnType, DataType, Object, Property, merged

__all__ = ["infer_params", "infer_schema", "numpy_type"]


def infer_schema(data: Any) -> Schema:
    """Return the schema of *data*.

    Raises:
        UsageError: It is of no type that a signature knows, or of several where there must be one.
    """
    if isinstance(data, list) and not data:
        return Schema([ColSpec(DataType.string)])  # as MLflow has always had it
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return _of_records(data)
    if isinstance(data, dict):
        return _of_dictionary(data)
    if is_series(data):
        return Schema([ColSpec(_column_type(data), data.name, not _any_missing(data))])
    if is_frame(data):
        # By place, as names may repeat; iterated, they are Python's own types.
        return Schema([_column(name, data.iloc[:, place]) for place, name in enumerate(data.columns)])
    if is_array(data):
        return Schema([_tensor(data, data.dtype)])
    if is_sparse(data):
        return Schema([_tensor(data, data.data.dtype)])
    if isinstance(data, list):
        return Schema([ColSpec(_items(data))])
    found = _infer(data)
    if found is None:
        raise UsageError("an empty array has no type")
    return Schema([ColSpec(found)])


def _of_records(rows: list[dict[str, Any]]) -> Schema:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    found = []
    for name, values in columns.items():
        found.append(ColSpec(_items(values), name, all(row.get(name) is not None for row in rows)))
    return Schema(found)


def _of_dictionary(data: dict[Any, Any]) -> Schema:
    if all(is_array(value) for value in data.values()):
        return Schema([_tensor(value, value.dtype, name) for name, value in data.items()])
    if any(not isinstance(key, str) for key in data):
        raise UsageError("the keys of a dictionary must be text")
    found = []
    for name, value in data.items():
        kind = _infer(value)
        if kind is None:
            raise UsageError(f"{name!r} is an empty array, which has no type")
        required = not _any_missing(value) if isinstance(value, list) or is_series(value) else not is_missing(value)
        found.append(ColSpec(kind, name, required))
    return Schema(found)


def _column(name: Any, column: Any) -> ColSpec:
    return ColSpec(_column_type(column), name, not _any_missing(column))


def _tensor(data: Any, dtype: Any, name: str | None = None) -> TensorSpec:
    import numpy as np

    if not data.shape:
        raise UsageError("an array without dimensions has no rows")
    # Texts have no length in a signature.
    kind = {"U": np.dtype("str"), "S": np.dtype("bytes")}.get(dtype.char, dtype)
    return TensorSpec(kind, (-1, *data.shape[1:]), name)


def _any_missing(values: Iterable[Any]) -> bool:
    if is_series(values) and values.dtype.kind in "bifuM":  # type: ignore[attr-defined]
        return bool(values.isna().any())  # type: ignore[attr-defined]
    return any(is_missing(value) for value in values)


def _column_type(column: Any) -> ColumnType:
    if column.dtype.kind == "O":
        column = column.infer_objects()
    if column.dtype.kind != "O":
        return numpy_type(column.dtype)
    try:
        return _items(column.to_list())
    except UsageError as error:
        from pandas.api.types import is_string_dtype

        if is_string_dtype(column):
            return DataType.string
        raise UsageError(f"column {column.name!r} has no type that a signature knows: {error}") from None


def _items(values: list[Any]) -> ColumnType:
    """Return the type that all of *values* have.

    Raises:
        UsageError: There is none.
    """
    found = _infer(values)
    if not isinstance(found, Array):
        raise UsageError("nothing in it has a type")
    return found.dtype


def numpy_type(dtype: Any) -> DataType:
    """Return the type of a NumPy or pandas *dtype*: the narrowest that holds it all.

    Raises:
        UsageError: There is none.
    """
    kind, size = dtype.kind, dtype.itemsize
    if kind in "iu" and (size < 4 or (kind == "i" and size == 4)):
        return DataType.integer
    if kind in "iu" and (size < 8 or kind == "i"):
        return DataType.long
    if kind == "f" and size <= 8:
        return DataType.float if size <= 4 else DataType.double
    simple = {"b": DataType.boolean, "U": DataType.string, "S": DataType.binary, "M": DataType.datetime}
    if kind in simple:
        return simple[kind]
    raise UsageError(f"a signature knows no type for {dtype}")


def _infer(data: Any) -> ColumnType | None:
    """Return the type of one value; None for an empty array."""
    if is_missing(data) or (isinstance(data, list | dict) and not data):
        return AnyType()
    if isinstance(data, dict):
        properties = []
        for key, value in data.items():
            kind = _infer(value)
            if kind is None:
                raise UsageError(f"{key!r} is an empty array, which has no type")
            properties.append(Property(key, kind, required=not isinstance(kind, AnyType)))
        return Object(properties)
    if isinstance(data, list) or is_array(data):
        return _infer_items(data)
    return _infer_scalar(data)


def _infer_items(data: Iterable[Any]) -> Array | None:
    found: ColumnType | None = None
    for item in data:
        kind = _infer(item)
        if kind is None:
            continue
        try:
            found = kind if found is None else merged(found, kind)
        except UsageError as error:
            raise UsageError(
                f"the items of a list are of several types ({error}); an Array(AnyType()) takes them"
            ) from None
    return None if found is None else Array(found)


def _infer_scalar(data: Any) -> DataType:
    import numpy as np

    kinds: dict[type, DataType] = {
        bool: DataType.boolean,
        np.bool_: DataType.boolean,
        int: DataType.long,
        np.int64: DataType.long,
        np.int32: DataType.integer,
        float: DataType.double,
        np.float64: DataType.double,
        np.float32: DataType.float,
        str: DataType.string,
        np.str_: DataType.string,
        object: DataType.string,
        bytes: DataType.binary,
        np.bytes_: DataType.binary,
        bytearray: DataType.binary,
        dt.date: DataType.datetime,
        dt.datetime: DataType.datetime,
        np.datetime64: DataType.datetime,
    }
    found = kinds.get(type(data))
    if found is None:
        raise UsageError(f"{data!r} is a {type(data).__name__}, a type that no signature knows")
    return found


def infer_params(params: Any) -> ParamSchema:
    """Return the schema of *params*; their values are the defaults.

    Raises:
        UsageError: They are no mapping, or one has no type that a signature knows.
    """
    if not isinstance(params, dict):
        raise UsageError(f"params are {type(params).__name__}, expected a dictionary")
    found = []
    for name, value in params.items():
        try:
            kind, shape = _param_type(value)
            found.append(ParamSpec(name, kind, deepcopy(value), shape))
        except LedgitError as error:
            raise UsageError(f"param {name!r} is {value!r}, which a signature can't describe: {error}") from None
    return ParamSchema(found)


def _param_type(value: Any) -> tuple[DataType | Object, tuple[int] | None]:
    import numpy as np

    times = (dt.date, dt.datetime, np.datetime64)
    if isinstance(value, list) or is_array(value):
        if _depth(value) != 1:
            raise UsageError("it is not a list of scalars")
        if all(type(one) in times for one in value):
            return DataType.datetime, (-1,)
        return numpy_type(np.array(value).dtype), (-1,)
    if type(value) in times:
        return DataType.datetime, None
    if isinstance(value, dict):
        found = _infer(value)
        if not isinstance(found, Object):
            raise UsageError("it is empty")
        return found, None
    if not np.isscalar(value):
        raise UsageError(f"it is a {type(value).__name__}")
    return numpy_type(np.array(value).dtype), None


def _depth(value: Any) -> int:
    if is_array(value):
        return int(value.ndim)
    if isinstance(value, list):
        return 1 + max((_depth(one) for one in value), default=0)
    return 0
