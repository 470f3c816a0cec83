"""Where a model is: every URI a user may give, and a private copy of what is there.

::

    runs:/<run>/<path>              a run's artifacts; the run by id, name or revision
    models:/<name>/<version>        v1.2.0, an integer, latest, or a stage's name
    models:/<name>@<stage>          where a stage stands
    <name>@v1.2.0   <name>#prod     the registry's tags themselves
    git:<revision>#<path>           what a commit has: a run's artifacts, or a folder of the code
    <path>   file:<path>            a folder on this machine
    <name>                          the active run's, a folder, or the newest run's of the experiment
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ledgit.errors import ArtifactNotFound, LedgitError, ModelNotFound, RunNotFound, UsageError
from ledgit.models.mlmodel import FILE
from ledgit.models.names import MODEL_TAG, check_model_path
from ledgit.models.sources import CommitSource, FolderSource, ModelSource, RunSource
from ledgit.tracking import experiments, runs, session

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["ModelSource", "find_model"]

_TAG = re.compile(r"(?P<name>[^@#\0]+)(@(?P<version>v?\d+[^@#/]*|latest)|#(?P<stage>[^@#/]+)(#\d+)?)\Z")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/")


def find_model(uri: str | os.PathLike[str]) -> ModelSource:
    """Return where the model is that *uri* names; see the module for what it may be.

    Raises:
        ModelNotFound: There is none.
        UsageError: It is no URI that can be read here.
    """
    text = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
    if not isinstance(text, str) or not text:
        raise UsageError(
            f"the model's URI is {uri!r}, expected text such as runs:/<run>/<name> or models:/<name>/<version>"
        )
    if text.startswith("runs:"):
        return _of_run(text)
    if text.startswith("models:"):
        return _of_version(text, *_name_and_selector(text))
    if text.startswith("git:") and "#" in text:
        return _of_commit(text)
    if text.startswith("file:"):
        return _of_folder(session.path_of(text), text)
    if (scheme := _SCHEME.match(text)) and not os.path.exists(text):
        raise UsageError(f"{text!r} can't be read here ({scheme[1]}:); get the model's folder first, and give its path")
    if os.path.isabs(text) or text.startswith((".", "~")):
        return _of_folder(os.path.expanduser(text), text)
    tag = _TAG.match(text)
    if tag is not None and not os.path.exists(text):
        return _of_version(text, tag["name"], tag["version"] or f"@{tag['stage']}")
    return _of_name(text)


def _of_folder(path: str, uri: str) -> ModelSource:
    if os.path.basename(path.rstrip("/")) == FILE:
        path = os.path.dirname(path) or "."
    if not os.path.isfile(os.path.join(path, FILE)):
        raise ModelNotFound(uri, "there is no such folder" if not os.path.isdir(path) else f"it has no {FILE} file")
    return FolderSource(os.path.abspath(path), uri)


def _of_run(uri: str) -> ModelSource:
    reference, _, path = uri.partition(":")[2].lstrip("/").partition("/")
    path = os.path.normpath(path.strip("/")) if path.strip("/") else ""
    if not reference or not path:
        raise UsageError(f"{uri!r} names no model; it should be runs:/<run>/<the model's name>")
    repository = session.repository()
    try:
        run = repository.run(reference)
    except RunNotFound as error:
        raise ModelNotFound(uri, str(error)) from None
    return _in_run(repository, run, path, uri)


def _in_run(repository: Repository, run: Run, path: str, uri: str, version: ModelVersion | None = None) -> ModelSource:
    """Return the model at *path* of *run*, of which there must be one."""
    try:
        repository.artifact_files(run, f"{path}/{FILE}" if path else FILE, fetch=True)
    except ArtifactNotFound as error:
        if type(error) is not ArtifactNotFound:
            raise
        raise ModelNotFound(uri, f"run {run.name} ({run.id[:8]}) has no {FILE} there", models_of(run)) from None
    return RunSource(repository, run, path, uri, version)


def models_of(run: Run) -> list[str]:
    """Return the folders among a run's artifacts that are models."""
    return [os.path.dirname(record.path) for record in run.artifacts() if os.path.basename(record.path) == FILE]


def _name_and_selector(uri: str) -> tuple[str, str]:
    rest = uri.partition(":")[2].lstrip("/")
    name, mark, stage = rest.rpartition("@")
    if mark and name and stage and "/" not in stage:
        return name, f"@{stage}"
    name, _, selector = rest.rpartition("/")
    if not name or not selector:
        if re.fullmatch(r"m-[0-9a-f]{32}", rest):
            raise UsageError(f"{uri!r} is the id that an MLflow server gave a model; Ledgit's are runs:/<run>/<name>")
        raise UsageError(f"{uri!r} names no version; it should be models:/<name>/<version> or models:/<name>@<stage>")
    return name, selector


