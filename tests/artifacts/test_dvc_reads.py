"""DVC alone gets a run's artifacts: pointers and lists are as it writes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import GitFunction, run_git
from tests.tracking.conftest import _fresh_session

import ledgit
from ledgit.git import Repo
from ledgit.store import Folder

__all__ = ["_fresh_session"]


def dvc(cwd: Path, *args: str) -> str:
    env = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *args]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def logged(repo: Path, git: GitFunction) -> tuple[str, dict[str, bytes]]:
    """A run with a large file, a large folder and long histories; and what the first two hold."""
    git(repo, "config", "ledgit.artifactThreshold", "4k")
    wanted = {"model/weights.bin": os.urandom(5000)}
    for number in range(120):
        wanted[f"plots/{number % 3}/ü {number}.txt"] = b"plot %d" % number
    for name, data in wanted.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_bytes(data)
    with ledgit.start_run() as run:
        ledgit.log_artifact("model/weights.bin", "model")
        ledgit.log_artifact("plots")
        for step in range(2000):
            ledgit.log_metric("loss", 1 / (step + 3), step)
    commit = ledgit.get_run(run.info.run_id).commit
    assert commit is not None
    return commit, wanted


def checkout(repo: Path, commit: str, place: Path) -> Path:
    """The run's commit checked out, with the cache as its remote."""
    run_git(repo, "worktree", "add", "-q", "--detach", str(place), commit)
    remote = Folder.of(Repo.discover(str(repo))).cache
    if not (place / ".dvc").is_dir():
        dvc(place, "init", "-q")
    dvc(place, "remote", "add", "-q", "-f", "--local", "ledgit", remote)
    return place


def test_dvc_pull_brings_files_folders_and_histories(
    repo: Path, tmp_path: Path, logged: tuple[str, dict[str, bytes]]
) -> None:
    """In a checked-out run."""
    commit, wanted = logged
    place = checkout(repo, commit, tmp_path / "checkout")
    pointers = [str(path.relative_to(place)) for path in (place / ".ledgit").rglob("*.dvc")]
    assert 3 == len(pointers)

    dvc(place, "pull", "-q", *pointers)

    inside = place / ".ledgit" / "run" / "artifacts"
    for name, data in wanted.items():
        assert data == (inside / name).read_bytes()
    assert (place / ".ledgit" / "run" / "history-full.tsv.gz").stat().st_size > 4000
    assert "" == run_git(place, "status", "--porcelain", "--", ".ledgit/run/artifacts/plots.dvc")


def test_dvc_add_gives_the_same_pointers(repo: Path, tmp_path: Path, logged: tuple[str, dict[str, bytes]]) -> None:
    """Digest, size and number of files; only the remote is ours."""
    import yaml

    commit, _ = logged
    place = tmp_path / "plain"
    place.mkdir()
    run_git(place, "init", "-q")
    dvc(place, "init", "-q")
    for name in ("plots", "model"):
        (repo / name).rename(place / name)
    dvc(place, "add", "-q", "plots", "model/weights.bin")

    for name in ("plots.dvc", "model/weights.bin.dvc"):
        theirs = yaml.safe_load((place / name).read_text())
        ours = yaml.safe_load(run_git(repo, "show", f"{commit}:.ledgit/run/artifacts/{name}"))
        assert "ledgit" == ours["outs"][0].pop("remote")
        assert theirs == ours
