"""What kind of data it is, without importing the libraries that the other kinds come from."""

from __future__ import annotations

import math
import sys

__all__ = ["is_array", "is_frame", "is_missing", "is_series", "is_sparse"]


def is_frame(data: object) -> bool:
    """Whether it is a pandas data frame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_series(data: object) -> bool:
    """Whether it is a pandas series."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series)


def is_array(data: object) -> bool:
    """Whether it is a NumPy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(data, numpy.ndarray)


def is_sparse(data: object) -> bool:
    """Whether it is a sparse matrix of SciPy, by rows or columns."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and isinstance(data, sparse.csr_matrix | sparse.csc_matrix)


def is_missing(value: object) -> bool:
    """Whether it is None, NaN, or pandas' NA or NaT."""
    if isinstance(value, float):
        return math.isnan(value)
    if value is None:
        return True
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)
