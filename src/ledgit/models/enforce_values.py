"""Values inside columns checked against their types: scalars, arrays, objects, maps."""

from __future__ import annotations

from typing import Any

from ledgit.errors import InvalidModelInput
from ledgit.models.kinds import is_array, is_missing
from ledgit.models.types import AnyType, Array, ColumnType, DataType, Map, Object

__all__ = ["enforce_type"]


def enforce_type(data: Any, dtype: ColumnType, where: str, required: bool | None = True) -> Any:
    """Return *data* as *dtype* wants it; *where* names the column in errors.

    Raises:
        InvalidModelInput: It is of another type, or would lose something.
    """
    if isinstance(dtype, DataType):
        return _scalar(data, dtype, where, required)
    if isinstance(dtype, Array):
        return _array(data, dtype, where, required)
    if isinstance(dtype, Object):
        return _object(data, dtype, where, required)
    if isinstance(dtype, Map):
        return _map(data, dtype, where, required)
    assert isinstance(dtype, AnyType)
    return data


def _scalar(data: Any, dtype: DataType, where: str, required: bool | None) -> Any:
    import numpy as np
    import pandas as pd

    from ledgit.models.enforce_columns import enforce_column

    if not required and is_missing(data):
        return None
    if not np.isscalar(data):
        raise InvalidModelInput(where, f"{where} has {_shown(data)}, expected {dtype!r}")
    return enforce_column(where, pd.Series(data), dtype).iloc[0]


def _array(data: Any, dtype: Array, where: str, required: bool | None) -> Any:
    import numpy as np
    import pandas as pd

    from ledgit.models.enforce_columns import enforce_column

    listed = isinstance(data, list) or is_array(data)
    if (not required or isinstance(dtype.dtype, AnyType)) and (data is None or (listed and len(data) == 0)):
        return data
    if not listed:
        raise InvalidModelInput(where, f"{where} has {_shown(data)}, expected a list of {dtype.dtype!r}")
    found: Any
    if not isinstance(dtype.dtype, DataType):
        found = [enforce_type(one, dtype.dtype, where, required) for one in data]
    elif len(data) == 0:
        found = data
    else:
        found = enforce_column(where, pd.Series(data), dtype.dtype).to_numpy(dtype=dtype.dtype.to_numpy())
    if isinstance(data, list) and is_array(found):
        return found.tolist()
    return np.array(found) if is_array(data) and isinstance(found, list) else found


def _object(data: Any, dtype: Object, where: str, required: bool | None) -> Any:
    if not required and (data is None or data == {}):
        return data
    if not isinstance(data, dict):
        raise InvalidModelInput(where, f"{where} has {_shown(data)}, expected an object")
    properties = {one.name: one for one in dtype.properties}
    if missing := sorted(name for name, one in properties.items() if one.required and name not in data):
        raise InvalidModelInput(where, f"{where} lacks {', '.join(map(repr, missing))}")
    if extra := sorted(map(str, data.keys() - properties.keys())):
        raise InvalidModelInput(where, f"{where} has {', '.join(map(repr, extra))}, which the signature does not know")
    return {
        name: enforce_type(value, properties[name].dtype, f"{where}.{name}", properties[name].required)
        for name, value in data.items()
    }


def _map(data: Any, dtype: Map, where: str, required: bool | None) -> Any:
    if (not required or isinstance(dtype.value_type, AnyType)) and (data is None or data == {}):
        return data
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InvalidModelInput(
            where, f"{where} has {_shown(data)}, expected a mapping from text to {dtype.value_type!r}"
        )
    return {name: enforce_type(value, dtype.value_type, f"{where}.{name}", required) for name, value in data.items()}


def _shown(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
