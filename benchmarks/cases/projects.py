"""What ``ledgit run`` adds to a command: alone, and as a project in a work folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, middle, run_process

TIMES = 9
MLPROJECT = """\
name: nothing
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
    command: "true {alpha}"
"""
ENVIRONMENT = 'python: "3"\n'


def prepare(folder: Path, python: str) -> None:
    """Make a project that does nothing, with some files, and its environment."""
    del python
    (folder / "MLproject").write_text(MLPROJECT, encoding="utf-8")
    (folder / "python_env.yaml").write_text(ENVIRONMENT, encoding="utf-8")
    for number in range(200):
        (folder / f"module_{number}.py").write_text(f"value = {number}\n" * 20, encoding="utf-8")
    for words in (
        ("init", "-q", "--initial-branch=main"),
        ("config", "user.name", "Benchmark"),
        ("config", "user.email", "benchmark@example.org"),
        ("add", "."),
        ("commit", "-q", "-m", "a project"),
    ):
        run_process(["git", *words], folder, _environment(folder))
    (folder / "module_0.py").write_text("value = 'changed'\n", encoding="utf-8")
    run_process([sys.executable, "-m", "ledgit", "run", "."], folder, _environment(folder))


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LEDGIT_AUTO_COMPACT": "0", "LEDGIT_CACHE": str(folder / ".git" / "benchmark-cache")}


def _each(folder: Path, command: Sequence[str]) -> dict[str, Timing]:
    timings = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, env=_environment(folder), check=True, capture_output=True)
        timings.append(Timing(time.perf_counter() - begun))
    return {"one run": middle(timings)}


def plain(folder: Path) -> dict[str, Timing]:
    """Run ``true`` alone."""
    return _each(folder, ["true"])


def command(folder: Path) -> dict[str, Timing]:
    """Run it tracked."""
    return _each(folder, [sys.executable, "-m", "ledgit", "run", "--", "true"])


def project(folder: Path) -> dict[str, Timing]:
    """``ledgit run . -P alpha=0.5``: snapshot, work folder with 200 files, an environment that is there already."""
    return _each(folder, [sys.executable, "-m", "ledgit", "run", ".", "-P", "alpha=0.5"])


CASE = Case(
    title="Run a project",
    note="The command is true; the project has 200 files, one of them changed, and an environment made before.",
    subjects=[
        Subject("true", plain, library="ledgit"),
        Subject("ledgit run -- true", command, library="ledgit"),
        Subject("ledgit run PROJECT", project, library="ledgit"),
    ],
    targets=[
        Target("a command: at most 0.25 s more", "one run", "ledgit run -- true", 0.25, baseline="true", minus=True),
        Target("a project: at most 0.3 s more", "one run", "ledgit run PROJECT", 0.3, baseline="true", minus=True),
    ],
    rounds=3,
    prepare=prepare,
    shared=True,
)
