"""Whether two logged models are the same, but for what says when and where each was logged."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.run import Run
    from ledgit.store.artifacts.listing import ArtifactFile

__all__ = ["same_model"]

_MLMODEL = "MLmodel"
_OF_EACH = ("artifact_path", "model_id", "model_size_bytes", "model_uuid", "run_id", "utc_time_created")


def same_model(run: Run, path: str, other: Run, other_path: str) -> bool:
    """Whether what *run* logged at *path* and *other* at *other_path* are one model: same files, same ``MLmodel``.

    Raises:
        ArtifactNotFound, ArtifactsMissing: One of them, or its ``MLmodel``, is not here.
    """
    one, two = _files(run, path), _files(other, other_path)
    if one.keys() != two.keys() or _MLMODEL not in one:
        return False
    for name, file in one.items():
        if name == _MLMODEL:
            continue
        if file.size is not None and two[name].size is not None and file.size != two[name].size:
            return False
        if _digest(run, file) != _digest(other, two[name]):
            return False
    return _said(run, one[_MLMODEL].path) == _said(other, two[_MLMODEL].path)


def _files(run: Run, path: str) -> dict[str, ArtifactFile]:
    cut = len(path) + 1 if path else 0
    return {file.path[cut:]: file for file in run.artifact_files(path)}


def _digest(run: Run, file: ArtifactFile) -> str:
    if file.digest:
        return file.digest
    from hashlib import md5

    digest = md5(usedforsecurity=False)
    with run.open_artifact(file.path) as stream:  # nobody has hashed it yet: the run is being written
        while data := stream.read(1 << 20):
            digest.update(data)
    return f"md5:{digest.hexdigest()}"


def _said(run: Run, path: str) -> object:
    import yaml

    data = run.read_artifact(path)
    try:
        said = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError):
        return data
    return {key: value for key, value in said.items() if key not in _OF_EACH} if isinstance(said, dict) else data
