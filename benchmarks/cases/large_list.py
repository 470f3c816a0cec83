"""``ls`` with a filter and a sort key, cold, with 1,000 and with 100,000 runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.case import Case, Command, Target
from benchmarks.large import LIST, MLFLOW_RUNS, SHOWN, mlflow_store, repository
from benchmarks.repository import git, small_repository

EXPERIMENTS = 300
_MLFLOW = """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.search_runs(["0"], "metrics.accuracy > 0.5 and params.optimizer = 'adam'",
                   order_by=["metrics.loss"], max_results=20)
"""


def prepare(folder: Path, python: str) -> None:
    """Links to the repositories, and one with DVC's experiments."""
    (folder / "large").symlink_to(repository(folder, "narrow"))
    (folder / "small").symlink_to(repository(folder, "small"))
    store = mlflow_store(folder)
    if store is not None:
        (folder / "mlflow").symlink_to(store)
    dvc_experiments(folder / "dvc", str(Path(python).parent / "dvc"))


def dvc_experiments(folder: Path, dvc: str) -> None:
    """The refs and commits that ``dvc exp save`` would make, made by git."""
    folder.mkdir()
    small_repository(folder)
    subprocess.run([dvc, "init", "-q"], cwd=folder, check=True)
    (folder / "dvc.yaml").write_text("params:\n- params.yaml\nmetrics:\n- metrics.yaml\n")
    (folder / "params.yaml").write_text("lr: 0.1\n")
    (folder / "metrics.yaml").write_text("accuracy: 0.5\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "baseline")
    base = git(folder, "rev-parse", "HEAD")
    stream, refs = [], []
    for number in range(EXPERIMENTS):
        params = "".join(f"p{key}: {number * key}\n" for key in range(15))
        metrics = "accuracy: 0.7\nloss: 0.1\n" + "".join(f"m{key}: {number / (key + 7)}\n" for key in range(18))
        ref = f"refs/exps/{base[:2]}/{base[2:]}/exp-{number}"
        stream.append(
            f"commit {ref}\ncommitter A <a@example.org> {1_790_000_000 + number} +0000\ndata 1\nx\nfrom {base}\n"
        )
        for name, text in (("params.yaml", params), ("metrics.yaml", metrics)):
            stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n")
        refs.append(ref)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input="".join(stream), text=True, check=True)


CASE = Case(
    title=f"Listing {SHOWN}",
    note=(
        f"Filter by a metric and a param, sort by a metric, show 20; from start to exit, files in the page cache."
        f" A run has 15 params, 20 metrics, 10 tags. MLflow's store has {MLFLOW_RUNS:,},"
        f" DVC {EXPERIMENTS} experiments."
    ),
    prepare=prepare,
    shared=True,
    rounds=7,
    subjects=[
        Command("ledgit ls", ["/usr/bin/env", "-C", "large", "{bin}/ledgit", *LIST]),
        Command("ledgit ls (1,000 runs)", ["/usr/bin/env", "-C", "small", "{bin}/ledgit", *LIST]),
        Command(
            "ledgit ls --branch", ["/usr/bin/env", "-C", "large", "{bin}/ledgit", "ls", "-b", "feature-7", "-n", "20"]
        ),
        Command("dvc exp show", ["/usr/bin/env", "-C", "dvc", "{bin}/dvc", "exp", "show", "--csv", "-n", "1"]),
        Command(
            "dvc exp show, its cache cold",
            ["/bin/sh", "-c", "cd dvc && rm -rf .dvc/tmp/exps && exec {bin}/dvc exp show --csv -n 1"],
        ),
        Command(
            "mlflow search_runs",
            ["/usr/bin/env", "-C", "mlflow", "{mlflow_python}", "-c", _MLFLOW],
            "mlflow",
        ),
    ],
    targets=[
        Target(f"`ledgit ls` with filter and sort, {SHOWN}, cold ≤ 0.2 s", "process", "ledgit ls", 0.2),
        Target("… ≤ 1.5× the same with 1,000 runs", "process", "ledgit ls", 1.5, "ledgit ls (1,000 runs)"),
    ],
)
