"""Bytes that a run takes in Git once it is repacked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.case import Case, Subject, Target
from benchmarks.large import MLFLOW_RUNS, mlflow_store
from benchmarks.measure import Timing
from benchmarks.repository import git

if TYPE_CHECKING:
    from benchmarks.synthetic import Plan

RUNS, WITH_HISTORIES, POINTS, CURVES = 10_000, 300, 1_000, 5


def _size(folder: Path, plan: Plan, packed: bool = True) -> Timing:
    from benchmarks.synthetic import make
    from ledgit.git import Repo
    from ledgit.store import Folder
    from ledgit.store.packs import list_pack, shrink

    path = folder / f"{plan.runs}-{plan.histories}-{plan.points}-{plan.digits}-{packed}"
    make(path, plan)
    packs = path / ".git" / "objects" / "pack"
    if packed:  # as the background does with what was logged, or imported
        repo = Repo.discover(str(path))
        for file in packs.glob("*.pack"):
            list_pack(Folder.of(repo), file.stem)
        shrink(repo, Folder.of(repo))
    git(path, "repack", "-adq")
    return Timing(sum(file.stat().st_size for file in packs.iterdir()) / plan.runs)


def _plan(runs: int, histories: int = 0, points: int = POINTS, digits: int = 6) -> Plan:
    from benchmarks.synthetic import Plan

    return Plan(runs, edited=0, two_headed=0, purged=0, histories=histories, points=points, digits=digits)


def plain(folder: Path) -> dict[str, Timing]:
    """Run commit, entry and line in the table; the pack's index counts too."""
    return {"a run": _size(folder, _plan(RUNS))}


def not_packed(folder: Path) -> dict[str, Timing]:
    """What Git makes of it alone."""
    return {"a run": _size(folder, _plan(RUNS), packed=False)}


def with_histories(folder: Path) -> dict[str, Timing]:
    """Five curves of 1,000 points, six digits."""
    return {"a run": _size(folder, _plan(WITH_HISTORIES, WITH_HISTORIES))}


def histories_not_packed(folder: Path) -> dict[str, Timing]:
    """What Git makes of them alone."""
    return {"a run": _size(folder, _plan(WITH_HISTORIES, WITH_HISTORIES), packed=False)}


def all_digits(folder: Path) -> dict[str, Timing]:
    """Five curves of 1,000 points as they were computed: the digits alone take 44 KB."""
    return {"a run": _size(folder, _plan(WITH_HISTORIES, WITH_HISTORIES, digits=17))}


def one_point(folder: Path) -> dict[str, Timing]:
    """Five metrics logged once."""
    return {"a run": _size(folder, _plan(RUNS // 10, RUNS // 10, 1))}


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
        " Histories have six digits, as those of the trial that set the targets, unless said otherwise. Packed: by"
        " Ledgit in the background first, as all that is logged."
    ),
    rounds=1,
    unit="B",
    subjects=[
        Subject("without histories", plain, "ledgit"),
        Subject("without histories, by Git alone", not_packed, "ledgit"),
        Subject(f"with {CURVES} histories of {POINTS:,} points", with_histories, "ledgit"),
        Subject(f"with {CURVES} histories of {POINTS:,} points, by Git alone", histories_not_packed, "ledgit"),
        Subject(f"with {CURVES} histories of {POINTS:,} points, all digits", all_digits, "ledgit"),
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
