"""The values of a model's params: whether they are what the signature says, as Python's own types."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidModelInput
from ledgit.models.types import DataType, Object

if TYPE_CHECKING:
    from ledgit.models.schema import ParamSpec

__all__ = ["param_scalar", "param_value"]

#: What becomes a wider type without loss.
_WIDER = {
    DataType.long: (DataType.integer,),
    DataType.float: (DataType.integer, DataType.long),
    DataType.double: (DataType.integer, DataType.long, DataType.float),
}


def param_value(spec: ParamSpec, value: Any) -> Any:
    """Return *value* as *spec* wants it: Python's types, integers as floats where those are wanted.

    Raises:
        InvalidModelInput: It is of another type or shape.
    """
    import numpy as np

    if spec.shape == (-1,):
        if not isinstance(value, list | np.ndarray) or np.ndim(value) != 1:
            raise InvalidModelInput(spec.name, f"param {spec.name!r} is {value!r}, expected a list of {spec.dtype!r}")
        assert isinstance(spec.dtype, DataType)
        return [param_scalar(spec.name, one, spec.dtype) for one in value]
    if isinstance(spec.dtype, Object):
        from ledgit.models.enforce_values import enforce_type

        enforce_type(deepcopy(value), spec.dtype, spec.name)
        return value
    assert isinstance(spec.dtype, DataType)
    return param_scalar(spec.name, value, spec.dtype)


def param_scalar(name: str, value: Any, dtype: DataType) -> Any:
    """Return *value* as Python's own type for *dtype*; None stays None.

    Raises:
        InvalidModelInput: It is of another type, or would lose something.
    """
    import numpy as np

    if value is None:
        return None
    if dtype is DataType.datetime:
        try:
            found = np.datetime64(value).item()
        except (ValueError, TypeError):
            found = None
        if found is None or isinstance(found, int):
            raise InvalidModelInput(name, f"param {name!r} is {value!r}, expected a date or time")
        return found
    kinds = (dtype, *_WIDER.get(dtype, ()))
    if not np.isscalar(value) or not any(DataType.check_type(kind, value) for kind in kinds):
        raise InvalidModelInput(
            name, f"param {name!r} is {value!r} ({type(value).__name__}), expected {dtype!r} as the signature has it"
        )
    return dtype.to_python()(value)


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* with names that are text."""
    return {str(name): value for name, value in params.items()}
