"""A user with a folder of files, a Git remote and a DVC remote beside it, and what looks at them from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import run_git

TRAIN = """\
import argparse

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--data", default="data.csv")
    given = parser.parse_args()
    with open(given.data) as file:
        print("rows", len(file.readlines()), "alpha", given.alpha)
"""
SNIPPET = """\
import ledgit as mlflow

project = mlflow.project.create("my_project")
mlflow.project.add_files(["data.csv", "model.py", "train.py"], project_name="my_project")
mlflow.project.share(project)
"""


def write_files(folder: Path, rows: int = 40_000) -> None:
    """Write what the user's snippet names; *data.csv* is too large for Git by default."""
    (folder / "train.py").write_text(TRAIN)
    (folder / "model.py").write_text("def f(x):\n    return x\n")
    (folder / "data.csv").write_text("x,y\n" + "".join(f"{i},{i % 7}\n" for i in range(rows)))


def set_remotes(folder: Path) -> tuple[Path, Path]:
    """Make a bare Git remote and a DVC remote beside *folder*, commit the second's address, and return both."""
    bare, store = folder.parent / "remote.git", folder.parent / "store"
    run_git(folder.parent, "init", "-q", "--bare", str(bare))
    run_git(folder, "remote", "add", "origin", str(bare))
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    run_git(folder, "add", ".dvc/config", ".dvc/.gitignore")
    run_git(folder, "commit", "-q", "-m", "where data go")
    return bare, store


def index_of(folder: Path) -> str:
    """Return all that the index says."""
    return run_git(folder, "ls-files", "-s")


def committed(folder: Path, commit: str = "HEAD") -> set[str]:
    """Return the files that a commit changed."""
    return set(run_git(folder, "show", "--format=", "--name-only", commit).split())


def run_python(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def killing_hook(path: Path, pid_file: Path, when: str = "true") -> None:
    """Write a hook that kills the process whose id *pid_file* has, where the shell condition *when* holds."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\ninput=$(cat)\nif {when}; then kill -9 "$(cat {pid_file})"; exit 1; fi\n')
    path.chmod(0o755)


def killed(folder: Path, pid_file: Path, code: str) -> None:
    """Run *code* in a process that one of the hooks kills."""
    noted = f"import os\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\n{code}"
    ended = run_python(folder, noted)
    assert ended.returncode == -9, ended.stderr
