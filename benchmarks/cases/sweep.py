"""A sweep of trivial trials: what recording one costs beside running its command."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, timed
from benchmarks.repository import small_repository

TRIALS = 1_000
JOBS = 2


def ledgit(folder: Path) -> dict[str, Timing]:
    """Values, a clean work folder, a run with params, output, exit code and commit; all on disk at the end."""
    from ledgit.projects.sweeps import Sweep, SweepPlan
    from ledgit.repository import open_repository
    from ledgit.store.settle import settle_all

    small_repository(folder)
    repository = open_repository(folder)
    plan = SweepPlan({"n": f"int(1,{TRIALS})"}, command=("echo", "{n}"), jobs=JOBS)

    def work() -> None:
        result = Sweep.start(repository, plan).run()
        assert result.status.count("complete") == TRIALS
        settle_all()

    return {"one trial": timed(work).per(TRIALS)}


def bare(folder: Path) -> dict[str, Timing]:
    """The same commands by as many threads, their output read and thrown away."""

    def run(number: int) -> None:
        subprocess.run(
            ["echo", str(number)], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
            start_new_session=True,
        )  # fmt: skip

    def work() -> None:
        with ThreadPoolExecutor(JOBS) as threads:
            assert len(list(threads.map(run, range(1, TRIALS + 1)))) == TRIALS

    return {"one trial": timed(work).per(TRIALS)}


CASE = Case(
    title="A sweep",
    note=f"{TRIALS:,} trials of 'echo N' in {JOBS} local jobs, from start to end; the time of one.",
    rounds=3,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("bare commands", bare)],
    targets=[
        Target(
            "recording a trial adds ≤ 15 ms to its command", "one trial", "ledgit", 0.015, "bare commands", minus=True
        )
    ],
)
