"""Repeating a run of the demo: its code in a fresh folder, the command again, everything compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, middle, run_process

TIMES = 5


def prepare(folder: Path, python: str) -> None:
    """Make the demo's linear model, and train it once."""
    from ledgit.demo import __file__ as demo

    environment = {**os.environ, "LEDGIT_AUTO_COMPACT": "0"}
    script = (Path(demo).parent / "files" / "forest.py").read_text(encoding="utf-8")
    (folder / "train.py").write_text(script, encoding="utf-8")
    for words in (
        ("init", "-q", "--initial-branch=main"),
        ("config", "user.name", "Benchmark"),
        ("config", "user.email", "benchmark@example.org"),
        ("add", "train.py"),
        ("commit", "-q", "-m", "train"),
    ):
        run_process(["git", *words], folder, environment)
    run_process([python, "train.py", "--trees", "120"], folder, environment)


def _each(folder: Path, command: Sequence[str]) -> dict[str, Timing]:
    environment = {**os.environ, "LEDGIT_AUTO_COMPACT": "0"}
    timings = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        timings.append(Timing(time.perf_counter() - begun))
    return {"one run": middle(timings)}


def plain(folder: Path) -> dict[str, Timing]:
    """``python train.py``, as it was run at first."""
    return _each(folder, [sys.executable, "train.py", "--trees", "120"])


def repeated(folder: Path) -> dict[str, Timing]:
    """``ledgit repro``: a work folder, the environment compared, the same command, traced, and the verdict."""
    ledgit = [sys.executable, "-m", "ledgit"]
    listed = subprocess.run([*ledgit, "ls", "--json"], cwd=folder, check=True, capture_output=True)
    first = json.loads(listed.stdout)[-1]["id"]
    return _each(folder, [*ledgit, "repro", first])


CASE = Case(
    title="Repeat a run",
    note="The demo's random forest of 120 trees; the environment is there, so none is made.",
    subjects=[
        Subject("python train.py", plain, library="ledgit"),
        Subject("ledgit repro", repeated, library="ledgit"),
    ],
    targets=[Target("at most 1.5 times the run", "one run", "ledgit repro", 1.5, baseline="python train.py")],
    rounds=3,
    prepare=prepare,
    shared=True,
)
