"""Children that fork while a run is active; see ``tasks.py``."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from tests.faults.tasks import Say, open_run

from ledgit.git import Repo
from ledgit.store import ActiveRun


def fork_and_log(say: Say, how: str) -> dict[str, Any]:
    """Log before, in and beside a child made by *how*; the child's end ends nothing."""
    import multiprocessing

    run = open_run()
    run.log_metric("parent", 0.0, 0)
    if how == "fork":
        pid = os.fork()
        if pid == 0:
            _log_as_child(run)
            os._exit(0)
        os.waitpid(pid, 0)
    elif how == "fork-and-finish":
        pid = os.fork()
        if pid == 0:
            _log_as_child(run)
            run.finish("FAILED")
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        target, args = (_log_as_child, (run,)) if how == "multiprocessing-fork" else (_log_as_spawned, (run.id,))
        context = multiprocessing.get_context(how.removeprefix("multiprocessing-"))
        child = context.Process(target=target, args=args)
        child.start()
        child.join()
        assert child.exitcode == 0
    assert not run.ended
    run.log_metric("parent", 1.0, 1)
    commit = run.finish()
    return {"id": run.id, "commit": commit, "problems": run.problems}


def _log_as_child(run: ActiveRun) -> None:
    threads = [threading.Thread(target=_log_part, args=(run, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.set_tags({"child": "was here"})


def _log_part(run: ActiveRun, part: int) -> None:
    for step in range(25):
        run.log_metric("child", float(step), part * 25 + step)


def _log_as_spawned(run_id: str) -> None:
    run = ActiveRun.join(Repo.discover(), run_id)
    _log_as_child(run)
    run.finish()


def end_before_the_child(say: Say) -> dict[str, Any]:
    """A forked child goes on logging, and living, while its parent ends the run."""
    run = open_run()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        run.log_metric("child", 1.0, 1)
        os.read(reader, 1)
        os._exit(0)
    while "child" not in run.read().histories:
        time.sleep(0.002)
    before = time.monotonic()
    commit = run.finish()
    took = time.monotonic() - before
    os.close(writer)
    os.waitpid(pid, 0)
    return {"id": run.id, "commit": commit, "problems": run.problems, "took": took}


def end_beside_a_silent_child(say: Say) -> dict[str, Any]:
    """A forked child that never logs (a data loader's worker) outlives the run."""
    run = open_run()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    commit = run.finish()
    os.close(writer)
    os.waitpid(pid, 0)
    return {"id": run.id, "commit": commit, "problems": run.problems}


def fork_while_talking_to_git(say: Say) -> bool:
    """Fork while a git command waits for more; it must end when its input does, not with the child."""
    import subprocess

    from ledgit.git import start_git

    command = start_git(Repo.discover(), "cat-file", "--batch")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        command.communicate(timeout=20)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        os.close(writer)
        os.waitpid(pid, 0)
        command.kill()
