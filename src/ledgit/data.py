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
from ledgit.tracking.data_sources import DatasetSource, get_source

__all__ = [
    "Dataset",
    "DatasetSource",
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
    "get_source",
    "load_delta",
]
