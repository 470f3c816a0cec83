"""Data sets as a run's inputs: ``from_pandas`` and its family, ``log_input``.

A data set is recorded, not stored: name, digest, where it came from, shape. Digests of
DataFrames and arrays are computed as MLflow does (the same 8 hex digits); a file's is its MD5,
which is also what DVC knows it by.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.tracking.runs import open_run

if TYPE_CHECKING:
    from ledgit.records.inputs import InputRecord

__all__ = [
    "Dataset",
    "from_file",
    "from_huggingface",
    "from_numpy",
    "from_pandas",
    "from_polars",
    "from_torch",
    "log_input",
    "log_inputs",
    "record_of",
]

#: Rows and elements that go into a digest, as in MLflow.
MAX_ROWS = 10_000


@dataclass(frozen=True)
class Dataset:
    """What a run's record says about a data set.

    Attributes:
        name: A name people know it by.
        digest: A fingerprint: equal data has an equal one.
        source: Where it came from: a path, a URL, or JSON.
        source_type: ``local``, ``http``, ``s3``, ``code`` …
        schema: Columns and types, or shapes.
        profile: Numbers about it, such as ``num_rows``.
    """

    name: str
    digest: str
    source: str = ""
    source_type: str = "code"
    schema: Any = None
    profile: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, *schema* and *profile* as JSON text, as MLflow has them."""
        import json

        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source,
            "source_type": self.source_type,
            "schema": json.dumps(self.schema) if self.schema is not None else None,
            "profile": json.dumps(dict(self.profile)),
        }


