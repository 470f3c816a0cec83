"""A new project: an ``MLproject`` file and its environment's, in one commit of exactly these."""

from __future__ import annotations

import os
import sys

from ledgit.errors import Conflict, NotARepository, StorageError
from ledgit.projects.finding import all_projects, subdir_of, work_tree_of
from ledgit.projects.mlproject import EnvironmentSpec, Project, find_mlproject, read_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["create_project"]

_ENVIRONMENT = "python_env.yaml"
_TEXT = """\
# The environment that the project runs in; 'ledgit run' makes it, and MLflow reads it.
python: "{python}"
build_dependencies:
  - pip
dependencies: []
"""


def create_project(name: str, folder: str) -> Project:
    """Make *folder* a project called *name*, and commit the files that this takes, and no other.

    ``MLproject`` and ``python_env.yaml`` are written if they are not there; a repository is made if there is none
    around. Done again it changes nothing, and finishes what was interrupted.

    Args:
        name: The project's name.
        folder: Absolute; made if it is not there.

    Raises:
        InvalidName: It can't be a name of the registry, where versions of the project will be.
        Conflict: Another project is there, or one of this name elsewhere in the repository; or a merge has not ended.
        ProjectError: The ``MLproject`` file that is there can't be read.
        UsageError: Git was not told who the user is.
        StorageError: The disk refused.
    """
    from ledgit.git import commit_files, mend_index, not_committed, tracked_files
    from ledgit.records.registry_names import check_model_name

    check_model_name(name)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StorageError(folder, error.strerror or str(error)) from error
    _check_place(name, folder)
    repo = _repository(folder)
    for other in all_projects(repo):
        if other.name == name and not os.path.samefile(other.folder, folder):
            where = subdir_of(repo, other.folder) or "the top of the repository"
            raise Conflict(f"there is a project {name!r} in {where} already; choose another name")
    project = _write(name, folder)
    files = [project.file]
    if project.environment.kind == "python_env":
        files.append(project.environment.path)
    inner = [os.path.relpath(path, work_tree_of(repo)) for path in map(os.path.realpath, files)]
    fresh = not_committed(repo, inner)
    if fresh:
        commit_files(repo, fresh, f"Create project {name}\n")
    lost = sorted({*inner} - {*fresh} - tracked_files(repo, inner))
    if lost:  # an earlier one was killed after its commit
        mend_index(repo, lost)
    return project


def _check_place(name: str, folder: str) -> None:
    if find_mlproject(folder) is None:
        return
    there = read_project(folder)
    if there.name != name:
        raise Conflict(
            f"{folder} is the project {there.name!r} already; choose another folder, or change 'name:' in its MLproject"
        )


def _repository(folder: str) -> Repo:
    from ledgit.git import Repo, init_repository

    try:
        return Repo.discover(folder)
    except NotARepository:
        return init_repository(folder)


def _write(name: str, folder: str) -> Project:
    if find_mlproject(folder) is not None:
        return read_project(folder)
    from ledgit.projects.skeleton import write_project

    path = os.path.join(folder, _ENVIRONMENT)
    if not os.path.lexists(path) and not os.path.lexists(os.path.join(folder, "conda.yaml")):
        text = _TEXT.format(python=".".join(map(str, sys.version_info[:2])))
        scratch = f"{path}.{os.urandom(4).hex()}"
        try:
            with open(scratch, "x", encoding="utf-8") as file:
                file.write(text)
            os.replace(scratch, path)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
    environment = EnvironmentSpec("python_env", path) if os.path.isfile(path) else EnvironmentSpec()
    write_project(folder, Project(name, {}, environment, folder))
    return read_project(folder)
