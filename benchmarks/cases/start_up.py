"""Cold processes: what importing Ledgit, its help and its list cost."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.case import Case, Command, Target
from benchmarks.repository import METRICS, PARAMS, TAGS, small_repository

RUNS = 1_000


def prepare(folder: Path, python: str) -> None:
    """A repository with 1,000 runs, listed once."""
    small_repository(folder)
    code = f"""
import ledgit
for number in range({RUNS}):
    with ledgit.start_run():
        ledgit.log_params({PARAMS!r} | {{"number": number}})
        ledgit.log_metrics({METRICS!r})
        ledgit.set_tags({TAGS!r})
"""
    subprocess.run([python, "-c", code], cwd=folder, check=True)
    subprocess.run([python, "-m", "ledgit", "ls"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


CASE = Case(
    title="Cold processes",
    note=f"From start to exit, files in the page cache, a repository with {RUNS:,} runs.",
    prepare=prepare,
    shared=True,
    rounds=21,
    subjects=[
        Command("python -c pass", ["{python}", "-c", "pass"]),
        Command("import ledgit", ["{python}", "-c", "import ledgit"]),
        Command("ledgit --version", ["{bin}/ledgit", "--version"]),
        Command("ledgit --help", ["{bin}/ledgit", "--help"]),
        Command(f"ledgit ls ({RUNS:,} runs)", ["{bin}/ledgit", "ls"]),
        Command("import pygit2", ["{python}", "-c", "import pygit2"]),
        Command("dvc --help", ["{bin}/dvc", "--help"]),
        Command("import mlflow", ["{mlflow_python}", "-c", "import mlflow"], "mlflow"),
        Command("mlflow --help", ["{mlflow_bin}/mlflow", "--help"], "mlflow"),
    ],
    targets=[
        Target(
            "`import ledgit` within 30 ms of `python -c pass`",
            "process", "import ledgit", 0.030, "python -c pass", minus=True,
        ),
        Target("`ledgit --version` ≤ 4× `python -c pass`", "process", "ledgit --version", 4, "python -c pass"),
        Target("`ledgit --help` ≤ 4× `python -c pass`", "process", "ledgit --help", 4, "python -c pass"),
        Target(
            f"`ledgit ls` with {RUNS:,} runs ≤ 10× `python -c pass`",
            "process", f"ledgit ls ({RUNS:,} runs)", 10, "python -c pass",
        ),
    ],
)  # fmt: skip
