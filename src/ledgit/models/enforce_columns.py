"""One column checked against its type: what loses nothing is converted, all else is refused, as MLflow does it."""

from __future__ import annotations

from typing import Any

from ledgit.errors import InvalidModelInput
from ledgit.models.types import DataType

__all__ = ["enforce_column"]


def enforce_column(name: Any, values: Any, dtype: DataType) -> Any:
    """Return the pandas series *values* as *dtype* wants it.

    Text columns take any objects. Integers become wider ones and, up to 32 bits (or where they are 0 and 1 alone),
    floats; floats become doubles; times of any precision, dates and texts that are dates become nanoseconds.

    Raises:
        InvalidModelInput: It would lose something, or is something else.
    """
    import numpy as np
    import pandas as pd

    if values.dtype.kind == "O" and dtype not in {DataType.binary, DataType.string}:
        values = values.infer_objects()
    have = values.dtype
    objects = have.kind == "O" and not isinstance(have, pd.StringDtype)
    if dtype in {DataType.string, DataType.binary} and (objects or isinstance(have, pd.StringDtype)):
        return values
    want = dtype.to_numpy()
    if have in (dtype.to_pandas(), want):
        return values
    if dtype is DataType.binary and have.kind == "S":
        return values
    if dtype is DataType.datetime and (have.kind == "M" or objects):
        try:
            return values.astype(want)
        except (TypeError, ValueError) as error:
            raise InvalidModelInput(str(name), f"column {name!r} has no plain dates or times: {error}") from None
    if dtype is DataType.boolean and objects:
        return values  # None among them
    if dtype is DataType.double and objects:  # decimals, None alone
        try:
            return pd.to_numeric(values)
        except (TypeError, ValueError) as error:
            raise InvalidModelInput(str(name), f"column {name!r} has what is no number: {error}") from None
    if have.kind == want.kind:
        fits = have.itemsize <= want.itemsize
    elif have.kind == "u" and want.kind == "i":
        fits = have.itemsize < want.itemsize
    else:
        fits = have.kind in "iu" and want == np.float64 and have.itemsize <= 6
    if not fits and have == np.int64 and want.kind == "f":
        fits = bool(values.isin([0, 1]).all())
    if fits:
        try:
            return values.astype(want)
        except (TypeError, ValueError) as error:
            raise InvalidModelInput(str(name), f"column {name!r} can't become {dtype!r}: {error}") from None
    raise InvalidModelInput(str(name), f"column {name!r} has {have}, the model takes {dtype!r}{_hint(values, want)}")


def _hint(values: Any, want: Any) -> str:
    """Say why a column of integers may have become one of floats."""
    if values.dtype.kind != "f" or want.kind not in "iu" or not values.hasnans:
        return ""
    if (values.dropna() % 1 != 0).any():
        return ""
    return "; integers with missing values are floats in pandas, so infer the signature from data that has some"
