"""The folder a project runs in: a linked work tree in Ledgit's folder, never the user's."""

from __future__ import annotations

import os
import stat
import time

from ledgit.errors import GitFailed, NotHere, UsageError
from ledgit.git import Repo, add_worktree, fill_submodules, remove_worktree, reset_worktree
from ledgit.store import Folder
from ledgit.store.work import release_work, remove_dead_work, take_work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.opened import Opened

    _Marks = dict[str, tuple[int, ...]]

__all__ = ["WorkFolder", "remove_dead"]

#: Nanoseconds within which two changes of a file may have the same time.
_TICK = 20_000_000
#: Files up to which a reset looks at each one itself; beyond, Git does it sooner.
_MOST_MARKS = 20_000


class WorkFolder:
    """A folder with a tree in it, for one run after another; :meth:`make` makes it.

    As a context manager it removes itself.

    Attributes:
        path: The folder: the top of the tree.
        repo: The repository as seen from it; what is recorded there lands in the user's clone.
        tree: What is in it.
        commit: Its HEAD, None where the tree stands on no commit.
        problems: What could not be put there: submodules and data that are not here.
    """

    def __init__(self, owner: Repo, repo: Repo, tree: str, commit: str | None, lock: int) -> None:
        self._owner, self.repo, self.tree, self.commit = owner, repo, tree, commit
        self.path = str(repo.work_tree)
        self.problems: list[str] = []
        self._lock = lock
        self._caches: tuple[str, ...] = ()
        self._marks: _Marks | None = None
        self._marked_at = 0

    @classmethod
    def make(
        cls,
        repository: Opened | Repo,
        tree: str,
        commit: str | None = None,
        *,
        name: str | None = None,
        caches: Sequence[str] = (),
    ) -> WorkFolder:
        """Make a folder that holds *tree*, with its submodules and what DVC tracks.

        Args:
            repository: Where the tree is, and where the project's runs are recorded.
            tree: Id of a tree.
            commit: What HEAD is to be; None for a tree that stands on nothing.
            name: Last part of the path; random by default.
            caches: Folders laid out as DVC's cache is, where data are looked for besides the project's own.

        Raises:
            NotHere: The tree or the commit is not in the repository.
            GitFailed: Git couldn't write the files.
            StorageError: The folder can't be made.
        """
        owner = repository if isinstance(repository, Repo) else repository.repo
        work = Folder.of(owner).work
        name = name or os.urandom(6).hex()
        path = os.path.join(work, name)
        lock = take_work(path)
        try:
            made = cls(owner, add_worktree(owner, path, commit, tree), tree, commit, lock)
        except BaseException as error:
            release_work(path, lock)
            if isinstance(error, GitFailed):
                _check(owner, tree, commit)
            raise
        try:
            made._fill(caches)
        except BaseException:
            made.remove()
            raise
        return made

    def _fill(self, caches: Sequence[str]) -> None:
        self._caches = tuple(caches)
        from ledgit.projects.tracked import fill_tracked

        for path, why in fill_submodules(self._owner, self.repo):
            self.problems.append(f"submodule {path} is empty: {why}")
        self.problems += fill_tracked(self._owner.work_tree, self.path, caches)

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<WorkFolder {self.path}>"

    def fileno(self) -> int:
        """Return the lock's descriptor: a process that inherits it keeps the folder alive."""
        return self._lock

    def folder(self, directory: str = "") -> str:
        """Return the path of the *directory* below the top.

        Raises:
            UsageError: There is none.
        """
        path = os.path.join(self.path, *directory.split("/")) if directory else self.path
        inside = os.path.realpath(path)
        if not os.path.isdir(path) or not (inside + os.sep).startswith(os.path.realpath(self.path) + os.sep):
            raise UsageError(f"the project has no folder {directory!r}")
        return path

    def note_state(self) -> None:
        """Remember how the folder is now, so that :meth:`reset` sees what changed. Call it before the first run."""
        if self._marks is None:
            self._mark()

    def reset(self) -> None:
        """Make the folder what it was when it was made: changed files as they were, others gone.

        Python's compiled files stay where no source changed. Without :meth:`note_state` before, or with very
        many files, all of it is made again.

        Raises:
            GitFailed: Git couldn't write the files.
        """
        before = self._marks
        if before is None:
            self._remove([path for path in os.listdir(self.path) if path != ".git"])
        else:
            now = dict(_walk(self.path))
            fresh = [path for path in now if path not in before]
            # One as young as the look at it may have changed unseen: there Git compares the content.
            young = self._marked_at - _TICK
            changed = [path for path, mark in before.items() if now.get(path) != mark]
            if not changed and not fresh and not any(mark[0] > young for mark in before.values()):
                return
            self._remove([*fresh, *(path for path in changed if path in now and not _is_folder(now[path]))])
            if changed:
                self._remove(list(_compiled(self.path)))  # of sources that may have been others
        reset_worktree(self.repo, self.tree)
        if before is None or any(not os.path.lexists(os.path.join(self.path, path)) for path in before):
            self.problems.clear()
            self._fill(self._caches)  # submodules and data, which Git doesn't write
        self._mark()

    def _mark(self) -> None:
        self._marked_at = time.time_ns()
        marks = {}
        for path, mark in _walk(self.path):
            marks[path] = mark
            if len(marks) > _MOST_MARKS:
                self._marks = None
                return
        self._marks = marks

    def _remove(self, paths: Sequence[str]) -> None:
        from shutil import rmtree

        for path in sorted(paths, key=len):
            full = os.path.join(self.path, path)
            if os.path.isdir(full) and not os.path.islink(full):
                rmtree(full, onerror=_insist)
            elif os.path.lexists(full):  # else it went with a folder above it
                try:
                    os.unlink(full)
                except PermissionError:
                    os.chmod(os.path.dirname(full), stat.S_IRWXU)
                    os.unlink(full)

    def remove(self) -> None:
        """Remove the folder, whatever is in it, and Git's notion of it. Can be repeated."""
        if self._lock < 0:
            return
        remove_worktree(self._owner, self.path)
        release_work(self.path, self._lock)
        self._lock = -1


