"""Tensors checked against a signature: shape and dtype; frames become arrays where that is what it wants."""

from __future__ import annotations

from typing import Any

from ledgit.errors import InvalidModelInput
from ledgit.models.kinds import is_array, is_frame, is_sparse
from ledgit.models.schema import Schema

__all__ = ["enforce_tensors"]


def enforce_tensors(data: Any, schema: Schema) -> Any:
    """Return *data* as the tensors of *schema*: an array, or a dictionary of them.

    Raises:
        InvalidModelInput: A shape or dtype is another.
    """
    if schema.has_input_names():
        return {spec.name: _one(data, spec) for spec in schema.inputs}
    spec = schema.inputs[0]
    if is_frame(data):
        if data.empty:
            raise InvalidModelInput("", "the input is an empty data frame")
        columns = len(data.columns)
        if columns == 1:
            return _from_column("the input", data.iloc[:, 0], spec)
        if spec.shape != (-1, columns):  # type: ignore[union-attr]
            raise InvalidModelInput("", f"the input has {columns} columns, the model takes the shape {_shape(spec)}")
        return _check("the input", data.to_numpy(), spec)
    if is_array(data) or is_sparse(data):
        return _check("the input", data, spec)
    raise InvalidModelInput(
        "", f"the input is a {type(data).__name__}, the model takes an array of shape {_shape(spec)}"
    )


def _one(data: Any, spec: Any) -> Any:
    where = f"input {spec.name!r}"
    if is_frame(data):
        return _from_column(where, data[spec.name], spec)
    if not isinstance(data, dict):
        raise InvalidModelInput("", f"the input is a {type(data).__name__}, the model takes a dictionary of arrays")
    value = data[spec.name]
    if not is_array(value):
        raise InvalidModelInput(str(spec.name), f"{where} is a {type(value).__name__}, the model takes an array")
    return _check(where, value, spec)


def _check(where: str, values: Any, spec: Any) -> Any:
    """Return *values*, which have the shape and dtype of *spec*.

    Raises:
        InvalidModelInput: They have another.
    """
    import numpy as np

    want, have = spec.shape, values.shape
    dtype = values.dtype if is_array(values) else values.data.dtype
    if want == (-1,) and spec.type == np.dtype("O"):
        return values  # ragged, whatever it is
    if len(want) > 1 and -1 in want[1:] and len(have) == 1 and dtype == np.dtype("O"):
        return values
    if len(want) != len(have) or any(w not in (-1, h) for w, h in zip(want, have, strict=True)):
        raise InvalidModelInput(str(spec.name or ""), f"{where} has the shape {have}, the model takes {_shape(spec)}")
    plain = {"U": np.dtype("str"), "S": np.dtype("bytes")}.get(dtype.char, dtype)
    if plain != spec.type:
        raise InvalidModelInput(str(spec.name or ""), f"{where} has dtype {dtype}, the model takes {spec.type}")
    return values


def _from_column(where: str, column: Any, spec: Any) -> Any:
    """Return a frame's column as a tensor: scalars as they are, lists and arrays stacked."""
    import numpy as np

    name, shape = str(spec.name or ""), spec.shape
    if shape[0] != -1 or -1 in shape[1:]:
        raise InvalidModelInput(name, f"{where} has the shape {_shape(spec)}, which a column of a frame can't have")
    if not len(column):
        raise InvalidModelInput(name, f"{where} is empty")
    first = column.iloc[0]
    try:
        if np.isscalar(first):
            if shape not in {(-1,), (-1, 1)}:
                raise InvalidModelInput(name, f"{where} is a column of scalars, the model takes {_shape(spec)}")
            return _check(where, np.array(column, dtype=spec.type).reshape(shape), spec)
        if isinstance(first, list) and first and np.isscalar(first[0]):
            found = np.vstack(column.tolist()).reshape(shape).astype(spec.type)
        elif is_array(first):  # whose dtype MLflow leaves alone, too
            found = np.vstack(column.tolist()).reshape(shape)
        else:
            raise InvalidModelInput(
                name, f"{where} has {type(first).__name__} values, the model takes numbers or lists"
            )
    except ValueError as error:
        raise InvalidModelInput(name, f"{where} can't become the shape {_shape(spec)}: {error}") from None
    if len(found) != len(column):
        raise InvalidModelInput(name, f"{where} can't become the shape {_shape(spec)}: it has {len(column)} rows")
    return found


def _shape(spec: Any) -> str:
    return "(" + ", ".join("any" if size == -1 else str(size) for size in spec.shape) + ")"
