"""Repositories that a group shares."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]

CODE = """
from ledgit.git import ObjectSet, RefUpdate, Repo, protect, take_snapshot, update_refs
repo, objects, who = Repo.discover(), ObjectSet(), ("a", "b", 1, "+0000")
commit = objects.commit(objects.tree([]), [], who, who, "x")
objects.write(repo)
update_refs(repo, [RefUpdate("refs/ledgit/runs/x", commit)])
protect(repo, "refs/ledgit/active/x", take_snapshot(repo))
"""


@pytest.mark.parametrize("shared", [True, False])
def test_what_one_writes_the_others_of_the_group_can_use(tmp_path: Path, git: Git, shared: bool) -> None:
    """As with git itself, whatever the umask; and only where the repository is shared."""
    previous = os.umask(0o077)
    try:
        git(tmp_path, "init", "-q", *(["--shared=group"] if shared else []), "r")
        (tmp_path / "r" / "new").write_text("x")
        subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path / "r", check=True)
    finally:
        os.umask(previous)

    made = tmp_path / "r" / ".git"
    for path in (made / "refs/ledgit", made / "refs/ledgit/runs", made / "ledgit"):
        assert path.stat().st_mode & 0o070 == (0o070 if shared else 0)
        assert bool(path.stat().st_mode & 0o2000) == shared
    assert (made / "refs/ledgit/runs/x").stat().st_mode & 0o777 == (0o660 if shared else 0o600)
    for path in (made / "objects/pack").glob("*.pack"):
        assert path.stat().st_mode & 0o777 == (0o440 if shared else 0o400)
