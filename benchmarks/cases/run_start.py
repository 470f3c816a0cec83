"""The start of a run where the snapshot of the code is work: 10,000 files, 26 of them changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, middle, run_process, timed
from benchmarks.repository import edit_files, git, large_repository

REPEATS = 5
FRESH = Path(__file__).parent.parent / "fresh_start.py"
FRESH_REPEATS = 10


def prepare(folder: Path, _python: str) -> None:
    """Build the repository once; every round edits it anew."""
    large_repository(folder)


def ledgit(folder: Path) -> dict[str, Timing]:
    """How long ``start_run`` keeps its caller, and when the snapshot is in the journal."""
    import ledgit

    _start(ledgit, folder)
    again = []
    for _ in range(REPEATS):
        edit_files(folder, time.time_ns())
        again.append(_start(ledgit, folder))
    return {
        "start_run, not the first": middle([caller for caller, _ in again]),
        "snapshot taken": middle([taken for _, taken in again]),
    }


def fresh_processes(folder: Path) -> dict[str, Timing]:
    """The first start of a process that has imported nothing else, and what its thread costs training after it.

    Of the pauses the least of all rounds is told: other work on the machine only makes longer ones.
    """
    starts = []
    for _ in range(FRESH_REPEATS):
        edit_files(folder, time.time_ns())
        starts.append(_fresh(folder, "start_run"))
    implicit = [_fresh(folder, "log_param")[1] for _ in range(FRESH_REPEATS)]
    imports, firsts, pauses, alone = zip(*starts, strict=True)
    return {
        "import ledgit": middle(imports),
        "first start_run": middle(firsts),
        "first start_run, fastest": Timing(min(firsts).wall),
        "first log_param, which starts a run": middle(implicit),
        "longest pause of training": Timing(min(pauses).wall),
        "longest pause without a run": Timing(min(alone).wall),
    }


def _fresh(folder: Path, call: str) -> list[Timing]:
    printed = run_process([sys.executable, str(FRESH), call], folder, os.environ)
    return [Timing(float(seconds)) for seconds in printed.split()]


def _start(ledgit: object, folder: Path) -> tuple[Timing, Timing]:
    started = time.perf_counter()
    run = ledgit.start_run()  # type: ignore[attr-defined]
    caller = time.perf_counter() - started
    journal = folder / ".git" / "ledgit" / "active" / run.info.run_id
    while not any(b" code\t" in part.read_bytes() for part in journal.glob("*.log")):
        if time.perf_counter() - started > 30:
            message = f"no snapshot in {journal} after 30 s"
            raise TimeoutError(message)
        time.sleep(0.0005)
    taken = time.perf_counter() - started
    ledgit.end_run()  # type: ignore[attr-defined]
    return Timing(caller), Timing(taken)


def git_commands(folder: Path) -> dict[str, Timing]:
    """``git add --all`` and ``git write-tree`` on a copy of the index: the plain way to a snapshot."""
    index = str(folder / ".git" / "benchmark-index")
    environment = {**os.environ, "GIT_INDEX_FILE": index}

    def work() -> None:
        shutil.copy2(folder / ".git" / "index", index)
        subprocess.run(["git", "add", "--all"], cwd=folder, env=environment, check=True)
        subprocess.run(["git", "write-tree"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)

    taken = []
    for _ in range(REPEATS):
        edit_files(folder, time.time_ns())
        taken.append(timed(work))
    return {"snapshot taken": middle(taken)}


def git_status(folder: Path) -> dict[str, Timing]:
    """``git status``: what only looking costs."""
    taken = []
    for _ in range(REPEATS):
        edit_files(folder, time.time_ns())
        taken.append(timed(lambda: git(folder, "--no-optional-locks", "status", "--porcelain", "-uall")))
    return {"snapshot taken": middle(taken)}


CASE = Case(
    title="Starting a run in a large repository",
    note="10,000 committed files; 20 changed, one removed, five new. The snapshot is taken beside training: how"
    " long that stops a busy loop at most is the longest pause.",
    prepare=prepare,
    shared=True,
    rounds=5,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("ledgit, fresh processes", fresh_processes, "ledgit"),
        Subject("git add, git write-tree", git_commands),
        Subject("git status", git_status),
    ],
    targets=[
        Target("start of a run in a 10,000-file repository with changes ≤ 80 ms", "snapshot taken", "ledgit", 0.080),
        Target(
            "on the training thread for ≤ 5 ms, first start of a process",
            "first start_run",
            "ledgit, fresh processes",
            0.005,
        ),
        Target("… and every further one", "start_run, not the first", "ledgit", 0.005),
        Target(
            "… and the thread beside it stops training for ≤ 5 ms at a time",
            "longest pause of training",
            "ledgit, fresh processes",
            0.005,
        ),
    ],
)
