"""JSON and CSV as a model's input: the bodies that MLflow's servers take, cast by the signature."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

from ledgit.errors import InvalidModelInput, UsageError
from ledgit.models.enforce_values import enforce_type
from ledgit.models.kinds import is_array, is_frame, is_missing, is_series
from ledgit.models.schema import ColSpec, Schema, TensorSpec
from ledgit.models.types import AnyType, Array, DataType

__all__ = [
    "KINDS",
    "cast_frame",
    "frame_from_csv",
    "frame_from_json",
    "inputs_from_json",
    "instances_from_json",
    "read_request",
    "text_columns",
    "to_json",
]

#: Keys of a request's body, of which it has exactly one.
KINDS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read_request(body: str | bytes | Mapping[str, Any], schema: Schema | None) -> tuple[Any, dict[str, Any] | None]:
    """Return data and params from the JSON *body* of a request.

    Raises:
        UsageError: It is no JSON, or has not just one of :data:`KINDS`.
        InvalidModelInput: Its data does not fit *schema*; ``name`` says which column.
    """
    try:
        found = body if isinstance(body, Mapping) else json.loads(body)
    except ValueError as error:
        raise UsageError(f"the request is no JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise UsageError(f"the request is no JSON object; it should have one of {', '.join(KINDS)}")
    kinds = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1:
        have = " and ".join(kinds) if kinds else ", ".join(map(str, list(found)[:5])) or "nothing"
        raise UsageError(f"the request has {have}, and should have exactly one of {', '.join(KINDS)}")
    extra = sorted(map(str, found.keys() - {*KINDS, "params"}))
    if extra:
        raise UsageError(f"the request has {', '.join(extra)} besides {kinds[0]} and params")
    params = found.get("params")
    if params is not None and not isinstance(params, dict):
        raise InvalidModelInput("params", f"params are {params!r}, expected an object")
    data = found[kinds[0]]
    if kinds[0].startswith("dataframe"):
        return frame_from_json(data, kinds[0].removeprefix("dataframe_"), schema), params
    return (instances_from_json if kinds[0] == "instances" else inputs_from_json)(data, schema), params


def frame_from_csv(text: str, schema: Schema | None) -> Any:
    """Return CSV *text*, with a header, as a data frame.

    Raises:
        UsageError: It is none.
        InvalidModelInput: A column can't become what *schema* says.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(io.StringIO(text), dtype=text_columns(schema) or None)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UsageError(f"the input is no CSV: {error}") from None
    return cast_frame(frame, schema)


def text_columns(schema: Schema | None) -> dict[str, Any]:
    """Return the pandas dtypes of the columns that a CSV reader must not take for numbers: column → dtype."""
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return {}
    return {
        name: spec.type.to_pandas()
        for name, spec in schema.input_dict().items()
        if spec.type is DataType.string or spec.type is DataType.binary
    }


def frame_from_json(data: Any, orient: str, schema: Schema | None) -> Any:
    """Return parsed JSON as a data frame, its columns cast by *schema*.

    Args:
        data: ``{"columns": […], "data": [[…]]}`` for *orient* ``split``, a list of objects for ``records``.
        orient: How it is laid out.
        schema: The signature's inputs, or None.

    Raises:
        UsageError: It is laid out otherwise.
        InvalidModelInput: A column can't become what *schema* says.
    """
    import pandas as pd

    try:
        if orient == "records":
            if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
                raise UsageError("dataframe_records is no list of objects")
            frame = pd.DataFrame(data)
        else:
            if not isinstance(data, dict) or "data" not in data or data.keys() - {"columns", "data", "index"}:
                raise UsageError("dataframe_split is no object with 'data', and 'columns' and 'index' if need be")
            columns, rows = data.get("columns"), data["data"]
            if columns is not None and isinstance(rows, list):
                for place, row in enumerate(rows):  # pandas would fill up short ones
                    if not isinstance(row, list) or len(row) != len(columns):
                        have = f"{len(row)} values" if isinstance(row, list) else f"{row!r:.40}"
                        raise UsageError(f"row {place} of dataframe_split has {have} for {len(columns)} columns")
            frame = pd.DataFrame(index=data.get("index"), columns=columns, data=rows)
    except (ValueError, TypeError, AssertionError) as error:
        raise UsageError(f"dataframe_{orient} is no data frame: {error}") from None
    return cast_frame(frame, schema)


