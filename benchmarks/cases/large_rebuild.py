"""The index made from nothing, for narrow runs and for wide ones."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, repository
from benchmarks.measure import Timing, timed


def prepare(folder: Path, _python: str) -> None:
    """Both repositories."""
    repository(folder, "narrow")
    repository(folder, "wide")


def _rebuild(path: Path) -> dict[str, Timing]:
    from ledgit.git import Repo
    from ledgit.store import Folder, Index

    repo = Repo.discover(str(path))
    index = Index(repo, Folder.of(repo))
    file = path / ".git" / "ledgit" / "index.sqlite3"
    file.unlink(missing_ok=True)
    os.sync()
    return {"from nothing": timed(index.refresh)}


def narrow(folder: Path) -> dict[str, Timing]:
    """15 params, 20 metrics, 10 tags."""
    return _rebuild(repository(folder, "narrow"))


def wide(folder: Path) -> dict[str, Timing]:
    """300 params, 200 metrics, 10 tags."""
    return _rebuild(repository(folder, "wide"))


def parse_alone(folder: Path) -> dict[str, Timing]:
    """Git unpacks the narrow table and orjson parses it: the least there is to do."""
    import gc
    import subprocess

    import orjson

    path = repository(folder, "narrow")
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "refs/ledgit/ledger", "segments/"], cwd=path, check=True, capture_output=True
    ).stdout
    blobs = b"".join(line.split()[2] + b"\n" for line in listed.splitlines())

    def work() -> None:
        command = ["git", "cat-file", "--batch"]
        found = subprocess.run(command, cwd=path, input=blobs, check=True, capture_output=True).stdout
        lines = [orjson.loads(line) for line in found.split(b"\n") if line[:1] == b"{"]
        assert lines

    gc.disable()
    return {"from nothing": timed(work)}


CASE = Case(
    title="The index from nothing",
    note=f"{SHOWN}. Wide runs have 300 params and 200 metrics; of those the index takes in what stands in the ledger.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[
        Subject("narrow", narrow, "ledgit"),
        Subject("wide", wide, "ledgit"),
        Subject("git cat-file and orjson alone, narrow", parse_alone, "ledgit"),
    ],
    targets=[
        Target(f"index rebuilt from nothing, {SHOWN}, narrow ≤ 5 s", "from nothing", "narrow", 5),
        Target("… wide ≤ 20 s", "from nothing", "wide", 20),
    ],
)
