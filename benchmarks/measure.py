"""Clocks, and processes with the CPU time they took."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds on the wall, and seconds of CPU of the process and its children where known."""

    wall: float
    cpu: float | None = None

    def per(self, times: int) -> Timing:
        """The time of one of *times* equal steps."""
        return Timing(self.wall / times, None if self.cpu is None else self.cpu / times)


def middle(timings: Sequence[Timing]) -> Timing:
    """The median on the wall and the median of CPU, each on its own."""
    cpu = [timing.cpu for timing in timings if timing.cpu is not None]
    return Timing(median(timing.wall for timing in timings), median(cpu) if cpu else None)


def timed(work: Callable[[], object]) -> Timing:
    """Time one call. CPU time of children counts once they have been waited for."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return Timing(time.perf_counter() - wall, _cpu() - cpu)


def repeated(work: Callable[[], object], times: int, warm_up: int = 3) -> Timing:
    """Time *times* calls after *warm_up* ones that do not count, and return the median."""
    for _ in range(warm_up):
        work()
    return middle([timed(work) for _ in range(times)])


def _cpu() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def run_process(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> str:
    """Run a command and return what it printed; an error is raised with what it said."""
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"{' '.join(arguments)} failed (exit {done.returncode}):\n{done.stderr[-3000:]}"
        raise RuntimeError(message)
    return done.stdout


def time_process(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Timing:
    """Time a short command with as little around it as can be: nothing is piped, nothing is read."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
    here = Path.cwd()
    os.chdir(cwd)
    try:
        started = time.perf_counter()
        pid = os.posix_spawn(arguments[0], list(arguments), dict(environment), file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - started
    finally:
        os.chdir(here)
        os.close(null)
    if os.waitstatus_to_exitcode(status) != 0:
        run_process(arguments, cwd, environment)  # once more, to show what it says
        message = f"{' '.join(arguments)} failed once and then did not"
        raise RuntimeError(message)
    return Timing(wall, usage.ru_utime + usage.ru_stime)
