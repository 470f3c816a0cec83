"""Pull and push with 100,000 runs on the remote, beside git's own fetch and push of code."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, commit_something, copy, ledgit, quickest, time_git, time_ledgit
from benchmarks.measure import Timing, timed
from benchmarks.repository import git

TIMES = 5


def prepare(folder: Path, _python: str) -> None:
    """A clone whose runs are all on the remote, over file://."""
    path = copy(folder, "narrow", folder / "clone")
    git(folder, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(path, "config", "ledgit.publish", "all")
    git(path, "remote", "add", "origin", f"file://{folder}/remote.git")
    git(path, "push", "-q", "origin", "--all")
    git(path, "fetch", "-q", "origin")
    ledgit(path, "push")
    ledgit(path, "pull")
    git(folder / "remote.git", "gc", "-q")


def git_alone(folder: Path) -> dict[str, Timing]:
    """``git fetch`` that finds nothing new, ``git push`` of a branch with one more commit."""
    path = folder / "clone"
    fetched = [time_git(path, "fetch", "-q", "origin") for _ in range(TIMES)]
    pushed = []
    for number in range(TIMES):
        commit_something(path, f"{time.time_ns()} {number}")
        pushed.append(time_git(path, "push", "-q", "origin", "main"))
    return {"nothing new": quickest(fetched), "push of one": quickest(pushed)}


def ledgit_whole(folder: Path) -> dict[str, Timing]:
    """The commands, Python's start included."""
    from benchmarks.synthetic import add_loose

    path = folder / "clone"
    pulled = [time_ledgit(path, "pull") for _ in range(TIMES)]
    pushed = []
    for _ in range(TIMES):
        add_loose(path, 1, seed=time.time_ns() // 1000 % 1_000_000_000)
        pushed.append(time_ledgit(path, "push"))
    return {"nothing new": quickest(pulled), "push of one": quickest(pushed)}


def ledgit_in_process(folder: Path) -> dict[str, Timing]:
    """By the object API, in a process that has done it before."""
    from benchmarks.synthetic import add_loose
    from ledgit import open as open_repository

    repository = open_repository(str(folder / "clone"))
    repository.pull()
    pulled = [timed(repository.pull) for _ in range(TIMES)]
    pushed = []
    for _ in range(TIMES + 1):
        add_loose(folder / "clone", 1, seed=time.time_ns() // 1000 % 1_000_000_000)
        pushed.append(timed(repository.push))
    return {"nothing new": quickest(pulled), "push of one": quickest(pushed[1:])}


CASE = Case(
    title="Pull and push",
    note=f"{SHOWN} on the remote, over file://; whole commands, the quickest of {TIMES}.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[
        Subject("ledgit", ledgit_whole, "ledgit"),
        Subject("ledgit, in process", ledgit_in_process, "ledgit"),
        Subject("git, code alone", git_alone),
    ],
    targets=[
        Target(
            f"pull of nothing new, {SHOWN} on the remote ≤ 2× `git fetch`",
            "nothing new",
            "ledgit",
            2,
            "git, code alone",
        ),
        Target("… in process", "nothing new", "ledgit, in process", 2, "git, code alone"),
        Target("push of one run ≤ 2× `git push` of one commit", "push of one", "ledgit", 2, "git, code alone"),
        Target("… in process", "push of one", "ledgit, in process", 2, "git, code alone"),
    ],
)
