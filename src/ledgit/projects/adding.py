"""Files added to a project: small text to Git, large or binary to DVC; scripts become entry points; one commit."""

from __future__ import annotations

import os
import stat
from difflib import get_close_matches

from ledgit.errors import NotFound, StorageError, UsageError
from ledgit.projects.finding import subdir_of, work_tree_of
from ledgit.projects.mlproject import Project, read_project
from ledgit.projects.packages import add_packages
from ledgit.projects.secrets import check_secrets
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.git import Repo

__all__ = ["AddedFile", "AddedFiles", "add_files", "dvc_root"]

GIT, DVC = "git", "dvc"
_LOOKED_AT = 8000  # bytes in which Git looks for a NUL


class NoSuchFile(NotFound):
    """There is no file at a path that was to be added; *near* are names like it."""

    kind = "file"


class AddedFile(Values):
    """Where a file, or a whole folder, of a project went.

    Attributes:
        path: From the top of the repository.
        where: ``git`` or ``dvc``.
        size: Bytes.
        why: What decided: ``small text``, ``binary``, ``larger than 256 KiB``, ``in Git already`` …
    """

    __slots__ = ("path", "size", "where", "why")

    def __init__(self, path: str, where: str, size: int, why: str) -> None:
        self.path, self.where, self.size, self.why = path, where, size, why

    def __str__(self) -> str:
        return f"{self.path} → {'Git' if self.where == GIT else 'DVC'} ({self.why})"


class AddedFiles(Values):
    """What adding files did.

    Attributes:
        project: The project, with its new entry points.
        files: Where each went.
        entry_points: Names of those that are new in ``MLproject``.
        packages: Requirements that are new in ``python_env.yaml``: what new scripts import.
        commit: The commit; None if there was nothing new.
    """

    __slots__ = ("commit", "entry_points", "files", "packages", "project")

    def __init__(
        self,
        project: Project,
        files: Sequence[AddedFile],
        entry_points: Sequence[str],
        packages: Sequence[str],
        commit: str | None,
    ) -> None:
        self.project, self.files, self.commit = project, tuple(files), commit
        self.entry_points, self.packages = tuple(entry_points), tuple(packages)

    def __iter__(self) -> Iterator[AddedFile]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        lines = [str(file) for file in self.files]
        if self.entry_points:
            lines.append(f"new entry points: {', '.join(self.entry_points)}")
        if self.packages:
            lines.append(f"new in python_env.yaml: {', '.join(self.packages)}")
        lines.append(f"commit {self.commit[:8]}" if self.commit else "nothing is new")
        return "\n".join(lines)


def add_files(repo: Repo, project: Project, files: Sequence[str], start: str) -> AddedFiles:
    """Add files to a project and commit exactly them, with what that changes in ``MLproject``, ``.gitignore`` and DVC.

    Text up to the artifact threshold (256 KiB) goes to Git, everything else to DVC: a pointer to Git, the content to
    DVC's cache. What Git has already stays there. A folder whose files all go to DVC becomes one pointer. Everything
    is looked at before anything is written; done again it changes nothing, and finishes what was interrupted.

    Args:
        repo: The repository.
        project: One of its projects.
        files: Files and folders; relative ones count from *start*.
        start: An absolute folder.

    Raises:
        UsageError: A path is outside of the project, ignored (the rule is named), Git's own, or no plain file.
        NotFound: There is no such file.
        SecretFound: A file looks as if it had a secret in it.
        Conflict: A merge has not ended, or DVC refuses.
        ProjectError: ``MLproject`` can't be changed.
        StorageError: The disk refused.
    """
    from ledgit.git import commit_files

    top = os.path.realpath(work_tree_of(repo))
    looked = _Look(repo, project, top)
    for file in files:
        looked.at(os.path.join(start, os.fspath(file)))
    looked.check()
    decided = looked.decide()
    to_commit = [found.path for found in decided if found.where == GIT]
    to_commit += _to_dvc(repo, top, [found.path for found in decided if found.where == DVC])
    new = _entry_points(project, top, [found.path for found in decided if found.where == GIT])
    scripts = [os.path.join(top, one.path) for one in decided if one.where == GIT and one.path.endswith(".py")]
    fresh = [path for path in scripts if os.path.relpath(path, top) not in looked.tracked]
    packages = add_packages(project, fresh)
    own = [project.file, project.environment.path] if project.file else []
    to_commit += [os.path.relpath(os.path.realpath(path), top) for path in own if path and os.path.isfile(path)]
    commit = commit_files(repo, to_commit, _message(project, decided))
    return AddedFiles(read_project(project.folder), decided, new, packages, commit)


