"""Threads, forks and spawned processes: who logs into which run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ledgit

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def in_thread(work: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def test_a_thread_without_a_run_logs_into_the_main_threads(repo: Path) -> None:
    """MLflow would start another run there; nobody who starts a helper thread means that."""
    with ledgit.start_run() as run:
        in_thread(lambda: ledgit.log_metric("a", 1))
        in_thread(lambda: ledgit.log_param("b", 2))
        in_thread(lambda: ledgit.end_run())  # ends nothing: it is not that thread's run
        assert "RUNNING" == run.status

    assert ({"a": 1.0}, {"b": 2}) == (run.metrics, run.params)
    assert [run.id] == [one.id for one in ledgit.open(repo).runs]


def test_each_thread_can_have_a_run_of_its_own(repo: Path) -> None:
    """Parallel trials: their runs do not see each other, nor block the main thread's."""

    def trial(number: int) -> str:
        with ledgit.start_run(run_name=f"trial {number}") as run:
            for step in range(20):
                ledgit.log_metric("m", number, step=step)
            ledgit.log_param("number", number)
            return run.id

    with ledgit.start_run() as outer, ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(trial, range(8)))
        ledgit.log_metric("own", 1)

    assert 8 == len(set(ids))
    for number, run_id in enumerate(ids):
        run = ledgit.get_run(run_id)
        assert ({"m": float(number)}, {"number": number}, None) == (run.metrics, run.params, run.parent_run)
        assert 20 == len(run.history("m"))
    assert {"own": 1.0} == outer.metrics


def test_a_thread_can_join_a_run_by_its_id(repo: Path) -> None:
    """Its end there is no end of the run."""
    with ledgit.start_run() as run:

        def work() -> None:
            with ledgit.start_run(run_id=run.id) as same:
                assert same == run
                ledgit.log_metric("m", 1)

        in_thread(work)
        ledgit.log_metric("n", 2)
        assert "RUNNING" == run.status

    assert {"m": 1.0, "n": 2.0} == run.metrics


def test_a_run_that_another_thread_ended_is_out_of_the_way(repo: Path) -> None:
    """For the next start_run, and for what is logged without one."""
    first = ledgit.start_run()
    in_thread(lambda: first.finish("KILLED"))
    assert ledgit.active_run() is None
    second = ledgit.start_run()
    in_thread(second.finish)
    ledgit.log_param("a", 1)
    ledgit.end_run()

    assert ["FINISHED", "FINISHED", "KILLED"] == [run.status for run in ledgit.open(repo).runs]
    assert [{"a": 1}, {}, {}] == [dict(run.params) for run in ledgit.open(repo).runs]


def test_eight_threads_log_at_once_and_nothing_is_lost(repo: Path) -> None:
    """Into one run, metrics and params mixed."""
    with ledgit.start_run() as run, ThreadPoolExecutor(8) as pool:

        def work(thread: int) -> None:
            for step in range(200):
                ledgit.log_metric(f"m{thread}", step, step=step, run_id=run.id if step % 2 else None)
            ledgit.log_params({f"p{thread}": thread, "shared": "same"})

        list(pool.map(work, range(8)))

    assert {f"m{thread}": 199.0 for thread in range(8)} == run.metrics
    assert all(200 == len(run.history(f"m{thread}")) for thread in range(8))
    assert {"shared": "same"} | {f"p{thread}": thread for thread in range(8)} == run.params


def test_a_forked_child_logs_into_its_parents_run_and_ends_nothing(repo: Path) -> None:
    """However it goes: by its end, by ending the run, by an exception."""
    run = ledgit.start_run()
    for number, leave in enumerate([lambda: None, ledgit.end_run, lambda: run.finish("FAILED")]):
        child = os.fork()
        if child == 0:
            ledgit.log_metric(f"child{number}", number)
            leave()
            os._exit(0)
        assert (child, 0) == os.waitpid(child, 0)
    assert "RUNNING" == run.status
    ledgit.log_metric("parent", 9)
    ledgit.end_run()

    assert {"child0": 0.0, "child1": 1.0, "child2": 2.0, "parent": 9.0} == run.metrics
    assert "FINISHED" == run.status


def test_a_forked_child_can_start_a_run_of_its_own(repo: Path) -> None:
    """The parent's run, which it inherited, is not in its way."""
    with ledgit.start_run() as parent:
        child = os.fork()
        if child == 0:
            with ledgit.start_run(run_name="own"):
                ledgit.log_metric("m", 1)
            with ledgit.start_run(run_name="nested", nested=True):
                ledgit.log_metric("m", 2)
            os._exit(0)
        assert (child, 0) == os.waitpid(child, 0)

    runs = {run.name: run for run in ledgit.open(repo).runs}
    assert {"own", "nested", parent.name} == set(runs)
    assert (None, parent.id) == (runs["own"].parent_run, runs["nested"].parent_run)
    assert ["FINISHED"] * 3 == [run.status for run in runs.values()]
    assert {} == parent.metrics


