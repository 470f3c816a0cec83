"""What differs is named, class by class: planted differences in real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.repro.stage import Stage, said

import ledgit
from ledgit.repository import Run
from ledgit.store import ActiveRun, RunStart
from ledgit.store.given import take_facts

LOGGING = "import ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('value', float(value))\n"
INPUT = (
    "import sys, ledgit as mlflow\npath = sys.argv[1]\nwith mlflow.start_run():\n    mlflow.log_input(path)\n"
    "    mlflow.log_metric('value', float(open(path).read()))\n"
)
DRAW = "import random\nvalue = random.random()\n"
SYSTEM = "import os\nvalue = int.from_bytes(os.urandom(4), 'big')\n"


def as_from(stage: Stage, command: tuple[str, ...], value: float, **changes: object) -> Run:
    """Record a run of the work tree as another machine would: with its facts and its result."""
    repository = ledgit.open(stage.path)
    with take_facts(repository.repo) as facts:
        elsewhere = facts.with_environment({**facts.env, **changes})
        active = ActiveRun.create(repository.repo, RunStart(command=command, facts=elsewhere, directory=""))
        active.log_metric("value", value)
        active.finish()
    return ledgit.open(stage.path).run(active.id)


# ---------------------------------------------------------------------- none


def test_a_run_that_is_the_same_each_time_is_reproduced(stage: Stage) -> None:
    """Every point is compared, nothing differs, and the repetition is a run of the same experiment and code."""
    run = stage.python("train.py")
    made = stage.repeat(run)

    assert ("identical", ()) == (made.verdict.level, made.verdict.classes), said(made.verdict)
    assert [3] == [check.points for check in made.verdict.metrics]
    repro = stage.newest()
    assert (run.id, "identical") == (repro.tags["ledgit.repro"], repro.tags["ledgit.repro.verdict"])
    assert (run.experiment, run.code.tree, run.code.commit) == (repro.experiment, repro.code.tree, repro.code.commit)
    assert f"{run.name}-repro" == repro.name
    assert {"lr": 0.1} == repro.params
    assert not (stage.path / ".git" / "worktrees").exists()


# ---------------------------------------------------------------------- code


def test_code_a_file_that_git_ignores_is_named(stage: Stage) -> None:
    """The snapshot can't have it; the trace knows that the program wanted it."""
    stage.write("local/rate.local", "3")
    code = "try:\n    value = open('local/rate.local').read()\nexcept OSError:\n    value = 1\n"
    stage.write("ignored.py", code + LOGGING)
    verdict = stage.verdict(stage.python("ignored.py"))

    assert ("different", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert "local/rate.local" in verdict.reasons[0].text


def test_code_a_module_that_git_ignores_is_named(stage: Stage) -> None:
    """Modules that don't come are asked for without any file being opened."""
    stage.write("settings_local.py", "VALUE = 3\n")
    code = "try:\n    from settings_local import VALUE as value\nexcept ImportError:\n    value = 1\n"
    stage.write("ignored.py", code + LOGGING)
    verdict = stage.verdict(stage.python("ignored.py"))

    assert ("different", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert "settings_local.py" in verdict.reasons[0].text


def test_code_a_file_too_large_for_the_snapshot_is_named(stage: Stage, git) -> None:
    """Where the command can't do without, it fails, and the verdict says for want of what."""
    git(stage.path, "config", "ledgit.snapshotMaxFile", "1000")
    stage.write("weights.txt", "3" + " " * 2000)
    stage.write("large.py", "value = open('weights.txt').read()\n" + LOGGING)
    verdict = stage.verdict(stage.python("large.py"))

    assert ("failed", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert "weights.txt" in verdict.reasons[0].text
    assert "FileNotFoundError" in said(verdict)


def test_code_another_revision_is_named_with_its_files(stage: Stage) -> None:
    """And a file that the program does not open blames nothing."""
    stage.write("other.py", "value = 1\n" + LOGGING)
    stage.commit()
    run = stage.python("other.py")
    stage.write("other.py", "value = 2\n" + LOGGING)
    stage.write("README.md", "changed\n")
    stage.commit()
    verdict = stage.verdict(run, code="HEAD")

    assert ("different", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert "other.py" in verdict.reasons[0].text
    assert "README.md" not in verdict.reasons[0].text


ASKS = """\
import os, pathlib
found = os.path.exists('local/rate.local'), pathlib.Path('local').is_dir(), os.access('settings.txt', os.R_OK)
value = sum(found) + len(os.listdir('local') if found[1] else ())
made = pathlib.Path('out'); made.mkdir(exist_ok=True)
"""


def test_code_that_asks_for_ignored_files_and_opens_none_is_told_of_them(stage: Stage) -> None:
    """What the program makes itself, and what it does not ask for, is not named."""
    stage.write(".gitignore", "settings.txt\nother.txt\nout/\nlocal/\n")
    for name in ("settings.txt", "local/rate.local", "other.txt", "out/result.txt"):
        stage.write(name, "3")
    stage.write("asks.py", ASKS + LOGGING)
    verdict = stage.verdict(stage.python("asks.py"))

    assert ("different", ("code",)) == (verdict.level, verdict.classes), said(verdict)
    assert ["local", "local/rate.local", "settings.txt"] == [one.text.partition(" ")[0] for one in verdict.reasons]


def test_code_that_no_tree_has_is_named_by_the_module_that_is_gone_or_changed(stage: Stage, tmp_path: Path) -> None:
    """A folder on PYTHONPATH, outside of the repository: changed since, not named any more, and only tried."""
    helper = tmp_path / "lib" / "helper.py"
    helper.parent.mkdir()
    helper.write_text("VALUE = 1\n")
    stage.write("needs.py", "from helper import VALUE as value\n" + LOGGING)
    tries = "try:\n    from helper import VALUE as value\nexcept ImportError:\n    value = 7\n"
    stage.write("tries.py", tries + LOGGING)
    path = {"PYTHONPATH": str(helper.parent)}
    needs, tried = stage.python("needs.py", **path), stage.python("tries.py", **path)
    gone, without = stage.verdict(needs), stage.verdict(tried)
    helper.write_text("VALUE = 22\n")
    changed = stage.json("repro", needs.id, **path)

    assert ("failed", ("code",)) == (gone.level, gone.classes), said(gone)
    assert "the module helper is neither in the run's tree nor" in gone.reasons[0].text
    assert "code: the module helper, which tries.py imports, is not found" in said(without)
    assert ("different", ["code"]) == (changed["verdict"], changed["classes"]), changed
    assert str(helper) in changed["reasons"][0]["text"]


# ---------------------------------------------------------------------- data


def test_data_an_outside_file_that_changed_is_named(stage: Stage, tmp_path: Path) -> None:
    """Its digest was recorded."""
    data = tmp_path / "data.txt"
    data.write_text("1")
    stage.write("input.py", INPUT)
    run = stage.python("input.py", str(data))
    same = stage.verdict(run)
    data.write_text("2")
    verdict = stage.verdict(run)

    assert "identical" == same.level, said(same)
    assert ("different", ("data",)) == (verdict.level, verdict.classes), said(verdict)
    assert str(data) in verdict.reasons[0].text


def test_data_without_a_digest_is_known_by_the_time_of_its_last_change(stage: Stage, tmp_path: Path) -> None:
    """Nobody logged it; the trace sees that it is read."""
    data = tmp_path / "data.txt"
    data.write_text("1")
    stage.write("plain.py", f"value = open({str(data)!r}).read()\n" + LOGGING)
    run = stage.python("plain.py")
    data.write_text("2")
    verdict = stage.verdict(run)

    assert ("different", ("data",)) == (verdict.level, verdict.classes), said(verdict)
    assert str(data) in verdict.reasons[0].text


# ---------------------------------------------------------------------- hardware


def test_hardware_of_another_machine_is_named(stage: Stage) -> None:
    """The run was made elsewhere, where there were more processors of another kind."""
    stage.write("machine.py", "import os\nvalue = os.cpu_count()\n" + LOGGING)
    run = as_from(stage, ("python", "machine.py"), 512.0, cpu="Cray-1", cpus=512)
    verdict = stage.verdict(run)

    assert ("different", ("hardware",)) == (verdict.level, verdict.classes), said(verdict)
    assert {"CPU", "number of CPUs"} == {one.text.partition(":")[0] for one in verdict.reasons}


def test_hardware_that_a_process_may_not_use_does_not_count(stage: Stage) -> None:
    """Bound to one processor, as by a scheduler, programs start another number of threads."""
    allowed = os.sched_getaffinity(0)
    stage.write("machine.py", "import os\nvalue = len(os.sched_getaffinity(0))\n" + LOGGING)
    run = stage.python("machine.py")
    os.sched_setaffinity(0, {min(allowed)})
    try:
        verdict = stage.verdict(run)
    finally:
        os.sched_setaffinity(0, allowed)

    if len(allowed) == 1:
        assert "identical" == verdict.level, said(verdict)
    else:
        assert ("different", ("hardware",)) == (verdict.level, verdict.classes), said(verdict)
        assert f"number of CPUs: {len(allowed)} → 1" == verdict.reasons[0].text


# ---------------------------------------------------------------------- randomness


@pytest.mark.parametrize("draw", [DRAW, SYSTEM], ids=["unseeded", "from the system"])
def test_randomness_alone_is_named(stage: Stage, draw: str) -> None:
    """One more repeat is made without being asked for, and differs from the first."""
    stage.write("random_one.py", draw + LOGGING)
    verdict = stage.verdict(stage.python("random_one.py"))

    assert ("different", ("randomness",), 2) == (verdict.level, verdict.classes, verdict.repeats), said(verdict)


def test_enough_repeats_make_a_random_run_consistent(stage: Stage, tmp_path: Path) -> None:
    """It is one of them, as far as five numbers tell; what chance gives is written down, lest the test fail by it."""
    drawn = tmp_path / "drawn"
    drawn.write_text("1.0 1.1 0.9 1.05 0.95 1.02")
    code = f"path = {str(drawn)!r}\nvalue, *rest = open(path).read().split()\nopen(path, 'w').write(' '.join(rest))\n"
    stage.write("narrow.py", code + LOGGING)
    verdict = stage.verdict(stage.python("narrow.py"), repeats=5)

    assert ("consistent", ()) == (verdict.level, verdict.classes), said(verdict)
    assert "randomness: repeats of the same differ from each other: value is 0.9 to 1.1" in said(verdict)


# ---------------------------------------------------------------------- two at once


def test_two_classes_at_once_are_both_named(stage: Stage, tmp_path: Path) -> None:
    """Changed data, and a draw from an unseeded generator."""
    data = tmp_path / "data.txt"
    data.write_text("1")
    stage.write("both.py", INPUT + "    import random\n    mlflow.log_metric('drawn', random.random())\n")
    run = stage.python("both.py", str(data))
    data.write_text("2")
    verdict = stage.verdict(run)

    assert ("different", ("data", "randomness")) == (verdict.level, verdict.classes), said(verdict)


def test_code_that_is_only_asked_for_and_another_machine_are_both_named(stage: Stage) -> None:
    """An ignored file that the program does not open, and other processors."""
    stage.write("rate.local", "3")
    stage.write("asks.py", "import os\nvalue = os.path.isfile('rate.local') + os.cpu_count()\n" + LOGGING)
    run = as_from(stage, ("python", "asks.py"), 513.0, cpus=512)
    verdict = stage.verdict(run)

    assert ("different", ("code", "hardware")) == (verdict.level, verdict.classes), said(verdict)


def test_a_difference_that_changes_nothing_is_a_note(stage: Stage) -> None:
    """Another machine, the same result."""
    stage.write("value.py", "value = 1\n" + LOGGING)
    run = as_from(stage, ("python", "value.py"), 1.0, cpu="Cray-1")
    verdict = stage.verdict(run)

    assert ("identical", ()) == (verdict.level, verdict.classes), said(verdict)
    assert "hardware: CPU: Cray-1" in said(verdict)
