"""``mlflow.data`` by the same name: describe a data set, for :func:`ledgit.log_input`."""

from ledgit.tracking.data import Dataset, from_file, from_huggingface, from_numpy, from_pandas, from_polars, from_torch

__all__ = ["Dataset", "from_file", "from_huggingface", "from_numpy", "from_pandas", "from_polars", "from_torch"]
