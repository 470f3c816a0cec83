"""Runs of another repository's ledger, for one report: read, marked as foreign, and never taken in.

Whoever works on a fork logs to the fork's ledger. It is fetched into a repository of a moment that can read this
clone's code (to tell which runs belong to a commit) and that is gone afterwards: nothing of it reaches this clone's
ledger, index or refs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from types import TracebackType

from ledgit.errors import StorageError
from ledgit.review.sides import Side, find_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Repo
    from ledgit.repository import Repository
    from ledgit.review.settings import ReviewSettings

    Progress = Callable[[str, int, int | None], None]

__all__ = ["ForeignLedger"]


class ForeignLedger:
    """The ledger at an address, as long as the context lasts.

    ::

        with ForeignLedger(repository, "https://host/fork.git") as foreign:
            head = foreign.side(commit, settings)

    Attributes:
        address: Where it is, without credentials.
        repository: The repository of a moment that holds it.
    """

    def __init__(self, repository: Repository, url: str, progress: Progress | None = None) -> None:
        """Fetch the list of runs.

        Raises:
            Unreachable, AccessDenied, RemoteError: It can't be had.
            RecordError, NewerFormat: It is no ledger that can be read.
            StorageError: The disk refused.
        """
        from ledgit.git import Address, Repo, run_git
        from ledgit.repository import Repository

        try:
            self._folder = tempfile.mkdtemp(prefix="ledgit-foreign-")
        except OSError as error:
            raise StorageError("the folder for a foreign ledger", error.strerror or str(error)) from error
        try:
            ours = repository.repo
            _make_repository(self._folder, ours)
            repo = Repo.discover(self._folder)
            for name, value in (
                ("ledgit.fetch", "tip"),
                ("ledgit.autoCompact", "false"),
                ("remote.foreign.url", _absolute(url, ours.work_tree or ours.git_dir)),
            ):
                run_git(repo, "config", name, value)
            self.repository = Repository(Repo.discover(self._folder))
            self.address = Address(_absolute(url, ours.work_tree or ours.git_dir)).shown
            self.repository.pull("foreign", progress=progress)
        except BaseException:
            self.close()
            raise

    def side(self, commit: str, settings: ReviewSettings, *, clean: bool = False) -> Side:
        """Return the foreign runs that stand for *commit*."""
        return find_side(self.repository, commit, settings, clean=clean)

    def __enter__(self) -> ForeignLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _make_repository(path: str, ours: Repo) -> None:
    """Make a bare repository that reads the objects of *ours*, and knows where its history is cut off."""
    try:
        with open(os.path.join(ours.common_dir, "shallow"), encoding="ascii") as file:
            cut = file.read()
    except FileNotFoundError:
        cut = ""
    for name in ("objects/pack", "objects/info", "refs/heads"):
        os.makedirs(os.path.join(path, name))
    for name, text in (
        ("HEAD", "ref: refs/heads/none\n"),
        ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
        ("objects/info/alternates", os.path.abspath(ours.objects_dir) + "\n"),
        *((("shallow", cut),) if cut else ()),
    ):
        with open(os.path.join(path, name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)


def _absolute(url: str, folder: str) -> str:
    """Return a path as seen from *folder* as an absolute one; an address as it is."""
    if "://" in url or (":" in url.partition("/")[0] and not os.path.exists(os.path.join(folder, url))):
        return url
    return os.path.normpath(os.path.join(folder, os.path.expanduser(url)))
