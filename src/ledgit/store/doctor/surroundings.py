"""Git, the folder, branches: what Ledgit stands on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.chain import RUN_FOLDER
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding
from ledgit.store.setup import prepared

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient

__all__ = ["check_surroundings"]

_OLDEST_GIT = (2, 25)


def check_surroundings(patient: Patient) -> Iterator[Finding]:
    """Check the Git version, the user, the folder, what ``init`` prepares, and branches."""
    yield from _git(patient)
    yield from _folder(patient)
    yield from _branches(patient)
    if not prepared(patient.repo, patient.runs):
        yield Finding(HINT, "git", "init", "Git was not told how to treat runs", "ledgit init")


def _git(patient: Patient) -> Iterator[Finding]:
    from ledgit.git import git_version, identity

    version = tuple(git_version())
    if version < _OLDEST_GIT:
        dotted = ".".join(map(str, version))
        yield Finding(PROBLEM, "git", "git", f"Git {dotted} is older than 2.25", "install a newer Git")
    try:
        identity(patient.repo)
    except LedgitError as error:
        yield Finding(PROBLEM, "settings", "setting", str(error), "git config ledgit.identity full")
        return
    if patient.repo.config().get("user.name") is None:
        mend = "git config --global user.name 'Your Name' (and user.email)"
        yield Finding(HINT, "git", "user", "Git knows no user, so runs have the system's user name", mend)


def _folder(patient: Patient) -> Iterator[Finding]:
    path = patient.folder.path
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"ledgit")
    except OSError as error:
        what = f"{path} can't be written: {error.strerror}; runs can be read, not logged"
        yield Finding(PROBLEM, "git", "folder", what, f"check who owns it: ls -ld {path}")


def _branches(patient: Patient) -> Iterator[Finding]:
    """Find branches that carry run files: two of them conflict as soon as they are merged."""
    from ledgit.git import BatchReader, list_refs

    names = [name for name in list_refs(patient.repo, "refs/heads/") if "\n" not in name]
    with BatchReader(patient.repo) as reader:
        answers = list(reader.read_many(f"{name}:{RUN_FOLDER}" for name in names))
    for name, answer in zip(names, answers, strict=True):
        if answer is not None:
            branch = name.removeprefix("refs/heads/")
            what = f"branch {branch} has {RUN_FOLDER} in its tree; it would conflict with other runs' when merged"
            mend = f"git switch {branch} && git rm -rq --cached {RUN_FOLDER} && git commit"
            yield Finding(PROBLEM, "git", "branch", what, mend)
