"""Bytes that a run takes in Git once it is repacked."""

from __future__ import annotations

from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import MLFLOW_RUNS, mlflow_store
from benchmarks.measure import Timing
from benchmarks.repository import git

RUNS, WITH_HISTORIES, POINTS, CURVES = 10_000, 300, 1_000, 5


def _size(folder: Path, histories: int, runs: int, points: int = POINTS) -> Timing:
    from benchmarks.synthetic import Plan, make

    path = folder / f"{runs}-{histories}-{points}"
    make(path, Plan(runs, edited=0, two_headed=0, purged=0, histories=histories, points=points))
    git(path, "repack", "-adq")
    packs = sum(file.stat().st_size for file in (path / ".git" / "objects" / "pack").iterdir())
    return Timing(packs / runs)


def plain(folder: Path) -> dict[str, Timing]:
    """Run commit, entry and line in the table; the pack's index counts too."""
    return {"a run": _size(folder, 0, RUNS)}


def with_histories(folder: Path) -> dict[str, Timing]:
    """Five curves of 1,000 points, six digits."""
    return {"a run": _size(folder, WITH_HISTORIES, WITH_HISTORIES)}


def one_point(folder: Path) -> dict[str, Timing]:
    """Five metrics logged once: each has a history of one point."""
    return {"a run": _size(folder, RUNS // 10, RUNS // 10, 1)}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """The file that MLflow's own tables take; metrics logged once."""
    store = mlflow_store(folder)
    assert store is not None
    return {"a run": Timing((store / "mlflow.db").stat().st_size / MLFLOW_RUNS)}


CASE = Case(
    title="Size of a run",
    note=(
        f"Packs and their indexes after `git repack -ad`, divided by the runs ({RUNS:,}; with histories"
        f" {WITH_HISTORIES}). 15 params, 20 metrics, half of them with all digits, 10 tags; environment shared by many."
    ),
    rounds=1,
    unit="B",
    subjects=[
        Subject("without histories", plain, "ledgit"),
        Subject(f"with {CURVES} histories of {POINTS:,} points", with_histories, "ledgit"),
        Subject(f"with {CURVES} histories of one point", one_point, "ledgit"),
        Subject("mlflow sqlite, without histories", mlflow_sqlite, "mlflow"),
    ],
    targets=[
        Target("bytes in Git a run without histories, after repack ≤ 2 KB", "a run", "without histories", 2_000),
        Target(
            f"… with {CURVES} × {POINTS:,} points ≤ 40 KB",
            "a run",
            f"with {CURVES} histories of {POINTS:,} points",
            40_000,
        ),
    ],
)
