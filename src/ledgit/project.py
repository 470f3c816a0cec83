"""Projects in three calls: create, add files, share.

::

    import ledgit as mlflow

    project = mlflow.project.create("my_project")
    mlflow.project.add_files(["data.csv", "model.py", "train.py"], project_name="my_project")
    mlflow.project.share(project)

Running them is :func:`ledgit.projects.run`, or ``ledgit run`` in a shell.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.projects.adding import AddedFiles
    from ledgit.projects.mlproject import EntryPoint, Project
    from ledgit.projects.sharing import SharedProject
    from ledgit.repository import Repository

    StrPath = str | os.PathLike[str]

__all__ = ["add_files", "create", "detect", "share"]


def create(name: str, path: StrPath = ".") -> Project:
    """Make a folder a project: write ``MLproject`` and ``python_env.yaml``, and commit exactly these.

    A Git repository is made if there is none around. Done again it changes nothing.

    Args:
        name: The project's name; versions of it will be ``NAME@v1.0.0`` in the registry.
        path: The folder; made if it is not there.

    Returns:
        The project, for :func:`share`.

    Raises:
        InvalidName: It can't be a project's name.
        Conflict: Another project is there, or one of this name elsewhere in the repository.
        UsageError: Git was not told who you are.
    """
    from ledgit.projects.creating import create_project

    return create_project(name, os.path.abspath(os.fspath(path)))


def add_files(files: StrPath | Iterable[StrPath], project_name: str | None = None) -> AddedFiles:
    """Add files and folders to a project, and commit exactly them.

    Text up to 256 KiB (``ledgit.artifactThreshold``) goes to Git, what is larger or no text to DVC. Scripts become
    entry points, with the options that their source declares; entry points that somebody wrote stay as they are.

    Args:
        files: Paths; relative ones count from the current folder.
        project_name: The project's name, or its folder; default: the project around the current folder.

    Returns:
        Where each went, which entry points are new, and the commit.

    Raises:
        NotFound: There is no such file or project.
        UsageError: A file is outside of the project, or ignored; the rule is named.
        Conflict: A file looks as if it had a secret in it (`SecretFound`), or a merge has not ended.
    """
    from ledgit.projects.adding import add_files as add
    from ledgit.projects.finding import find_project

    here = os.getcwd()
    listed = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    repo = _repository(here).repo
    return add(repo, find_project(repo, project_name, here), [os.fspath(file) for file in listed], here)


def share(project: Project | str, bundle: StrPath | None = None, version: str | None = None) -> SharedProject:
    """Share a project: send its data, then push the branch, then tag a version and push that.

    Nothing goes while a file of the project has changes that are not committed, and the version is made only when the
    data are there. Files that nobody added are named in the notes of what is returned.
    A project that has not changed keeps its version. Whatever interrupts it, it can be repeated.

    Args:
        project: The project, its name, or its folder.
        bundle: A file to write instead of pushing: code and data, for ``ledgit run FILE`` on a machine without access.
        version: Such as ``v1.2.0``; default: the next minor one.

    Returns:
        What others need: its `uri`, `version` and `commit`.

    Raises:
        Conflict: Something is not committed, or the branch on the remote has other commits.
        NoRemote: There is no Git remote, or there are data and no DVC remote for them.
        RemoteError: A remote can't be used.
        ArtifactsMissing: The data are not here.
        VersionExists: The version is taken.
    """
    from ledgit.projects.sharing import ShareOptions, share_project

    found, start = _found(project)
    repository = _repository(start)
    options = ShareOptions(version=version, bundle=None if bundle is None else os.path.abspath(os.fspath(bundle)))
    return share_project(repository, found, options)


def detect(project: Project | str) -> dict[str, EntryPoint]:
    """Return the entry points that a project's scripts would be, by name; nothing is run or written.

    Args:
        project: The project, its name, or its folder.
    """
    from ledgit.git import run_git
    from ledgit.projects.detect import detect_entry_points

    found, start = _found(project)
    repo = _repository(start).repo
    args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    out = run_git(repo, *args, cwd=found.folder)
    return detect_entry_points(found.folder, [os.fsdecode(name) for name in out.split(b"\0") if name])


def _found(project: Project | str) -> tuple[Project, str]:
    from ledgit.projects.mlproject import Project, read_project

    if isinstance(project, Project):
        return read_project(project.folder), project.folder  # it may have got files since
    from ledgit.projects.finding import find_project

    here = os.getcwd()
    return find_project(_repository(here).repo, project, here), here


def _repository(path: str) -> Repository:
    from ledgit.repository import open_repository

    return open_repository(path)
