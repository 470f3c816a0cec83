"""What code is called on main has nothing to do with what is registered."""

from __future__ import annotations

import warnings
from pathlib import Path

from tests.conftest import GitFunction
from tests.registry.conftest import Cli

import ledgit


def scm_version(repo: Path) -> str:
    """Ask setuptools-scm, which looks for the nearest tag that could be a version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own plans
        from setuptools_scm import get_version

        return get_version(root=str(repo))


def test_git_describe_and_setuptools_scm_say_the_same(repo: Path, tmp_path: Path, git: GitFunction, cli: Cli) -> None:
    """Before and after register, promote and share; a run's code that was merged counts as any other branch."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repo, "config", "ledgit.publish", "all")
    git(repo, "tag", "-a", "-m", "release", "v1.2.0")
    git(repo, "push", "-q", "origin", "main", "v1.2.0")

    def called() -> tuple[str, str, str]:
        return git(repo, "describe"), git(repo, "describe", "--tags", "--long"), scm_version(repo)

    before = called()
    assert ("v1.2.0", "1.2.0") == (before[0], before[2])

    Path("train.py").write_text("print('better')\n")
    with ledgit.start_run() as run:
        ledgit.log_text("flavors: {}\n", "model/MLmodel")
    git(repo, "checkout", "-q", "train.py")
    for words in (("register", run.id, "churn", "--version", "3.0.0"), ("promote", "churn@1", "prod")):
        cli("registry", *words)
        assert before == called()
    cli("push", "--no-artifacts")
    assert "churn@v3.0.0" in git(tmp_path / "remote.git", "tag", "-l")
    assert before == called()
    cli("branch", run.id, "better")
    assert before == called()

    git(repo, "merge", "-q", "--no-ff", "-m", "take it", "better")

    assert "print('better')\n" == Path("train.py").read_text()
    assert git(repo, "describe").startswith("v1.2.0-2-g")
    assert scm_version(repo).startswith("1.2.1.dev2+g")
