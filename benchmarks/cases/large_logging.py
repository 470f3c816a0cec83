"""What ten thousand runs leave in a repository when they are logged one by one, as it is out of the box."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import RUNS
from benchmarks.measure import Timing
from benchmarks.repository import git, small_repository

LOGGED = RUNS // 10
ONE, MANY = "one process", "eight processes"
LOOSE = "loose objects, at most"
PACKS = "packs that `git gc --auto` counts, at most"
_PAUSE = 0.25

_WORKER = """
import json, sys, time
from random import Random
import ledgit
random, times = Random(sys.argv[2]), []
for number in range(int(sys.argv[1])):
    params = {"lr": random.choice((0.1, 0.03, 0.01)), "epochs": random.randrange(5, 50), "seed": random.randrange(1000)}
    params |= {f"param_{key:03}": random.choice((0.1, 0.5, 1, True, "relu", "cosine")) for key in range(12)}
    metrics = {f"metric_{key:03}": random.random() if key % 2 else round(random.random(), 4) for key in range(20)}
    ledgit.start_run()
    ledgit.log_params(params)
    ledgit.log_metrics(metrics)
    ledgit.set_tags({f"tag_{key}": random.choice(("yes", "no", "baseline", "draft")) for key in range(10)})
    before = time.perf_counter()
    ledgit.end_run()
    times.append(time.perf_counter() - before)
with open(sys.argv[3], "w") as file:
    json.dump(times, file)
"""


def _log(folder: Path, processes: int) -> dict[str, Timing]:
    small_repository(folder)
    own = _loose(folder)
    environment = {name: value for name, value in os.environ.items() if name != "LEDGIT_AUTO_COMPACT"}
    begin = time.perf_counter()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(LOGGED // processes), str(number), f".git/times-{number}"],
            cwd=folder,
            env=environment,
        )
        for number in range(processes)
    ]
    loose = packs = refs = 0
    while any(worker.poll() is None for worker in workers):
        loose = max(loose, _loose(folder) - own)
        packs = max(packs, _packs(folder))
        refs = max(refs, _refs(folder))
        time.sleep(_PAUSE)
    took = time.perf_counter() - begin
    assert all(worker.returncode == 0 for worker in workers)
    times = sorted(second for file in (folder / ".git").glob("times-*") for second in json.loads(file.read_text()))
    with (folder / ".git" / "ledgit" / "shrinking.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a process in the background may still be at it
    subprocess.run([sys.executable, "-m", "ledgit.store.ledger", ".git"], cwd=folder, env=environment, check=True)
    git(folder, "repack", "-adq")
    size = sum(file.stat().st_size for file in (folder / ".git" / "objects" / "pack").iterdir())
    return {
        LOOSE: Timing(loose),
        PACKS: Timing(packs),
        "runs that are a ref of their own, at most": Timing(refs),
        "ms a run, with all that is logged": Timing(took * 1000 / LOGGED),
        "ms for `end_run`, median": Timing(times[len(times) // 2] * 1000),
        "ms for `end_run`, 99 of 100": Timing(times[len(times) * 99 // 100] * 1000),
        "bytes a run, after repack": Timing(size / LOGGED),
    }


def _loose(folder: Path) -> int:
    objects = folder / ".git" / "objects"
    return sum(len(os.listdir(objects / name)) for name in os.listdir(objects) if len(name) == 2)


def _packs(folder: Path) -> int:
    names = os.listdir(folder / ".git" / "objects" / "pack")
    kept = {name.removesuffix(".keep") for name in names if name.endswith(".keep")}
    return sum(name.endswith(".idx") and name.removesuffix(".idx") not in kept for name in names)


def _refs(folder: Path) -> int:
    try:
        return len(os.listdir(folder / ".git" / "refs" / "ledgit" / "runs"))
    except FileNotFoundError:
        return 0


def one(folder: Path) -> dict[str, Timing]:
    """As a sweep in a loop does."""
    return _log(folder, 1)


def many(folder: Path) -> dict[str, Timing]:
    """As workers of a sweep do."""
    return _log(folder, 8)


CASE = Case(
    title="Runs logged one by one",
    note=(
        f"{LOGGED:,} runs without a pause between them, 15 params, 20 metrics once each, 10 tags; compaction and"
        " packing in the background as they are by default. Packs with a `.keep`, of runs that ended within the last"
        " second, don't count for Git."
    ),
    rounds=1,
    unit="",
    subjects=[Subject(ONE, one, "ledgit"), Subject(MANY, many, "ledgit")],
    targets=[
        Target(f"loose objects beside {LOGGED:,} runs logged one by one < 500", LOOSE, ONE, 499),
        Target("… by eight processes", LOOSE, MANY, 499),
        Target("packs that count for `git gc --auto` ≤ 50, its limit", PACKS, ONE, 50),
    ],
)
