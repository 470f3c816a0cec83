"""Which manager makes a project's environment, whether it is there already, and what runs in it."""

from __future__ import annotations

import os
import sys

from ledgit.errors import EnvironmentFailed, ProjectError, UsageError
from ledgit.projects.environments.prepared import Prepared
from ledgit.projects.environments.tools import Failed, find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ledgit.projects.environments.declared import Wish
    from ledgit.projects.environments.interpreters import Interpreter
    from ledgit.projects.environments.own import Own
    from ledgit.projects.mlproject import EnvironmentSpec, Project

    Progress = Callable[[str], object]

__all__ = ["MANAGERS", "choose_manager", "prepare"]

MANAGERS = ("local", "virtualenv", "uv", "conda", "docker")
_FORMAT = 1  # of the keys; a change makes all environments anew


def choose_manager(spec: EnvironmentSpec, manager: str = "") -> str:
    """Return the manager that makes what *spec* declares, *manager* if it is named.

    Raises:
        UsageError: There is no such manager, or it can't make what is declared.
    """
    if manager and manager not in MANAGERS:
        raise UsageError(f"no environment manager {manager!r}; there are {', '.join(MANAGERS)}")
    if spec.kind == "docker_env":
        if manager in ("", "docker", "local"):  # MLflow's: who is in the container already says local
            return manager or "docker"
        raise UsageError(f"the project declares a docker_env, which {manager} can't make; leave out --env-manager")
    if manager == "docker":
        raise UsageError("the project declares no docker_env; --env-manager docker needs one in its MLproject file")
    if manager:
        return manager
    if not spec.kind:
        return "local"
    if spec.kind == "conda_env":
        from ledgit.projects.environments.declared import read_conda

        if read_conda(spec.path, os.path.dirname(spec.path)).conda:
            return "conda"
    from ledgit.projects.environments.interpreters import find_uv

    return "uv" if find_uv() is not None else "virtualenv"


def prepare(
    spec: EnvironmentSpec,
    project: Project,
    manager: str,
    cache: str,
    *,
    offline: bool = False,
    progress: Progress | None = None,
    build_image: bool = False,
) -> Prepared:
    """Make the environment that *spec* declares, or find it in the cache, and return what starts commands in it.

    It is not removed from the cache as long as this process lives.

    Args:
        spec: What the project declares, or ``from_recorded(…).spec()``.
        project: Whose folder relative paths are relative to.
        manager: ``local``, ``virtualenv``, ``uv``, ``conda``, ``docker``, or "" for the one that fits.
        cache: The user's cache folder; environments are below ``envs`` in it.
        offline: Don't try the network.
        progress: Told in a sentence what takes more than a second.
        build_image: Of ``docker``: build an image with the project's files in it, as MLflow's ``--build-image``.

    Raises:
        EnvironmentFailed: It can't be made, with the tool's last lines, or a tool is missing.
        ProjectError: A file that describes it says something impossible.
        StorageError: The disk refused.
        UsageError: There is no such manager, or it does not fit.
    """
    chosen = choose_manager(spec, manager)
    try:
        if chosen == "local":
            return _local()
        if chosen == "docker":
            from ledgit.projects.environments.docker import prepare_docker

            return prepare_docker(spec, project, build=build_image, progress=progress)
        return _Preparation(spec, project, chosen, cache, offline, progress).prepare()
    except Failed as failed:
        raise EnvironmentFailed(failed.manager, failed.reason) from None


def _local() -> Prepared:
    """Return the environment that Ledgit was started in: whatever ``python`` is on the user's ``PATH``."""
    python = find_program("python")
    if python is not None:
        return Prepared("local", python=python)
    # Debian has no "python", and a project's commands do say so.
    return Prepared("local", python=sys.executable, path=(os.path.dirname(sys.executable),))


