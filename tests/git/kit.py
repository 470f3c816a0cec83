"""What several test modules of ledgit.git use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from ledgit.git import Repo, Snapshot, SnapshotOptions, take_snapshot

Git = Callable[..., str]


def shot(path: Path, **options: object) -> Snapshot:
    return take_snapshot(Repo.discover(str(path)), SnapshotOptions(**options))  # type: ignore[arg-type]


def files(path: Path, tree: str | None) -> dict[str, str]:
    """Path → content of all files in a tree (of a submodule: its commit)."""
    assert tree is not None
    listed = subprocess.run(["git", "ls-tree", "-r", "-z", tree], cwd=path, check=True, capture_output=True).stdout
    found = {}
    for line in listed.split(b"\0"):
        if line:
            head, _, name = line.partition(b"\t")
            _, kind, oid = head.decode().split(" ")
            content = oid
            if kind == "blob":
                content = subprocess.run(
                    ["git", "cat-file", "blob", oid], cwd=path, check=True, capture_output=True
                ).stdout.decode("utf-8", "surrogateescape")
            found[os.fsdecode(name)] = content
    return found


def reasons(snapshot: Snapshot) -> dict[str, str]:
    return {item.path: item.reason for item in snapshot.left_out}


def loose(repo: Path, name: str) -> Path:
    return repo / ".git" / name


def by_git(repo: Path, git: Git) -> dict[str, str]:
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/ledgit/").splitlines()
    return dict(line.split(" ") for line in lines)


def locks(repo: Path) -> list[Path]:
    return [
        path for path in (repo / ".git").rglob("*.lock") if path.parent.name != "ledgit" or path.name != "refs.lock"
    ]
