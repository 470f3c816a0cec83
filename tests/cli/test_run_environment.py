"""``ledgit run`` describes the Python that the command runs, not Ledgit's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ledgit.repository import open_repository


def test_the_interpreter_of_the_command_is_described(repo: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "only_there-9.9.dist-info").mkdir()

    command = [sys.executable, "-m", "ledgit", "run", "--", str(venv / "bin" / "python"), "-c", "pass"]
    subprocess.run(command, cwd=repo, check=True, capture_output=True)

    (run,) = open_repository(repo).runs
    environment = run.record().environment
    assert environment is not None
    assert environment.packages == {"only-there": "9.9"}
    assert environment.python == ".".join(map(str, sys.version_info[:3]))
