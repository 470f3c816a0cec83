"""Reading artifacts back: ``runs:/<run>/<path>`` and plain paths, as ``mlflow.artifacts`` does."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import ArtifactNotFound, ArtifactsMissing, StorageError, UsageError
from ledgit.records.names import check_artifact_path
from ledgit.tracking import session
from ledgit.views import artifact_uri

if TYPE_CHECKING:
    from ledgit.run import Run
    from ledgit.store import ActiveRun as StoreRun

__all__ = [
    "FileInfo",
    "download_artifacts",
    "get_artifact_uri",
    "list_artifacts",
    "load_dict",
    "load_image",
    "load_text",
    "make_folder",
    "read_bytes",
    "read_staged",
]


@dataclass(frozen=True)
class FileInfo:
    """A file or folder among a run's artifacts; *file_size* in bytes, None for a folder."""

    path: str
    is_dir: bool
    file_size: int | None


def get_artifact_uri(artifact_path: str | None = None, run_id: str | None = None) -> str:
    """Return the URI of the current run's artifacts, or of one of them: ``runs:/<id>/<path>``.

    It is good for :func:`ledgit.artifacts.download_artifacts` and its family, in every clone
    that has the run.
    """
    from ledgit.tracking.runs import current

    if artifact_path:
        artifact_path = check_artifact_path(artifact_path)
    return artifact_uri(run_id or current().id, artifact_path)


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | os.PathLike[str] | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Write private copies of a run's artifacts to a folder and return the path of what was asked for.

    What is not in this clone is fetched from the artifact remote. Files of the same names are replaced.

    Args:
        artifact_uri: ``runs:/<run>/<path>``, or a path on this machine, which is returned as it
            is unless *dst_path* is given.
        run_id: Or the run ...
        artifact_path: ... and the file or folder in it; everything if None.
        dst_path: Folder to write to, created if need be; a new temporary one if None.
        tracking_uri: Accepted for MLflow's sake; :func:`ledgit.set_tracking_uri` chooses.
        registry_uri: Accepted for MLflow's sake.

    Raises:
        UsageError: Neither or both of *artifact_uri* and *run_id*, or another kind of URI.
        RunNotFound, ArtifactNotFound: There is no such run, or nothing at this path in it.
        ArtifactsMissing: Content is neither in this clone nor on the artifact remote.
        ArtifactDamaged: Content is not what was logged, and there is no other.
        RemoteError: The artifact remote is needed, and can't be used.
    """
    del tracking_uri, registry_uri
    if (artifact_uri is None) == (run_id is None):
        raise UsageError("download_artifacts needs artifact_uri, or run_id with artifact_path, and not both")
    if artifact_uri is not None:
        found = _parse(artifact_uri)
        if found is None:
            return _local(artifact_uri, dst_path)
        run_id, artifact_path = found
    assert run_id is not None
    run = session.repository().run(run_id)
    inside = check_artifact_path(artifact_path) if artifact_path and artifact_path.strip("/") else ""
    run.artifact_files(inside)  # before a folder is made
    folder = make_folder(dst_path)
    run.save_artifacts(folder, inside)
    return os.path.join(folder, *inside.split("/")) if inside else folder


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """Return the files and folders directly in a folder of a run's artifacts, by name.

    Args:
        artifact_uri: ``runs:/<run>/<folder>``.
        run_id: Or the run; the active one if neither is given.
        artifact_path: Folder in it; the root if None.
        tracking_uri: Accepted for MLflow's sake.

    Raises:
        UsageError: Both are given, or another kind of URI.
        RunNotFound: There is no such run.
    """
    del tracking_uri
    if artifact_uri is not None and run_id is not None:
        raise UsageError("list_artifacts takes artifact_uri or run_id, not both")
    if artifact_uri is not None:
        found = _parse(artifact_uri)
        if found is None:
            raise UsageError(f"{artifact_uri!r} is no runs:/ URI")
        run_id, artifact_path = found
    if run_id is None:
        from ledgit.tracking.runs import active_run

        active = active_run()
        if active is None:
            raise UsageError("list_artifacts needs artifact_uri or run_id when no run is active")
        run_id = active.id
    inside = check_artifact_path(artifact_path) + "/" if artifact_path and artifact_path.strip("/") else ""
    listed: dict[str, FileInfo] = {}
    try:
        files = session.repository().artifact_files(session.repository().run(run_id), inside[:-1], fetch=bool(inside))
    except ArtifactsMissing:
        raise
    except ArtifactNotFound:
        return []
    for item in files:
        if not item.path.startswith(inside):
            continue
        name, deeper, _ = item.path[len(inside) :].partition("/")
        is_dir = bool(deeper) or item.nfiles is not None
        listed[name] = FileInfo(inside + name, is_dir=is_dir, file_size=None if is_dir else item.size)
    return [listed[name] for name in sorted(listed)]


def load_text(artifact_uri: str) -> str:
    """Return the text of an artifact, which must be UTF-8.

    Raises:
        ArtifactNotFound: There is none at this URI.
        UsageError: It is no text.
    """
    try:
        return _load(artifact_uri).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{artifact_uri} is no text in UTF-8 ({error.reason})") from None


def load_dict(artifact_uri: str) -> Any:
    """Return the content of a JSON or YAML artifact.

    Raises:
        ArtifactNotFound: There is none at this URI.
        UsageError: It is neither JSON nor YAML.
    """
    import json

    import yaml

    text = load_text(artifact_uri)
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{artifact_uri} is neither JSON nor YAML ({error})") from None


def load_image(artifact_uri: str) -> Any:
    """Return a picture artifact as a Pillow image.

    Raises:
        ArtifactNotFound: There is none at this URI.
    """
    import io

    import PIL.Image

    return PIL.Image.open(io.BytesIO(_load(artifact_uri)))


def read_bytes(run_id: str, path: str) -> bytes | None:
    """Return the content of a run's artifact, or None if it has none at *path*.

    Raises:
        ArtifactsMissing: It has one, whose content is not to be had.
    """
    try:
        return session.repository().run(run_id).read_artifact(path)
    except ArtifactsMissing:
        raise
    except ArtifactNotFound:
        return None


def read_staged(run: StoreRun, path: str) -> bytes | None:
    """Return what a run that is being written has at *path* so far, its earlier sessions included."""
    staged = run.artifact_files().get(path)
    if staged is not None:
        with open(staged, "rb") as file:
            return file.read()
    return read_bytes(run.id, path)


def _load(uri: str) -> bytes:
    found = _parse(uri)
    if found is None:
        with open(_local(uri, None), "rb") as file:
            return file.read()
    run_id, path = found
    run: Run = session.repository().run(run_id)
    return run.read_artifact(check_artifact_path(path or ""))


def _parse(uri: str) -> tuple[str, str | None] | None:
    """Return run and path of a ``runs:/`` URI; None for a path on this machine."""
    scheme, colon, rest = uri.partition(":")
    if colon and scheme == "runs":
        run_id, _, path = rest.lstrip("/").partition("/")
        if run_id:
            return run_id, posixpath.normpath(path) if path.strip("/") else None
        raise UsageError(f"{uri!r} names no run; it should be runs:/<run id>/<path>")
    if colon and len(scheme) > 1 and scheme != "file" and scheme.replace("-", "").isalnum() and rest.startswith("/"):
        raise UsageError(f"{uri!r} can't be read here; runs:/<run id>/<path> and paths on this machine can")
    return None


def _local(uri: str, target: str | os.PathLike[str] | None) -> str:
    path = session.path_of(uri) if uri.startswith("file:") else uri
    if not os.path.exists(path):
        raise ArtifactNotFound(uri)
    if target is None:
        return os.path.abspath(path)
    import shutil

    copy = os.path.join(make_folder(target), os.path.basename(os.path.abspath(path)))
    try:
        if os.path.isdir(path):
            return str(shutil.copytree(path, copy, dirs_exist_ok=True))
        return str(shutil.copy(path, copy))
    except OSError as error:
        raise StorageError(copy, error.strerror or str(error)) from error


def make_folder(path: str | os.PathLike[str] | None) -> str:
    """Return the folder *path*, made if need be; a new temporary one if it is None."""
    if path is None:
        import tempfile

        return tempfile.mkdtemp(prefix="ledgit-")
    os.makedirs(path, exist_ok=True)
    return os.path.abspath(path)
