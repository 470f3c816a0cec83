"""Whether a repack that somebody started by hand is at work in this repository, and not in another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import GitFunction

from ledgit.git import Repo, repack_is_running


@contextmanager
def repacking(folder: Path, *words: str) -> Iterator[None]:
    """A process that looks like ``git repack`` in *folder*, for as long as the block runs."""
    wait = "import sys; print(flush=True); sys.stdin.read()"
    command = ["git", "-c", wait, *words, "repack", "-adq"]
    with subprocess.Popen(
        command, executable=sys.executable, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is there
        yield
        process.communicate()


@pytest.fixture
def linked(repo: Path, git: GitFunction, tmp_path: Path) -> Path:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    return tmp_path / "linked"


def test_one_here_is_seen(repo: Path, opened: Repo) -> None:
    """At the top of the work tree, where Git goes first, or in the Git directory."""
    assert not repack_is_running(opened)
    for folder in (repo, repo / ".git"):
        with repacking(folder):
            assert repack_is_running(opened)
    assert not repack_is_running(opened)


def test_one_in_another_work_tree_is_seen(linked: Path, opened: Repo) -> None:
    with repacking(linked):
        assert repack_is_running(opened)
        assert repack_is_running(Repo.discover(str(linked)))


def test_one_from_elsewhere_is_seen(repo: Path, opened: Repo, tmp_path: Path) -> None:
    with repacking(tmp_path, f"--git-dir={repo}/.git"):
        assert repack_is_running(opened)


def test_one_in_another_repository_is_not_seen(
    repo: Path, linked: Path, opened: Repo, git: GitFunction, tmp_path: Path
) -> None:
    """Nor one in a work tree that is linked to another: it would keep the refs of runs here for nothing."""
    git(tmp_path, "clone", "-q", str(repo), "other")
    git(tmp_path / "other", "worktree", "add", "-q", str(tmp_path / "others"))
    for folder in (tmp_path, tmp_path / "other", tmp_path / "others"):
        with repacking(folder):
            assert not repack_is_running(opened)
