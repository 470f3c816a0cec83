"""What is to be registered: a run, and the model among its artifacts."""

from __future__ import annotations

import os

from ledgit.errors import ArtifactNotFound, RunNotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["find_source", "models_of"]

MLMODEL = "MLmodel"


def find_source(repository: Repository, source: Run | str, path: str | None, name: str = "") -> tuple[Run, str]:
    """Return the run and the path of the model that *source* names.

    Args:
        repository: The repository.
        source: A run, how people name one, or a model's URI.
        path: The model's path among the run's artifacts, if that was given.
        name: The name it is registered as, which says which model is meant where a run has several.

    Raises:
        RunNotFound, ModelNotFound, VersionNotFound: There is none.
        UsageError: It names no model, or two different ones.
    """
    if not isinstance(source, str):
        if not hasattr(source, "artifact_files"):
            raise UsageError(f"what to register is {source!r}, expected a run or text such as runs:/<run>/<path>")
        return source, _path(source, path, name)
    scheme = source.partition(":")[0]
    if scheme == "runs":
        run_id, _, inside = source[5:].lstrip("/").partition("/")
        if not run_id:
            raise UsageError(f"{source!r} names no run; it should be runs:/<run>/<path>")
        if inside.strip("/") and path is not None:
            raise UsageError(f"{source!r} names a path, and {path!r} is another; give one of them")
        run = repository.run(run_id)
        return run, _path(run, inside.strip("/") or path, name)
    if scheme == "models":
        return _registered(repository, source)
    if scheme in ("file", "s3", "gs", "http", "https", "dbfs", "mlflow-artifacts"):
        raise UsageError(
            f"{source!r} is no model of a run, so nothing would say where it came from; log it first, and register"
            " runs:/<run>/<path>"
        )
    try:
        run = repository.run(source)
    except RunNotFound:
        if "/" not in source and not os.path.exists(source):
            raise
        raise UsageError(
            f"{source!r} is a path, and nothing would say where the model in it came from; log it first, and register"
            " runs:/<run>/<path>"
        ) from None
    return run, _path(run, path, name)


def _registered(repository: Repository, source: str) -> tuple[Run, str]:
    from ledgit.errors import ModelNotFound
    from ledgit.registry.reading import RegistryReading

    version = RegistryReading(repository).version(source)
    if version.run is None:
        raise ModelNotFound(source, f"the tag {version.tag} does not say which run it is from")
    return repository.run(version.run), version.path or ""


def _path(run: Run, given: str | None, name: str) -> str:
    if given is not None:
        return given.strip("/")
    found = models_of(run)
    if len(found) == 1:
        return found[0]
    same = [one for one in found if one.rpartition("/")[2] == name.rpartition("/")[2]]
    if len(same) == 1:
        return same[0]
    if found:
        listed = ", ".join(one or "." for one in found[:5])
        example = f"runs:/{run.name}/{found[0]}" if found[0] else f"runs:/{run.name}/{found[1]}"
        raise UsageError(f"run {run.name} logged {len(found)} models: {listed}; say which (--path), as in {example}")
    logged = sorted({record.path.partition("/")[0] for record in run.artifacts()})
    if not logged:
        raise ArtifactNotFound(f"a model of run {run.name}, which logged no files")
    raise UsageError(
        f"run {run.name} logged nothing with an {MLMODEL} file; say what its model is (--path), as in"
        f" runs:/{run.name}/{logged[0]}: it has {', '.join(logged[:5])}"
    )


def models_of(run: Run) -> list[str]:
    """Return the folders among a run's artifacts that have an ``MLmodel`` file; "" is the top."""
    files = run.artifact_files()
    return [file.path.rpartition("/")[0] for file in files if file.path.rpartition("/")[2] == MLMODEL]
