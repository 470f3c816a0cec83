"""What the children of the ledger's fault tests do."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

from tests.faults.tasks import Say, open_run

from ledgit.errors import Conflict
from ledgit.git import Repo, refdrop
from ledgit.repository import open_repository
from ledgit.store import Edit, Folder, update_experiment
from ledgit.store.ledger import compact, local


def compact_here(say: Say) -> dict[str, Any]:
    """Compact."""
    repo = Repo.discover()
    done = compact(repo, Folder.of(repo))
    return {"commit": done.commit, "runs": sorted(done.runs), "left": dict(done.left)}


def die_while_compacting(say: Say, point: str) -> None:
    """Compact and be killed at *point*; a number: while that many loose refs are gone."""
    gone = 0
    real = refdrop.unlink

    def unlink(path: str) -> None:
        nonlocal gone
        if not path.endswith(".lock"):
            if gone == int(point):
                os.kill(os.getpid(), signal.SIGKILL)
            gone += 1
        real(path)

    def checkpoint(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    if point.isdigit():
        refdrop.unlink = unlink
    local.checkpoint = checkpoint
    compact_here(say)


def log_runs(say: Say, count: int) -> None:
    """Log short runs and say the id of each that was acknowledged."""
    for number in range(count):
        run = open_run()
        run.log_params({"number": number})
        run.finish()
        say(run.id)


def compact_often(say: Say, seconds: float) -> int:
    """Compact again and again."""
    repo = Repo.discover()
    deadline = time.monotonic() + seconds
    moved = 0
    while time.monotonic() < deadline:
        try:
            moved += len(compact(repo, Folder.of(repo)).runs)
        except Conflict:
            continue  # another process has the ledger
        say(moved)
    return moved


def edit_often(say: Say, runs: list[str], count: int, seed: int) -> None:
    """Tag some of *runs*, and say each tag that was acknowledged."""
    repo = Repo.discover()
    repository = open_repository()
    dice = random.Random(seed)
    for number in range(count):
        run = dice.choice(runs)
        tag = f"t{seed}-{number}"
        repository.index.refresh()
        state = repository.index.get(run)
        assert state is not None
        repository.edit(state, Edit(set_tags={tag: "x"}))
        say([run, tag])
        if number % 4 == 0:
            update_experiment(repo, Folder.of(repo), f"e{seed}", {f"tags.{tag}": "x"})
