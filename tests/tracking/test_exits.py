"""How runs end that nobody ended. Every test here runs, and often kills, a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ledgit
from ledgit.errors import LedgitWarning

OnlyRun = Callable[[], ledgit.Run]
Script = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_script_that_ends_finishes_its_run(script: Script, only_run: OnlyRun) -> None:
    """Nobody needs to write end_run()."""
    script("import ledgit; ledgit.log_metric('m', 1)")

    run = only_run()
    assert ("FINISHED", {"m": 1.0}) == (run.status, run.metrics)
    assert run.commit is not None


def test_a_run_that_the_scripts_end_ends_is_on_disk_when_the_process_is_gone(script: Script, repo: Path) -> None:
    """What settles runs may have been loaded only then: a push right after the training must find the run."""
    script("import ledgit; ledgit.log_metric('m', 1)")

    assert [] == os.listdir(repo / ".git" / "ledgit" / "settling")


def test_an_uncaught_exception_fails_the_run(script: Script, only_run: OnlyRun) -> None:
    """Also without a ``with`` block; the traceback is shown as always."""
    done = script("import ledgit; ledgit.start_run(); raise ValueError('broken')", check=False)

    assert "ValueError: broken" in done.stderr
    assert "FAILED" == only_run().status


def test_a_caught_exception_fails_nothing(script: Script, only_run: OnlyRun) -> None:
    """Only what ends the script counts."""
    script("import ledgit\nledgit.start_run()\ntry: raise ValueError\nexcept ValueError: pass\n")

    assert "FINISHED" == only_run().status


def test_runs_left_open_end_inside_out(script: Script, repo: Path) -> None:
    """With children before their parents."""
    script("import ledgit\nledgit.start_run(run_name='out')\nledgit.start_run(run_name='in', nested=True)")

    inner, outer = sorted(ledgit.open(repo).runs, key=lambda run: run.name)
    assert ("FINISHED", "FINISHED") == (inner.status, outer.status)
    assert outer.id == inner.parent_run


WAITING = """
    import ledgit, sys, time
    {before}
    ledgit.log_metric("m", 1)
    print("ready", flush=True)
    time.sleep(60)
"""


def start(repo: Path, code: str) -> subprocess.Popen[str]:
    import textwrap

    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=repo,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready\n" == process.stdout.readline()
    return process


def test_sigterm_kills_the_run_and_the_process(repo: Path, only_run: OnlyRun) -> None:
    """The run's commit is there; the process dies of the signal, as its parent expects."""
    process = start(repo, WAITING.format(before=""))
    process.terminate()
    process.communicate(timeout=30)

    assert -signal.SIGTERM == process.returncode
    run = only_run()
    assert ("KILLED", {"m": 1.0}) == (run.status, run.metrics)
    assert run.commit is not None
    assert [] == os.listdir(repo / ".git" / "ledgit" / "settling")


def test_a_forked_child_dies_of_sigterm_at_once(script: Script, repo: Path, only_run: OnlyRun) -> None:
    """It ends no run of its parent's, waits for no lock of a thread it doesn't have, and has what it logged kept."""
    script(
        """
        import os, signal, sys, threading, time, ledgit
        from ledgit.tracking import exits, session
        with ledgit.start_run():
            ready, tell = os.pipe()
            child = os.fork()
            if child == 0:
                ledgit.log_metric("m", 2.0)
                # As a lock stays that another thread of the parent's held while it forked.
                threading.Thread(target=lambda: (session.lock.acquire(), time.sleep(60)), daemon=True).start()
                os.write(tell, b"x")
                time.sleep(60)
                os._exit(9)
            os.read(ready, 1)
            time.sleep(0.2)
            began = time.monotonic()
            os.kill(child, signal.SIGTERM)
            _, status = os.waitpid(child, 0)
            assert -signal.SIGTERM == os.waitstatus_to_exitcode(status)
            assert time.monotonic() - began < exits.GRACE
        """
    )

    assert ("FINISHED", {"m": 2.0}) == (only_run().status, only_run().metrics)


def test_a_forked_child_ends_its_own_run_on_sigterm(script: Script, repo: Path) -> None:
    """The handler comes back with the run."""
    script(
        """
        import os, signal, time, ledgit
        with ledgit.start_run(run_name="parent"):
            ready, tell = os.pipe()
            child = os.fork()
            if child == 0:
                ledgit.start_run(run_name="child")
                os.write(tell, b"x")
                time.sleep(60)
                os._exit(9)
            os.read(ready, 1)
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        """
    )

    assert {"parent": "FINISHED", "child": "KILLED"} == {run.name: run.status for run in ledgit.open(repo).runs}


def test_the_scripts_own_sigterm_handler_is_left_alone(repo: Path, only_run: OnlyRun) -> None:
    """Whoever handles the signal decides how the run ends."""
    own = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    process = start(repo, WAITING.format(before=own))
    process.terminate()
    process.communicate(timeout=30)

    assert 7 == process.returncode
    assert "FINISHED" == only_run().status


def test_interrupting_fails_the_run(repo: Path, only_run: OnlyRun) -> None:
    """Ctrl-C is an exception that leaves the script."""
    process = start(repo, WAITING.format(before=""))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert "FAILED" == only_run().status