def cast_frame(frame: Any, schema: Schema | None) -> Any:
    """Return *frame* with what JSON can't say put right: bytes, times, and numbers of another width."""
    if schema is None:
        return frame
    if schema.has_input_names():
        specs = {name: spec for name, spec in schema.input_dict().items() if name in frame.columns}
    elif schema.is_tensor_spec():
        specs = dict.fromkeys(frame.columns, schema.inputs[0])
    else:
        specs = dict(zip(frame.columns, schema.inputs, strict=False))
    for name, spec in specs.items():
        try:
            found = _cast_column(str(name), frame[name], spec)
        except InvalidModelInput:
            raise
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise InvalidModelInput(str(name), f"column {name!r} can't become {spec.type!r}: {error}") from None
        if found is not frame[name]:
            frame[name] = found
    return frame


def _cast_column(name: str, column: Any, spec: Any) -> Any:
    import pandas as pd

    if isinstance(spec, TensorSpec):
        if len(column) and isinstance(column.iloc[0], list):
            return column  # made an array of later, all at once
        if spec.type.kind == "S":
            return column.map(lambda value: value.encode())
        if spec.type.kind == "U" and isinstance(column.dtype, pd.StringDtype):
            return column
        return column.astype(spec.type)
    assert isinstance(spec, ColSpec)
    if isinstance(spec.type, AnyType):
        return column
    if not isinstance(spec.type, DataType):
        where, kind, required = f"column {name!r}", spec.type, spec.required
        return column.map(lambda value: enforce_type(value, kind, where, required))
    if spec.type is DataType.binary:
        return column.map(lambda value: value if is_missing(value) else base64.decodebytes(value.encode()))
    if spec.type is DataType.datetime:
        return _times(column)
    if spec.type is DataType.string and isinstance(column.dtype, pd.StringDtype):
        return column
    if not spec.required and spec.type is not DataType.string and column.isna().any():
        # What is missing has no place in integers: floats are what they come as, and enforcing decides.
        return (
            column
            if spec.type in {DataType.integer, DataType.long, DataType.boolean}
            else column.astype(spec.type.to_pandas())
        )
    return _lossless(name, column, spec.type)


def _times(column: Any) -> Any:
    import pandas as pd

    try:
        found = pd.to_datetime(column, format="ISO8601")  # also where some are dates alone
    except (ValueError, TypeError):
        found = pd.to_datetime(column)
    return found.astype("datetime64[ns]")


def _lossless(name: str, column: Any, kind: DataType) -> Any:
    """Return *column* as *kind*, if that loses nothing: 1.5 is no integer, and text no number."""
    want = kind.to_pandas()
    if kind in {DataType.integer, DataType.long} and column.dtype.kind == "f":
        if column.isna().any() or (column % 1 != 0).any():
            raise InvalidModelInput(name, f"column {name!r} has {_first_odd(column)}, the model takes {kind!r}")
    elif kind is not DataType.string and (column.dtype.kind == "O" or _is_text(column)):
        odd = next((value for value in column if isinstance(value, str | list | dict)), None)
        if odd is not None:
            raise InvalidModelInput(name, f"column {name!r} has {odd!r}, the model takes {kind!r}")
        if kind in {DataType.integer, DataType.long, DataType.boolean} and column.isna().any():
            raise InvalidModelInput(name, f"column {name!r} has a missing value, the model takes {kind!r}")
    elif kind is DataType.boolean and column.dtype.kind != "b":
        raise InvalidModelInput(name, f"column {name!r} has {column.dtype}, the model takes {kind!r}")
    return column.astype(want)


def _is_text(column: Any) -> bool:
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype)


