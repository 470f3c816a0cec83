"""What ``ledgit init`` prepares, and what ``ledgit doctor`` looks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.errors import StorageError, UsageError
from ledgit.store.config import CONFIG

if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["CONFIG", "EXCLUDED", "MANY_RUNS", "diff_driver", "prepare", "prepared", "write_config"]

#: Refs that ``git log --decorate`` shall not show: one a run would drown the branches.
EXCLUDED = "refs/ledgit/*"
#: Runs from which on a plain ``git fetch`` is slower for their sake: with 100,000 of them, and a remote that has
#: none, 174 ms against 126, because Git tells of 32 runs before it tells of code; when it skips, 127. With 10,000
#: there is no difference (docs/design/decisions.md).
MANY_RUNS = 50_000
_NEGOTIATION = "fetch.negotiationAlgorithm"
#: What is on no ref any more goes into one pack instead of a file each: Git's own default from 2.41 on. What many
#: runs with uncommitted changes leave would otherwise be more files, after each gc, than start the next one.
_CRUFT = "gc.cruftPacks"
_CRUFT_KNOWN, _CRUFT_DEFAULT = (2, 38), (2, 41)
# Where Ledgit is not on the path (a program's Git, another machine's shell) the file is shown as it is: a driver that
# fails ends the whole 'git diff'.
_TEXTCONV = 'f() { ledgit textconv "$1" 2>/dev/null || cat "$1"; }; f'
_SKELETON = """\
# Ledgit's settings for this repository; commit this file. All of it is optional.

# Which way a metric is better, where its name does not say so.
# metrics:
#   churn: {direction: minimize}
#   "val_*": {direction: maximize}

# What 'ledgit check' lets pass.
# gates:
#   - {metric: accuracy, threshold: 0.01}

# Files and folders that training depends on: while they are the same, so is the code of a run,
# whatever else a rebase or a merge changed.
# code_paths: [src, configs]

# Who may register and promote which models, and what that needs: docs/how-to/registry.md.
# registry:
#   policy:
#     - stages: prod
#       who: ["*@release.example.org"]
#       require: metrics.accuracy >= 0.9
#       reviewed: true
"""


def prepare(repo: Repo, runs: int = 0) -> list[str]:
    """Do what is left to do and return a line for each thing done.

    Only the common ``info/attributes`` and this repository's own configuration are written.

    Args:
        repo: The repository.
        runs: How many it has; from :data:`MANY_RUNS` on Git is told to skip some when it fetches, and to pack
            what is left over when it collects garbage.

    Raises:
        StorageError, GitFailed: They can't be.
    """
    from ledgit.git import ensure_attributes, run_git

    done = []
    if ensure_attributes(repo.common_dir):
        done.append("info/attributes: run histories are not diffed, artifacts not converted")
    if not decoration_excluded(repo):
        run_git(repo, "config", "--local", "--add", "log.excludeDecoration", EXCLUDED)
        done.append(f"log.excludeDecoration: {EXCLUDED}")
    if runs >= MANY_RUNS and not _chosen(repo, _NEGOTIATION):
        run_git(repo, "config", "--local", _NEGOTIATION, "skipping")
        done.append(f"{_NEGOTIATION}: skipping, so that a fetch of code does not tell of runs")
    if runs >= MANY_RUNS and _lacks_cruft_packs(repo):
        run_git(repo, "config", "--local", _CRUFT, "true")
        done.append(f"{_CRUFT}: true, so that 'git gc' does not write what many runs left over as files")
    return done


def prepared(repo: Repo, runs: int = 0) -> bool:
    """Whether `prepare` has nothing left to do."""
    if runs >= MANY_RUNS and (not _chosen(repo, _NEGOTIATION) or _lacks_cruft_packs(repo)):
        return False
    path = os.path.join(repo.common_dir, "info", "attributes")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return ".ledgit/run/" in file.read() and decoration_excluded(repo)
    except OSError:
        return False


def diff_driver(repo: Repo, *, on: bool) -> list[str]:
    """Let ``git diff`` show a run's histories and its entry by ``ledgit textconv``, or undo that; return what was done.

    Only the common ``info/attributes`` and this repository's own configuration are written.

    Raises:
        StorageError, GitFailed: They can't be.
    """
    from ledgit.git import run_git, set_driver, try_git

    key = "diff.ledgit.textconv"
    there = try_git(repo, "config", "--local", "--get", key)[1].decode(errors="replace").rstrip("\n")
    done = []
    if on and there != _TEXTCONV:
        run_git(repo, "config", "--local", key, _TEXTCONV)
        done.append(f"{key}: ledgit textconv")
    if set_driver(repo.common_dir, on=on):
        shown = "are shown in a few lines" if on else "are not diffed"
        done.append(f"info/attributes: run histories {shown}")
    if not on and there:
        run_git(repo, "config", "--local", "--remove-section", "diff.ledgit")
        done.append("diff.ledgit: removed")
    return done


def _chosen(repo: Repo, key: str) -> bool:
    """Whether somebody, here or in the user's own configuration, has set *key*."""
    from ledgit.git import try_git

    return try_git(repo, "config", "--get", key)[0] == 0


def _lacks_cruft_packs(repo: Repo) -> bool:
    from ledgit.git import git_version

    return _CRUFT_KNOWN <= tuple(git_version()[:2]) < _CRUFT_DEFAULT and not _chosen(repo, _CRUFT)


def decoration_excluded(repo: Repo) -> bool:
    """Whether ``git log`` leaves Ledgit's refs out of its decorations."""
    from ledgit.git import try_git

    _, out, _ = try_git(repo, "config", "--get-all", "log.excludeDecoration")
    return EXCLUDED in out.decode(errors="replace").splitlines()


def write_config(repo: Repo) -> list[str]:
    """Write a commented ``.ledgit/config.yaml`` into the work tree if there is none.

    Raises:
        UsageError: A bare repository has no work tree.
        StorageError: It can't be written.
    """
    if repo.work_tree is None:
        raise UsageError("a bare repository has no work tree to write .ledgit/config.yaml into")
    path = os.path.join(repo.work_tree, CONFIG)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(_SKELETON)
    except FileExistsError:
        return []
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return [f"{CONFIG}: a commented skeleton, to edit and commit"]