def test_sigkill_leaves_a_run_that_everybody_sees_as_killed(repo: Path, only_run: OnlyRun) -> None:
    """With all it had logged; and the next run can start."""
    process = start(repo, WAITING.format(before=""))
    process.kill()
    process.communicate(timeout=30)

    run = only_run()
    assert ("KILLED", {"m": 1.0}) == (run.status, run.metrics)


def test_ending_leaves_no_process_and_no_output(script: Script) -> None:
    """The library never prints."""
    done = script("import ledgit\nledgit.log_param('a', 1)\nledgit.log_artifact('data.csv')")

    assert ("", "") == (done.stdout, done.stderr)


def test_git_refusing_does_not_end_a_training(repo: Path) -> None:
    """It is said once; the run waits as a journal and is finalized when Git can again."""
    blocker = repo / ".git" / "refs" / "ledgit"
    blocker.write_text("in the way")
    with pytest.warns(LedgitWarning, match="kept as a journal"), ledgit.start_run() as run:
        ledgit.log_metric("m", 1)
    assert ("FINISHED", None) == (run.status, run.commit)
    blocker.unlink()
    ledgit.open(repo).recover()

    assert ("FINISHED", {"m": 1.0}) == (run.status, run.metrics)
    assert run.commit is not None


def test_a_run_begun_in_a_shell_stays_open_when_python_leaves_it(repo: Path, script: Script) -> None:
    """``ledgit record --start`` opens a run that no process holds; who ends it decides when."""
    from ledgit.store import ActiveRun, RunStart

    repository = ledgit.open(repo)
    begun = ActiveRun.create(repository.repo, RunStart(detached=True))
    begun.detach()
    script(f"import ledgit\nwith ledgit.start_run(run_id={begun.id!r}): ledgit.log_metric('m', 1)")

    run = repository.run(begun.id)
    assert ("RUNNING", {"m": 1.0}, None) == (run.status, dict(run.metrics), run.commit)


@pytest.mark.parametrize("variable", ["LEDGIT_RUN_ID", "MLFLOW_RUN_ID"])
def test_a_child_of_ledgit_run_joins_its_run(repo: Path, script: Script, only_run: OnlyRun, variable: str) -> None:
    """What it logs is in the parent's run; its end, and even its failure, do not end that."""
    parent = ledgit.start_run(run_name="parent")
    ledgit.log_param("a", 1)
    code = "import ledgit\nwith ledgit.start_run() as run:\n  ledgit.log_metric('m', 1)\n  ledgit.log_param('b', 2)\n"
    script(code + "assert not __import__('os').environ.get('LEDGIT_RUN_ID')", env={variable: parent.id})
    script("import ledgit; ledgit.log_metric('n', 2); raise SystemError", env={variable: parent.id}, check=False)

    assert "RUNNING" == parent.status
    assert {"m": 1.0, "n": 2.0} == parent.metrics
    ledgit.end_run()
    run = only_run()
    assert ("FINISHED", "parent", {"a": 1, "b": 2}) == (run.status, run.name, run.params)


def test_the_run_in_the_environment_counts_once(repo: Path, script: Script) -> None:
    """A second run of the child is one of its own, as in MLflow."""
    parent = ledgit.start_run()
    code = "import ledgit\nwith ledgit.start_run(): pass\nwith ledgit.start_run() as run: print(run.id)"
    other = script(code, env={"LEDGIT_RUN_ID": parent.id}).stdout.strip()
    ledgit.end_run()

    assert {parent.id, other} == {run.id for run in ledgit.open(repo).runs}
    assert other != parent.id


def test_the_environment_names_repository_and_experiment(repo: Path, tmp_path: Path) -> None:
    """For scripts that run elsewhere: LEDGIT_REPO, LEDGIT_EXPERIMENT and MLflow's name for it."""
    for variable in ("LEDGIT_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME"):
        env = {**os.environ, "LEDGIT_REPO": str(repo), variable: f"from {variable}"}
        subprocess.run([sys.executable, "-c", "import ledgit; ledgit.start_run()"], cwd=tmp_path, env=env, check=True)

    assert {"from LEDGIT_EXPERIMENT", "from MLFLOW_EXPERIMENT_NAME"} == {
        run.experiment for run in ledgit.open(repo).runs
    }


def test_trouble_is_said_once_and_at_the_line_that_logged(script: Script, repo: Path) -> None:
    """A sweep of many runs says it no more often than one, and never points into Ledgit's own files."""
    subprocess.run(["git", "config", "ledgit.snapshot", "sometimes"], cwd=repo, check=True)
    done = script("import ledgit\nfor _ in range(3):\n    with ledgit.start_run():\n        pass\n")

    assert 1 == done.stderr.count("LedgitWarning")
    assert "script.py:3: LedgitWarning: run " in done.stderr


def test_ctrl_c_while_the_last_run_is_ended_shows_no_traceback(script: Script, only_run: OnlyRun) -> None:
    """People press it twice; the journal has everything."""
    code = """
        import ledgit
        from ledgit.store import ActiveRun

        def interrupted(self, status):
            raise KeyboardInterrupt

        ActiveRun.finish = interrupted
        ledgit.log_metric("m", 1)
    """
    done = script(code)

    assert "" == done.stderr
    assert ("KILLED", {"m": 1.0}) == (only_run().status, only_run().metrics)
