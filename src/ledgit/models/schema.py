"""Schemas: what columns or tensors a model takes and gives, and which params; JSON exactly as MLflow's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ledgit.errors import UsageError
from ledgit.models.types import ColumnType, DataType, Object, column_type, read_type, type_dict

__all__ = ["ColSpec", "ParamSchema", "ParamSpec", "Schema", "TensorSpec"]


class ColSpec:
    """A column: its type, its name (None: by position), and whether it must be there."""

    def __init__(self, type: ColumnType | str, name: str | None = None, required: bool | None = True) -> None:  # noqa: A002 - MLflow's name
        self.type = column_type(type, f"column {name!r}" if name is not None else "a column")
        self.name, self.required = name, required

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColSpec) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        required = "required" if self.required else "optional"
        return f"{self.type!r} ({required})" if self.name is None else f"{self.name!r}: {self.type!r} ({required})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        named = {} if self.name is None else {"name": self.name}
        return {**type_dict(self.type), **named, "required": self.required}


class TensorSpec:
    """A tensor: NumPy dtype, shape (-1: any length), and its name."""

    def __init__(self, type: Any, shape: Sequence[int], name: str | None = None) -> None:  # noqa: A002 - MLflow's name
        import numpy as np

        self.type = np.dtype(type)
        if self.type.kind in "US" and self.type.itemsize:
            raise UsageError(f"a tensor of texts has no size in its type: {self.type.name!r} is not 'str' or 'bytes'")
        self.shape, self.name = tuple(shape), name
        self.required = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        tensor = f"Tensor({self.type.name!r}, {self.shape!r})"
        return tensor if self.name is None else f"{self.name!r}: {tensor}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        spec = {"type": "tensor", "tensor-spec": {"dtype": self.type.name, "shape": self.shape}}
        return spec if self.name is None else {"name": self.name, **spec}


class Schema:
    """Columns or tensors, all named or none."""

    def __init__(self, inputs: Sequence[ColSpec | TensorSpec]) -> None:
        found = list(inputs)
        if not found:
            raise UsageError("a schema needs at least one column or tensor")
        names = [one.name for one in found]
        if any(name is None for name in names) and any(name is not None for name in names):
            raise UsageError(f"some inputs of the schema have names and others have not: {names}")
        if len({isinstance(one, TensorSpec) for one in found}) > 1:
            raise UsageError("a schema is of columns or of tensors, not of both")
        if isinstance(found[0], TensorSpec) and len(found) > 1 and names[0] is None:
            raise UsageError("a schema of several tensors needs a name for each")
        if names[0] is None and any(one.required is False for one in found):
            raise UsageError("an input without a name can't be optional")
        self.inputs = found

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[ColSpec | TensorSpec]:
        return iter(self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.inputs == self.inputs

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.inputs)

    def is_tensor_spec(self) -> bool:
        """Whether it is of tensors."""
        return isinstance(self.inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether the inputs have names."""
        return self.inputs[0].name is not None

    def input_names(self) -> list[Any]:
        """Return the names, or positions where there are none."""
        return [one.name if one.name is not None else place for place, one in enumerate(self.inputs)]

    def required_input_names(self) -> list[Any]:
        """Return the names of what must be there."""
        return [name for name, one in zip(self.input_names(), self.inputs, strict=True) if one.required]

    def optional_input_names(self) -> list[Any]:
        """Return the names of what may be missing."""
        return [name for name, one in zip(self.input_names(), self.inputs, strict=True) if not one.required]

    def input_types(self) -> list[Any]:
        """Return the type of each."""
        return [one.type for one in self.inputs]

    def input_dict(self) -> dict[str, Any]:
        """Return the inputs by name.

        Raises:
            UsageError: They have none.
        """
        if not self.has_input_names():
            raise UsageError("the inputs of this schema have no names")
        return {str(one.name): one for one in self.inputs}

    def input_types_dict(self) -> dict[str, Any]:
        """Return the types by name."""
        return {name: one.type for name, one in self.input_dict().items()}

    def numpy_types(self) -> list[Any]:
        """Return NumPy's dtype of each.

        Raises:
            UsageError: A column is no scalar.
        """
        return [_scalar(one.type, "NumPy").to_numpy() if isinstance(one, ColSpec) else one.type for one in self.inputs]

    def pandas_types(self) -> list[Any]:
        """Return the dtype of each as a pandas column.

        Raises:
            UsageError: They are tensors, or a column is no scalar.
        """
        if self.is_tensor_spec():
            raise UsageError("tensors have no pandas type; numpy_types() has theirs")
        return [_scalar(one.type, "pandas").to_pandas() for one in self.inputs]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return it as JSON's types."""
        return [one.to_dict() for one in self.inputs]

    def to_json(self) -> str:
        """Return it as JSON, as an MLmodel has it."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Return the schema that *text* is the JSON of.

        Raises:
            UsageError: It is none.
        """
        return cls([_read_input(one) for one in _read_list(text)])


