"""``ledgit.project.create``: the skeleton in one commit, and nothing of the user's touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.projects.sharekit import committed, index_of, killed, killing_hook, run_python

import ledgit
from ledgit.errors import Conflict, GitFailed, InvalidName, UsageError

CREATE = 'import ledgit\nledgit.project.create("my_project")\n'


def test_a_folder_becomes_a_project_and_a_repository(workspace: Path) -> None:
    """Where there is no repository one is made; what is there is not taken in."""
    project = ledgit.project.create("my_project")

    assert "my_project" == project.name
    assert {"MLproject", "python_env.yaml"} == committed(workspace)
    assert "?? data.csv\n?? model.py\n?? train.py" == run_git(workspace, "status", "--porcelain")
    assert "1" == run_git(workspace, "rev-list", "--count", "HEAD")


def test_what_is_staged_stays_staged_and_out_of_the_commit(repo: Path) -> None:
    """The commit has exactly the two files; the index has them, and otherwise what it had."""
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "new.txt").write_text("new\n")
    run_git(repo, "add", "train.py", "new.txt")
    run_git(repo, "rm", "-q", "--cached", "data.csv")
    before = index_of(repo)

    ledgit.project.create("my_project")

    assert {"MLproject", "python_env.yaml"} == committed(repo)
    assert before.splitlines() == [
        line for line in index_of(repo).splitlines() if line.split("\t")[1][:2] not in ("ML", "py")
    ]
    assert "D  data.csv\nA  new.txt\nM  train.py\n?? data.csv" == run_git(repo, "status", "--porcelain")


def test_done_again_it_changes_nothing(repo: Path) -> None:
    """Also where the user has changed the files since: that is theirs to commit."""
    ledgit.project.create("my_project")
    text = "# mine\n" + (repo / "MLproject").read_text()
    (repo / "MLproject").write_text(text)
    head, index = run_git(repo, "rev-parse", "HEAD"), index_of(repo)

    again = ledgit.project.create("my_project")

    assert "my_project" == again.name
    assert (head, index, text) == (run_git(repo, "rev-parse", "HEAD"), index_of(repo), (repo / "MLproject").read_text())


def test_another_project_is_not_overwritten(repo: Path) -> None:
    """Neither in the same folder, nor by the same name elsewhere."""
    ledgit.project.create("wine", "wine")

    with pytest.raises(Conflict, match="is the project 'wine' already"):
        ledgit.project.create("beer", "wine")
    with pytest.raises(Conflict, match="there is a project 'wine' in wine already"):
        ledgit.project.create("wine", "other")
    with pytest.raises(InvalidName):
        ledgit.project.create("", "empty")
    assert "name: wine" in (repo / "wine" / "MLproject").read_text()


def test_an_mlproject_that_somebody_wrote_is_taken_as_it_is(repo: Path) -> None:
    """A project that was there without us is adopted."""
    (repo / "MLproject").write_text("name: mine\nentry_points:\n  main:\n    command: python train.py\n")

    project = ledgit.project.create("mine")

    assert ["main"] == list(project.entry_points)
    assert {"MLproject"} == committed(repo)


def test_nothing_is_committed_in_the_middle_of_a_merge(repo: Path) -> None:
    """A commit would end the merge."""
    run_git(repo, "update-ref", "MERGE_HEAD", "HEAD")
    (repo / ".git" / "MERGE_HEAD").write_text(run_git(repo, "rev-parse", "HEAD") + "\n")

    with pytest.raises(Conflict, match="a merge has not ended"):
        ledgit.project.create("my_project")


def test_git_must_know_who_commits(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to tell it; then the same call does it."""
    home = os.environ["GIT_CONFIG_GLOBAL"]
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    run_git(repo, "config", "user.useConfigOnly", "true")

    with pytest.raises(UsageError, match=r"git config --global user\.name"):
        ledgit.project.create("my_project")

    monkeypatch.setenv("GIT_CONFIG_GLOBAL", home)
    ledgit.project.create("my_project")
    assert {"MLproject", "python_env.yaml"} == committed(repo)


def test_a_hook_that_refuses_is_heard(repo: Path) -> None:
    """The commit is the user's own, with the user's hooks; the index is as before."""
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'error: not on a Monday' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = index_of(repo)

    with pytest.raises(GitFailed, match="not on a Monday"):
        ledgit.project.create("my_project")

    assert before == index_of(repo)
    assert [] == os.listdir(repo / ".git" / "ledgit" / "scratch")


@pytest.mark.parametrize("hook", ["pre-commit", "post-commit"])
def test_killed_at_the_commit_it_can_be_repeated(repo: Path, tmp_path: Path, hook: str) -> None:
    """SIGKILL before the commit, or between the commit and the index: the second call finishes."""
    killing_hook(repo / ".git" / "hooks" / hook, tmp_path / "pid")
    (repo / "new.txt").write_text("staged\n")
    run_git(repo, "add", "new.txt")

    killed(repo, tmp_path / "pid", CREATE)
    (repo / ".git" / "hooks" / hook).unlink()
    done = run_python(repo, CREATE)

    assert 0 == done.returncode, done.stderr
    assert {"MLproject", "python_env.yaml"} == committed(repo)
    assert "A  new.txt" == run_git(repo, "status", "--porcelain")
    assert "2" == run_git(repo, "rev-list", "--count", "HEAD")
