"""``ledgit run -- COMMAND``: any command is a run."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ledgit

Cli = Callable[..., Any]


def python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


def newest(cli: Cli) -> Any:
    return cli("show", "--json").json


def test_a_command_is_recorded_with_its_output(process: Cli, repo: Path) -> None:
    (repo / "job.py").write_text("import sys; print('working'); print('oops', file=sys.stderr); sys.exit(3)\n")
    ran = process(
        "run", "-p", "lr=0.1", "-t", "k=v", "--name", "job", "--", sys.executable, "job.py", "--password", "x", code=3
    )
    run = newest(process)

    assert ran.out == "working\n"
    assert ran.err.splitlines() == [f"ledgit: run job ({run['id'][:8]})", "oops"]
    assert (run["status"], run["params"], run["tags"]["ledgit.exit_code"]) == ("FAILED", {"lr": 0.1}, "3")
    assert run["entry_point"] == "job.py"
    assert "x" not in run["command"]
    output = ledgit.open(str(repo)).run("job").read_artifact("output.log")
    assert sorted(output.decode().splitlines()) == ["oops", "working"]


def test_a_command_that_succeeds_is_finished(process: Cli) -> None:
    process("run", "--no-output", *python("pass"))
    run = newest(process)

    assert (run["status"], run["artifacts"]) == ("FINISHED", [])
    assert run["end"] is not None


def test_the_code_as_it_ran_is_kept(process: Cli, repo: Path, git: Callable[..., str]) -> None:
    """Uncommitted, and changed while it runs."""
    (repo / "train.py").write_text("print('uncommitted')\n")
    process("run", "--", "sh", "-c", "sleep 0.3; echo changed > train.py")

    commit = newest(process)["commit"]
    assert git(repo, "show", f"{commit}:train.py") == "print('uncommitted')"
    assert newest(process)["code"]["dirty"] is True


def test_what_the_child_logs_goes_into_the_same_run(process: Cli) -> None:
    code = "import ledgit as mlflow\nmlflow.log_param('child', 1)\nmlflow.log_metric('loss', 0.5, step=2)"
    process("run", "-p", "parent=1", *python(code))
    (run,) = process("ls", "--json").json

    assert (run["params"], run["metrics"], run["status"]) == ({"parent": 1, "child": 1}, {"loss": 0.5}, "FINISHED")


def test_a_shell_script_logs_by_record(process: Cli) -> None:
    me = f"{sys.executable} -m ledgit record"
    process("run", "--", "sh", "-c", f"{me} -m loss=2 --step 0 && {me} -m loss=1 --step 1 -p lr=0.1 data.csv")
    (run,) = process("ls", "--json").json

    assert (run["metrics"], run["params"]) == ({"loss": 1.0}, {"lr": 0.1})
    assert [item["path"] for item in newest(process)["artifacts"]] == ["data.csv", "output.log"]


def test_a_run_in_a_run_is_nested(process: Cli) -> None:
    process("run", "--name", "outer", "--", sys.executable, "-m", "ledgit", "run", "--name", "inner", *python("pass"))
    runs = {run["name"]: run for run in process("ls", "--json").json}

    assert runs["inner"]["parent_run"] == runs["outer"]["id"]


def test_files_are_kept_when_asked_for(process: Cli, repo: Path) -> None:
    code = "import os; os.makedirs('out/a'); open('out/a/model.bin', 'wb').write(b'm')"
    ran = process("run", "--no-output", "--keep", "out", "--keep", "never-made", *python(code))

    assert [item["path"] for item in newest(process)["artifacts"]] == ["out/a/model.bin"]
    assert "never-made" in ran.err


def test_a_command_that_is_not_there_makes_no_run(process: Cli) -> None:
    ran = process("run", "--", "no-such-command", code=127)

    assert "there is no command 'no-such-command'" in ran.err
    assert process("ls", "--json").json == []


def test_the_dashes_are_asked_for(process: Cli) -> None:
    assert "ledgit run -- python train.py" in process("run", "python", "train.py", code=2).err
    assert "no command after '--'" in process("run", "--", code=2).err


def test_a_signal_reaches_the_command_and_the_run_is_killed(process: Cli, repo: Path) -> None:
    code = "import time; print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "ledgit", "run", *python(code)],
        cwd=repo,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 143

    run = newest(process)
    assert (run["status"], run["tags"]["ledgit.exit_code"]) == ("KILLED", "143")


def test_what_was_printed_survives_a_kill_of_ledgit_itself(process: Cli, repo: Path) -> None:
    """The log is written as it comes, not at the end."""
    code = "import os, time; print('ready', flush=True)\nwhile not os.path.exists('ended'): time.sleep(0.02)"
    with subprocess.Popen(
        [sys.executable, "-m", "ledgit", "run", "--name", "doomed", *python(code)],
        cwd=repo,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.kill()
        running.wait(timeout=30)
    (repo / "ended").touch()
    process("init")
    run = newest(process)

    assert (run["name"], run["status"]) == ("doomed", "KILLED")
    assert ledgit.open(str(repo)).run("doomed").read_artifact("output.log") == b"ready\n"


def test_a_script_that_may_not_be_executed_says_so(process: Cli, repo: Path) -> None:
    """With the exit code that a shell has for it."""
    (repo / "train.sh").write_text("echo hi\n")

    assert "'./train.sh' may not be executed" in process("run", "--", "./train.sh", code=126).err
    assert process("ls", "--json").json == []
