"""Input checked against a signature before a model sees it: what fits is converted, the rest is named and refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledgit.errors import InvalidModelInput
from ledgit.models.enforce_columns import enforce_column
from ledgit.models.enforce_tensors import enforce_tensors
from ledgit.models.enforce_values import enforce_type
from ledgit.models.kinds import is_array, is_frame, is_series
from ledgit.models.params import param_value, plain
from ledgit.models.schema import ColSpec, ParamSchema, Schema
from ledgit.models.types import Array, DataType, Object

__all__ = ["enforce_params", "enforce_schema", "validate_schema"]


def enforce_schema(data: Any, schema: Schema) -> Any:
    """Return *data* as the model takes it: a data frame with the schema's columns in its order, or tensors.

    Args:
        data: A frame, series, array, dictionary, list or scalar; a sparse matrix where the schema is of tensors.
        schema: The signature's inputs.

    Raises:
        InvalidModelInput: Something is missing, or of a type that would lose something; ``name`` says which.
    """
    if is_series(data):
        data = data.to_frame()
    if schema.is_tensor_spec():
        if schema.has_input_names() and len(schema) == 1 and is_array(data):
            data = {schema.inputs[0].name: data}
        _check_names(data, schema)
        return enforce_tensors(data, schema)
    frame = _frame(data, schema)
    _check_names(frame, schema)
    return _named(frame, schema) if schema.has_input_names() else _unnamed(frame, schema)


def validate_schema(data: Any, expected_schema: Schema) -> None:
    """Check that *data* fits *expected_schema*.

    Raises:
        InvalidModelInput: It does not.
    """
    enforce_schema(data, expected_schema)


def _frame(data: Any, schema: Schema) -> Any:
    """Return column-wise input as a data frame."""
    import numpy as np
    import pandas as pd

    if is_frame(data):
        return data
    if np.isscalar(data):
        return pd.DataFrame([data])
    try:
        if isinstance(data, dict):
            return _of_dictionary(data, schema)
        if isinstance(data, list) or is_array(data):
            return pd.DataFrame(data)
    except (ValueError, TypeError) as error:
        raise InvalidModelInput("", f"the input can't be made a data frame of: {error}") from None
    raise InvalidModelInput("", f"the input is a {type(data).__name__}, the model takes a data frame")


def _of_dictionary(data: dict[Any, Any], schema: Schema) -> Any:
    import numpy as np
    import pandas as pd

    nested = any(isinstance(column.type, Array | Object) for column in schema.inputs)
    texts = all(
        np.isscalar(value) or value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        for value in data.values()
    )
    scalars = all(is_array(value) and value.shape == () and value.dtype.kind == "U" for value in data.values())
    if nested or texts or scalars:
        return pd.DataFrame([data])
    return pd.DataFrame(
        {key: value.tolist() if is_array(value) and value.ndim > 1 else value for key, value in data.items()}
    )


def _check_names(data: Any, schema: Schema) -> None:
    """See that all inputs are there; extra ones are ignored.

    Raises:
        InvalidModelInput: One is missing.
    """
    if not schema.has_input_names():
        if is_frame(data) and not schema.is_tensor_spec() and len(data.columns) < len(schema):
            raise InvalidModelInput("", f"the input has {len(data.columns)} columns, the model takes {len(schema)}")
        return
    there: Iterable[Any] = data.columns if is_frame(data) else data.keys() if isinstance(data, dict) else ()
    names = set(there)
    missing = [name for name in schema.required_input_names() if name not in names]
    if not missing:
        return
    extra = [name for name in there if name not in set(schema.input_names())]
    what = "column" if len(missing) == 1 else "columns"
    more = f"; it has {_listed(extra)}, which the model does not know" if extra else ""
    raise InvalidModelInput(str(missing[0]), f"the input lacks the {what} {_listed(missing)}{more}")


def _listed(names: list[Any]) -> str:
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _named(frame: Any, schema: Schema) -> Any:
    import pandas as pd

    found = {}
    for column in schema.inputs:
        if column.name not in frame:
            continue  # optional
        values = frame[column.name]
        if is_frame(values):
            raise InvalidModelInput(
                str(column.name), f"the input has the column {column.name!r} {values.shape[1]} times"
            )
        found[column.name] = _column(column.name, values, column)
    return pd.DataFrame(found, index=frame.index)


def _unnamed(frame: Any, schema: Schema) -> Any:
    import pandas as pd

    names = list(frame.columns[: len(schema)])
    found = {
        name: _column(name, frame.iloc[:, place], column)
        for place, (name, column) in enumerate(zip(names, schema.inputs, strict=True))
    }
    return pd.DataFrame(found, index=frame.index)


def _column(name: Any, values: Any, column: Any) -> Any:
    import pandas as pd

    assert isinstance(column, ColSpec)
    if isinstance(column.type, DataType):
        return enforce_column(name, values, column.type)
    where = f"column {name!r}"
    try:
        checked = [enforce_type(value, column.type, where, column.required) for value in values]
    except InvalidModelInput as error:
        raise InvalidModelInput(str(name), error.reason) from None
    return pd.Series(checked, index=values.index, name=name)


def enforce_params(params: dict[str, Any] | None, schema: ParamSchema | None) -> dict[str, Any]:
    """Return the params of a prediction: those given, checked, and the defaults of the others.

    What the signature does not name is left out, with a warning.

    Raises:
        InvalidModelInput: One is of another type, or they are no dictionary.
    """
    from ledgit.tracking.session import report

    if params is not None and not isinstance(params, dict):
        raise InvalidModelInput("params", f"the params are a {type(params).__name__}, expected a dictionary")
    given = plain(params or {})
    known = {} if schema is None else {spec.name: spec for spec in schema}
    if unknown := sorted(given.keys() - known.keys()):
        taken = f"it has {', '.join(known)}" if known else "it has none"
        report(f"the model's signature has no param {', '.join(unknown)}; {taken}", "params were left out")
    return {name: param_value(spec, given[name]) if name in given else spec.default for name, spec in known.items()}