def _of_version(uri: str, name: str, selector: str) -> ModelSource:
    from ledgit.store.registry import read_registry

    repository = session.repository()
    registry = read_registry(repository.repo, repository.folder)
    version = registry.version(name, _selector(registry.find(name), selector))
    run = at_commit(repository, version.commit)
    if run is None:
        raise ModelNotFound(uri, f"its tag {version.tag} points to a commit that is no run's")
    path = version.path
    if path is None:  # GTO's, or made by hand
        found = models_of(run)
        if len(found) != 1:
            listed = f" ({', '.join(found)})" if found else ""
            raise ModelNotFound(
                uri, f"its tag {version.tag} does not say which of its run's {len(found)} models{listed}"
            )
        path = found[0]
    return _in_run(repository, run, path, uri, version)


def _selector(model: Any, text: str) -> str:
    """Return what the registry calls *text*: MLflow's stages are found in any case."""
    if text.startswith("@") or text in {"latest", "greatest"} or re.fullmatch(r"v?\d[^/]*", text):
        return text
    return "@" + next((stage for stage in model.stages if stage.lower() == text.lower()), text)


def at_commit(repository: Repository, commit: str) -> Run | None:
    """Return the run whose tree *commit* has, as it was there; None if it has none."""
    from ledgit.records.record import make_state
    from ledgit.run import Run
    from ledgit.store.chain import read_base, read_entry

    if repository.objects.find(commit, ".ledgit/run/run.yaml") is None:
        return None
    entry = read_entry(repository.objects, commit)
    base = read_base(repository.objects, entry.id, [commit])
    run = Run(repository, make_state(base.record, [commit]))
    run._record = base.record
    return run


def _of_commit(uri: str) -> ModelSource:
    revision, _, path = uri[len("git:") :].partition("#")
    repository = session.repository()
    commit = _commit(repository, revision)
    if commit is None:
        raise ModelNotFound(uri, f"there is no commit {revision!r}")
    path = os.path.normpath(path.strip("/")) if path.strip("/") else ""
    run = at_commit(repository, commit)
    file = f"{path}/{FILE}" if path else FILE
    if run is not None and any(file == one.path or file.startswith(f"{one.path}/") for one in run.artifacts()):
        return _in_run(repository, run, path, uri)
    if path and repository.objects.find(commit, f"{path}/{FILE}") is not None:
        return CommitSource(repository, commit, path, uri)
    raise ModelNotFound(uri, f"commit {commit[:8]} has no {FILE} in {path or 'its root'}")


def _commit(repository: Repository, revision: str) -> str | None:
    from ledgit.errors import GitFailed
    from ledgit.git import run_git

    if not revision or revision.startswith("-"):
        return None
    try:
        said = run_git(
            repository.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except GitFailed:
        try:
            return repository.run(revision).state.commit
        except LedgitError:
            return None
    return said.decode("ascii", "replace").strip()


def _of_name(text: str) -> ModelSource:
    """Find a bare name: the active run's, a folder, the newest run's of the experiment."""
    path = check_model_path(text)
    active = runs.active_run()
    if active is not None and MODEL_TAG + path in active.tags:
        return _in_run(session.repository(active.store.repo), active, path, f"runs:/{active.id}/{path}")
    if os.path.isfile(os.path.join(text, FILE)) or (os.path.basename(text) == FILE and os.path.isfile(text)):
        return _of_folder(text, text)
    repository = session.repository()
    experiment = repository.experiment_name(experiments.for_new_run(None))
    found = _newest(repository, path, experiment)
    if found is None:
        reason = f"no run of experiment {experiment!r} logged a model of this name, and there is no such folder"
        other = _newest(repository, path, None)
        if other is not None:
            reason += f"; run {other.name} of experiment {other.experiment!r} did: runs:/{other.id}/{path}"
        raise ModelNotFound(text, reason)
    return _in_run(repository, found, path, f"runs:/{found.id}/{path}")


def _newest(repository: Repository, path: str, experiment: str | None) -> Run | None:
    from ledgit.query import Query

    key = MODEL_TAG + path
    among = None if experiment is None else (experiment,)
    found = repository.search(Query(filter=f'tags."{key}" IS NOT NULL', limit=1, experiments=among))
    return found[0] if found else None
