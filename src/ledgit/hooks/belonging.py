"""Which runs a commit has, in a line: what several hooks say."""

from __future__ import annotations

import os

from ledgit.git import has_files_of
from ledgit.records.harmless import clean, fit
from ledgit.records.wording import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git import Repo
    from ledgit.repository import Repository, Run

__all__ = ["has_runs", "nothing_new", "one_line", "open_quietly", "runs_of_commit", "runs_of_tree"]

_MOST = 50
_METRICS = 3


def has_runs(repo: Repo) -> bool:
    """Whether the clone has any run, by a look at a few files: most commits are made where there is none."""
    from ledgit.git import read_ref

    folder = os.path.join(repo.common_dir, "ledgit")
    if not os.path.isdir(folder):
        return False
    for below in (os.path.join(repo.common_dir, "refs", "ledgit", "runs"), os.path.join(folder, "active")):
        try:
            if any(os.scandir(below)):
                return True
        except OSError:
            pass
    if read_ref(repo, "refs/ledgit/ledger") is not None:
        return True
    try:
        with open(os.path.join(repo.common_dir, "packed-refs"), "rb") as file:
            return b" refs/ledgit/" in file.read()
    except OSError:
        return False


def nothing_new(repo: Repo, mark: str) -> bool:
    """Whether no run, and nothing else of Ledgit's refs, has changed since the last call with this *mark*.

    A commit's run was made since the commit before; where none was there is nothing to look up. What can't be told
    (a change of this moment, a folder that can't be written) counts as new.
    """
    from ledgit.git import stamp

    now = stamp(repo, "refs/ledgit/")
    path = os.path.join(repo.common_dir, "ledgit", f"seen-{mark}")
    text = repr(now)
    try:
        with open(path, encoding="ascii") as file:
            if now is not None and file.read() == text:
                return True
    except (OSError, ValueError):
        pass
    if now is not None:
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            pass
    return False


def open_quietly(repo: Repo) -> Repository:
    """Return the repository with its index as it is."""
    from ledgit.repository import Repository

    return Repository(repo)


def runs_of_tree(repository: Repository, tree: str) -> list[Run]:
    """Return the finished runs whose code was exactly *tree*, newest first."""
    return _runs_of(repository, tree)


def runs_of_commit(repository: Repository, commit: str, tree: str, parent: str | None) -> list[Run]:
    """Return the finished runs that were made from the files of *commit*, newest first; others may have lain beside."""
    found = []
    known: dict[str | None, bool] = {tree: True}
    for run in _runs_of(repository, tree, parent):
        theirs = run.code.tree
        if theirs not in known:
            known[theirs] = has_files_of(repository.repo, theirs, commit)
        if known[theirs]:
            found.append(run)
    return found


def _runs_of(repository: Repository, tree: str, parent: str | None = None) -> list[Run]:
    from ledgit.run import Run

    repository.index.refresh()
    found = repository.index.of_code(tree, parent, _MOST)
    return [Run(repository, state) for state in found if state.status == "FINISHED"]


def one_line(runs: Sequence[Run], limit: int = 100) -> str:
    """Return *runs* in a line: the newest with its first metrics, and how many more."""
    newest = runs[0]
    metrics = [name for name in newest.metrics if not name.startswith("system/")][:_METRICS]
    values = " ".join(f"{name}={number(newest.metrics[name])}" for name in metrics)
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return fit(clean(f"{newest.name} ({newest.id[:8]}){' ' + values if values else ''}"), limit) + more
