"""What a process that logs files takes of memory, at most."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing
from benchmarks.repository import small_repository

MANY = 10_000


def _peak() -> Timing:
    return Timing(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _make(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    return source


def one_file(folder: Path) -> dict[str, Timing]:
    """1 GiB of zeros, a sparse file: its content doesn't matter here."""
    import ledgit

    small_repository(folder)
    path = _make(folder.parent) / "large.bin"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    with ledgit.start_run():
        ledgit.log_artifact(path)
    return {"peak": _peak()}


def many_files(folder: Path, into: str | None = "many") -> dict[str, Timing]:
    """10,000 of 4 KiB, as one artifact."""
    import ledgit

    small_repository(folder)
    source = _make(folder.parent) / "many"
    if not source.is_dir():
        source.mkdir()
        for number in range(MANY):
            (source / str(number)).write_bytes(os.urandom(4096))
    with ledgit.start_run():
        ledgit.log_artifacts(source, into)
    return {"peak": _peak()}


def many_in_root(folder: Path) -> dict[str, Timing]:
    """10,000 of 4 KiB, each an artifact of its own."""
    return many_files(folder, None)


CASE = Case(
    title="Memory while files are logged",
    note="The most that the process had, until after its run.",
    rounds=1,
    subjects=[
        Subject("1 GiB in one file", one_file, "ledgit"),
        Subject("10,000 files", many_files, "ledgit"),
        Subject("10,000 files in the run's root", many_in_root, "ledgit"),
    ],
    targets=[
        Target("logging 1 GiB takes ≤ 200 MB", "peak", "1 GiB in one file", 200e6),
        Target("logging 10,000 files takes ≤ 200 MB", "peak", "10,000 files", 200e6),
        Target("… and in the run's root", "peak", "10,000 files in the run's root", 200e6),
    ],
    unit="B",
)
