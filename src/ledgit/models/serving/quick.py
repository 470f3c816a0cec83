"""Data frames from JSON in one step, for signatures of named numbers of one type: most models' input.

The general way, value by value and column by column, takes longer than a small model takes to predict.
"""

from __future__ import annotations

from typing import Any

from ledgit.models.schema import ColSpec, Schema
from ledgit.models.types import DataType

__all__ = ["QuickFrame"]

# What JSON's numbers may become without anybody having to look at each.
_KINDS = {DataType.double: "fi", DataType.float: "fi", DataType.long: "i"}


class QuickFrame:
    """Makes the input of one model from what a request says."""

    def __init__(self, names: list[str], dtype: DataType) -> None:
        import pandas as pd

        self.names = names
        self._columns = pd.Index(names)
        self._dtype = dtype.to_numpy()
        self._kinds = _KINDS[dtype]

    @classmethod
    def of(cls, schema: Schema | None) -> QuickFrame | None:
        """Return one for *schema*; None if it has anything but required, named numbers of one type."""
        if schema is None or schema.is_tensor_spec():
            return None
        types = {one.type for one in schema.inputs if isinstance(one, ColSpec) and one.required and one.name}
        if len(types) != 1 or not all(isinstance(one, ColSpec) and one.required and one.name for one in schema.inputs):
            return None
        (dtype,) = types
        if not isinstance(dtype, DataType) or dtype not in _KINDS:
            return None
        names = [str(name) for name in schema.input_names()]
        return cls(names, dtype) if len(set(names)) == len(names) else None

    def frame(self, request: Any) -> Any:
        """Return the data frame that a request's JSON describes; None if it has to be looked at closely."""
        if len(request) != 1:
            return None
        split = request.get("dataframe_split")
        if split is not None:
            if not isinstance(split, dict) or split.keys() != {"columns", "data"} or split["columns"] != self.names:
                return None
            return self._of_rows(split["data"])
        records = request.get("dataframe_records")
        if not isinstance(records, list):
            return None
        try:
            return self._of_rows([[record[name] for name in self.names] for record in records])
        except (KeyError, TypeError, IndexError):
            return None

    def _of_rows(self, rows: Any) -> Any:
        import numpy as np
        import pandas as pd

        try:
            values = np.array(rows)
        except ValueError:
            return None
        if values.ndim != 2 or values.shape[1] != len(self.names) or values.dtype.kind not in self._kinds:
            return None
        return pd.DataFrame(values.astype(self._dtype, copy=False), columns=self._columns, copy=False)
