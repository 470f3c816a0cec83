"""Shared fixtures: every test works in its own repository, with a private Git configuration."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shell starts its background jobs with SIGINT ignored, and so would every process a test
# starts: Ctrl-C must be what it is in a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What every change must pass is the same each time; whoever works on something tries other examples each time.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=bool(os.environ.get("SAME_EXAMPLES")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("default")

GitFunction = Callable[..., str]


@pytest.fixture(autouse=True)
def _private_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the machine's Git configuration, home folder or Ledgit/MLflow variables."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("CI_", "GIT_", "GITHUB_", "GITLAB_", "LEDGIT_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LEDGIT_AUTO_COMPACT", "0")  # only where a test wants it
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n'
    )


def run_git(path: Path, *args: str, stdin: bytes | None = None) -> str:
    """Run git in *path* and return what it printed, without the last newline."""
    done = subprocess.run(["git", *args], cwd=path, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


@pytest.fixture
def git() -> GitFunction:
    """``git(path, "log", "-1")`` runs the real git."""
    return run_git


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two committed files, and the test's working directory."""
    path = tmp_path / "repo"
    path.mkdir()
    run_git(path, "init", "-q")
    (path / "train.py").write_text("print('train')\n")
    (path / "data.csv").write_text("x,y\n1,2\n")
    run_git(path, "add", ".")
    run_git(path, "commit", "-q", "-m", "first")
    monkeypatch.chdir(path)
    return path
