"""``ledgit ui`` with very many runs, in a real terminal: start, keys, filter, at rest, memory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, repository
from benchmarks.measure import Timing
from benchmarks.synthetic import Plan, make
from benchmarks.terminal import Program, slowest

_HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("hello, world")
Hello().run()
"""
_FEW = 100
_SECONDS = 5.0


def prepare(folder: Path, _python: str) -> None:
    """The repositories, each with an index and with what the first start makes."""
    few = folder.parents[1] / "synthetic" / "hundred"
    if not few.exists():
        make(few, Plan(runs=_FEW))
    for name, path in (("many", repository(folder, "narrow")), ("few", few)):
        (folder / name).symlink_to(path)
        for _ in range(2):
            with _ui(folder / name) as program:
                _wait_until_drawn(program)


def _ui(path: Path, *arguments: str) -> Program:
    return Program([str(Path(sys.executable).parent / "ledgit"), "ui", *arguments], path.resolve(), _environment())


def _environment() -> dict[str, str]:
    return {"LEDGIT_AUTO_COMPACT": "0", "NO_COLOR": "", "TEXTUAL_ANIMATIONS": os.environ.get("TEXTUAL_ANIMATIONS", "")}


def _wait_until_drawn(program: Program) -> Timing:
    """Wait for rows: a tick stands before each finished run's name."""
    return program.wait_for("✓")


def start(name: str) -> dict[str, Timing]:
    """From the start of the process to rows on the screen."""
    folder = Path.cwd()
    with _ui(folder / name) as program:
        return {"first useful paint": _cpu_alone(_wait_until_drawn(program))}


def _cpu_alone(timing: Timing) -> Timing:
    return Timing(timing.cpu or 0.0, timing.cpu)


def hello(folder: Path) -> dict[str, Timing]:
    """A Textual app with two words."""
    with Program([sys.executable, "-c", _HELLO], folder) as program:
        return {"first useful paint": _cpu_alone(program.wait_for("hello, world"))}


def few(folder: Path) -> dict[str, Timing]:
    """A hundred runs."""
    with _ui(folder / "few") as program:
        return {"first useful paint": _cpu_alone(_wait_until_drawn(program))}


def many(folder: Path) -> dict[str, Timing]:
    """All that is measured."""
    with _ui(folder / "many") as program:
        found = {"first useful paint": _cpu_alone(_wait_until_drawn(program))}
        program.settle(1.0)
        found["key while scrolling, p95"] = slowest([_answer(program, "j") for _ in range(120)])
        found["page while scrolling, p95"] = slowest([_answer(program, "\x1b[6~") for _ in range(60)])
        answers = []
        for number in range(30):
            program.press("s" if number % 3 == 0 else "S")
            answers += [_answer(program, "j"), _answer(program, "k")]
            program.settle()
        found["key while sorting, p95"] = slowest(answers)
        found["sorted rows"] = slowest([_sorted(program) for _ in range(15)], 0.5)
        found["filter result"] = slowest([_filtered(program, number) for number in range(8)], 0.5)
        program.settle(1.5)
        before = program.cpu()
        time.sleep(_SECONDS)
        found["CPU at rest, a second"] = Timing((program.cpu() - before) / _SECONDS)
        found["memory, bytes"] = Timing(float(program.memory()))
    return found


def _answer(program: Program, key: str) -> float:
    seconds = program.answer(key)
    program.settle(0.02)
    return seconds


def _sorted(program: Program) -> float:
    """Reverse the order; the first row's cells are drawn anew when it is there."""
    pressed = program.press("S")
    seconds = program.wait_for("✓", pressed).wall
    program.settle()
    return seconds


def _filtered(program: Program, number: int) -> float:
    """Give a filter; return the time from its last keys until the first line tells its result."""
    program.press("/")
    program.settle()
    for char in f"metrics.accuracy > 0.9{number}":
        program.press(char)
        program.settle(0.02)
    pressed = program.press("\r")
    seconds = program.wait_for(f"/ metrics.accuracy > 0.9{number}", pressed).wall
    program.settle()
    program.press("\x1b")
    program.settle()
    return seconds


CASE = Case(
    title=f"The terminal UI with {SHOWN}",
    note=(
        "In a pseudo-terminal of 160×45. First useful paint is CPU from the start of the process until rows are drawn,"
        " with the index warm; keys are timed from the key to the first bytes of the answer."
    ),
    prepare=prepare,
    shared=True,
    rounds=3,
    unit="",
    subjects=[
        Subject("ledgit ui", many, "ledgit"),
        Subject("ledgit ui (100 runs)", few, "ledgit"),
        Subject("Textual, hello world", hello, "ledgit"),
    ],
    targets=[
        Target("First useful paint ≤ 0.2 s of CPU over a Textual hello-world", "first useful paint", "ledgit ui", 0.2,
               "Textual, hello world", minus=True),
        Target("… ≤ 1.3× the same with 100 runs", "first useful paint", "ledgit ui", 1.3, "ledgit ui (100 runs)"),
        Target("Key to repaint ≤ 50 ms (p95) while scrolling", "key while scrolling, p95", "ledgit ui", 0.05),
        Target("… a page", "page while scrolling, p95", "ledgit ui", 0.05),
        Target("… while sorting", "key while sorting, p95", "ledgit ui", 0.05),
        Target("Filter result ≤ 150 ms", "filter result", "ledgit ui", 0.15),
        Target("CPU at rest ≤ 0.5 %", "CPU at rest, a second", "ledgit ui", 0.005),
        Target("Memory ≤ 80 MB", "memory, bytes", "ledgit ui", 80e6),
    ],
)  # fmt: skip