def _insist(function: object, path: str, _error: object) -> None:
    """Remove what a program made unwritable."""
    try:
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, stat.S_IRWXU)
        function(path)  # type: ignore[operator]
    except OSError:
        return


def _is_folder(mark: tuple[int, ...]) -> bool:
    return stat.S_ISDIR(mark[1])


def _walk(top: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield (path below *top*, what tells whether it changed) of everything; of folders only that they are some.

    Python's compiled files are passed over.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = list(os.scandir(os.path.join(top, below)))
        except OSError:
            continue  # it may not be read: a folder that the program made
        for entry in entries:
            if entry.name == "__pycache__":
                continue
            path = os.path.join(below, entry.name)
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode):
                yield path, (0, found.st_mode)
                waiting.append(path)
            else:
                # Nobody can set back the first of them, the time of the last change.
                yield path, (found.st_ctime_ns, found.st_mode, found.st_mtime_ns, found.st_size, found.st_ino)


def _compiled(top: str) -> Iterator[str]:
    for folder, names, _ in os.walk(top):
        if "__pycache__" in names:
            names.remove("__pycache__")
            yield os.path.relpath(os.path.join(folder, "__pycache__"), top)


def _check(repo: Repo, tree: str, commit: str | None) -> None:
    if repo.partial:
        return  # Git fetches what it needs
    from ledgit.git import Objects

    objects = Objects.of(repo)
    for oid in (tree, commit):
        if oid is not None and not objects.exists(oid):
            raise NotHere(f"the code ({oid[:12]})", reason="'ledgit pull' or 'git fetch' may bring it")


def remove_dead(repository: Opened | Repo) -> int:
    """Remove the work folders whose processes are all dead; return how many."""
    repo = repository if isinstance(repository, Repo) else repository.repo
    return remove_dead_work(repo, Folder.of(repo))