class ParamSpec:
    """A param of prediction: its type, default, and shape (None: a scalar, (-1,): a list)."""

    def __init__(
        self, name: str, dtype: DataType | Object | str, default: Any, shape: Sequence[int] | None = None
    ) -> None:
        from ledgit.models.params import param_value

        found = column_type(dtype, f"param {name!r}")
        if not isinstance(found, DataType | Object) or found is DataType.binary:
            raise UsageError(
                f"the type of param {name!r} is {dtype!r}, expected a scalar that is not binary, or an Object"
            )
        self.name, self.dtype = str(name), found
        self.shape = None if shape is None else tuple(shape)
        if self.shape not in {None, (-1,)}:
            raise UsageError(f"the shape of param {name!r} is {shape!r}, expected None or (-1,)")
        self.default = param_value(self, default)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSpec) and (self.name, self.dtype, self.default, self.shape) == (
            other.name,
            other.dtype,
            other.default,
            other.shape,
        )

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self.default}){shape}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        default = self.default
        if self.dtype is DataType.datetime:
            default = default.isoformat() if self.shape is None else [one.isoformat() for one in default]
        return {"name": self.name, "default": default, "shape": self.shape, **type_dict(self.dtype)}


class ParamSchema:
    """The params of prediction."""

    def __init__(self, params: Sequence[ParamSpec]) -> None:
        self.params = list(params)
        names = [one.name for one in self.params]
        if len(set(names)) < len(names):
            raise UsageError(f"a param is there twice among {', '.join(names)}")

    def __len__(self) -> int:
        return len(self.params)

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and other.params == self.params

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.params)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return it as JSON's types."""
        return [one.to_dict() for one in self.params]

    def to_json(self) -> str:
        """Return it as JSON, as an MLmodel has it."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> ParamSchema:
        """Return the params that *text* is the JSON of.

        Raises:
            UsageError: It is none.
        """
        found = []
        for one in _read_list(text):
            kind = one.get("type") or one.get("dtype")
            if "name" not in one or "default" not in one or kind is None:
                raise UsageError("a param of the signature has no name, type or default")
            dtype: Any = read_type({**one, "type": kind}, f"param {one['name']!r}")
            found.append(ParamSpec(str(one["name"]), dtype, one["default"], one.get("shape")))
        return cls(found)


def _scalar(dtype: Any, whose: str) -> DataType:
    if not isinstance(dtype, DataType):
        raise UsageError(f"{dtype!r} has no type of {whose}")
    return dtype


def _read_list(text: Any) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a schema does not decode: {error}") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError("a schema is no JSON list of objects")
    return found


def _read_input(data: dict[str, Any]) -> ColSpec | TensorSpec:
    name = data.get("name")
    if data.get("type") == "tensor":
        spec = data.get("tensor-spec")
        try:
            return TensorSpec(spec["dtype"], spec["shape"], name)  # type: ignore[index]
        except (TypeError, KeyError, ValueError) as error:
            raise UsageError(f"a tensor of the signature does not decode: {error}") from None
    what = f"column {name!r}" if name is not None else "a column"
    return ColSpec(read_type(data, what), name, data.get("required", True))
