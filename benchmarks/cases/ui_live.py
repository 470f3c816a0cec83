"""A run that logs 1,000 points a second while ``ledgit ui`` shows it: what that costs the UI, and the training."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from select import select

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing
from benchmarks.repository import small_repository
from benchmarks.terminal import Program

_SECONDS = 8.0
_METRICS = 10
_PER_SECOND = 100

# Ten metrics a hundred times a second, at a steady pace; at the end it says what its loop took of the processor.
_TRAINING = f"""
import math, sys, time
import ledgit
ledgit.start_run()
step, began = 0, time.monotonic()
def train(seconds):
    global step
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ledgit.log_metrics({{f"metric_{{n}}": math.exp(-step / 1000) + n for n in range({_METRICS})}}, step=step)
        step += 1
        time.sleep(max(0.0, began + step / {_PER_SECOND} - time.monotonic()))
train(0.5)
print("ready", flush=True)
for line in sys.stdin:
    spent, steps = time.process_time(), step
    train(float(line))
    print((time.process_time() - spent) / (step - steps) / {_METRICS} * 1000, flush=True)
"""


def _train(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _TRAINING], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _spent(training: subprocess.Popen[str], program: Program | None = None) -> float:
    """Wait for the end of a stretch of training; what *program* draws meanwhile is read, as a terminal does."""
    assert training.stdout is not None
    while program is not None and not select([training.stdout], [], [], 0)[0]:
        program.settle(0.05)
    return float(training.stdout.readline())


def _begin(training: subprocess.Popen[str]) -> None:
    assert training.stdin is not None
    training.stdin.write(f"{_SECONDS}\n")
    training.stdin.flush()


def _ui(folder: Path, *arguments: str) -> Program:
    command = [str(Path(sys.executable).parent / "ledgit"), "ui", *arguments]
    return Program(command, folder.resolve(), {"LEDGIT_AUTO_COMPACT": "0", "TEXTUAL_ANIMATIONS": "none"})


def watched(folder: Path) -> dict[str, Timing]:
    """All charts of the run are on the screen; then, of the same process, nobody looks."""
    small_repository(folder)
    training = _train(folder)
    try:
        with _ui(folder, "--screen", "compare") as program:
            program.wait_for("Scatter")
            program.press("[")
            program.wait_for("metric_1")
            program.settle(2.0)
            before, began = program.cpu(), time.monotonic()
            _begin(training)
            with_ui = _spent(training, program)
            share = (program.cpu() - before) / (time.monotonic() - began)
            memory = program.memory()
        _begin(training)
        alone = _spent(training)
    finally:
        assert training.stdin is not None
        training.stdin.close()
        training.wait()
    return {
        "the UI's CPU, a second": Timing(share),
        "memory of the UI, bytes": Timing(float(memory)),
        "CPU of 1,000 points logged, s": Timing(with_ui),
        "the same, nobody looks": Timing(alone),
    }


CASE = Case(
    title="The terminal UI and a run that logs 1,000 points a second",
    note=(
        f"Ten metrics, {_PER_SECOND} steps a second; their charts are on a screen of 160×45 and move twice a second."
        f" Each figure is of {_SECONDS:.0f} s; what logging takes is that process's own CPU."
    ),
    rounds=3,
    unit="",
    subjects=[Subject("ledgit ui", watched, "ledgit")],
    targets=[
        Target("at most 10 % of a core for the UI", "the UI's CPU, a second", "ledgit ui", 0.10),
    ],
)
