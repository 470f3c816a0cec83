"""The first command after a pull of 100 runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import LIST, SHOWN, copy, ledgit, quickest, remember, remembered, time_ledgit
from benchmarks.measure import Timing
from benchmarks.repository import git

NEW = 100
LEDGER = "refs/ledgit/ledger"


def prepare(folder: Path, _python: str) -> None:
    """Two ledgers, with and without the 100 runs, and the index of the one without."""
    from benchmarks.synthetic import add_loose
    from ledgit.git import Repo
    from ledgit.store import Folder
    from ledgit.store.ledger import compact

    path = copy(folder, "narrow", folder / "repository")
    before = git(path, "rev-parse", LEDGER)
    ledgit(path, *LIST)
    shutil.copy2(path / ".git" / "ledgit" / "index.sqlite3", folder / "index")
    add_loose(path, NEW, seed=1)
    repo = Repo.discover(str(path))
    compact(repo, Folder.of(repo))
    remember(folder, before=before, after=git(path, "rev-parse", LEDGER))


def _list(folder: Path, ledger: str) -> dict[str, Timing]:
    path = folder / "repository"
    taken = []
    for _ in range(5):
        shutil.copy2(folder / "index", path / ".git" / "ledgit" / "index.sqlite3")
        git(path, "update-ref", LEDGER, remembered(folder)["before"])
        ledgit(path, *LIST)
        git(path, "update-ref", LEDGER, remembered(folder)[ledger])
        taken.append(time_ledgit(path, *LIST))
    return {"ls": quickest(taken)}


def usual(folder: Path) -> dict[str, Timing]:
    """Nothing has come, though the ref was written."""
    return _list(folder, "before")


def after_pull(folder: Path) -> dict[str, Timing]:
    """100 runs have."""
    return _list(folder, "after")


CASE = Case(
    title="After a pull",
    note=f"`ledgit ls` with filter and sort after {NEW} runs of one day came into {SHOWN}; the quickest of five.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[Subject("nothing came", usual, "ledgit"), Subject(f"{NEW} runs came", after_pull, "ledgit")],
    targets=[
        Target(
            f"first command after a pull of {NEW} runs ≤ 0.2 s more than usual",
            "ls", f"{NEW} runs came", 0.2, "nothing came", minus=True,
        ),
    ],
)  # fmt: skip