def test_a_forked_child_that_runs_to_its_end_ends_nothing(script: Script, repo: Path) -> None:
    """Its exit handlers run, and leave the parent's run alone; an exception of the child too."""
    script(
        """
        import os, ledgit
        run = ledgit.start_run()
        for failing in (False, True):
            child = os.fork()
            if child == 0:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                ledgit.log_metric(f"child{failing}", 1)
                assert not failing
                break
            os.waitpid(child, 0)
        else:
            assert run.status == "RUNNING"
            ledgit.log_metric("parent", 1)
        """
    )

    (run,) = ledgit.open(repo).runs
    assert ("FINISHED", {"childFalse", "childTrue", "parent"}) == (run.status, set(run.metrics))
    assert run.commit is not None


def test_workers_of_a_forked_pool_share_the_run(script: Script, repo: Path) -> None:
    """multiprocessing's way of forking, with many workers at once."""
    script(
        """
        import multiprocessing, ledgit
        def work(number):
            for step in range(50):
                ledgit.log_metric(f"m{number}", step, step=step)
        with ledgit.start_run():
            with multiprocessing.get_context("fork").Pool(4) as pool:
                pool.map(work, range(8))
                pool.close()
                pool.join()
        """
    )

    (run,) = ledgit.open(repo).runs
    assert {f"m{number}": 49.0 for number in range(8)} == run.metrics
    assert all(50 == len(run.history(f"m{number}")) for number in range(8))
    assert "FINISHED" == run.status
    assert run.commit is not None


def test_a_spawned_process_has_a_run_of_its_own_in_the_same_experiment(script: Script, repo: Path) -> None:
    """Unless it is told the run's id: then it joins, and its end is not the run's."""
    script(
        """
        import multiprocessing, ledgit
        def alone():
            ledgit.log_metric("alone", 1)
        def join(run_id):
            with ledgit.start_run(run_id=run_id):
                ledgit.log_metric("joined", 2)
                ledgit.log_artifact("data.csv")
        if __name__ == "__main__":
            ledgit.set_experiment("shared")
            with ledgit.start_run() as run:
                context = multiprocessing.get_context("spawn")
                for target, args in ((alone, ()), (join, (run.id,))):
                    process = context.Process(target=target, args=args)
                    process.start()
                    process.join()
                    assert process.exitcode == 0
                assert run.status == "RUNNING"
                ledgit.log_metric("parent", 3)
        """
    )

    runs = list(ledgit.open(repo).runs)
    assert [{"alone": 1.0}, {"joined": 2.0, "parent": 3.0}] == sorted((dict(run.metrics) for run in runs), key=len)
    assert {"shared"} == {run.experiment for run in runs}
    assert {"FINISHED"} == {run.status for run in runs}
    assert ["data.csv"] == [item.path for run in runs for item in run.artifacts()]


@pytest.mark.parametrize("workers", [8])
def test_eight_processes_log_at_once_and_nothing_is_lost(repo: Path, workers: int) -> None:
    """Into one run, each as a process that joined it."""
    code = (
        "import ledgit, sys\n"
        "with ledgit.start_run():\n"
        "    for step in range(100): ledgit.log_metric('m' + sys.argv[1], step, step=step)\n"
        "    ledgit.log_param('p' + sys.argv[1], 1)\n"
    )
    with ledgit.start_run() as run:
        env = {**os.environ, "LEDGIT_RUN_ID": run.id}
        started = [subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=repo, env=env) for n in range(workers)]
        assert [0] * workers == [process.wait(60) for process in started]

    assert {f"m{n}": 99.0 for n in range(workers)} == run.metrics
    assert {f"p{n}": 1 for n in range(workers)} == run.params
    assert all(100 == len(run.history(f"m{n}")) for n in range(workers))


def test_changing_the_folder_keeps_the_run_and_the_repository(repo: Path, tmp_path: Path) -> None:
    """Hydra and friends change directories under a training."""
    (tmp_path / "elsewhere").mkdir()
    with ledgit.start_run() as run:
        os.chdir(tmp_path / "elsewhere")
        ledgit.log_metric("m", 1)
        assert "RUNNING" == run.status
    with ledgit.start_run() as again:
        pass

    assert {run.id, again.id} == {one.id for one in ledgit.open(repo).runs}


def test_the_tracking_uri_names_another_repository(repo: Path, tmp_path: Path, git: Callable[..., str]) -> None:
    """By path or file URI; servers and databases are refused with a sentence."""
    other = tmp_path / "other one"
    other.mkdir()
    git(other, "init", "-q")
    assert not ledgit.is_tracking_uri_set()
    assert repo.as_uri() == ledgit.get_tracking_uri()
    for uri in (str(other), other.as_uri(), f"git+{other.as_uri()}", f"ledgit:{other}"):
        ledgit.set_tracking_uri(uri)
        assert other.as_uri() == ledgit.get_tracking_uri()
        with ledgit.start_run():
            pass
    for uri in ("http://localhost:5000", "sqlite:///mlflow.db", "databricks", "file://server/x"):
        with pytest.raises(ledgit.errors.UsageError, match="not a Git repository"):
            ledgit.set_tracking_uri(uri)
    with pytest.raises(ledgit.errors.NotARepository):
        ledgit.set_tracking_uri(str(tmp_path))
    ledgit.set_tracking_uri("")

    assert repo.as_uri() == ledgit.get_tracking_uri()
    assert 4 == len(ledgit.open(other).runs)
    assert 0 == len(ledgit.open(repo).runs)