def from_pandas(
    df: Any,
    source: Any = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> Dataset:
    """Describe a pandas DataFrame.

    Args:
        df: The DataFrame.
        source: Path or URL it was read from.
        targets: Column with the labels.
        name: A name for it; ``dataset`` if None.
        digest: A fingerprint to use instead of the computed one.
        predictions: Column with a model's predictions.

    Raises:
        InvalidValue: A column named is not in the DataFrame.
    """
    for column in (targets, predictions):
        if column is not None and column not in df.columns:
            raise InvalidValue("the column", column, f"one of {', '.join(map(str, df.columns))}")
    columns = [{"name": str(key), "type": str(kind)} for key, kind in df.dtypes.items()]
    schema: dict[str, Any] = {"columns": columns}
    if targets is not None:
        schema["targets"] = targets
    if predictions is not None:
        schema["predictions"] = predictions
    where, kind = _source(source)
    profile = {"num_rows": len(df), "num_elements": int(df.size)}
    return Dataset(name or "dataset", digest or _pandas_digest(df), where, kind, schema, profile)


def from_numpy(
    features: Any, source: Any = None, targets: Any = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a NumPy array, or a dictionary of them, with labels if there are any.

    Args:
        features: The array, or name → array.
        source: Path or URL it was read from.
        targets: The labels, in the same forms.
        name: A name for it; ``dataset`` if None.
        digest: A fingerprint to use instead of the computed one.
    """
    schema: dict[str, Any] = {"features": _shape(features)}
    profile: dict[str, Any] = {"features_shape": _sizes(features), "features_size": _count(features)}
    if targets is not None:
        schema["targets"] = _shape(targets)
        profile |= {"targets_shape": _sizes(targets), "targets_size": _count(targets)}
    where, kind = _source(source)
    return Dataset(name or "dataset", digest or _numpy_digest(features, targets), where, kind, schema, profile)


def from_torch(
    features: Any, source: Any = None, targets: Any = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a torch tensor, or a dictionary of them; as :func:`from_numpy`."""
    return from_numpy(_arrays(features), source, None if targets is None else _arrays(targets), name, digest)


def from_polars(
    df: Any, source: Any = None, targets: str | None = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a polars DataFrame; as :func:`from_pandas`. The digest is of its rows' own hashes."""
    if targets is not None and targets not in df.columns:
        raise InvalidValue("the column", targets, f"one of {', '.join(df.columns)}")
    columns = [{"name": key, "type": str(kind)} for key, kind in df.schema.items()]
    schema: dict[str, Any] = {"columns": columns, **({"targets": targets} if targets is not None else {})}
    where, kind = _source(source)
    profile = {"num_rows": df.height, "num_elements": df.height * df.width}
    if digest is None:
        hashes = df.head(MAX_ROWS).hash_rows(seed=0).to_numpy().tobytes()
        digest = _digest([hashes, str(df.height).encode(), *(key.encode() for key in df.columns)])
    return Dataset(name or "dataset", digest, where, kind, schema, profile)


def from_huggingface(
    ds: Any, path: str | None = None, targets: str | None = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a Hugging Face ``datasets.Dataset``, by the fingerprint that library keeps."""
    schema = {"columns": [{"name": key, "type": str(kind)} for key, kind in ds.features.items()]}
    where, kind = (path, "hugging_face") if path else _source(None)
    profile = {"num_rows": ds.num_rows, "dataset_size": ds.dataset_size, "size_in_bytes": ds.size_in_bytes}
    schema |= {"targets": targets} if targets is not None else {}  # type: ignore[dict-item]
    return Dataset(name or "dataset", digest or str(ds._fingerprint)[:8], where, kind, schema, profile)


def from_file(path: str | os.PathLike[str], name: str | None = None, source: Any = None) -> Dataset:
    """Describe a file, or a folder with all in it, by the MD5 of its bytes.

    Args:
        path: The file or folder.
        name: A name for it; its base name if None.
        source: Where it came from; *path* itself if None.

    Raises:
        InvalidValue: There is no such file.
    """
    place = os.fspath(path)
    if not os.path.exists(place):
        raise InvalidValue("the data set's path", place, f"a file or folder that exists (looked in {os.getcwd()})")
    total, files = 0, 0
    hashed = hashlib.md5(usedforsecurity=False)
    if os.path.isdir(place):
        for here, folders, names in os.walk(place):
            folders.sort()
            for item in sorted(names):
                inner = os.path.join(here, item)
                size, digest = _file_digest(inner)
                hashed.update(f"{os.path.relpath(inner, place)}\0{digest}\0".encode("utf-8", "surrogateescape"))
                total, files = total + size, files + 1
        text = hashed.hexdigest()
    else:
        total, text = _file_digest(place)
        files = 1
    where, kind = _source(place if source is None else source)
    profile = {"size": total, "files": files}
    return Dataset(name or os.path.basename(os.path.abspath(place)), text, where, kind, None, profile)


def log_input(
    dataset: Any = None,
    context: str | None = None,
    tags: Mapping[str, str] | None = None,
    model: Any = None,  # noqa: ARG001 - MLflow's signature
    run_id: str | None = None,
) -> None:
    """Record a data set that the run used.

    Args:
        dataset: What :func:`from_pandas` and its family give, a path (as :func:`from_file`), a
            DataFrame or an array; MLflow's own Dataset objects work too.
        context: What it was used for: ``training``, ``testing`` …
        tags: Labels of this use.
        model: Accepted for MLflow's sake.
        run_id: Log to this run instead of the active one.

    Raises:
        InvalidValue: It is no data set.
    """
    if dataset is not None:
        log_inputs([dataset], [context], [tags], run_id=run_id)


def log_inputs(
    datasets: Sequence[Any] | None = None,
    contexts: Sequence[str | None] | None = None,
    tags_list: Sequence[Mapping[str, str] | None] | None = None,
    models: Any = None,  # noqa: ARG001 - MLflow's signature
    run_id: str | None = None,
) -> None:
    """Record several data sets; the three lists have one item for each.

    Raises:
        UsageError: The lists differ in length.
        InvalidValue: One is no data set.
    """
    sets, uses, labels = list(datasets or ()), list(contexts or ()), list(tags_list or ())
    if not len(sets) == len(uses) == len(labels):
        raise UsageError(
            f"log_inputs needs as many contexts ({len(uses)}) and tags_list items ({len(labels)})"
            f" as datasets ({len(sets)}); None will do for each"
        )
    records = [
        record_of(one, use, label) for one, use, label in zip(sets, uses, labels, strict=True) if one is not None
    ]
    with open_run(run_id) as run:
        for record in records:
            run.log_input(record)


def record_of(given: Any, context: str | None, tags: Mapping[str, str] | None = None) -> InputRecord:
    """Return the record of a data set and its use."""
    import json

    from ledgit.records.inputs import InputRecord

    one = _dataset(given)
    return InputRecord(
        name=one.name,
        digest=one.digest,
        source_type=one.source_type,
        source=one.source,
        schema=json.dumps(one.schema) if one.schema is not None else "",
        profile=json.dumps(dict(one.profile)) if one.profile else "",
        context=context or "",
        tags={key: str(value) for key, value in (tags or {}).items()},
    )


def _dataset(given: Any) -> Dataset:
    if isinstance(given, Dataset):
        return given
    if isinstance(given, str | os.PathLike):
        return from_file(given)
    module = type(given).__module__.partition(".")[0]
    if module == "pandas" and hasattr(given, "dtypes"):
        return from_pandas(given)
    if module == "polars" and hasattr(given, "hash_rows"):
        return from_polars(given)
    if module == "numpy" and hasattr(given, "shape"):
        return from_numpy(given)
    if module == "torch" and hasattr(given, "shape"):
        return from_torch(given)
    if hasattr(given, "to_dict") and hasattr(given, "digest"):  # MLflow's own
        import json

        fields = given.to_dict()
        schema, profile = fields.get("schema"), fields.get("profile")
        return Dataset(
            fields["name"],
            fields["digest"],
            str(fields.get("source") or ""),
            str(fields.get("source_type") or ""),
            json.loads(schema) if schema else None,
            json.loads(profile) if profile else {},
        )
    raise InvalidValue("the data set", given, "what ledgit.data.from_pandas and its family give, or a path")


def _source(source: Any) -> tuple[str, str]:
    """Return where data came from and what kind of place that is."""
    if source is None:
        return "", "code"
    text = os.fspath(source) if isinstance(source, str | os.PathLike) else str(source)
    scheme, found, _ = text.partition("://")
    if found and scheme.isalnum():
        return text, "http" if scheme in {"http", "https"} else scheme
    return text, "local"


def _pandas_digest(df: Any) -> str:
    import numpy as np
    import pandas as pd

    head = df.head(MAX_ROWS)
    texts = (
        head.columns[[bool(len(head)) and all(type(value) is str for value in head[key]) for key in head.columns]]
        if (head.columns.is_unique)
        else head.columns[[]]
    )
    numbers = head.select_dtypes(include=[np.number]).columns
    kept = head[texts.union(numbers)]
    rows = pd.util.hash_pandas_object(kept).values
    return _digest([rows, np.int64(len(df)), *(str(key).encode() for key in df.columns)])


def _numpy_digest(features: Any, targets: Any) -> str:
    import numpy as np

    elements: list[Any] = []
    for item in (features, targets):
        if item is None:
            continue
        for array in [item[key] for key in sorted(item)] if isinstance(item, Mapping) else [item]:
            array = np.asarray(array)
            flat = array.flatten()[:MAX_ROWS]
            try:
                elements.append(_hash_array(flat))
            except TypeError:
                elements.append(np.int64(flat.size))
            elements.extend(np.int64(size) for size in array.shape)
    return _digest(elements)


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


def _file_digest(path: str) -> tuple[int, str]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return os.fstat(file.fileno()).st_size, digest


def _arrays(tensors: Any) -> Any:
    if isinstance(tensors, Mapping):
        return {key: _arrays(value) for key, value in tensors.items()}
    return tensors.detach().cpu().numpy()


def _shape(arrays: Any) -> Any:
    if isinstance(arrays, Mapping):
        return {str(key): _shape(value) for key, value in arrays.items()}
    return {"type": str(getattr(arrays, "dtype", "")), "shape": _sizes(arrays)}


def _sizes(arrays: Any) -> Any:
    if isinstance(arrays, Mapping):
        return {str(key): _sizes(value) for key, value in arrays.items()}
    return [int(size) for size in getattr(arrays, "shape", (len(arrays),))]


def _count(arrays: Any) -> Any:
    if isinstance(arrays, Mapping):
        return {str(key): _count(value) for key, value in arrays.items()}
    return int(getattr(arrays, "size", len(arrays)))