class _Preparation:
    def __init__(
        self,
        spec: EnvironmentSpec,
        project: Project,
        manager: str,
        cache: str,
        offline: bool,
        progress: Progress | None,
    ) -> None:
        from ledgit.projects.environments.declared import read_wish
        from ledgit.projects.environments.store import EnvironmentCache

        self.project, self.manager, self.offline, self.progress = project, manager, offline, progress
        self.store = EnvironmentCache(cache)
        self.wish: Wish = read_wish(spec, project)
        self.tool = ""

    def prepare(self) -> Prepared:
        from ledgit.projects.environments.interpreters import find_interpreter, find_uv

        if self.manager == "conda":
            from ledgit.projects.environments.conda import prepare_conda

            return prepare_conda(self.wish, self.project, self.store, self.offline, self.progress)
        if self.wish.conda:
            raise EnvironmentFailed(
                self.manager,
                f"{os.path.basename(self.wish.source)} asks for packages of conda's ({', '.join(self.wish.conda[:5])});"
                " use --env-manager conda, or list them below pip",
            )
        if self.manager == "uv":
            uv = find_uv()
            if uv is None:
                raise EnvironmentFailed(
                    "uv", "there is no uv here; 'pip install uv' gets it, or use --env-manager virtualenv"
                )
            self.tool = uv
        python, notes = find_interpreter(self.wish.python, self.store.folder, self.manager)
        own = self._own(python)
        key = self._key(python, own)
        noted = self.store.get(key, lambda folder, lock: self._make(folder, lock, python, own, [*notes]), self._waiting)
        return self._prepared(key, noted)

    def _own(self, python: Interpreter) -> Own | None:
        """Return how Ledgit gets into the environment; None if nothing asks for it."""
        wish = self.wish
        if not wish.own_asked:
            return None
        from ledgit.projects.environments.own import own_for

        return own_for(wish.own_extras, python, self.store.folder)

    def _check_own(self, versions: str) -> None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        from ledgit._version import __version__

        try:
            fits = SpecifierSet(versions).contains(__version__, prereleases=True)
        except InvalidSpecifier:
            raise ProjectError(self.wish.source, f"ledgit{versions} is no requirement") from None
        if not fits:
            self.wish.requirements.notes.append(
                f"ledgit {versions} is asked for; it gets the Ledgit that runs it, {__version__}"
            )

    def _waiting(self) -> None:
        if self.progress is not None:
            self.progress("another process is making the same environment: waiting for it")

    def _key(self, python: Interpreter, own: Own | None) -> str:
        import json
        from hashlib import sha256

        from ledgit.projects.environments.contents import digest
        from ledgit.projects.environments.store import KEY_LENGTH

        wish = self.wish
        lock = digest(wish.lock) + digest(wish.source) if wish.lock and self.manager == "uv" else ""
        said = [
            _FORMAT,
            self.manager,
            python.path,
            python.version,
            python.implementation,
            python.platform,
            *(part for one in (wish.build, wish.requirements) for part in self._said(one)),
            wish.complete,
            lock,
            None if own is None else own.stamp,
        ]
        return sha256(json.dumps(said).encode()).hexdigest()[:KEY_LENGTH]

    def _said(self, one: Any) -> list[object]:
        """Return what counts of requirements: of a folder its content, not its place."""
        from ledgit.projects.environments.contents import digest

        lines = one.lines
        for path in one.local:
            lines = [digest(path) + line.removeprefix(path) if line.startswith(path) else line for line in lines]
        return [lines, one.constraints, one.own_versions]

    def _make(self, folder: str, lock: int, python: Interpreter, own: Own | None, notes: list[str]) -> dict[str, Any]:
        from ledgit.projects.environments.making import Job, make_environment
        from ledgit.projects.environments.store import WHEELS

        kept = os.path.join(os.path.dirname(self.store.folder), WHEELS, f"{python.suffix.strip('.')}-{python.platform}")
        job = Job(
            folder,
            python,
            self.wish,
            self.project.folder,
            kept,
            own=own,
            offline=self.offline,
            lock=lock,
            progress=self.progress,
        )
        for versions in [*self.wish.build.own_versions, *self.wish.requirements.own_versions]:
            self._check_own(versions)  # only here: another version of Ledgit is another key, and packaging takes 20 ms
        make_environment(job, self.tool)
        import time

        return {
            "manager": self.manager,
            "python": job.interpreter,
            "version": python.version,
            "requirements": self.wish.shown,
            "notes": [*notes, *self.wish.notes],
            "links": job.own.links if job.own is not None else "",
            "made": round(time.time() * 1000),
        }

    def _prepared(self, key: str, noted: dict[str, Any]) -> Prepared:
        folder = self.store.path(key)
        return Prepared(
            self.manager,
            key,
            str(noted["python"]),
            (os.path.join(folder, "bin"),),
            {"VIRTUAL_ENV": folder},
            python_path=tuple(os.path.join(self.project.folder, name) for name in self.wish.source_folders),
            notes=tuple(map(str, noted.get("notes", ()))),
            folder=folder,
        )
