"""Children that fill the disk; see ``tasks.py``."""

from __future__ import annotations

import os
import time
from typing import Any

from tests.faults.tasks import Say, open_run, try_run


def log_until_full(say: Say, listen: str) -> dict[str, Any]:
    """Fill the disk beside an active run and log on; make room when told; end."""
    run = open_run()
    assert run._facts is not None
    run._facts.join()
    for step in range(100):
        run.log_metric("loss", float(step), step)
    run.tick()
    say("acknowledged 100")
    _fill(listen)
    for step in range(100, 3000):
        run.log_metric("loss", float(step), step)
    run.set_tags({"stage": "full"})
    run.tick()
    problems = list(run.problems)
    before = sorted(step for step, _, _ in run.read().histories["loss"])
    _make_room(listen)
    run.set_tags({"stage": "room again"})
    run.tick()
    commit = run.finish()
    return {"id": run.id, "commit": commit, "problems": problems, "there": before, "later": run.problems}


def end_while_full(say: Say, listen: str) -> dict[str, Any]:
    """Fill the disk before the end of a run: nothing is raised, and the end is tried again."""
    run = open_run()
    assert run._facts is not None
    run._facts.join()
    for step in range(100):
        run.log_metric("loss", float(step), step)
    run.add_artifact_bytes("noise", os.urandom(60_000))
    run.tick()
    _fill(listen)
    first = run.finish()
    problems = list(run.problems)
    _make_room(listen)
    for _ in range(40):
        if run.commit:
            break
        time.sleep(0.05)
    return {"id": run.id, "commit": first, "problems": problems, "then": run.commit}


def start_while_full(say: Say, listen: str) -> list[str]:
    """Try to start a run on a full disk."""
    _fill(listen)
    return try_run(say)


def _fill(place: str) -> None:
    with open(os.path.join(place, "filler"), "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def _make_room(place: str) -> None:
    os.unlink(os.path.join(place, "filler"))


def log_under_a_limit(say: Say, limit: int, count: int) -> list[str]:
    """Log *count* points where no file may be larger than *limit* bytes, and leave the run open."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    run = open_run(snapshot=False)
    for step in range(count):
        run.log_metric("m", float(step), step)
    run.tick()
    return run.problems
