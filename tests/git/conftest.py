"""Fixtures for the tests of ledgit.git."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.git import Repo

Git = Callable[..., str]


@pytest.fixture
def opened(repo: Path) -> Repo:
    """The repository of the fixture ``repo``, as Ledgit sees it."""
    return Repo.discover(str(repo))


def _fingerprint(folder: Path, left_out: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.relpath(os.path.join(here, name), folder) not in left_out]
        for name in files:
            path = os.path.join(here, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            else:
                found[path] = "special"
    return found


@pytest.fixture
def fingerprint() -> Callable[[Path], dict[str, str]]:
    """Content of every file of a repository but for what Ledgit may add to: objects and its own folder."""

    def take(path: Path) -> dict[str, str]:
        return _fingerprint(path, (".git/objects", ".git/ledgit", "objects", "ledgit", ".git/refs/ledgit"))

    return take


@pytest.fixture
def commits(repo: Path, git: Git) -> list[str]:
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    return [git(repo, "commit-tree", tree, "-m", str(n)) for n in range(3)]
