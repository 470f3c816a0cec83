"""Tables, arrays and their like, described as data sets: ``from_pandas`` and its family."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.tracking.data_digests import arrow_digest, numpy_digest, pandas_digest, polars_digest

__all__ = [
    "Dataset",
    "from_arrow",
    "from_huggingface",
    "from_numpy",
    "from_pandas",
    "from_polars",
    "from_spark",
    "from_tensorflow",
    "from_torch",
    "load_delta",
    "source_of",
]


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
        kind: How the digest was made (``md5``, ``pandas`` …); "" for one that was given.
    """

    name: str
    digest: str
    source: str = ""
    source_type: str = "code"
    schema: Any = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""

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
    _check_columns(list(df.columns), targets, predictions)
    columns = [{"name": str(key), "type": str(kind)} for key, kind in df.dtypes.items()]
    schema: dict[str, Any] = {"columns": columns}
    if targets is not None:
        schema["targets"] = targets
    if predictions is not None:
        schema["predictions"] = predictions
    profile = {"num_rows": len(df), "num_elements": int(df.size)}
    return _described("pandas", name, digest or pandas_digest(df), source, schema, profile, given=digest)


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
    return _described("numpy", name, digest or numpy_digest(features, targets), source, schema, profile, given=digest)


def from_torch(
    features: Any, source: Any = None, targets: Any = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a torch tensor, or a dictionary of them; as :func:`from_numpy`."""
    return from_numpy(_arrays(features), source, None if targets is None else _arrays(targets), name, digest)


def from_polars(
    df: Any,
    source: Any = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> Dataset:
    """Describe a polars DataFrame; as :func:`from_pandas`.

    The digest is of the values: MLflow's, of polars' own hashes, differs between releases of polars.
    """
    _check_columns(df.columns, targets, predictions)
    columns = [{"name": key, "type": str(kind)} for key, kind in df.schema.items()]
    named = {"targets": targets, "predictions": predictions}
    schema = {"columns": columns, **{key: value for key, value in named.items() if value is not None}}
    profile = {"num_rows": df.height, "num_elements": df.height * df.width}
    return _described("polars", name, digest or polars_digest(df), source, schema, profile, given=digest)


def from_arrow(
    table: Any, source: Any = None, targets: str | None = None, name: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe an Arrow table or record batch; as :func:`from_pandas`. Not in MLflow.

    The digest is of the values, however they are cut into chunks.
    """
    _check_columns(table.schema.names, targets)
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    schema: dict[str, Any] = {"columns": columns, **({"targets": targets} if targets is not None else {})}
    profile = {"num_rows": table.num_rows, "num_elements": table.num_rows * table.num_columns}
    return _described("arrow", name, digest or arrow_digest(table), source, schema, profile, given=digest)


def from_huggingface(
    ds: Any,
    path: str | None = None,
    targets: str | None = None,
    data_dir: str | None = None,
    data_files: Any = None,
    revision: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    trust_remote_code: bool | None = None,  # noqa: ARG001 - MLflow's signature
    source: Any = None,
) -> Dataset:
    """Describe a Hugging Face ``datasets.Dataset``, by the fingerprint that library keeps.

    It stands for the data and for everything done to them since (``map``, ``shuffle`` …); nothing is read.

    Args:
        ds: One split of a data set.
        path: Name on the hub, as given to ``load_dataset``.
        targets: Column with the labels.
        data_dir: As given to ``load_dataset``.
        data_files: As given to ``load_dataset``.
        revision: As given to ``load_dataset``.
        name: A name for it; ``dataset`` if None.
        digest: A fingerprint to use instead.
        trust_remote_code: Accepted for MLflow's sake.
        source: Path or URL it was read from, where it is not from the hub.

    Raises:
        InvalidValue: It is several splits, or a stream; a column named is not in it.
    """
    if isinstance(ds, Mapping):
        raise InvalidValue("the data set", type(ds).__name__, f"one of its splits: {', '.join(map(str, ds))}")
    fingerprint = getattr(ds, "_fingerprint", None)
    if digest is None and not isinstance(fingerprint, str):
        raise InvalidValue("the data set", type(ds).__name__, "a datasets.Dataset (a stream has no fingerprint)")
    features = getattr(ds, "features", None) or {}
    _check_columns(list(features), targets)
    schema: dict[str, Any] = {"columns": [{"name": key, "type": _feature(kind)} for key, kind in features.items()]}
    if targets is not None:
        schema["targets"] = targets
    profile = {key: getattr(ds, key, None) for key in ("num_rows", "dataset_size", "size_in_bytes")}
    one = _described("huggingface", name, digest or str(fingerprint), source, schema, profile, given=digest)
    if path is None:
        return one
    import json

    facts = {
        "path": path,
        "config_name": getattr(ds, "config_name", None),
        "split": str(getattr(ds, "split", "") or ""),
    }
    facts |= {"data_dir": data_dir, "data_files": data_files, "revision": revision}
    known = {key: value for key, value in facts.items() if value}
    return replace(one, source=json.dumps(known, default=str), source_type="hugging_face")


def from_spark(*_: Any, **__: Any) -> Dataset:
    """Not there: MLflow's for Spark DataFrames.

    Raises:
        UsageError: Always; it says what will do.
    """
    raise _unsupported("from_spark", "from_pandas(df.limit(10_000).toPandas(), source=...)")


def from_tensorflow(*_: Any, **__: Any) -> Dataset:
    """Not there: MLflow's for TensorFlow tensors and data sets.

    Raises:
        UsageError: Always; it says what will do.
    """
    raise _unsupported("from_tensorflow", "from_numpy(tensor.numpy(), source=...)")


def load_delta(*_: Any, **__: Any) -> Dataset:
    """Not there: MLflow's for Delta tables, which Spark reads.

    Raises:
        UsageError: Always; it says what will do.
    """
    raise _unsupported("load_delta", "Dataset(name, digest=<the table's version>, source=...)")


def source_of(source: Any) -> tuple[str, str]:
    """Return where data came from, without passwords, and what kind of place that is."""
    if source is None:
        return "", "code"
    text = os.fspath(source) if isinstance(source, str | os.PathLike) else str(source)
    scheme, found, _ = text.partition("://")
    if found and scheme.isalnum():
        return _harmless(text), "http" if scheme in {"http", "https"} else scheme
    return text, "local"


def _described(
    kind: str,
    name: str | None,
    digest: str,
    source: Any,
    schema: Mapping[str, Any],
    profile: Mapping[str, Any],
    *,
    given: str | None,
) -> Dataset:
    where, place = source_of(source)
    return Dataset(name or "dataset", digest, where, place, schema, profile, "" if given else kind)


def _check_columns(columns: Sequence[Any], *named: str | None) -> None:
    for column in named:
        if column is not None and column not in columns:
            raise InvalidValue("the column", column, f"one of {', '.join(map(str, columns))}")


def _feature(kind: Any) -> str:
    return str(getattr(kind, "dtype", None) or type(kind).__name__)


def _unsupported(name: str, instead: str) -> UsageError:
    return UsageError(f"ledgit.data.{name} is not supported; ledgit.data.{instead} records the same data set")


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


def _harmless(url: str) -> str:
    """Return *url* without user, password, and the values of what look like keys behind ``?``."""
    from ledgit.records.redact import REDACTED, is_secret_name

    scheme, there, tail = url.partition("://")
    host, slash, path = tail.partition("/")
    path, mark, query = path.partition("?")
    fields = []
    for item in query.split("&"):
        key, equals, _ = item.partition("=")
        fields.append(f"{key}={REDACTED}" if equals and is_secret_name(key) else item)
    return f"{scheme}{there}{host.rpartition('@')[2]}{slash}{path}{mark}{'&'.join(fields)}"
