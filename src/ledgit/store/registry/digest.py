"""What a model is made of: its files among a run's artifacts, and a digest of them."""

from __future__ import annotations

from ledgit.errors import ArtifactNotFound, NotFound, RecordError
from ledgit.records.artifacts import decode_artifacts
from ledgit.records.names import RUN_FOLDER, check_artifact_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.git import Objects
    from ledgit.records.artifacts import ArtifactRecord

__all__ = ["model_digest", "model_files", "model_path"]


def model_path(path: str) -> str:
    """Return a model's path normalised; "" stands for all of a run's artifacts.

    Raises:
        InvalidName: It can't be the path of an artifact.
    """
    return check_artifact_path(path) if path.strip("/.") else ""


def model_files(objects: Objects, commit: str, path: str) -> list[ArtifactRecord]:
    """Return the artifacts at or below *path* of a run commit (or a registration commit), by path.

    A folder that is one object in the store is one of them.

    Raises:
        NotFound: The commit is not here.
        RecordError: Its list does not decode.
        ArtifactNotFound: There is nothing at *path*.
    """
    entry = objects.find(commit, f"{RUN_FOLDER}/artifacts.yaml")
    listed = [] if entry is None else decode_artifacts(objects.read(entry.oid)[1], f"{commit[:12]}:artifacts.yaml")
    return files_below(listed, path)


def files_below(listed: Iterable[ArtifactRecord], path: str) -> list[ArtifactRecord]:
    """Return those at or below *path* of the artifacts of a run, by path.

    Raises:
        ArtifactNotFound: There are none.
    """
    listed = list(listed)
    found = [one for one in listed if is_within(one.path, path)]
    if not found:
        raise ArtifactNotFound(path or "artifacts", sorted({one.path.split("/")[0] for one in listed})[:3])
    return sorted(found, key=lambda one: one.path.encode("utf-8", "surrogateescape"))


def is_within(file: str, path: str) -> bool:
    """Whether the artifact *file* is at or below *path*."""
    return not path or file == path or file.startswith(f"{path}/")


def model_digest(files: Iterable[ArtifactRecord], path: str) -> str:
    """Return ``sha256:…`` of a model's files: path below the model, size and content digest of each, by path."""
    from hashlib import sha256

    digest = sha256()
    cut = len(path) + 1 if path else 0
    ordered = sorted((one.path[cut:], one.size, one.digest) for one in files)
    for name, size, content in ordered:
        digest.update(f"{name}\0{size}\0{content}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def files_or_none(objects: Objects, commit: str, path: str) -> list[ArtifactRecord] | None:
    """As :func:`model_files`; None where it can't be told."""
    try:
        return model_files(objects, commit, path)
    except (NotFound, RecordError):
        return None