def _first_odd(column: Any) -> str:
    odd = column[column.isna() | (column % 1 != 0)].iloc[0]
    return "a missing value" if is_missing(odd) else repr(float(odd))


def inputs_from_json(data: Any, schema: Schema | None) -> Any:
    """Return parsed JSON in column form as a model's input: arrays by name, or one.

    Raises:
        InvalidModelInput: It does not fit *schema*.
    """
    specs: dict[str, Any] = schema.input_dict() if schema is not None and schema.has_input_names() else {}
    if len(specs) == 1 and isinstance(data, list) and not any(isinstance(one, dict) for one in data):
        data = {next(iter(specs)): data}
    elif schema is not None and not specs and isinstance(data, dict):
        raise InvalidModelInput("", "the input is an object, and the model takes one array or value without a name")
    if isinstance(data, dict):
        return {name: _convert(str(name), value, specs.get(name)) for name, value in data.items()}
    if isinstance(data, list) and data and all(isinstance(one, dict) for one in data):
        return [{name: _convert(str(name), value, specs.get(name)) for name, value in one.items()} for one in data]
    return _convert("", data, schema.inputs[0] if schema is not None else None)


def instances_from_json(data: Any, schema: Schema | None) -> Any:
    """Return parsed JSON in row form as a model's input.

    Raises:
        InvalidModelInput: It does not fit *schema*, or rows have different keys.
    """
    import numpy as np

    if not (isinstance(data, list) and data and isinstance(data[0], dict)):
        return inputs_from_json(data, schema)
    specs: dict[str, Any] = schema.input_dict() if schema is not None and schema.has_input_names() else {}
    columns: dict[str, list[Any]] = {}
    for row in data:
        if not isinstance(row, dict):
            raise InvalidModelInput("", f"instances has an object first and {row!r} later")
        for name, value in row.items():
            columns.setdefault(name, []).append(_convert(str(name), value, specs.get(name)))
    for name, values in columns.items():
        spec = specs.get(name)
        if len(values) != len(data) and (spec is None or spec.required):
            raise InvalidModelInput(str(name), f"{name!r} is in {len(values)} of {len(data)} instances")
    try:
        return {name: np.array(values) for name, values in columns.items()}
    except ValueError as error:
        raise InvalidModelInput("", f"the instances make no arrays: {error}") from None


def _convert(name: str, data: Any, spec: Any) -> Any:
    import numpy as np

    where = f"input {name!r}" if name else "the input"
    try:
        if spec is None:
            return np.array(data)
        if isinstance(spec, TensorSpec):
            return np.array(data, dtype=spec.type)
        if isinstance(spec.type, DataType):
            kind = spec.type.to_numpy()
            return np.array(data, kind) if isinstance(data, list) or is_array(data) else np.array([data], kind)[0]
        if isinstance(spec.type, Array):
            return np.array(enforce_type(data, spec.type, where, spec.required))
        return enforce_type(data, spec.type, where, spec.required)
    except InvalidModelInput as error:
        raise InvalidModelInput(name, error.reason) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidModelInput(name, f"{where} can't become {spec.type if spec else 'an array'!r}: {error}") from None


def to_json(data: Any) -> Any:
    """Return predictions as JSON's types: frames as records, arrays as lists, NaN as None."""
    if is_frame(data):
        return [{str(key): to_json(value) for key, value in row.items()} for row in data.to_dict(orient="records")]
    if is_series(data) or is_array(data):
        return [to_json(value) for value in data.tolist()] if getattr(data, "ndim", 1) else to_json(data.item())
    if isinstance(data, Mapping):
        return {str(key): to_json(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [to_json(value) for value in data]
    if is_missing(data):
        return None
    if isinstance(data, bytes | bytearray):
        return base64.b64encode(data).decode("ascii")
    if hasattr(data, "isoformat"):
        return data.isoformat()
    if hasattr(data, "item") and hasattr(data, "dtype"):
        return to_json(data.item())
    if hasattr(data, "toarray"):
        return to_json(data.toarray())
    return data
