"""Runs of code whose commits are replaced, and what is said of them afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.repository import Repository, Run, open_repository
from ledgit.store import ActiveRun, RunStart

Git = Callable[..., str]
LINES = [f"line {number}\n" for number in range(40)]


def with_line(number: int, text: str) -> str:
    lines = list(LINES)
    lines[number] = f"{text}\n"
    return "".join(lines)


def write(repo: Path, **files: str) -> None:
    for name, content in files.items():
        path = repo / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commit(repo: Path, git: Git, message: str, **files: str) -> str:
    write(repo, **files)
    git(repo, "add", ".")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def project(repo: Path, git: Git) -> Path:
    """``main`` with some code, and a branch ``feature`` checked out."""
    commit(repo, git, "base", src__model="".join(LINES), readme="r\n")
    git(repo, "checkout", "-q", "-b", "feature")
    return repo


def run(name: str, repo: Path | None = None, *, wait: bool = False) -> str:
    """Make a run called *name*; with *wait* one that lasts until its patch-id was recorded."""
    opened = open_repository(repo)
    active = opened.start_run(RunStart(name=name))
    if wait:
        wait_for_patch_id(active)
    active.finish()
    assert not active.problems
    return active.id


def names(branch: str) -> set[str]:
    return {found.name for found in open_repository().runs.branch(branch)}


def by(run_id: str, rev: str = "HEAD") -> tuple[str, str] | None:
    link = open_repository().run(run_id).links(rev)
    return None if link is None else (link.commit, link.by)


def recorded(run_id: str) -> tuple[Repository, Run, str | None]:
    opened = open_repository()
    found = opened.run(run_id)
    return opened, found, found.record().info.code.patch_id


def wait_for_patch_id(active: ActiveRun) -> None:
    """Return when everything about the code of *active* was found out."""
    assert active._facts is not None
    active._facts.join()
    for thread in threading.enumerate():
        if thread.name == "ledgit-patch-id":
            thread.join()
