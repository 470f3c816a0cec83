"""What tests of running projects share: everything of the user's that must stay as it is, and small projects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git

MLPROJECT = """\
name: wine
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      word: {type: string, default: none}
    command: "python train.py {alpha} {word}"
  fail:
    command: "exit 3"
"""
TRAIN = """\
import os, sys
import ledgit as mlflow
with mlflow.start_run():
    mlflow.log_param("alpha", float(sys.argv[1]))
    mlflow.log_metric("r2", 0.9)
print(os.getcwd(), repr(sys.argv[2]))
"""


def make_project(path: Path, mlproject: str = MLPROJECT) -> None:
    """Make *path* a repository with a project in it."""
    path.mkdir(parents=True, exist_ok=True)
    if not (path / ".git").exists():
        run_git(path, "init", "-q")
    (path / "MLproject").write_text(mlproject)
    (path / "train.py").write_text(TRAIN)
    (path / "sub").mkdir(exist_ok=True)
    (path / "sub" / "where.sh").write_text("pwd; cat word.txt\n")
    (path / "sub" / "word.txt").write_text("first\n")
    run_git(path, "add", ".")
    run_git(path, "commit", "-q", "-m", "a project")


def users_own(path: Path) -> dict[str, object]:
    """Return all that is the user's in the repository *path*: files with their times, HEAD, index, refs, settings."""
    git = path / ".git"
    files = {}
    for folder, names, leaves in os.walk(path):
        if ".git" in names:
            names.remove(".git")
        for leaf in leaves:
            full = Path(folder, leaf)
            found = full.lstat()
            files[str(full.relative_to(path))] = (full.read_bytes(), found.st_mode, found.st_mtime_ns, found.st_ino)
    refs = run_git(path, "for-each-ref").splitlines()
    return {
        "files": files,
        "HEAD": (git / "HEAD").read_bytes(),
        "index": (git / "index").read_bytes(),
        "config": (git / "config").read_bytes(),
        "hooks": sorted(os.listdir(git / "hooks")) if (git / "hooks").exists() else [],
        "refs": [ref for ref in refs if "refs/ledgit/" not in ref],
        "stash": run_git(path, "stash", "list"),
        "reflog": run_git(path, "reflog"),
        "status": run_git(path, "status", "--short"),
        "work trees": run_git(path, "worktree", "list"),
    }


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ledgit(cwd: Path, *words: str, code: int | None = 0, env: dict[str, str] | None = None, **kw: Any) -> Ran:
    """Run ``ledgit WORDS`` in *cwd* as a process of its own; 'python' is the one that tests run with."""
    done = subprocess.run(
        [sys.executable, "-m", "ledgit", *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=120,
        **{"stdin": subprocess.DEVNULL, **kw},
    )
    assert code is None or code == done.returncode, done.stderr + done.stdout
    return Ran(done.returncode, done.stdout, done.stderr)


def newest(cwd: Path, **env: str) -> Any:
    """Return the newest run in *cwd*, as JSON."""
    return ledgit(cwd, "ls", "--json", "--limit", "1", env=env).json[0]


@pytest.fixture
def project(repo: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's repository with a project in it, and a cache that nobody else has."""
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    make_project(repo)
    return repo
