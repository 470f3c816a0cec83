"""Sweeps as people start them, and what they leave in a repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import run_git

from ledgit.projects.sweeps import SweepStatus, status
from ledgit.repository import Repository, Run, open_repository

#: Logs a metric without importing Ledgit: as a part of the run's journal, which takes a hundredth of the time.
TRAIN = """
import os, sys, time
from zlib import crc32

args = dict(word.split("=", 1) for word in sys.argv[1:])
folder = os.path.join(os.environ["JOURNALS"], os.environ["LEDGIT_RUN_ID"])
part = open(os.path.join(folder, "1-train.log"), "wb", buffering=0)

def log(key, value, step=0):
    payload = f"m\\t{key}\\t{value!r}\\t{step}\\t{time.time_ns() // 1000000}".encode()
    part.write(b"\\n%08x %b" % (crc32(payload), payload))
"""


def put(repo: Path, script: str, name: str = "train.py") -> None:
    """Commit a script that may ``log(key, value, step)`` and has ``args`` by name."""
    (repo / name).write_text(TRAIN + script)
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "script")


def words(*names: str) -> tuple[str, ...]:
    """Return the command that runs the script with the parameters *names*."""
    return (sys.executable, "-S", "train.py", *(f"{name}={{{name}}}" for name in names))


def environment(repo: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "JOURNALS": str(repo / ".git" / "ledgit" / "active"), **more}


def begin(repo: Path, *args: str, **more: str) -> subprocess.Popen[str]:
    """Start ``ledgit sweep …`` in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ledgit", "sweep", *args],
        cwd=repo,
        env=environment(repo, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def sweep(repo: Path, *args: str, code: int = 0, **more: str) -> str:
    """Run ``ledgit sweep …`` to its end and return what it printed."""
    process = begin(repo, *args, **more)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == code, said
    return said


def newest(repo: Path) -> SweepStatus:
    return status(open_repository(repo))


def trial_runs(repo: Path) -> list[Run]:
    """Return the runs of the newest sweep's trials, by number and attempt."""
    repository: Repository = open_repository(repo)
    found = [run for run in repository.runs if "ledgit.sweep.trial" in run.tags]
    return sorted(found, key=lambda run: (int(run.tags["ledgit.sweep.trial"]), int(run.tags["ledgit.sweep.attempt"])))


def left_behind(repo: Path, mark: str = "") -> list[str]:
    """Return the work folders, kept packs and processes that are still there."""
    work = repo / ".git" / "ledgit" / "work"
    found = [f"work/{name}" for name in (os.listdir(work) if work.is_dir() else ())]
    trees = repo / ".git" / "worktrees"
    found += [f"worktrees/{name}" for name in (os.listdir(trees) if trees.is_dir() else ())]
    found += processes(mark) if mark else []
    return found


def processes(mark: str) -> list[str]:
    """Return the command lines of processes that have *mark* in them."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                line = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if mark in line:
                found.append(line)
    return found


def counted(found: SweepStatus) -> Sequence[tuple[int, str]]:
    return [(trial.number, trial.state) for trial in found.trials]
