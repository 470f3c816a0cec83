"""A repository with runs that logged models, the command line, and a bare remote with the policy hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git

import ledgit
from ledgit.cli import main
from ledgit.registry import Registry

HOOK = Path(__file__).parent.parent.parent / "hooks" / "pre-receive"


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]
MakeRun = Callable[..., str]


@pytest.fixture
def cli(repo: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """``cli("registry", "ls")`` runs the command in this process, in the test's repository."""

    def call(*words: str, code: int = 0) -> Ran:
        capsys.readouterr()
        ended = main(list(words))
        out, err = capsys.readouterr()
        assert code == ended, out + err
        return Ran(ended, out, err)

    return call


@pytest.fixture
def make_run(repo: Path, cli: Cli) -> MakeRun:
    """``make_run(accuracy=0.9)`` makes a run with the model ``model`` and returns its id."""

    def make(accuracy: float = 0.95, weights: str = "weights", folder: str = "model") -> str:
        path = repo.parent / "made" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "MLmodel").write_text("flavors: {}\n")
        (path / "weights.bin").write_text(weights)
        return cli("record", "-m", f"accuracy={accuracy}", str(path)).out.strip()

    return make


@pytest.fixture
def shared(make_run: MakeRun, cli: Cli) -> str:
    """A run with a version."""
    run = make_run()
    cli("registry", "register", run, "churn")
    return run


@pytest.fixture
def registry(repo: Path) -> Registry:
    """The registry of the test's repository."""
    return Registry(ledgit.open(repo))


@pytest.fixture
def policy(repo: Path) -> Callable[[str], None]:
    """``policy("- {stages: prod, signed: true}")`` commits these rules."""

    def write(rules: str) -> None:
        (repo / ".ledgit").mkdir(exist_ok=True)
        indented = "".join(f"    {line}\n" for line in rules.strip().splitlines())
        (repo / ".ledgit" / "config.yaml").write_text(f"registry:\n  policy:\n{indented}")
        run_git(repo, "add", ".ledgit/config.yaml")
        run_git(repo, "commit", "-qm", "agree on a policy")

    return write


class Server:
    """A bare repository with the policy hook, as a self-hosted remote."""

    def __init__(self, path: Path, repo: Path) -> None:
        self.path, self.repo = path, repo
        run_git(path.parent, "clone", "-q", "--bare", str(repo), str(path))
        hook = path / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(HOOK.read_bytes())
        hook.chmod(0o755)
        self.program = path.parent / "ledgit-on-server"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ledgit "$@"\n')
        self.program.chmod(0o755)
        run_git(repo, "remote", "add", "origin", str(path))
        run_git(repo, "fetch", "-q", "origin")
        run_git(repo, "config", "ledgit.publish", "all")

    def push(self, *refs: str, repo: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Push with plain Git, whatever refs there are."""
        return subprocess.run(
            ["git", "push", "--porcelain", str(self.path), *refs],
            cwd=repo or self.repo,
            env={**os.environ, "LEDGIT": str(self.program), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def refs(self, pattern: str = "refs/tags") -> list[str]:
        """Return the names of the refs it has."""
        return run_git(self.path, "for-each-ref", "--format=%(refname)", pattern).splitlines()


@pytest.fixture
def server(repo: Path, tmp_path: Path) -> Callable[[], Server]:
    """Make the remote of the repository as it is now."""
    return lambda: Server(tmp_path / "server.git", repo)
