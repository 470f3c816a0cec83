"""MLflow's artifact repository over the artifacts of a run."""

from __future__ import annotations

import os
import posixpath
from typing import Any

from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path

from ledgit.errors import ArtifactNotFound
from ledgit.mlflow.answers import answer
from ledgit.mlflow.models import tags_of
from ledgit.mlflow.uris import split_artifact_uri
from ledgit.mlflow.writing import Writers
from ledgit.records.logged_models import logged_models

__all__ = ["ArtifactStore"]


class ArtifactStore(ArtifactRepository):
    """The files of one run, or of a folder in it; `mlflow.artifact_repository` of scheme ``ledgit``.

    What is downloaded is a private copy: loading by ``models:/`` writes into the folder it gets.
    """

    def __init__(self, artifact_uri: str, *words: Any, **given: Any) -> None:
        super().__init__(artifact_uri, *words, **given)
        self._start()

    @answer
    def _start(self) -> None:
        path, self.run_id, self.below = split_artifact_uri(self.artifact_uri)
        self._writers = Writers.of(path)

    def _full(self, path: str | None) -> str:
        return posixpath.join(*(part for part in (self.below, path) if part)) if self.below or path else ""

    @answer
    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Log a file under its own name in the folder *artifact_path*."""
        verify_artifact_path(artifact_path)
        name = os.path.basename(local_file)
        with self._writers.writing(self._writers.repository.run(self.run_id)) as writer:
            writer.add_artifact(local_file, posixpath.join(self._full(artifact_path), name))

    @answer
    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Log everything in a folder."""
        verify_artifact_path(artifact_path)
        top = os.path.abspath(local_dir)
        with self._writers.writing(self._writers.repository.run(self.run_id)) as writer:
            for folder, _, names in os.walk(top):
                inside = os.path.relpath(folder, top).replace(os.sep, "/")
                for name in sorted(names):
                    path = posixpath.normpath(posixpath.join(self._full(artifact_path), inside, name))
                    writer.add_artifact(os.path.join(folder, name), path)

    @answer
    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the files and folders directly in a folder; none if *path* is a file, as MLflow has it."""
        verify_artifact_path(path)
        full = self._full(path)
        prefix = f"{full}/" if full else ""
        cut = f"{self.below}/" if self.below else ""
        found: dict[str, FileInfo] = {}
        run = self._writers.repository.run(self.run_id)
        # As in MLflow a model that was logged is listed by itself, not among its run's files.
        models = tuple(f"{one.path}/" for one in logged_models(tags_of(run)).values())
        own = f"{self.below}/".startswith(models) if models else True
        for one in run.artifact_files():
            if not one.path.startswith(prefix) or (not own and one.path.startswith(models)):
                continue
            name, inner, _ = one.path[len(prefix) :].partition("/")
            shown = (prefix + name).removeprefix(cut)
            found[shown] = FileInfo(shown, bool(inner), None if inner else one.size)
        return [found[name] for name in sorted(found)]

    @answer
    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        full = self._full(remote_file_path)
        run = self._writers.repository.run(self.run_id)
        if all(one.path != full for one in run.artifact_files()):
            raise ArtifactNotFound(full)
        with run.open_artifact(full) as source, open(local_path, "wb") as target:
            while block := source.read(1 << 20):
                target.write(block)
