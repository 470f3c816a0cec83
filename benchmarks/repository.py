"""Scratch repositories for the cases."""

from __future__ import annotations

import subprocess
from pathlib import Path

PARAMS = {f"param_{i}": value for i, value in enumerate([0.1, 32, "adam", True, 1e-4] * 3)}
METRICS = {f"metric_{i}": 1 / (i + 1.5) for i in range(20)}
TAGS = {f"tag_{i}": f"value {i}" for i in range(10)}


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it printed."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def small_repository(folder: Path) -> None:
    """A repository with two committed files."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Benchmark")
    git(folder, "config", "user.email", "benchmark@example.org")
    git(folder, "config", "commit.gpgSign", "false")
    (folder / "train.py").write_text("print('train')\n")
    (folder / "data.csv").write_text("x,y\n1,2\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")


def large_repository(folder: Path) -> None:
    """A repository with 10,000 committed files of about 1 KB in 100 folders."""
    small_repository(folder)
    for number in range(10_000):
        path = folder / f"package_{number // 100:03}" / f"module_{number:05}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"VALUE = {number}\n" + f"# {'x' * 60}\n" * 15)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "ten thousand files")


def edit_files(folder: Path, seed: int) -> None:
    """20 changed files, one removed and five new ones, different for each *seed*."""
    git(folder, "checkout", "-q", "--", ".")
    for number in range(20):
        path = folder / f"package_{number:03}" / f"module_{number * 100:05}.py"
        path.write_text(f"VALUE = {seed}\n")
    (folder / "package_050" / "module_05000.py").unlink()
    for number in range(5):
        (folder / f"new_{number}.txt").write_text(f"{seed}\n")
