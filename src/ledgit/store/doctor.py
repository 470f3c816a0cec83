"""Checks of a repository, each with what mends it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.chain import RUN_FOLDER
from ledgit.store.live import active_ids, live_runs
from ledgit.store.setup import prepare, prepared

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["Finding", "examine", "mend"]

_OLDEST_GIT = (2, 25)
_RUNS = "refs/ledgit/runs/"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        level: ``problem`` (something does not work or may be lost) or ``hint``.
        what: What is wrong, in a sentence.
        mend: The command, or act, that mends it.
        key: Which check found it.
    """

    level: str
    what: str
    mend: str
    key: str


def examine(repo: Repo, folder: Folder, index: Index) -> list[Finding]:
    """Return what is wrong with the repository, problems first. Changes nothing but the index's cache."""
    found = [*_git(repo), *_writable(folder), *_waiting(folder), *_indexed(repo, index), *_branches(repo)]
    if not prepared(repo):
        found.append(
            Finding("hint", "Git was not told how to treat run files in diffs and logs", "ledgit init", "init")
        )
    return sorted(found, key=lambda finding: finding.level != "problem")


def mend(repo: Repo, folder: Folder, findings: list[Finding]) -> list[str]:
    """Mend what needs no decision, and return a line for each thing done."""
    from ledgit.store.recovery import recover

    keys = {finding.key for finding in findings}
    done = []
    if "waiting" in keys:
        result = recover(repo, folder)
        done += [f"finalized run {run_id[:8]}" for run_id in result.commits]
        done += [f"run {run_id[:8]} stays as it is: {why}" for run_id, why in result.failed.items()]
    if "index" in keys:
        for name in os.listdir(folder.path):
            if name.startswith("index.sqlite3"):
                os.unlink(os.path.join(folder.path, name))
        done.append("removed the index; it is built again from the repository")
    if "init" in keys:
        done += prepare(repo)
    return done


def _git(repo: Repo) -> list[Finding]:
    from ledgit.git import git_version

    found = []
    version = tuple(git_version())
    if version < _OLDEST_GIT:
        shown = ".".join(map(str, version))
        found.append(Finding("problem", f"Git {shown} is older than 2.25", "install a newer Git", "git"))
    if repo.config().get("user.name") is None:
        mend_it = "git config --global user.name 'Your Name' (and user.email)"
        found.append(Finding("hint", "Git knows no user, so runs have the system's user name", mend_it, "user"))
    return found


def _writable(folder: Folder) -> list[Finding]:
    try:
        os.makedirs(folder.path, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.path) as file:
            file.write(b"ledgit")
    except OSError as error:
        what = f"{folder.path} can't be written: {error.strerror}; runs can be read, not logged"
        return [Finding("problem", what, f"check who owns it: ls -ld {folder.path}", "folder")]
    return []


def _waiting(folder: Folder) -> list[Finding]:
    found = []
    runs = live_runs(folder)
    for state in runs:
        if state.lost:
            what = f"run {state.name} ({state.id[:8]}) gave no sign of life for long; it ran on another machine"
            found.append(Finding("problem", what, f"if it is dead: ledgit doctor --finalize {state.id[:8]}", "lost"))
    dead = [state for state in runs if state.status != "RUNNING"]
    if dead:
        names = ", ".join(state.name for state in dead[:5])
        what = f"{len(dead)} ended without becoming a commit (their data is safe): {names}"
        found.append(Finding("problem", what, "ledgit doctor --mend", "waiting"))
    unread = set(active_ids(folder)) - {state.id for state in runs}
    for name in sorted(unread):
        path = folder.active_dir(name)
        found.append(
            Finding("problem", f"{path} holds no readable start of a run", f"look at it, then: rm -r {path}", "torn")
        )
    return found


def _indexed(repo: Repo, index: Index) -> list[Finding]:
    from ledgit.git import list_refs
    from ledgit.query import Query

    try:
        index.refresh()
        states = {state.id: state for state in index.search(Query(view="all")).runs}
    except LedgitError as error:
        return [Finding("problem", f"the index can't be read: {error}", "ledgit doctor --mend", "index")]
    refs = {name.removeprefix(_RUNS): oid for name, oid in list_refs(repo, _RUNS).items()}
    wrong = [run_id for run_id, oid in refs.items() if run_id not in states or oid not in (*states[run_id].heads, None)]
    found = [
        Finding(
            "problem",
            f"run {state.name or state.id} can't be read whole: {state.problem}",
            f"git fsck; git show {state.head}",
            "run",
        )
        for state in states.values()
        if state.problem
    ]
    if wrong:
        what = f"the index lacks {len(wrong)} of {len(refs)} runs that have a ref, such as {wrong[0][:8]}"
        found.append(Finding("problem", what, "ledgit doctor --mend", "index"))
    return found


def _branches(repo: Repo) -> list[Finding]:
    """Find branches that carry run files: two of them conflict as soon as they are merged."""
    from ledgit.git import BatchReader, list_refs

    names = [name for name in list_refs(repo, "refs/heads/") if "\n" not in name]
    found = []
    with BatchReader(repo) as reader:
        answers = list(reader.read_many(f"{name}:{RUN_FOLDER}" for name in names))
    for name, answer in zip(names, answers, strict=True):
        if answer is not None:
            branch = name.removeprefix("refs/heads/")
            what = f"branch {branch} has {RUN_FOLDER} in its tree; it would conflict with other runs' when merged"
            found.append(
                Finding(
                    "problem", what, f"git switch {branch} && git rm -rq --cached {RUN_FOLDER} && git commit", "branch"
                )
            )
    return found
