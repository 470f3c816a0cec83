"""Loose runs into a ledger of 100,000."""

from __future__ import annotations

from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, copy
from benchmarks.measure import Timing, middle, timed


def prepare(folder: Path, _python: str) -> None:
    """A repository that grows."""
    copy(folder, "narrow", folder / "repository")


def _compact(folder: Path, count: int, times: int) -> dict[str, Timing]:
    import time

    from benchmarks.synthetic import add_loose
    from ledgit.git import Repo
    from ledgit.store import Folder
    from ledgit.store.ledger import compact

    path = folder / "repository"
    taken = []
    for number in range(times):
        add_loose(path, count, seed=1 + (time.time_ns() // 1000 + number) % 1_000_000_000)
        repo = Repo.discover(str(path))

        def work(repo: Repo = repo) -> None:
            assert len(compact(repo, Folder.of(repo)).runs) == count

        taken.append(timed(work))
    return {"compaction": middle(taken)}


def one(folder: Path) -> dict[str, Timing]:
    """A single run."""
    return _compact(folder, 1, 5)


def thousand(folder: Path) -> dict[str, Timing]:
    """A thousand of one day."""
    return _compact(folder, 1_000, 1)


CASE = Case(
    title="Compaction",
    note=f"Into a ledger of {SHOWN}; durable when it returns.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[Subject("1 run", one, "ledgit"), Subject("1,000 runs", thousand, "ledgit")],
    targets=[
        Target(f"compaction of 1 run into {SHOWN} ≤ 0.1 s", "compaction", "1 run", 0.1),
        Target("… of 1,000 ≤ 1.5 s", "compaction", "1,000 runs", 1.5),
    ],
)
