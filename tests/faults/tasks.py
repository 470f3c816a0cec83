"""What the children of the fault tests do. Each takes ``say`` first and returns plain JSON."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart, finalizing, recover

Say = Callable[[Any], None]


def open_run(run_id: str | None = None, **words: Any) -> ActiveRun:
    """Start a run in the current folder's repository."""
    return ActiveRun.create(Repo.discover(), RunStart(run_id=run_id, command=("train.py",), **words))


def everything(run: ActiveRun) -> None:
    """Log one of every kind of data."""
    run.log_params({"lr": 0.1, "layers": 3, "name": "näme 🦉", "flag": True, "none": None, "big": 1 << 80})
    run.set_tags({"team": "owls", "gone": "soon"})
    run.delete_tag("gone")
    for step in range(20):
        run.log_metric("loss", 1.0 / (step + 1), step)
    odd = [("acc/val top", 0.5, 1, None), ("nan", float("nan"), 0, None), ("inf", float("inf"), 0, None)]
    run.log_batch(metrics=odd)
    run.add_artifact_bytes("small.txt", b"small")
    run.add_artifact_bytes("deep/large.bin", b"large" * 100_000)


def log_everything(say: Say, run_id: str | None = None, status: str = "FINISHED") -> dict[str, Any]:
    """A whole run with every kind of data."""
    run = open_run(run_id)
    everything(run)
    commit = run.finish(status)
    return {"id": run.id, "commit": commit, "problems": run.problems}


def log_small(say: Say, count: int = 1, metrics: int = 3) -> list[dict[str, Any]]:
    """*count* small runs, one after the other."""
    made = []
    for number in range(count):
        run = open_run()
        run.log_params({"number": number})
        for step in range(metrics):
            run.log_metric("loss", float(step), step)
        commit = run.finish()
        made.append({"id": run.id, "commit": commit, "problems": run.problems})
    return made


def leave(say: Say, run_id: str | None = None, *, facts: bool = True) -> None:
    """Log one of everything, wait until the code is recorded, and die without a word."""
    run = open_run(run_id)
    everything(run)
    if facts and run._facts is not None:
        run._facts.join()  # the snapshot has a ref of its own then
    say(run.id)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(point: str, how: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(9)

    finalizing.checkpoint = reached


def die_while_finalizing(say: Say, point: str, how: str, run_id: str) -> None:
    """Finalize an active run and die at *point*."""
    _die_at(point, how)
    repo = Repo.discover()
    finalizing.finalize(repo, Folder.of(repo), run_id)


def die_while_finishing(say: Say, point: str, how: str, run_id: str) -> None:
    """Start a run, log, and die at *point* of its end."""
    run = open_run(run_id)
    everything(run)
    assert run._facts is not None
    run._facts.join()
    _die_at(point, how)
    run.finish()


def die_while_resuming(say: Say, point: str, how: str, run_id: str) -> None:
    """Resume a run, log, and die at *point* of its end."""
    run = ActiveRun.resume(Repo.discover(), run_id)
    run.log_metric("loss", 0.25, 100)
    run.log_params({"late": 1})
    _die_at(point, how)
    run.finish()


def recover_here(say: Say, *force: str) -> dict[str, Any]:
    """Finalize what is dead."""
    repo = Repo.discover()
    done = recover(repo, Folder.of(repo), force=tuple(force))
    return {"commits": done.commits, "failed": done.failed}


def hold(say: Say, run_id: str | None = None) -> None:
    """Start a run, say its id, and log a point every few milliseconds until killed."""
    run = open_run(run_id)
    say(run.id)
    step = 0
    while True:
        run.log_metric("loss", float(step), step)
        step += 1
        time.sleep(0.005)


def count_aloud(say: Say, run_id: str, synced_every: int) -> None:
    """Log points as fast as the listener takes them, telling after each one, until killed."""
    run = open_run(run_id, snapshot=False)
    say("open")
    step = 0
    while True:
        run.log_metric("n", float(step), step)
        if step % 7 == 0:
            run.set_tags({"last": str(step)})
        say(step)
        if step % synced_every == 0:
            run.tick()
            say(f"synced {step}")
        step += 1


def join_and_log(say: Say, run_id: str, who: int, threads: int, each: int) -> list[str]:
    """Join an active run and log from several threads at once."""
    run = ActiveRun.join(Repo.discover(), run_id)
    failed: list[str] = []

    def work(thread: int) -> None:
        try:
            for step in range(each):
                run.log_metric(f"m{who}-{thread}", step * 0.5, step)
                run.log_metric("shared", float(who), (who * threads + thread) * each + step)
            run.log_params({f"p{who}-{thread}": thread})
            run.set_tags({f"t{who}-{thread}": "x"})
            run.add_artifact_bytes(f"out/{who}-{thread}.txt", b"%d %d" % (who, thread))
        except BaseException as error:
            failed.append(repr(error))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run.finish()
    return failed + run.problems


def own_run_threads(say: Say, threads: int, runs: int, each: int) -> list[dict[str, Any]]:
    """Each thread makes runs of its own."""
    made: list[dict[str, Any]] = []

    def work(thread: int) -> None:
        for _ in range(runs):
            run = open_run()
            for step in range(each):
                run.log_metric("loss", float(step), step)
            commit = run.finish()
            made.append({"id": run.id, "commit": commit, "problems": run.problems})

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return made


def run_after_run(say: Say) -> None:
    """Make runs until killed, saying what was logged into each and when it was finished."""
    while True:
        run = open_run(snapshot=False)
        say(["open", run.id])
        for step in range(5):
            run.log_metric("n", float(step), step)
            say(["point", run.id])
        commit = run.finish()
        say(["finished", run.id, commit])


def die_while_packing(say: Say, call: int, run_id: str) -> None:
    """Finalize an active run and die at the *call*-th renaming of a pack's file."""
    from ledgit.git import pack

    rename = os.rename
    calls = 0

    def counted(*paths: str) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)

    pack.os.rename = counted  # type: ignore[attr-defined]
    repo = Repo.discover()
    finalizing.finalize(repo, Folder.of(repo), run_id)


