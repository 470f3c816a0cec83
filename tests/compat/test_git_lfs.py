"""A snapshot of a repository with Git LFS holds pointers, as a commit of the same files would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.conftest import run_git

from ledgit.git import Repo
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, RunStart

NEEDS_LFS = pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="needs git-lfs (Debian: apt install git-lfs); CI has it"
)


@NEEDS_LFS
def test_large_files_stay_pointers(repo: Path) -> None:
    run_git(repo, "lfs", "install", "--local")
    run_git(repo, "lfs", "track", "*.bin")
    (repo / "model.bin").write_bytes(b"old" * 1000)
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-qm", "with lfs")
    (repo / "model.bin").write_bytes(b"new" * 1000)
    (repo / "fresh.bin").write_bytes(b"fresh" * 1000)
    before = run_git(repo, "status", "--porcelain=v2", "--branch")

    run = ActiveRun.create(Repo.discover(str(repo)), RunStart())
    run.log_metric("loss", 1.0)
    commit = run.finish()

    assert commit is not None
    assert run.problems == []
    for name, content in (("model.bin", b"new" * 1000), ("fresh.bin", b"fresh" * 1000)):
        pointer = run_git(repo, "cat-file", "-p", f"{commit}:{name}")
        assert pointer.startswith("version https://git-lfs.github.com/spec/v1\n")
        oid = pointer.split("oid sha256:")[1].split()[0]
        assert (repo / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid).read_bytes() == content
    assert run_git(repo, "status", "--porcelain=v2", "--branch") == before
    assert open_repository(repo).run(run.id).code.dirty
    run_git(repo, "checkout", "-q", "-f", commit)
    assert (repo / "model.bin").read_bytes() == b"new" * 1000
