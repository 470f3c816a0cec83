"""Where a data set came from, with the classes and the ``load`` that MLflow has for it: ``ledgit.data.get_source``.

``load`` hands out what the run saw or says that it can't: where the record has the MD5 of files, they are hashed again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ledgit.errors import ArtifactDamaged, ArtifactNotFound, InvalidValue, MissingDependency, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CodeDatasetSource",
    "DVCDatasetSource",
    "DatasetSource",
    "FileSystemDatasetSource",
    "HTTPDatasetSource",
    "HuggingFaceDatasetSource",
    "LocalArtifactDatasetSource",
    "get_source",
]

_MD5 = "md5"


class _Seen(NamedTuple):
    """What the run saw: the data set's name, its digest, and how that was made ("" if nobody knows)."""

    name: str = "dataset"
    digest: str = ""
    kind: str = ""


class DatasetSource:
    """The source of a data set.

    Args:
        facts: What is known of it.
        source_type: ``local``, ``http``, ``s3``, ``dvc``, ``hugging_face``, ``code`` …
        seen: Of the data set that came from there.
    """

    def __init__(self, facts: Mapping[str, Any], source_type: str, seen: _Seen | None = None) -> None:
        self._facts, self._type, self._seen = dict(facts), source_type, seen or _Seen()

    def _get_source_type(self) -> str:
        """Return what kind of place it is; MLflow has it under this name."""
        return self._type

    @property
    def source_type(self) -> str:
        """What kind of place it is."""
        return self._type

    def to_dict(self) -> dict[str, Any]:
        """Return what is known of it, under MLflow's keys (``uri``, ``url``, ``path`` …)."""
        return dict(self._facts)

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON."""
        import json

        return json.dumps(self._facts, default=str)

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> Any:
        """Get the data, and return where they are (or the data themselves, from Hugging Face).

        Args:
            dst_path: Folder to write to, created if need be; a new temporary one if None, or
                nowhere where the data are on this machine.

        Raises:
            ArtifactNotFound: They are not there any more.
            ArtifactDamaged: What is there is not what the run saw.
            RemoteError: The host can't be used.
            UsageError: Ledgit can't load from there.
        """
        del dst_path
        raise UsageError(
            f"the data set {self._seen.name!r} has a source of the type {self._type!r}, which Ledgit can't load;"
            " to_dict() has what is known of it"
        )

    def __getattr__(self, name: str) -> Any:
        """Return a fact by its name: ``uri``, ``url``, ``path``, ``tags``."""
        if not name.startswith("_") and name in self._facts:
            return self._facts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSource) and (self._facts, self._type) == (other._facts, other._type)

    def __hash__(self) -> int:
        return hash((self.to_json(), self._type))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._facts.items())})"

    def _checked(self, path: str) -> str:
        """Return *path* if what is there is what the run saw, as far as the record has the MD5 of files."""
        from ledgit.tracking.data_files import read_content

        if self._seen.kind == _MD5:
            found = read_content(path).digest
            if found != self._seen.digest:
                raise ArtifactDamaged(
                    f"the data set {self._seen.name!r}",
                    f"{path} has the digest {found} now, not {self._seen.digest}, which the run saw",
                )
        return path


class CodeDatasetSource(DatasetSource):
    """The data were made by the run's code; there is nothing to load."""


class LocalArtifactDatasetSource(DatasetSource):
    """A file or folder on the machine that logged it, or an artifact of a run (``runs:/…``)."""

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """See :meth:`DatasetSource.load`."""
        from ledgit.tracking.uris import download_artifacts

        uri = str(self._facts["uri"])
        if ":" not in uri.partition("/")[0]:
            try:
                self._checked(uri)  # before anything is copied
            except InvalidValue:
                raise ArtifactNotFound(uri) from None
            return download_artifacts(uri, dst_path=dst_path)
        return self._checked(download_artifacts(uri, dst_path=dst_path))


class HTTPDatasetSource(DatasetSource):
    """A file on a web server."""

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """See :meth:`DatasetSource.load`."""
        from ledgit.artifacts import download_url
        from ledgit.tracking.uris import make_folder

        return self._checked(download_url(str(self._facts["url"]), make_folder(dst_path)))


class FileSystemDatasetSource(DatasetSource):
    """A file or folder on S3 or another store that ``fsspec`` has a file system for."""

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """See :meth:`DatasetSource.load`."""
        from ledgit.artifacts import download_tree
        from ledgit.tracking.uris import make_folder

        return self._checked(download_tree(str(self._facts["uri"]), make_folder(dst_path)))


