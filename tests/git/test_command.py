"""Running git without the caller's environment getting in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import GitFailed, RepositoryError
from ledgit.git import Repo, git_environment, git_version, run_git, start_git

Git = Callable[..., str]


def test_every_variable_that_git_calls_local_is_dropped(repo: Path, git: Git) -> None:
    """A Git newer than this list would show here."""
    local = git(repo, "rev-parse", "--local-env-vars").split()

    env = git_environment(None, environ=dict.fromkeys(local, "x"))

    assert {name: env.get(name) for name in local if env.get(name) == "x"} == {}


def test_what_belongs_to_the_user_stays(opened: Repo) -> None:
    kept = {
        "GIT_SSH_COMMAND": "ssh -v",
        "GIT_CONFIG_GLOBAL": "/x",
        "GIT_ASKPASS": "ask",
        "HOME": "/h",
        "GIT_TRACE": "0",
    }

    env = git_environment(opened, environ=kept)

    assert {name: env[name] for name in kept} == kept


def test_the_environment_of_a_hook_does_not_lead_elsewhere(
    repo: Path, opened: Repo, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")

    assert run_git(opened, "ls-files", "*.py") == b"train.py\n"


def test_a_command_that_fails_says_what_git_said(opened: Repo) -> None:
    with pytest.raises(GitFailed) as caught:
        run_git(opened, "-c", "core.quotePath=false", "rev-parse", "--verify", "nothing")

    assert caught.value.returncode == 128
    assert str(caught.value) == "git rev-parse --verify nothing failed (exit 128): fatal: Needed a single revision"


def test_a_failure_can_be_expected(opened: Repo) -> None:
    assert run_git(opened, "rev-parse", "--verify", "-q", "nothing", check=False) == b""


def test_standard_input_is_passed_on(opened: Repo) -> None:
    assert run_git(opened, "hash-object", "--stdin", stdin=b"x\n") == b"587be6b4c3f93f93c489c0111bba5596147a26cb\n"


def test_messages_are_english_whatever_the_users_language(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    env = git_environment(opened)

    assert "LC_ALL" not in env
    assert (env["LC_CTYPE"], env["LC_MESSAGES"], env["LANGUAGE"]) == ("de_DE.UTF-8", "C", "C")


def test_a_missing_git_is_one_sentence(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(RepositoryError, match="git command was not found"):
        run_git(opened, "version")


def test_a_work_tree_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    gone = Repo(str(tmp_path / ".git"), str(tmp_path / ".git"), str(tmp_path / "gone"))

    with pytest.raises(RepositoryError, match="is gone"):
        run_git(gone, "version")


def test_the_version_is_comparable() -> None:
    assert git_version() >= (2, 25)


def test_a_started_command_is_isolated_from_the_terminal_on_request(opened: Repo) -> None:
    """Ctrl-C at a training's terminal reaches its process group; the snapshot is not in it."""
    with start_git(opened, "cat-file", "--batch", isolate=True) as process:
        group = os.getpgid(process.pid)
        process.communicate(b"")

    assert group == process.pid
    assert group != os.getpgrp()


def test_reading_writes_nothing_even_where_git_would_refresh_its_index(repo: Path, opened: Repo) -> None:
    index = repo / ".git/index"
    os.utime(repo / "train.py", (1, 1))
    before = index.read_bytes()

    run_git(opened, "status")

    assert index.read_bytes() == before
    subprocess.run(["git", "status"], cwd=repo, check=True, capture_output=True)
    assert index.read_bytes() != before
