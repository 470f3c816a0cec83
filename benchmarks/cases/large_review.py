"""Reviews: two runs compared, a branch's report, and a gate in a fresh shallow checkout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.connections import daemon
from benchmarks.large import SHOWN, ledgit, quickest, remember, remembered, repository, time_ledgit
from benchmarks.measure import Timing
from benchmarks.repository import git

BRANCH = "feature-7"
CHECKED = 10_000
_TRIES = 5


def prepare(folder: Path, _python: str) -> None:
    """Two runs to compare, and a bare remote with code and the ledger of 10,000 runs."""
    from benchmarks.synthetic import Plan, make

    (folder / "large").symlink_to(repository(folder, "narrow"))
    runs = [run["id"] for run in json.loads(ledgit(folder / "large", "ls", "-n", "2", "--json"))]
    remember(folder, runs=runs)
    source, remote = folder / "source", folder / "remote.git"
    make(source, Plan(runs=CHECKED))
    git(folder, "clone", "-q", "--bare", str(source), str(remote))
    git(remote, "fetch", "-q", str(source), "refs/ledgit/ledger:refs/ledgit/ledger")
    git(remote, "repack", "-adq")
    shutil.rmtree(source)


def local(folder: Path) -> dict[str, Timing]:
    """From start to exit, files in the page cache."""
    large, runs = folder / "large", remembered(folder)["runs"]
    return {
        "diff A B": quickest([time_ledgit(large, "diff", *runs) for _ in range(_TRIES)]),
        "report": quickest([time_ledgit(large, "report", f"main...{BRANCH}", "--md") for _ in range(_TRIES)]),
    }


def checkout(folder: Path) -> dict[str, Timing]:
    """What CI does after it has the code of one commit: get the ledger's tip, and judge."""
    clone = folder / "clone"
    words = ("check", "--pull", "--gate", "loss=1000")
    with daemon(folder) as address:
        git(
            folder,
            "clone",
            "-q",
            "--depth",
            "1",
            "--no-single-branch",
            "--branch",
            BRANCH,
            f"{address}/remote.git",
            str(clone),
        )
        try:
            return {"check": time_ledgit(clone, *words)}
        finally:
            shutil.rmtree(clone)


CASE = Case(
    title="Reviews",
    note=(
        f"{SHOWN}; the branch has thousands, of which the report lists 200. The gate: `ledgit check --pull` in a fresh"
        f" checkout of depth 1, {CHECKED:,} runs on a local `git daemon`, the ledger's tip fetched within the time."
    ),
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[Subject("ledgit", local, "ledgit"), Subject("ledgit in a fresh checkout", checkout, "ledgit")],
    targets=[
        Target(f"`ledgit diff A B`, {SHOWN} ≤ 0.2 s", "diff A B", "ledgit", 0.2),
        Target(f"`ledgit report` of a branch, {SHOWN} ≤ 1 s", "report", "ledgit", 1),
        Target(
            f"`ledgit check` in a fresh shallow checkout, {CHECKED:,} runs ≤ 3 s",
            "check",
            "ledgit in a fresh checkout",
            3,
        ),
    ],
)
