"""What plain git commands cost beside 100,000 local runs.

Code was committed as long as runs were made, and the remote has branches that are a few days old: `git fetch`
walks all local commits, runs too, that are newer than the newest branch which the remote has and has not moved.
So the worst case is measured beside it: all the other branches are as old as the first run.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, commit_something, copy, ledgit, quickest, time_git
from benchmarks.measure import Timing
from benchmarks.repository import git

TIMES = 5
OLD = "git fetch of a commit, other branches old"
AUTO = ("-c", "gc.auto=6700", "-c", "gc.autoDetach=false", "gc", "--auto", "-q")
"""What git runs by itself after a commit, a fetch or a merge; the synthetic repositories have it turned off."""


def prepare(folder: Path, _python: str) -> None:
    """The same code without runs, with a ledger, and with one ref a run; and a remote that has the code."""
    from benchmarks.synthetic import Made, one_ref_each
    from benchmarks.synthetic.runs import Head

    for name, source in (("none", "none"), ("ledger", "narrow"), ("refs", "narrow")):
        path = copy(folder, source, folder / name)
        git(folder, "init", "-q", "--bare", "-b", "main", f"{name}.git")
        git(path, "remote", "add", "origin", f"file://{folder}/{name}.git")
        git(path, "push", "-q", "origin", "--all")
        git(path, "fetch", "-q", "origin")
        if name == "ledger":
            ledgit(path, "init")
        git(folder, "clone", "-q", f"{name}.git", f"{name}-colleague")
        for key, value in (("user.name", "Grace"), ("user.email", "grace@example.org")):
            git(folder / f"{name}-colleague", "config", key, value)
        git(folder, "init", "-q", "--bare", "-b", "main", f"{name}-old.git")
        for where in (path, folder / f"{name}-colleague"):
            git(where, "remote", "add", "old", f"file://{folder}/{name}-old.git")
        git(path, "push", "-q", "old", "main", "feature-0")
        git(path, "fetch", "-q", "old")
    listed = git(folder / "refs", "rev-list", "--parents", "--first-parent", "-1", "refs/ledgit/ledger")
    assert listed
    heads = git(folder / "refs", "ls-tree", "-r", "--format=%(objectname)", "refs/ledgit/ledger", "segments/")
    lines = git_input(folder / "refs", heads)
    one_ref_each(Made(folder / "refs", "", [Head(0, oid) for oid in lines], 0))
    for name in ("none", "ledger", "refs"):
        git(folder / name, "gc", "-q")


def git_input(path: Path, blobs: str) -> list[str]:
    """Return the heads that the lines of these blobs name."""
    import subprocess

    command = ["git", "cat-file", "--batch"]
    found = subprocess.run(command, cwd=path, input=blobs + "\n", check=True, capture_output=True, text=True).stdout
    marker = '"head":"'
    return sorted({line.split(marker)[1][:40] for line in found.split("\n") if marker in line[:60]})


def _commands(folder: Path, name: str) -> dict[str, Timing]:
    path, colleague = folder / name, folder / f"{name}-colleague"
    fetched, pushed, old = [], [], []
    git(colleague, "pull", "-q", "--rebase")
    for number in range(TIMES):
        commit_something(colleague, f"{time.time_ns()} {number}")
        git(colleague, "push", "-q")
        fetched.append(time_git(path, "fetch", "-q", "origin"))
        git(path, "reset", "-q", "--hard", "origin/main")
        commit_something(colleague, f"{time.time_ns()} old {number}")
        git(colleague, "push", "-q", "--force", "old", "main")
        git(colleague, "reset", "-q", "--hard", "HEAD^")
        old.append(time_git(path, "fetch", "-q", "old"))
        commit_something(path, f"{time.time_ns()} mine {number}")
        pushed.append(time_git(path, "push", "-q", "origin", "main"))
        git(colleague, "pull", "-q", "--rebase")
    packs = sorted((path / ".git" / "objects" / "pack").iterdir())
    auto = quickest([time_git(path, *AUTO) for _ in range(TIMES)])
    assert packs == sorted((path / ".git" / "objects" / "pack").iterdir()), "git gc --auto had something to do"
    return {
        "git status": quickest([time_git(path, "status", "--porcelain") for _ in range(TIMES)]),
        "git log": quickest([time_git(path, "log", "--oneline", "main") for _ in range(TIMES)]),
        "git fetch of a commit": quickest(fetched),
        OLD: quickest(old),
        "git push of a commit": quickest(pushed),
        "git gc --auto": auto,
        "git gc": time_git(path, "gc", "-q"),
    }


def without(folder: Path) -> dict[str, Timing]:
    """No runs at all."""
    return _commands(folder, "none")


def ledger(folder: Path) -> dict[str, Timing]:
    """As Ledgit keeps them; the remote does not have the ledger."""
    return _commands(folder, "ledger")


def refs(folder: Path) -> dict[str, Timing]:
    """As DVC and others do."""
    return _commands(folder, "refs")


CASE = Case(
    title="Plain git beside many runs",
    note=f"{SHOWN} here, none on the remote, over file://; the quickest of {TIMES}, `git gc` once a round. The newest"
    " of the remote's branches that have not moved is two days older than the last run. With *other branches old* it is"
    " as old as the first run, so that Git walks all of them. `git gc --auto` is what Git runs by itself; it found"
    " nothing to do.",
    prepare=prepare,
    shared=True,
    rounds=2,
    subjects=[Subject("no runs", without), Subject("a ledger", ledger), Subject("one ref a run", refs)],
    targets=[
        Target(f"`{command}` beside {SHOWN} ≤ 1.5× without", command, "a ledger", 1.5, "no runs")
        for command in ("git fetch of a commit", OLD, "git status", "git gc --auto", "git gc", "git log")
    ],
)
