"""Runs of every kind are repeated, wherever they came from; those that can't be say why."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.repro.conftest import STEADY
from tests.repro.stage import Stage, said

import ledgit
from ledgit.errors import NotFound, RunStateError, UsageError
from ledgit.projects.repro import ReproOptions, audit

USE = "import ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('value', value)\n"
# Nothing of when they began or ended tells these runs apart, as on a machine that makes one in a millisecond.
FROZEN = """\
import ledgit.store.active, ledgit.store.journal
began = ledgit.store.journal.now_ms()
ledgit.store.active.now_ms = lambda: began
"""
MANY = """\
import sys
import ledgit as mlflow
for rate in (1, 2, 3):
    with mlflow.start_run():
        mlflow.log_param("rate", rate)
        mlflow.log_metric("value", rate * 10)
        with mlflow.start_run(nested=True):
            mlflow.log_metric("inner", rate * 100)
"""


def test_uncommitted_code_of_a_deleted_branch_in_a_sub_folder_is_repeated(stage: Stage, git) -> None:
    """The command runs where it ran, from the tree that ran."""
    git(stage.path, "switch", "-q", "-c", "trial")
    stage.write("sub/inner.py", "import ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('v', 1)\n")
    stage.commit()
    stage.write("sub/helper.txt", "7")
    stage.write(
        "sub/inner.py",
        "import ledgit as m\nwith m.start_run():\n    m.log_metric('v', int(open('helper.txt').read()))\n",
    )
    run = stage.python("inner.py", folder="sub")
    git(stage.path, "reset", "-q", "--hard")
    git(stage.path, "clean", "-qfd")
    git(stage.path, "switch", "-q", "main")
    git(stage.path, "branch", "-q", "-D", "trial")
    before = git(stage.path, "status", "--porcelain=v2", "--branch")
    verdict = stage.verdict(run)

    assert "identical" == verdict.level, said(verdict)
    assert 7 == verdict.metrics[0].wanted
    assert before == git(stage.path, "status", "--porcelain=v2", "--branch")
    assert "* main" == git(stage.path, "branch")


def test_a_tracked_command_is_repeated_with_what_it_kept(stage: Stage) -> None:
    """Params from the command line, files kept afterwards, and how it ended."""
    command = "echo hello > out.txt; exit 3"
    stage.ledgit("run", "-p", "lr=0.1", "--keep", "out.txt", "--", "sh", "-c", command, check=False)
    run = stage.newest()
    verdict = stage.verdict(run)
    repro = stage.newest()

    assert ("identical", "artifacts") == (verdict.level, verdict.compared), said(verdict)
    assert ({"lr": 0.1}, "3", "FAILED") == (repro.params, repro.tags["ledgit.exit_code"], repro.status)
    assert "out.txt" in [item.path for item in repro.artifacts()]


def test_a_command_that_logs_nothing_is_compared_by_how_it_ends(stage: Stage) -> None:
    """There is nothing else."""
    stage.ledgit("run", "--no-output", "--", "true")
    verdict = stage.verdict(stage.newest())

    assert ("identical", "exit code") == (verdict.level, verdict.compared), said(verdict)


def test_each_run_of_a_script_that_makes_many_is_compared_with_its_own(stage: Stage) -> None:
    """By params, and among equals by their order; the others are marked as by-products."""
    stage.write("many.py", MANY)
    stage.python("many.py")
    outer = next(run for run in stage.runs() if run.params.get("rate") == 2)
    inner = next(run for run in stage.runs() if run.metrics.get("inner") == 300)
    first, second = stage.repeat(outer), stage.repeat(inner)

    assert ["identical", "identical"] == [first.verdict.level, second.verdict.level], said(second.verdict)
    assert [20, 300] == [first.verdict.metrics[0].wanted, second.verdict.metrics[0].wanted]
    repros = [run for run in stage.runs() if "ledgit.repro" in run.tags]
    assert {(outer.id, 20), (inner.id, 300)} == {
        (run.tags["ledgit.repro"], run.metrics.get("value") or run.metrics.get("inner")) for run in repros
    }
    assert 10 == sum("ledgit.repro.by" in run.tags and "ledgit.repro" not in run.tags for run in stage.runs())


def test_an_audit_runs_a_script_that_makes_many_runs_once(stage: Stage) -> None:
    """What it made settles them all, nested ones too, and the next audit finds their verdicts."""
    stage.write("many.py", MANY)
    stage.python("many.py")
    originals = stage.runs()
    repository = ledgit.open(stage.path)
    found = audit(repository, originals, ReproOptions(show=False))
    again = audit(repository, originals, ReproOptions(show=False))

    assert [("identical", False)] * 6 == [(one.level, one.earlier) for one in found.runs]
    assert [True] * 6 == [one.earlier for one in again.runs]
    assert 12 == len(stage.runs())
    repros = {run.tags["ledgit.repro"]: run.metrics for run in stage.runs() if "ledgit.repro" in run.tags}
    assert {run.id: run.metrics for run in originals} == repros


def test_nested_runs_that_begin_in_one_millisecond_keep_their_parents(stage: Stage) -> None:
    """Their own params don't tell which is which, and neither does the time: what they are nested in does."""
    stage.write("many.py", FROZEN + MANY.replace("3)", "3, 4, 5)"))
    stage.python("many.py")
    originals = stage.runs()
    found = audit(ledgit.open(stage.path), originals, ReproOptions(show=False))

    assert 1 == len({run.start for run in originals})
    assert [("identical", False)] * 10 == [(one.level, one.earlier) for one in found.runs]
    assert 20 == len(stage.runs())


