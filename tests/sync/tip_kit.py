"""A host with runs on it, and clones of it that lack this or that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import run_git

from ledgit.git import Repo
from ledgit.records import InputRecord
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.ledger import compact
from ledgit.store.settle import settle_all

LEDGER = "refs/ledgit/ledger"


def log_run(path: Path, name: str, *, metrics: Mapping[str, float] | None = None, artifact: str = "") -> str:
    """Log one finished run in *path* and return its id."""
    repo = Repo.discover(str(path))
    run = ActiveRun.create(repo, RunStart(name=name))
    run.log_params({"lr": 0.1})
    for step in range(3):
        run.log_metric("loss", 1.0 / (step + 1), step)
    for key, value in (metrics or {}).items():
        run.log_metric(key, value)
    if artifact:
        run.add_artifact_bytes("notes.txt", artifact.encode())
    run.log_input(InputRecord("rows", "1a2b", context="train"))
    run.finish("FINISHED")
    return run.id


def publish(path: Path, host: Path) -> str:
    """Compact all runs of *path* and put its ledger onto *host*; returns the ledger commit."""
    repo = Repo.discover(str(path))
    settle_all()
    tip = compact(repo, Folder.of(repo)).commit
    assert tip is not None
    run_git(path, "push", "-q", str(host), f"+{tip}:{LEDGER}")
    return tip


def make_host(folder: Path) -> Path:
    """A bare repository with nothing in it, below a folder of its own."""
    path = folder / "hosts" / "code.git"
    path.mkdir(parents=True)
    run_git(path, "init", "-q", "--bare")
    return path


def user_state(path: Path) -> dict[str, bytes | str]:
    """What Ledgit must leave alone in a clone."""
    git = path / ".git"
    found: dict[str, bytes | str] = {
        name: (git / name).read_bytes() for name in ("config", "shallow", "HEAD") if (git / name).exists()
    }
    found["branches"] = run_git(path, "for-each-ref", "refs/heads", "refs/remotes", "refs/tags")
    return found


def check_clone(path: Path) -> None:
    """Git finds nothing wrong with the clone, with and without the helper repository."""
    run_git(path, "fsck", "--strict", "--no-dangling")
    helper = path / ".git" / "ledgit" / "tip.git"
    if helper.exists():
        aside = helper.with_name("aside")
        os.rename(helper, aside)
        run_git(path, "fsck", "--strict", "--no-dangling")
        os.rename(aside, helper)
