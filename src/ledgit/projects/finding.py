"""Projects of a repository, by name or place."""

from __future__ import annotations

import os

from ledgit.errors import NotFound, ProjectError, UsageError
from ledgit.projects.mlproject import Project, find_mlproject, read_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["ProjectNotFound", "all_projects", "find_project", "subdir_of", "work_tree_of"]


class ProjectNotFound(NotFound):
    """There is no project of this name, or in this place; *near* are those that there are."""

    kind = "project"


def all_projects(repo: Repo) -> list[Project]:
    """Return the projects in the work tree, by folder: what has an ``MLproject`` file that Git does not ignore.

    One whose file can't be read is left out; whoever names it is told why.
    """
    from ledgit.git import run_git

    top = work_tree_of(repo)
    args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":(icase,glob)**/MLproject")
    listed = run_git(repo, *args, cwd=top)
    found = []
    for folder in sorted({os.path.dirname(os.fsdecode(name)) for name in listed.split(b"\0") if name}):
        path = os.path.join(top, folder)
        try:
            if find_mlproject(path) is not None:
                found.append(read_project(path))
        except ProjectError:
            continue
    return found


def find_project(repo: Repo, name: str | None = None, start: str | None = None) -> Project:
    """Return a project of the repository.

    Args:
        repo: The repository.
        name: Its name, or a folder that has an ``MLproject`` file; None: the one that *start* is in, else the only one.
        start: An absolute folder that relative names count from; the top of the work tree if None.

    Raises:
        ProjectNotFound: There is none.
        UsageError: There are several.
        ProjectError: Its file can't be read.
    """
    top = work_tree_of(repo)
    start = start or top
    if name is None:
        around = _around(top, start)
        if around is not None:
            return read_project(around)
    found = all_projects(repo)
    matching = found if name is None else [project for project in found if project.name == name]
    if len(matching) == 1:
        return matching[0]
    folder = None if name is None else os.path.join(start, name)
    if not matching and folder is not None and os.path.isdir(folder) and find_mlproject(folder) is not None:
        return read_project(folder)
    if not matching:
        broken = folder is None and _around(top, start)
        if broken:
            return read_project(broken)
        raise ProjectNotFound(name or "in this repository", sorted(project.name for project in found))
    places = ", ".join(subdir_of(repo, project.folder) or "." for project in matching)
    what = f"are called {name!r}" if name is not None else "are in this repository"
    raise UsageError(f"several projects {what} ({places}); name one by its folder")


def _around(top: str, start: str) -> str | None:
    """Return the nearest folder with an ``MLproject`` file, from *start* up to *top*."""
    here, top = os.path.realpath(start), os.path.realpath(top)
    while here == top or here.startswith(top + os.sep):
        if os.path.isdir(here) and find_mlproject(here) is not None:
            return here
        if here == top:
            break
        here = os.path.dirname(here)
    return None


def work_tree_of(repo: Repo) -> str:
    """Return the top of the work tree.

    Raises:
        UsageError: There is none.
    """
    if repo.work_tree is None:
        raise UsageError(f"{repo.git_dir} is a bare repository; a project is made in a work tree")
    return repo.work_tree


def subdir_of(repo: Repo, folder: str) -> str:
    """Return where *folder* stands below the top of the work tree; "" for the top.

    Raises:
        UsageError: It is not in the work tree.
    """
    top = os.path.realpath(work_tree_of(repo))
    inner = os.path.relpath(os.path.realpath(folder), top)
    if inner == os.curdir:
        return ""
    if inner.split(os.sep)[0] == os.pardir:
        raise UsageError(f"{folder} is not in the repository {top}")
    return inner.replace(os.sep, "/")