def _entry_points(project: Project, top: str, paths: Sequence[str]) -> tuple[str, ...]:
    from ledgit.projects.detect import detect_entry_points
    from ledgit.projects.skeleton import edit_project

    folder = os.path.realpath(project.folder)
    inner = [os.path.relpath(os.path.join(top, path), folder).replace(os.sep, "/") for path in paths]
    found = detect_entry_points(project.folder, inner)
    return edit_project(project.folder, found) if found and project.file else ()


def _to_dvc(repo: Repo, top: str, paths: Sequence[str]) -> list[str]:
    """Add *paths* to DVC, and return the files that belong into the commit, from the top."""
    from ledgit.artifacts import add_data, init_dvc
    from ledgit.git import not_committed

    by_root: dict[str, list[str]] = {}
    for path in paths:
        full = os.path.join(top, path)
        by_root.setdefault(dvc_root(full, top) or top, []).append(full)
    written: list[str] = []
    for root, found in by_root.items():
        if root == top:
            # Also where an earlier one was killed before its commit; what is changed in them is the user's to commit.
            written += not_committed(repo, init_dvc(top))
        written += [os.path.relpath(path, top) for path in add_data(root, found)]
    return written


def dvc_root(path: str, top: str) -> str | None:
    """Return the DVC project that *path* belongs to: the nearest folder with ``.dvc``, up to *top*; None if none."""
    here = os.path.dirname(path)
    while True:
        if os.path.isdir(os.path.join(here, ".dvc")):
            return here
        if here == top or here == os.path.dirname(here):
            return None
        here = os.path.dirname(here)


def _message(project: Project, decided: Sequence[AddedFile]) -> str:
    names = [found.path for found in decided]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    body = "".join(f"{found}\n" for found in decided) if len(names) > 1 else ""
    return f"Add {shown} to project {project.name}\n" + (f"\n{body}" if body else "")


