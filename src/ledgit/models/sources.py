"""Places that models come from: what is there, as a private copy, and who vouches for it."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, StorageError
from ledgit.models.consent import Trust
from ledgit.models.made import is_made_here
from ledgit.models.mlmodel import FILE, Model

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["CommitSource", "FolderSource", "ModelSource", "RunSource"]


class ModelSource(ABC):
    """Where one model is.

    Attributes:
        uri: What the user gave.
        run: The run it belongs to, if any.
        path: Its folder there: among the run's artifacts, in the commit, or on this machine.
        version: Its registered version, if the URI named one.
        digest: Of the version's files, as its tag says; None where there is none.
    """

    run: Run | None = None
    version: ModelVersion | None = None
    digest: str | None = None

    def __init__(self, uri: str, path: str) -> None:
        self.uri, self.path = uri, path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri}>"

    @property
    def name(self) -> str:
        """What to call it: the registered model, or its folder."""
        return self.version.model if self.version is not None else os.path.basename(self.path.rstrip("/"))

    @property
    def private(self) -> bool:
        """Whether :meth:`folder` makes a copy, which the caller removes."""
        return True

    @abstractmethod
    def folder(self, target: str) -> str:
        """Write a private copy of the model's files below the folder *target*; return where they are.

        Raises:
            ArtifactsMissing: Their content is nowhere to be had.
            ArtifactDamaged: It is not what was logged.
            StorageError: The disk refused.
        """

    @abstractmethod
    def metadata(self) -> Model:
        """Return what its MLmodel says, without bringing the other files here.

        Raises:
            RecordError: It does not decode.
        """

    @abstractmethod
    def objection(self, folder: str) -> str | None:
        """Return what speaks against running code from the model in *folder*: the end of a sentence; None: nothing."""

    def trust(self, folder: str, given: bool | None) -> Trust:
        """Return whether code from the model may run.

        Args:
            folder: What :meth:`folder` returned.
            given: What the user said; None to find out.
        """
        if given is not None:
            return Trust(self.uri, lambda: None if given else "trust=False was given")
        return Trust(self.uri, lambda: self.objection(folder))


class FolderSource(ModelSource):
    """A folder on this machine, used as it is."""

    def __init__(self, path: str, uri: str) -> None:
        super().__init__(uri, path)

    @property
    def private(self) -> bool:
        """No: it is the user's own."""
        return False

    def folder(self, target: str) -> str:
        """Return the folder itself; a copy below *target* if that is not empty text."""
        if not target:
            return self.path
        copy = os.path.join(target, os.path.basename(self.path))
        try:
            return str(shutil.copytree(self.path, copy))
        except (OSError, shutil.Error) as error:
            raise StorageError(copy, str(error)) from error

    def metadata(self) -> Model:
        """Return what the MLmodel says."""
        return Model.load(self.path)

    def objection(self, folder: str) -> str | None:  # noqa: ARG002 - it is the folder
        """Return what speaks against it: files of somebody else's, or that came with a repository."""
        for where, _, names in os.walk(self.path):
            for one in (where, *(os.path.join(where, name) for name in names)):
                if os.lstat(one).st_uid != os.geteuid():
                    return f"{one} belongs to another user of this machine"
        return _tracked(self.path)


def _tracked(path: str) -> str | None:
    """Return which repository the folder came with, or may have; None if with none."""
    from ledgit.git import Repo, try_git

    try:
        repo = Repo.discover(path)
    except LedgitError:
        return None
    if repo.work_tree is None:
        return None
    top = os.path.realpath(repo.work_tree)
    inside = os.path.relpath(os.path.realpath(path), top)
    if inside.startswith(".."):
        return None
    # Also what DVC brought: it writes a pointer beside the file, or beside a folder around it.
    parts = inside.split("/")
    pointers = [f":(literal){'/'.join(parts[: count + 1])}.dvc" for count in range(len(parts))]
    within = [f":(literal){inside}", f":(glob){_globbed(inside)}/**/*.dvc"]
    code, said, problem = try_git(repo, "ls-files", "-z", "--", *within, *pointers, cwd=top)
    if code:
        return f"git can't say whether it came with the repository {top} ({_first(problem)})"
    if said:
        tracked = said.split(bytes(1))[0].decode("utf-8", "replace")
        return f"it came with the repository {top}, or may have: {tracked} is tracked"
    return _in_lock(top, parts)


def _globbed(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in path)


def _in_lock(top: str, parts: list[str]) -> str | None:
    """Return which ``dvc.lock`` names the folder, or one around it, as what a stage makes."""
    for count in range(len(parts)):
        lock = os.path.join(top, *parts[:count], "dvc.lock")
        try:
            with open(lock, encoding="utf-8", errors="replace") as stream:
                lines = {line.strip().removeprefix("- ") for line in stream}
        except OSError:
            continue
        if any(f"path: {'/'.join(parts[count:stop])}" in lines for stop in range(count + 1, len(parts) + 1)):
            return f"it is in {lock}, so that it may have come with the repository"
    return None


