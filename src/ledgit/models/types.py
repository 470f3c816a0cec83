"""The types that a signature speaks of, with MLflow's names, JSON and rules for merging.

::

    DataType   boolean integer long float double string binary datetime
    Array(dtype)   Object([Property(name, dtype, required)])   Map(value_type)   AnyType()

NumPy is imported only when a type is asked for its NumPy equivalent.
"""

from __future__ import annotations

import builtins
import datetime as dt
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Union

from ledgit.errors import UsageError

__all__ = ["AnyType", "Array", "BaseType", "ColumnType", "DataType", "Map", "Object", "Property", "SparkMLVector"]

ColumnType = Union["DataType", "BaseType"]

_NUMPY = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "str",
    "binary": "bytes",
    "datetime": "datetime64[ns]",
}
_PYTHON: dict[str, type] = {
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": builtins.float,
    "double": builtins.float,
    "string": str,
    "binary": bytes,
    "datetime": dt.date,
}


class DataType(Enum):
    """A scalar's type."""

    boolean = 1
    integer = 2
    """32 bits."""
    long = 3
    """64 bits."""
    float = 4
    """32 bits."""
    double = 5
    """64 bits."""
    string = 6
    binary = 7
    datetime = 8

    def __repr__(self) -> str:
        return self.name

    def to_numpy(self) -> Any:
        """Return NumPy's dtype."""
        import numpy as np

        return np.dtype(_NUMPY[self.name])

    def to_pandas(self) -> Any:
        """Return the dtype of a pandas column: NumPy's, or ``object`` for text and bytes."""
        return object if self in {DataType.string, DataType.binary} else self.to_numpy()

    def to_python(self) -> type:
        """Return Python's type; a date for datetime."""
        return _PYTHON[self.name]

    @classmethod
    def check_type(cls, data_type: DataType, value: Any) -> bool:
        """Whether *value* is a scalar of just this type, Python's or NumPy's."""
        import numpy as np

        kinds = [data_type.to_numpy().type, data_type.to_python()]
        if data_type is cls.datetime:
            kinds += [np.datetime64, dt.datetime]
        if data_type is cls.binary:
            kinds.append(bytearray)
        return type(value) in kinds

    @classmethod
    def all_types(cls) -> list[DataType]:
        """Return all of them."""
        return list(cls)


class BaseType:
    """A type that is no scalar."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        raise NotImplementedError

    def merge(self, other: ColumnType) -> BaseType:
        """Return the type of values of both: keys that one lacks become optional.

        Raises:
            UsageError: There is none.
        """
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))


class Array(BaseType):
    """A list of values of one type."""

    def __init__(self, dtype: ColumnType | str) -> None:
        self.dtype = column_type(dtype, "an array's items")

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {"type": "array", "items": type_dict(self.dtype)}

    def merge(self, other: ColumnType) -> BaseType:
        """Return the type of values of both."""
        if isinstance(other, AnyType):
            return self
        if not isinstance(other, Array) or isinstance(other, SparkMLVector):
            raise UsageError(f"{self!r} and {other!r} have no type in common")
        return Array(merged(self.dtype, other.dtype))


class SparkMLVector(Array):
    """A vector of Spark ML."""

    def __init__(self) -> None:
        super().__init__(DataType.double)

    def __repr__(self) -> str:
        return "SparkML vector"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {"type": "sparkml_vector"}

    def merge(self, other: ColumnType) -> BaseType:
        """Return itself: it goes with its like alone."""
        if isinstance(other, SparkMLVector):
            return self
        raise UsageError(f"{self!r} and {other!r} have no type in common")


class Property:
    """A key of an object: its name, type, and whether every object has it."""

    def __init__(self, name: str, dtype: ColumnType | str, required: bool = True) -> None:
        if not isinstance(name, str):
            raise UsageError(f"the name of a property is {name!r}, expected text")
        self.name, self.dtype, self.required = name, column_type(dtype, f"property {name!r}"), required

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __lt__(self, other: Property) -> bool:
        return self.name < other.name

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types: ``{name: {"type": …, "required": …}}``."""
        return {self.name: {**type_dict(self.dtype), "required": self.required}}

    def merge(self, other: Property) -> Property:
        """Return the property of both: required only where both are."""
        return Property(self.name, merged(self.dtype, other.dtype), self.required and other.required)