class _Look:
    """Looks at what is to be added; writes nothing."""

    def __init__(self, repo: Repo, project: Project, top: str) -> None:
        from ledgit.store.artifacts.threshold import artifact_threshold

        self.repo, self.project, self.top = repo, project, top
        self.folder = os.path.realpath(project.folder)
        self.threshold = artifact_threshold(repo)
        self.sizes: dict[str, int] = {}  # path from the top → bytes
        self.folders: dict[str, list[str]] = {}
        self.tracked: set[str] = set()

    def at(self, path: str) -> None:
        """Take a file, or the files of a folder."""
        # The folder's own links lead somewhere; the last part may be a link that is itself to be added.
        full = os.path.join(
            os.path.realpath(os.path.dirname(os.path.normpath(path))), os.path.basename(path.rstrip("/"))
        )
        if os.path.basename(full) in ("", ".", ".."):
            full = os.path.realpath(path)
        try:
            found = os.lstat(full)
        except (OSError, ValueError) as error:
            if isinstance(error, PermissionError):
                raise StorageError(path, error.strerror or str(error)) from error
            near = get_close_matches(os.path.basename(full), _names_in(os.path.dirname(full)), 3)
            raise NoSuchFile(os.path.relpath(full, self.top), near) from None
        inner = self._inner(path, full)
        if stat.S_ISDIR(found.st_mode):
            self._folder(full, inner)
        else:
            self._file(full, inner, found)

    def _inner(self, path: str, full: str) -> str:
        if full != self.folder and not full.startswith(self.folder + os.sep):
            if full != self.top and not full.startswith(self.top + os.sep):
                raise UsageError(f"{path} is outside of the repository {self.top}; copy it into the project first")
            where = subdir_of(self.repo, self.folder)
            raise UsageError(f"{path} is outside of the project {self.project.name!r}, which is {where}; move it there")
        inner = os.path.relpath(full, self.top)
        parts = inner.split(os.sep)
        if any(part.lower() in (".git", ".dvc") for part in parts):
            raise UsageError(f"{inner} belongs to Git or DVC themselves; it can't be added")
        return inner

    def _file(self, full: str, inner: str, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            if not os.path.realpath(full).startswith(self.folder + os.sep):
                raise UsageError(f"{inner} is a link that leads out of the project; add what it names instead")
        elif not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{inner} is no plain file; it can't be added")
        self.sizes[inner] = found.st_size

    def _folder(self, full: str, inner: str) -> None:
        if full != self.top and os.path.lexists(os.path.join(full, ".git")):
            raise UsageError(f"{inner} is a repository of its own; 'git submodule add' can include it")
        files = []
        for name in sorted(os.listdir(full)):
            if name.lower() in (".git", ".dvc", "__pycache__"):
                continue
            below = os.path.join(full, name)
            found = os.lstat(below)
            if stat.S_ISDIR(found.st_mode):
                self._folder(below, os.path.join(inner, name))
                files += self.folders.get(os.path.normpath(os.path.join(inner, name)), [])
            else:
                path = os.path.normpath(os.path.join(inner, name))
                self._file(below, path, found)
                files.append(path)
        self.folders[os.path.normpath(inner)] = files

    def check(self) -> None:
        """Refuse what is ignored, and what looks like a secret."""
        from ledgit.git import ignored_by, tracked_files

        paths = list(self.sizes)
        named = {path for paths in self.folders.values() for path in paths}
        self.tracked = tracked_files(self.repo, paths)
        ignored = ignored_by(self.repo, [path for path in paths if path not in self.tracked])
        for path, rule in ignored.items():
            if self._in_dvc(path):
                continue
            if path in named:  # of a folder, what Git ignores is not meant
                del self.sizes[path]
                continue
            raise UsageError(f"{path} is ignored by Git ({rule}); change the rule to add it")
        for folder, files in self.folders.items():
            self.folders[folder] = [path for path in files if path in self.sizes]
        check_secrets(self.repo, {path: os.path.join(self.top, path) for path in self.sizes})

    def _in_dvc(self, path: str) -> bool:
        """Whether DVC has the file, by itself or in a folder: DVC has Git ignore what it takes."""
        here = path
        while here:
            if os.path.isfile(os.path.join(self.top, f"{here}.dvc")):
                return True
            here = os.path.dirname(here)
        return False

    def decide(self) -> list[AddedFile]:
        """Return where each goes."""
        decided = {path: self._decide(path) for path in self.sizes}
        for folder in sorted(self.folders, key=len):
            files = self.folders[folder]
            whole = len(files) > 1 and all(path in decided and decided[path].where == DVC for path in files)
            if whole and folder != os.path.relpath(self.folder, self.top) and not self._has_pointers(files):
                size = sum(decided.pop(path).size for path in files)
                decided[folder] = AddedFile(folder, DVC, size, f"a folder of {len(files):,} data files")
        for path in list(decided):  # DVC has the whole folder already
            around = self._pointed(path)
            if around is not None and around not in decided:
                decided[around] = AddedFile(around, DVC, decided.pop(path).size, "a folder in DVC")
            elif around is not None:
                decided.pop(path)
        return [decided[path] for path in sorted(decided)]

    def _has_pointers(self, files: Sequence[str]) -> bool:
        return any(os.path.isfile(os.path.join(self.top, f"{path}.dvc")) for path in files)

    def _pointed(self, path: str) -> str | None:
        """Return the folder above *path* that DVC has as a whole."""
        here = os.path.dirname(path)
        while here:
            if os.path.isfile(os.path.join(self.top, f"{here}.dvc")):
                return here
            here = os.path.dirname(here)
        return None

    def _decide(self, path: str) -> AddedFile:
        full, size = os.path.join(self.top, path), self.sizes[path]
        if os.path.isfile(f"{full}.dvc"):
            return AddedFile(path, DVC, size, "in DVC already")
        if os.path.islink(full):
            return AddedFile(path, GIT, size, "a link")
        if path in self.tracked:
            return AddedFile(path, GIT, size, "in Git already")
        if path.endswith(".dvc") or os.path.basename(path) in ("dvc.yaml", "dvc.lock"):
            return AddedFile(path, GIT, size, "DVC's own")
        if size > self.threshold:
            from ledgit.records.harmless import size as shown

            return AddedFile(path, DVC, size, f"larger than {shown(self.threshold)}")
        if _is_binary(full):
            return AddedFile(path, DVC, size, "binary")
        return AddedFile(path, GIT, size, "small text")


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_binary(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return b"\0" in file.read(_LOOKED_AT)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