class RunSource(ModelSource):
    """A folder among a run's artifacts; *path* is '' where the artifacts themselves are a model."""

    def __init__(self, repository: Repository, run: Run, path: str, uri: str, version: ModelVersion | None) -> None:
        super().__init__(uri, path)
        self.repository, self.run, self.version = repository, run, version
        self.digest = None if version is None else version.digest

    def folder(self, target: str) -> str:
        """Write the run's files below *target*; what is not in this clone is fetched."""
        assert self.run is not None
        self.repository.save_artifacts(self.run, target, [self.path], flat=True)
        return os.path.join(target, os.path.basename(self.path)) if self.path else target

    def metadata(self) -> Model:
        """Return what the MLmodel says, as it was logged."""
        assert self.run is not None
        with self.repository.open_artifact(self.run, f"{self.path}/{FILE}" if self.path else FILE) as stream:
            return Model.decode(stream.read(), f"{self.uri} ({FILE})")

    def objection(self, folder: str) -> str | None:
        """Return what speaks against it: it was not made here, no signature is good, and nobody trusts its author."""
        from ledgit.git import try_git

        assert self.run is not None
        if is_made_here(self.repository.folder, folder):
            return None
        version = self.version
        if version is not None and version.event.signed:
            code, _, problem = try_git(self.repository.repo, "verify-tag", version.event.oid)
            if code == 0:
                return None
            signature = f"git does not accept the signature of {version.tag} ({_first(problem)})"
        else:
            signature = "" if version is None else f"its tag {version.tag} has no signature"
        trusted = set(trusted_models(self.repository))
        authors = self._authors()
        if self.name in trusted or all(address in trusted for _, address in authors):
            return None
        makers = ", ".join(f"{author} <{address}>" for author, address in authors if address not in trusted)
        whose = f"run {self.run.name} ({self.run.id[:8]}) of {makers} was not logged in this clone"
        return f"{whose}, and {signature}" if signature else whose

    def _authors(self) -> list[tuple[str, str]]:
        """Return who wrote the run's commits, the first first, as they say: what anybody who can push can write.

        Each counts, for an edit can bring other files, and none is passed over that an edit stands on.
        """
        from ledgit.store.chain import read_entry, run_commits

        assert self.run is not None
        objects = self.repository.objects
        found = {commit.oid: commit for commit in run_commits(objects, self.run.heads, self.run.id)}
        wanted = {oid for head in self.run.heads for oid in (head, *read_entry(objects, head).past)}
        authors: dict[tuple[str, str], None] = {}
        for commit in reversed(found.values()):
            below = found.get(commit.parents[0]) if len(commit.parents) == 1 else None
            if below is not None and below.tree == commit.tree and "\nLedgit-Version: " in commit.message:
                continue  # a registration changes nothing: who made the run is asked
            name, address, _, _ = commit.author
            authors[name, address] = None
        if wanted - found.keys() or not authors:
            authors["somebody", "unknown"] = None  # it has commits that are not here
        return list(authors)


class CommitSource(ModelSource):
    """A folder of the code, as a commit has it."""

    def __init__(self, repository: Repository, commit: str, path: str, uri: str) -> None:
        super().__init__(uri, path)
        self.repository, self.commit = repository, commit

    def folder(self, target: str) -> str:
        """Write the commit's files below *target*."""
        from ledgit.errors import UnsafePath
        from ledgit.records.names import path_problem

        top = os.path.join(target, os.path.basename(self.path))
        for name, content in self.repository.objects.files(self.commit, self.path).items():
            problem = path_problem(name)
            if problem is not None:
                raise UnsafePath(self.uri, f"the path {name[:100]!r} {problem}")
            file = os.path.join(top, *name.split("/"))
            try:
                os.makedirs(os.path.dirname(file), exist_ok=True)
                with open(file, "xb") as stream:
                    stream.write(content)
            except OSError as error:
                raise StorageError(file, error.strerror or str(error)) from error
        return top

    def metadata(self) -> Model:
        """Return what the MLmodel says, as the commit has it."""
        found = self.repository.objects.find(self.commit, f"{self.path}/{FILE}")
        assert found is not None
        return Model.decode(self.repository.objects.read(found.oid)[1], f"{self.uri} ({FILE})")

    def objection(self, folder: str) -> str | None:
        """Return what speaks against it: a commit says nothing of whether its author is to be trusted."""
        if is_made_here(self.repository.folder, folder) or self.name in trusted_models(self.repository):
            return None
        return f"commit {self.commit[:8]} may be anybody's"


def trusted_models(repository: Repository) -> list[str]:
    """Return the models and addresses that the person's own configuration trusts: one a line, or several by commas."""
    from ledgit.git import try_git

    # Asked anew: who was refused adds a name in a terminal and tries again in the same notebook.
    code, said, _ = try_git(repository.repo, "config", "-z", "--get-all", "ledgit.trustedModels")
    lines = said.decode("utf-8", "replace").split("\0") if code == 0 else []
    return [word.strip() for line in lines for word in line.split(",") if word.strip()]


def _first(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines else "it says nothing"