def test_further_runs_of_every_kind_belong_to_the_repetition(stage: Stage) -> None:
    """Those of a client, and of commands that the command starts: audits don't take them for runs of their own."""
    stage.write(
        "kinds.py",
        "import subprocess, sys, ledgit as mlflow\nfrom ledgit.client import MlflowClient\n"
        "mlflow.start_run()\nmlflow.log_metric('value', 1)\nmlflow.end_run()\n"
        "client = MlflowClient()\nmade = client.create_run('0')\nclient.log_metric(made.info.run_id, 'by', 2)\n"
        "client.set_terminated(made.info.run_id)\n"
        "for words in (['record', '-m', 'by=3'], ['run', '-p', 'by=4', '--', 'true']):\n"
        "    subprocess.run([sys.executable, '-m', 'ledgit', *words], check=True)\n",
    )
    stage.python("kinds.py")
    stage.verdict(stage.runs()[-1])

    assert 4 == sum("ledgit.repro" in run.tags or "ledgit.repro.by" in run.tags for run in stage.runs())
    assert 8 == len(stage.runs())


@pytest.mark.parametrize("depth", [(), ("--depth", "1")], ids=["whole", "shallow"])
def test_a_colleague_repeats_a_run_that_was_pulled(stage: Stage, git, tmp_path: Path, depth: tuple[str, ...]) -> None:
    """The run's code comes with it; also where the clone has no history."""
    stage.write("train.py", STEADY + "    mlflow.log_param('dirty', True)\n")
    run = stage.python(str(stage.path / "train.py"))
    git(tmp_path, "init", "-q", "--bare", "host.git")
    git(stage.path, "remote", "add", "origin", str(tmp_path / "host.git"))
    git(stage.path, "push", "-q", "origin", "main")
    stage.ledgit("push", "--all")
    git(tmp_path, "clone", "-q", *depth, f"file://{tmp_path}/host.git", "colleague")
    colleague = Stage(tmp_path / "colleague")
    colleague.ledgit("pull")
    (stage.path / "train.py").unlink()  # the recorded command names it by its absolute path
    done = colleague.ledgit("repro", run.id, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "reproduced: identical" in done.stdout


def test_secrets_that_the_command_lacks_are_asked_for_and_not_recorded(stage: Stage) -> None:
    """Each by the name of its option."""
    code = "import sys, ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('length', len(sys.argv[2]))\n"
    stage.write("login.py", code)
    run = stage.python("login.py", "--password", "open sesame")

    with pytest.raises(UsageError, match="--set password=VALUE"):
        stage.verdict(run)
    with pytest.raises(UsageError, match="lacks no such word"):
        stage.verdict(run, secrets={"password": "x", "token": "y"})
    verdict = stage.verdict(run, secrets={"password": "open sesame"})
    assert "identical" == verdict.level, said(verdict)
    assert "sesame" not in " ".join(stage.newest().record().info.command)


def test_runs_that_can_not_be_repeated_say_why(stage: Stage, git) -> None:
    """The reason, and what to do."""
    run = stage.python("-c", STEADY)
    assert "identical" == stage.verdict(run).level
    stage.ledgit("record", "-m", "value=1")
    with pytest.raises(RunStateError, match="ledgit record"):
        stage.verdict(stage.newest())
    git(stage.path, "config", "ledgit.snapshot", "none")
    bare = stage.python("train.py")
    assert "identical" == stage.verdict(bare).level  # nothing was uncommitted, so the commit is all there is
    stage.ledgit("rm", run.id)
    with pytest.raises(RunStateError, match="is deleted"):
        stage.verdict(run)
    with ledgit.start_run(), pytest.raises(RunStateError, match="still running"):
        stage.verdict(ledgit.open().runs[0])


def test_imported_runs_without_code_need_a_revision(stage: Stage, git, tmp_path: Path) -> None:
    """In another repository, where their commit is not."""
    run = stage.python("train.py")
    stage.ledgit("export", run.id, str(tmp_path / "out"))
    other = Stage(tmp_path / "other")
    other.path.mkdir()
    git(other.path, "init", "-q")
    other.write("train.py", STEADY)
    other.commit()
    other.ledgit("import", str(tmp_path / "out"))

    with pytest.raises((RunStateError, NotFound), match="--code REV"):
        other.verdict(run)
    assert "identical" == other.verdict(run, code="HEAD").level


PROJECT = """\
name: stage
entry_points:
  train:
    parameters:
      alpha: {type: float, default: 0.5}
    command: "python train.py {alpha} | cat"
"""


def test_runs_of_projects_and_trials_of_sweeps_are_repeated(stage: Stage) -> None:
    """In the folder and by the command that the project had; a sweep itself is no run to repeat."""
    code = (
        "import sys, ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('m', 2 * float(sys.argv[1]))\n"
    )
    stage.write("inner/train.py", code)
    stage.write("inner/MLproject", PROJECT)
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    stage.ledgit("run", "inner", "-e", "train", "-P", "alpha=0.25", PATH=path)
    project = stage.verdict(stage.newest())
    stage.start(sys.executable, "-m", "ledgit", "sweep", "train", "-P", "alpha=1,2", folder="inner", PATH=path)
    trial = next(run for run in stage.runs() if run.tags.get("ledgit.sweep.trial") == "1")
    repeated = stage.repeat(trial)
    repro = stage.newest()

    assert ("identical", 0.5) == (project.level, project.metrics[0].wanted), said(project)
    assert ("identical", 4.0) == (repeated.verdict.level, repeated.verdict.metrics[0].wanted), said(repeated.verdict)
    assert not {"ledgit.sweep.trial", "ledgit.sweep.state"} & repro.tags.keys()
    with pytest.raises(RunStateError, match="its trials"):
        stage.verdict(next(run for run in stage.runs() if "ledgit.sweep" in run.tags))


def test_a_program_that_is_gone_is_named(stage: Stage, tmp_path: Path) -> None:
    """It was not in the repository."""
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    stage.ledgit("run", "--", str(tool))
    tool.unlink()
    verdict = stage.verdict(stage.newest())

    assert ("failed", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert str(tool) in verdict.reasons[0].text


def test_code_is_not_taken_from_the_users_work_tree(stage: Stage) -> None:
    """Where it is, by an absolute path, it is said; a path of the interpreter's leads into the work folder."""
    stage.write("src/package/__init__.py", "VALUE = 1\n")
    stage.write("conf.txt", "1")
    stage.write("other.py", f"value = float(open({str(stage.path / 'conf.txt')!r}).read())\n" + USE)
    stage.write("use.py", "from package import VALUE as value\n" + USE)
    stage.commit()
    paths = {"PYTHONPATH": str(stage.path / "src")}
    used, other = stage.python("use.py", **paths), stage.python("other.py")
    stage.write("src/package/__init__.py", "VALUE = 2\n")
    stage.write("conf.txt", "2")
    ours = stage.ledgit("repro", used.id, "--no-output", check=False, **paths)
    without, elsewhere = stage.verdict(used), stage.verdict(other)

    assert (0, "code") == (ours.returncode, ",".join(elsewhere.classes)), ours.stdout + said(elsewhere)
    assert "conf.txt" in elsewhere.reasons[0].text
    assert ("failed", ("environment",)) == (without.level, without.classes), said(without)
    assert "PYTHONPATH" in without.reasons[0].text
