"""``mlflow.data`` by the same name: describe a data set, for :func:`ledgit.log_input`."""

from ledgit.tracking.data import (
    Dataset,
    from_arrow,
    from_file,
    from_huggingface,
    from_numpy,
    from_pandas,
    from_path,
    from_polars,
    from_spark,
    from_tensorflow,
    from_torch,
    load_delta,
)

__all__ = [
    "Dataset",
    "from_arrow",
    "from_file",
    "from_huggingface",
    "from_numpy",
    "from_pandas",
    "from_path",
    "from_polars",
    "from_spark",
    "from_tensorflow",
    "from_torch",
    "load_delta",
]
