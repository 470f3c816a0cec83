"""A colleague's first pull into a shallow clone, from a local git daemon."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.connections import daemon
from benchmarks.large import SHOWN, repository, time_git, time_ledgit
from benchmarks.measure import Timing
from benchmarks.repository import git


def prepare(folder: Path, _python: str) -> None:
    """A bare remote with code and ledger."""
    remote = folder / "remote.git"
    git(folder, "clone", "-q", "--bare", str(repository(folder, "narrow")), str(remote))
    git(remote, "fetch", "-q", str(repository(folder, "narrow")), "refs/ledgit/ledger:refs/ledgit/ledger")
    git(remote, "repack", "-adq")


def ledgit(folder: Path) -> dict[str, Timing]:
    """The table alone; runs come when they are asked for."""
    clone = folder / "clone-ledgit"
    with daemon(folder) as address:
        git(folder, "clone", "-q", "--depth", "1", f"{address}/remote.git", str(clone))
        try:
            return {"first pull": time_ledgit(clone, "pull"), "first list": time_ledgit(clone, "ls", "-n", "20")}
        finally:
            shutil.rmtree(clone)


def git_all(folder: Path) -> dict[str, Timing]:
    """``git fetch`` of the whole ledger, every run with it."""
    clone = folder / "clone-git"
    with daemon(folder) as address:
        git(folder, "clone", "-q", f"{address}/remote.git", str(clone))
        try:
            refspec = "refs/ledgit/ledger:refs/ledgit/ledger"
            return {"first pull": time_git(clone, "fetch", "-q", "--no-auto-maintenance", "origin", refspec)}
        finally:
            shutil.rmtree(clone)


CASE = Case(
    title="The ledger's tip in a shallow clone",
    note=f"{SHOWN}, from a local `git daemon`; beside it, git fetching every run whole.",
    prepare=prepare,
    shared=True,
    rounds=2,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("git fetch of everything", git_all)],
    targets=[Target(f"fresh tip of {SHOWN} ≤ 5 s over a local `git daemon`", "first pull", "ledgit", 5)],
)