class HuggingFaceDatasetSource(DatasetSource):
    """A data set on Hugging Face's hub, or what ``datasets.load_dataset`` makes one of."""

    def load(self, dst_path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """Return what ``datasets.load_dataset`` gives; *options* are for it.

        Raises:
            MissingDependency: The package ``datasets`` is not installed.
            UsageError: An option says what the source says.
        """
        try:
            import datasets
        except ImportError as error:
            raise MissingDependency("loading a data set from Hugging Face", "datasets") from error
        known = {"name" if key == "config_name" else key: value for key, value in self._facts.items()}
        if dst_path is not None:
            options["cache_dir"] = os.fspath(dst_path)
        if twice := sorted(known.keys() & options.keys()):
            raise UsageError(f"load() was given {', '.join(twice)}, which the data set's source says")
        return datasets.load_dataset(**known, **options)


class DVCDatasetSource(DatasetSource):
    """A file or folder that DVC tracked: from the work tree if it is there as the run saw it, else from DVC's cache."""

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """See :meth:`DatasetSource.load`. DVC itself is not run: what it has to fetch is said."""
        from ledgit.tracking import session
        from ledgit.tracking.data_dvc import cached, dvc_root
        from ledgit.tracking.data_files import digest_path
        from ledgit.tracking.uris import download_artifacts, make_folder

        top = session.repo().work_tree
        path = str(self._facts.get("path", ""))
        digest, kind = self._seen.digest or str(self._facts.get("md5", "")), self._seen.kind or _MD5
        if top is not None:
            here = os.path.join(top, *path.split("/"))
            try:
                found = self._checked(here) if kind == _MD5 else here
                if kind == _MD5 or digest_path(here)[0].digest == digest:
                    return download_artifacts(found, dst_path=dst_path)
            except (InvalidValue, ArtifactDamaged, ArtifactNotFound):
                pass  # not here, or changed since
            root = dvc_root(os.path.join(top, str(self._facts.get("pointer", path))))
            place = "" if root is None else cached(root, digest, kind)
            if root is not None and os.path.isfile(place):
                target = os.path.join(make_folder(dst_path), os.path.basename(path) or self._seen.name)
                if digest.endswith(".dir"):
                    _write_folder(place, digest, root, kind, target)
                else:
                    _copy(place, digest, kind, target)
                return target
        commit = self._facts.get("commit")
        how = f"; 'dvc get . {path} --rev {commit}' may bring it back" if commit else ""
        raise ArtifactNotFound(f"{path} (md5:{digest}, neither in the work tree nor in DVC's cache{how})")


def get_source(dataset: Any) -> Any:
    """Return where a data set came from; ``load()`` of that gets the data.

    Args:
        dataset: What :func:`from_pandas` and its family give, what a run has
            (``run.inputs.dataset_inputs[0]``, or its ``dataset``), or one of MLflow's own.

    Returns:
        A :class:`DatasetSource`: ``source_type``, ``to_dict()``, ``to_json()``, ``load(dst_path=None)``. MLflow's own
        data sets have one of MLflow's.

    Raises:
        InvalidValue: It is no data set.
    """
    one = getattr(dataset, "dataset", dataset)
    source = getattr(one, "source", None)
    if source is not None and not isinstance(source, str) and hasattr(source, "load"):
        return source  # MLflow's own
    if not isinstance(source, str) or not hasattr(one, "digest"):
        raise InvalidValue(
            "the data set", dataset, "what ledgit.data.from_pandas and its family give, or one of a run's"
        )
    seen = _Seen(str(one.name), str(one.digest or ""), str(getattr(one, "kind", "")))
    return _source(source, str(one.source_type or ""), seen)


def _source(text: str, source_type: str, seen: _Seen) -> DatasetSource:
    """Return the source that a record has as *text*: JSON, as MLflow writes it, or a plain address."""
    import json

    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    facts: dict[str, Any] | None = read if isinstance(read, dict) else None
    if source_type == "code" or not (text or source_type):
        return CodeDatasetSource(facts or {"tags": {}}, "code", seen)
    if source_type == "http":
        return HTTPDatasetSource(facts or {"url": text}, source_type, seen)
    if source_type == "hugging_face" and facts:
        return HuggingFaceDatasetSource(facts, source_type, seen)
    if source_type == "dvc" and facts:
        return DVCDatasetSource(facts, source_type, seen)
    facts = facts or {"uri": text}
    if source_type == "local" and "uri" in facts:
        return LocalArtifactDatasetSource(facts, source_type, seen)
    if str(facts.get("uri", "")).startswith(f"{source_type}://"):
        return FileSystemDatasetSource(facts, source_type, seen)
    return DatasetSource(facts, source_type, seen)


def _copy(place: str, digest: str, kind: str, target: str) -> None:
    """Copy an object of DVC's cache, hashed on the way; nothing is left of one that is damaged."""
    from ledgit.artifacts import copy_and_digest

    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(place, "rb", buffering=0) as reader, open(target, "wb", buffering=0) as writer:
            found, _ = copy_and_digest(reader.fileno(), writer.fileno())
    except FileNotFoundError:
        raise ArtifactNotFound(f"md5:{digest} (not in DVC's cache)") from None
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
    if kind == _MD5 and found != digest:
        os.unlink(target)
        raise ArtifactDamaged(f"md5:{digest} in DVC's cache", f"its content has the digest {found}")


def _write_folder(place: str, digest: str, root: str, kind: str, target: str) -> None:
    from ledgit.artifacts import decode_list, digest_file
    from ledgit.records.names import inert_path
    from ledgit.tracking.data_dvc import cached

    if kind == _MD5 and digest_file(place) != digest.removesuffix(".dir"):
        raise ArtifactDamaged(f"md5:{digest} in DVC's cache", "the folder's list is not what its name says")
    with open(place, "rb") as file:
        members = decode_list(file.read())
    os.makedirs(target, exist_ok=True)
    for member in members:
        _copy(
            cached(root, member.md5, kind), member.md5, kind, os.path.join(target, *inert_path(member.path).split("/"))
        )
