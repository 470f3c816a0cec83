"""Fingerprints of tables and arrays in memory.

Those of pandas and NumPy are MLflow's, to the digit: so are their limits (the first 10,000 rows or
elements count, and the shape of the whole). Those of polars and Arrow are made the same way from
the values; polars' own hashes, which MLflow adds up, change from one release of polars to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["MAX_ROWS", "arrow_digest", "numpy_digest", "pandas_digest", "polars_digest"]

#: Rows and elements that go into a digest, as in MLflow.
MAX_ROWS = 10_000


def pandas_digest(df: Any) -> str:
    """Return MLflow's digest of a pandas DataFrame: 8 hex digits.

    Columns that hold neither text alone nor numbers count by their names.
    """
    import numpy as np
    import pandas as pd

    head = df.head(MAX_ROWS)
    texts = (
        head.columns[[_all_text(df[key]) for key in head.columns]]
        if len(head) and head.columns.is_unique
        else head.columns[[]]
    )
    numbers = head.select_dtypes(include=[np.number]).columns
    kept = head[texts.union(numbers)]
    rows = pd.util.hash_pandas_object(kept).values
    return _digest([rows, np.int64(len(df)), *(str(key).encode() for key in df.columns)])


def numpy_digest(features: Any, targets: Any) -> str:
    """Return MLflow's digest of an array, or name → array, with the labels if there are any: 8 hex digits."""
    import numpy as np

    elements: list[Any] = []
    for item in (features, targets):
        if item is None:
            continue
        for array in [item[key] for key in sorted(item)] if isinstance(item, Mapping) else [item]:
            array = np.asarray(array)
            flat = array.flat[:MAX_ROWS]  # flattening would copy all of it
            try:
                elements.append(_hash_array(flat))
            except TypeError:
                elements.append(np.int64(flat.size))
            elements.extend(np.int64(size) for size in array.shape)
    return _digest(elements)


def polars_digest(df: Any) -> str:
    """Return a digest of a polars DataFrame, from names, types, values and the number of rows: 8 hex digits."""
    return _digest([str(df.height).encode(), *_parts(_polars_columns(df.head(MAX_ROWS)))])


def arrow_digest(table: Any) -> str:
    """Return a digest of an Arrow table or record batch: as `polars_digest`, however it is chunked and sliced."""
    return _digest([str(table.num_rows).encode(), *_parts(_arrow_columns(table.slice(0, MAX_ROWS)))])


def _parts(columns: Iterator[tuple[str, str, bytes, bytes]]) -> Iterator[bytes]:
    for name, kind, nulls, values in columns:
        for part in (name.encode("utf-8", "surrogateescape"), kind.encode(), nulls, values):
            # With its length, so that nothing can move from one part to the next.
            yield b"%d:" % len(part)
            yield part


def _polars_columns(df: Any) -> Iterator[tuple[str, str, bytes, bytes]]:
    for series in df.get_columns():
        kind = series.dtype
        nulls = series.is_null().to_numpy().tobytes()
        if kind.is_numeric() and not kind.is_decimal():
            values = series.fill_null(0).to_numpy().tobytes()
        else:
            values = repr(series.to_list()).encode("utf-8", "backslashreplace")
        yield series.name, str(kind), nulls, values


def _arrow_columns(table: Any) -> Iterator[tuple[str, str, bytes, bytes]]:
    import pyarrow as pa

    for field, column in zip(table.schema, table.columns, strict=True):
        nulls = column.is_null().to_pylist() if column.null_count else []
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            filled = whole.fill_null(pa.scalar(0).cast(field.type)) if whole.null_count else whole
            values = filled.to_numpy(zero_copy_only=False).tobytes()
        else:
            values = repr(column.to_pylist()).encode("utf-8", "backslashreplace")
        yield field.name, str(field.type), bytes(nulls), values


def _all_text(column: Any) -> bool:
    """Whether every value of a column is a str: of all rows, as MLflow has it, but at C's speed."""
    import pandas as pd

    if not all(type(value) is str for value in column.head(MAX_ROWS)):
        return False
    if len(column) <= MAX_ROWS:
        return True
    return not column.isna().any() and pd.api.types.infer_dtype(column, skipna=False) == "string"


def _hash_array(flat: Any) -> Any:
    """Return 64-bit hashes of the elements, by pandas where it is installed (as MLflow does)."""
    try:
        import pandas as pd
    except ImportError:
        return flat.tobytes()
    return pd.util.hash_array(flat)


def _digest(elements: Sequence[Any]) -> str:
    hashed = hashlib.md5(usedforsecurity=False)
    for element in elements:
        hashed.update(element)
    return hashed.hexdigest()[:8]