class Object(BaseType):
    """A mapping with known keys, sorted by name."""

    def __init__(self, properties: Sequence[Property]) -> None:
        if not properties:
            raise UsageError("an Object needs at least one Property")
        self.properties = sorted(properties)
        for one, next_one in zip(self.properties, self.properties[1:], strict=False):
            if one.name == next_one.name:
                raise UsageError(f"an Object has the property {one.name!r} twice")

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.properties)) + "}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        properties = {name: value for one in self.properties for name, value in one.to_dict().items()}
        return {"type": "object", "properties": properties}

    def merge(self, other: ColumnType) -> BaseType:
        """Return the object of both: a key that one lacks is optional."""
        if isinstance(other, AnyType):
            return Object([Property(one.name, one.dtype, required=False) for one in self.properties])
        if not isinstance(other, Object):
            raise UsageError(f"{self!r} and {other!r} have no type in common")
        mine, theirs = ({one.name: one for one in side.properties} for side in (self, other))
        found = [
            Property(one.name, one.dtype, required=False)
            for one in (*mine.values(), *theirs.values())
            if (one.name in mine) != (one.name in theirs)
        ]
        return Object(found + [mine[name].merge(theirs[name]) for name in mine if name in theirs])


class Map(BaseType):
    """A mapping from text to values of one type."""

    def __init__(self, value_type: ColumnType | str) -> None:
        self.value_type = column_type(value_type, "a map's values")

    def __repr__(self) -> str:
        return f"Map(str -> {self.value_type!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {"type": "map", "values": type_dict(self.value_type)}

    def merge(self, other: ColumnType) -> BaseType:
        """Return the map of both."""
        if isinstance(other, AnyType):
            return self
        if not isinstance(other, Map):
            raise UsageError(f"{self!r} and {other!r} have no type in common")
        return Map(merged(self.value_type, other.value_type))


class AnyType(BaseType):
    """Anything, None too; nothing is checked."""

    def __repr__(self) -> str:
        return "Any"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {"type": "any"}


def merged(one: ColumnType, other: ColumnType) -> ColumnType:
    """Return the type of values of both.

    Raises:
        UsageError: There is none.
    """
    if isinstance(one, AnyType):
        if isinstance(other, AnyType | DataType):
            return other
        return other.merge(one)
    if isinstance(one, DataType):
        if one is other or isinstance(other, AnyType):
            return one
        raise UsageError(f"{one!r} and {other!r} have no type in common")
    return one.merge(other)


def column_type(given: ColumnType | str, what: str) -> ColumnType:
    """Return the type that *given* is or names.

    Raises:
        UsageError: It is none.
    """
    if isinstance(given, str):
        if given in DataType.__members__:
            return DataType[given]
    elif isinstance(given, DataType | BaseType):
        return given
    names = ", ".join(DataType.__members__)
    raise UsageError(f"the type of {what} is {given!r}, expected one of {names}, or an Array, Object, Map or AnyType")


def type_dict(dtype: ColumnType) -> dict[str, Any]:
    """Return a type as JSON's types."""
    return {"type": dtype.name} if isinstance(dtype, DataType) else dtype.to_dict()


def read_type(data: Any, what: str) -> ColumnType:
    """Return the type that *data*, from JSON, describes.

    Raises:
        UsageError: It describes none.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise UsageError(f"the type of {what} is missing or does not decode")
    kind = data["type"]
    if kind == "array":
        return Array(read_type(data.get("items"), f"the items of {what}"))
    if kind == "map":
        return Map(read_type(data.get("values"), f"the values of {what}"))
    if kind == "sparkml_vector":
        return SparkMLVector()
    if kind == "any":
        return AnyType()
    if kind == "object":
        properties = data.get("properties")
        if not isinstance(properties, Mapping):
            raise UsageError(f"the properties of {what} are missing")
        return Object(
            [
                Property(str(name), read_type(value, f"property {name!r} of {what}"), value.get("required", True))
                for name, value in properties.items()
            ]
        )
    return column_type(kind, what)
