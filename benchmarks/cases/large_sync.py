"""Pull and push with many runs on the remote, beside git's own fetch and push of code.

The remote is reached in three ways: as a folder (file://), by a local ``git daemon``, and by the
same one at some distance, which is where most are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.connections import FAR, daemon, distance, free_port
from benchmarks.large import (
    SHOWN,
    commit_something,
    copy,
    ledgit,
    quickest,
    remember,
    remembered,
    time_git,
    time_ledgit,
)
from benchmarks.measure import Timing, timed
from benchmarks.repository import git

TIMES = 5
PLACES = {"file": "", "daemon": ", daemon", "far": f", {FAR} ms"}
"""The three clones → what is said of them after the measure's name."""


def prepare(folder: Path, _python: str) -> None:
    """Three clones whose runs are all on one remote."""
    ports = {"daemon": free_port(), "far": free_port()}
    remember(folder, **ports)
    remote = folder / "remote.git"
    git(folder, "init", "-q", "--bare", "-b", "main", "remote.git")
    addresses = {place: f"git://127.0.0.1:{port}/remote.git" for place, port in ports.items()}
    with connected(folder):
        for place in PLACES:
            path = copy(folder, "narrow", folder / place)
            git(path, "config", "ledgit.publish", "all")
            git(path, "remote", "add", "origin", addresses.get(place, f"file://{remote}"))
            if place == "file":
                git(path, "push", "-q", "origin", "--all")
            git(path, "fetch", "-q", "origin")
            ledgit(path, "push" if place == "file" else "pull")
    git(remote, "gc", "-q")


@contextmanager
def connected(folder: Path) -> Iterator[None]:
    """Serve the remote at the ports that the clones know."""
    ports = remembered(folder)
    with daemon(folder, ports["daemon"]), distance(ports["daemon"], ports["far"]):
        yield


Verb = Callable[[Path], Timing]


def measured(folder: Path, ready: Callable[[Path], object], pull: Verb, push: Verb) -> dict[str, Timing]:
    """Time both in each clone, after *ready* brought it up to date; the quickest of a few each."""
    found = {}
    with connected(folder):
        for place, said in PLACES.items():
            path = folder / place
            ready(path)
            found["nothing new" + said] = quickest([pull(path) for _ in range(TIMES)])
            found["push of one" + said] = quickest([push(path) for _ in range(TIMES)])
    return found


def git_alone(folder: Path) -> dict[str, Timing]:
    """``git fetch`` that finds nothing new, ``git push`` of a branch with one more commit."""

    def push(path: Path) -> Timing:
        commit_something(path, str(time.time_ns()))
        return time_git(path, "push", "-q", "origin", "HEAD:refs/heads/" + path.name)

    return measured(
        folder, lambda path: git(path, "fetch", "-q"), lambda path: time_git(path, "fetch", "-q", "origin"), push
    )


def ledgit_whole(folder: Path) -> dict[str, Timing]:
    """The commands, Python's start included."""

    def push(path: Path) -> Timing:
        _add_one(path)
        return time_ledgit(path, "push")

    return measured(folder, lambda path: ledgit(path, "pull"), lambda path: time_ledgit(path, "pull"), push)


def ledgit_in_process(folder: Path) -> dict[str, Timing]:
    """By the object API, in a process that has done it before."""
    from ledgit.repository import open_repository

    clones = {path: open_repository(path) for path in (folder / place for place in PLACES)}

    def ready(path: Path) -> None:
        clones[path].pull()
        _add_one(path)
        clones[path].push()

    def push(path: Path) -> Timing:
        _add_one(path)
        return timed(clones[path].push)

    return measured(folder, ready, lambda path: timed(clones[path].pull), push)


def _add_one(path: Path) -> None:
    from benchmarks.synthetic import add_loose

    add_loose(path, 1, seed=time.time_ns() // 1000 % 1_000_000_000)


def _targets() -> list[Target]:
    found = []
    for measure, text in (
        ("nothing new", f"pull of nothing new, {SHOWN} on the remote ≤ 2× `git fetch`, over file://"),
        ("push of one", "push of one run ≤ 2× `git push` of one commit, over file://"),
    ):
        far = PLACES["far"]
        found += [
            Target(text, measure, "ledgit", 2, "git, code alone"),
            Target("… in process", measure, "ledgit, in process", 2, "git, code alone"),
            Target(f"… over a connection of {FAR} ms", measure + far, "ledgit", 2, "git, code alone"),
        ]
    return found


CASE = Case(
    title="Pull and push",
    note=(
        f"{SHOWN} on the remote, over file://, from a local `git daemon`, and from the same one {FAR} ms of a round"
        f" trip away (`benchmarks/connections.py`); whole commands, the quickest of {TIMES}."
    ),
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[
        Subject("ledgit", ledgit_whole, "ledgit"),
        Subject("ledgit, in process", ledgit_in_process, "ledgit"),
        Subject("git, code alone", git_alone),
    ],
    targets=_targets(),
)
