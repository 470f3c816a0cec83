"""The files in examples/ run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_runs_and_leaves_runs_behind(script: Path, repo: Path) -> None:
    """Each works as it is in a fresh repository."""
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(script)] if script.suffix == ".py" else ["sh", str(script)]

    done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    refs = subprocess.run(["git", "for-each-ref", "refs/ledgit/runs"], cwd=repo, capture_output=True, check=True)
    assert refs.stdout


def test_every_example_is_on_the_list() -> None:
    """The folder's README names each of them."""
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert len(SCRIPTS) >= 5
    assert [] == [script.name for script in SCRIPTS if f"({script.name})" not in listed]