def make_run(say: Say, path: str | None = None) -> dict[str, Any]:
    """One run in the repository around *path*, with its code recorded."""
    run = ActiveRun.create(Repo.discover(path), RunStart(command=("train.py",)))
    run.log_params({"lr": 0.1})
    run.log_metric("loss", 1.0)
    run.add_artifact_bytes("model.txt", b"model")
    commit = run.finish()
    return {"id": run.id, "commit": commit, "problems": run.problems}


def try_run(say: Say, path: str | None = None, uid: int = 0) -> list[str]:
    """Try a run as the user *uid*; return the error's type and text if there is one."""
    from ledgit.errors import LedgitError

    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    try:
        made = make_run(say, path)
    except LedgitError as error:
        return [type(error).__name__, str(error)]
    return ["", made["commit"] or "", *made["problems"]]


def read_runs(say: Say, path: str, uid: int) -> list[list[str]]:
    """Return id and status of every run, read as the user *uid*."""
    import ledgit

    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return [[run.id, run.status] for run in ledgit.open(path).runs]


def stay(say: Say) -> None:
    """Start a run, log one point, say the id, and wait to be killed."""
    run = open_run()
    run.log_metric("loss", 1.0)
    run.tick()
    say(run.id)
    signal.pause()


def live(say: Say) -> dict[str, list[Any]]:
    """Return status and lostness of every run that has a journal, by id."""
    from ledgit.store import live_runs

    return {state.id: [state.status, state.lost] for state in live_runs(Folder.of(Repo.discover()))}


def backwards(say: Say) -> dict[str, Any]:
    """Log while the clock jumps back an hour with every look at it."""
    from ledgit.store import journal, runlog

    now = time.time_ns()

    def jump() -> int:
        nonlocal now
        now -= 3_600_000_000_000
        return now

    journal.time_ns = jump
    runlog._time_ns = jump
    run = open_run()
    for step in range(5):
        run.log_metric("loss", float(step), step)
    run.set_tags({"stage": "first"})
    run.set_tags({"stage": "second"})
    run.log_params({"lr": 0.1})
    commit = run.finish()
    return {"id": run.id, "commit": commit, "problems": run.problems}


def say_about_experiments(say: Say, who: int, count: int) -> None:
    """Set tags of one experiment, each in a commit of its own."""
    from ledgit.errors import RefMoved
    from ledgit.store import update_experiment

    repo = Repo.discover()
    for number in range(count):
        while True:
            try:
                update_experiment(repo, Folder.of(repo), "owls", {f"tags.t{who}-{number}": "x"})
                break
            except RefMoved:
                say("once more")


def finish_and_die(say: Say) -> None:
    """End a run and be killed before its commit has settled."""
    run = open_run()
    run.log_metric("loss", 1.0)
    run.finish()
    say(run.id)
    os.kill(os.getpid(), signal.SIGKILL)
