"""A worker's clones: made once, used again, gone when nobody uses them."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sweeps.ordering import Coordinator

from ledgit.git import Repo
from ledgit.projects.executors.clones import clone_for, in_use, set_up, tidy


def _age(path: Path, days: float) -> None:
    when = time.time() - days * 24 * 3600
    for one in (path / "HEAD", path):
        if one.exists():
            os.utime(one, (when, when))


def test_many_who_come_for_a_clone_at_once_get_the_same(repo: Path, tmp_path: Path) -> None:
    """And nothing half made is left."""
    code = Coordinator(repo).code
    scratch = tmp_path / "worker"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: clone_for(code, str(scratch)).git_dir, range(8)))

    assert {str(scratch / f"{code.key}.git")} == set(found)
    assert [f"{code.key}.git"] == os.listdir(scratch)


def test_clones_that_nobody_used_for_two_weeks_go(repo: Path, tmp_path: Path) -> None:
    """Not one that is in use, however old; also what a killed process left half made."""
    scratch = tmp_path / "worker"
    whole = Coordinator(repo).code
    names = [scratch / f"{name}.git" for name in ("fresh", "old", "busy")]
    for path in names:
        Path(clone_for(whole, str(scratch)).git_dir).rename(path)
    half = scratch / ".new-abc.git"
    half.mkdir()
    for path in (*names[1:], half):
        _age(path, 20)
    _age(names[0], 10)

    with in_use(Repo(str(names[2]), str(names[2]), None)):
        _age(names[2], 20)
        gone = tidy(str(scratch))

    assert {str(names[1]), str(half)} == set(gone)
    assert {"fresh.git", "busy.git"} == set(os.listdir(scratch))


def test_processes_that_set_a_clone_up_at_once_wait_for_each_other(repo: Path, tmp_path: Path) -> None:
    """Git would refuse all but one."""
    code = Coordinator(repo).code

    def work(number: int) -> None:
        for turn in range(5):
            clone = clone_for(code, str(tmp_path / "worker"))  # with settings that were read just now
            set_up(clone, {"ledgit.artifactThreshold": str(turn * 10 + number)})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
