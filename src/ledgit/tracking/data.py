"""Data sets as a run's inputs: ``from_pandas`` and its family, ``log_input``.

A data set is recorded, not stored: name, digest, where it came from, shape. Digests of
DataFrames and arrays are computed as MLflow does (the same 8 hex digits); a file's is its MD5,
which is also what DVC knows it by. How a digest was made is recorded with it: two of different
kinds say nothing about each other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.tracking.data_tables import (
    Dataset,
    from_arrow,
    from_huggingface,
    from_numpy,
    from_pandas,
    from_polars,
    from_spark,
    from_tensorflow,
    from_torch,
    load_delta,
    source_of,
)
from ledgit.tracking.runs import open_run

if TYPE_CHECKING:
    from ledgit.records.inputs import InputRecord
    from ledgit.tracking.data_files import Content

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
    "log_input",
    "log_inputs",
    "record_of",
]


def from_file(path: str | os.PathLike[str], name: str | None = None, source: Any = None) -> Dataset:
    """Describe a file, or a folder with all in it, by the MD5 of its bytes, as DVC has it.

    A file of 1 GiB takes about two seconds, once: as long as it stays as it is, its digest is
    remembered in the repository. Where DVC tracks the data :func:`from_path` need not read them.

    Args:
        path: The file or folder.
        name: A name for it; its base name if None.
        source: Where it came from; *path* itself if None.

    Raises:
        InvalidValue: There is no such file, or it can't be read.
    """
    from ledgit.tracking.data_files import MD5, read_content

    place = os.fspath(path)
    return _from_content(place, name, source, read_content(place), MD5)


def from_path(path: str | os.PathLike[str], name: str | None = None, source: Any = None) -> Dataset:
    """Describe a file or folder, by DVC's own hash where DVC tracks it, else as :func:`from_file`.

    DVC tracks what a ``.dvc`` file or ``dvc.lock`` names, in the path's folder or one above it, and
    what is inside of a folder so named. The data themselves need not be here then. Where they are,
    they are compared with what DVC's file says: by size, and by the MD5 up to 64 MiB. The
    source says which it was: ``verified``, ``unverified``, ``absent``, or ``modified`` (then the
    digest is of what is here).

    Args:
        path: The file or folder.
        name: A name for it; its base name if None.
        source: Where it came from; DVC's file, remote and the code's commit, or *path*, if None.

    Raises:
        InvalidValue: There is nothing, here or for DVC.
    """
    from ledgit.tracking.data_files import digest_path

    place = os.fspath(path)
    content, kind, facts = digest_path(place)
    if facts is None or source is not None:
        return _from_content(place, name, source, content, kind)
    import json

    one = _from_content(place, name, None, content, kind)
    return replace(one, source=json.dumps(facts), source_type="dvc")


def log_input(
    dataset: Any = None,
    context: str | None = None,
    tags: Mapping[str, str] | None = None,
    model: Any = None,  # noqa: ARG001 - MLflow's signature
    run_id: str | None = None,
) -> None:
    """Record a data set that the run used.

    Args:
        dataset: What :func:`from_pandas` and its family give, a path (as :func:`from_path`), a
            table or an array; MLflow's own Dataset objects work too.
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
        kind=one.kind,
    )


def _dataset(given: Any) -> Dataset:
    if isinstance(given, Dataset):
        return given
    if isinstance(given, str | os.PathLike):
        return from_path(given)
    module = type(given).__module__.partition(".")[0]
    if module == "pandas" and hasattr(given, "dtypes"):
        return from_pandas(given)
    if module == "polars" and hasattr(given, "hash_rows"):
        return from_polars(given)
    if module == "pyarrow" and hasattr(given, "schema") and hasattr(given, "num_rows"):
        return from_arrow(given)
    if module == "datasets":
        return from_huggingface(given)
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


def _from_content(place: str, name: str | None, source: Any, content: Content, kind: str) -> Dataset:
    where, place_kind = source_of(place if source is None else source)
    profile = {key: count for key, count in (("size", content.size), ("files", content.files)) if count >= 0}
    name = name or os.path.basename(os.path.abspath(place))
    return Dataset(name, content.digest, where, place_kind, None, profile, kind)
