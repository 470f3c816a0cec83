"""``ledgit repro`` as people use it: exit codes, JSON, audits, what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.repro.stage import Stage, said

LOGGING = "import ledgit as mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('value', float(value))\n"
HASHED = "value = list({'one', 'two', 'three', 'four', 'five', 'six'}).index('one') + hash('x') / 2**70\n" + LOGGING


def wait_until(condition, seconds: float = 60) -> None:
    """Wait for a state, however slow the machine is."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def test_exit_codes_and_json(stage: Stage) -> None:
    """0 reproduced, 1 not, 2 wrong words, 3 no such run, 4 not repeatable; JSON has everything, and nothing else."""
    run = stage.python("train.py")
    good = stage.ledgit("repro", run.id, "--json")
    document = json.loads(good.stdout)
    assert (run.id, "identical", True, []) == tuple(
        document[key] for key in ("run", "verdict", "reproduced", "classes")
    )
    assert [["loss", "identical", 3]] == [
        [one[key] for key in ("name", "level", "points")] for one in document["metrics"]
    ]
    assert [stage.newest().id] == [one["id"] for one in document["reproductions"]]

    stage.write("train.py", (stage.path / "train.py").read_text().replace("1 /", "2 /"))
    stage.commit("double")
    bad = stage.ledgit("repro", run.name, "--code", "HEAD", check=False)
    assert 1 == bad.returncode, bad.stderr
    assert "not reproduced" in bad.stdout
    assert "different: code" in bad.stdout
    assert "ledgit diff" in bad.stdout
    within = stage.ledgit("repro", run.id, "--code", "HEAD", "--tolerance", "lo*=50%", "--no-output")
    assert "within tolerance" in within.stdout

    stage.ledgit("record", "-m", "value=1")
    codes = {
        (): 2,
        (run.id, "--many", ""): 2,
        (run.id, "--tolerance", "x=y"): 2,
        (run.id, "--repeats", "0"): 2,
        (run.id, "--set", "a=b"): 2,
        (run.id, "--env-manager", "nix"): 2,
        ("no-such-run",): 3,
        (run.id, "--code", "no-such-branch"): 3,
        (stage.newest().id,): 4,
    }
    assert list(codes.values()) == [stage.ledgit("repro", *words, check=False).returncode for words in codes]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(stage: Stage) -> None:
    """Command, folder, environment, data, what lacks."""
    (stage.path / "sub").mkdir()
    run = stage.python("../train.py", folder="sub")
    before = len(stage.runs())
    shown = stage.ledgit("repro", run.id, "--dry-run").stdout
    plan = stage.json("repro", run.id, "--dry-run")

    assert "in sub/" in shown
    assert "../train.py" in shown
    assert ("sub", True, run.code.tree, []) == tuple(
        plan[key] for key in ("directory", "repeatable", "tree", "lacking")
    )
    assert before == len(stage.runs())


def test_diff_explains_a_repetition_by_itself(stage: Stage) -> None:
    """With one run, a repetition is compared with what it repeats."""
    run = stage.python("train.py")
    stage.python("train.py")
    stage.repeat(run)
    document = stage.json("diff", stage.newest().id)

    assert [run.id, stage.newest().id] == [one["id"] for one in document["runs"]]
    assert [] == document["metrics"]
    stage.write("train.py", (stage.path / "train.py").read_text().replace("1 /", "2 /"))
    stage.commit()
    other = stage.repeat(run, code="HEAD")
    said = stage.ledgit("diff", run.id, other.runs[0]).stdout
    assert "repeated: different: code\n  code: HEAD instead of the run's tree: other train.py" in said


def test_an_audit_goes_on_where_it_was_and_repetitions_are_not_audited(stage: Stage) -> None:
    """One line a run; what was repeated with the same code is not repeated again."""
    stage.python("train.py")
    stage.write("random_one.py", "import random\nvalue = random.random()\n" + LOGGING)
    stage.python("random_one.py")
    stage.ledgit("record", "-m", "value=1")
    first = stage.ledgit("repro", "--experiment", "Default", check=False)
    count = len(stage.runs())
    second = stage.json("repro", "--many", "")
    again = stage.json("repro", "--many", "params.lr = 0.1", "--again")

    assert 1 == first.returncode
    assert [3, "identical", "different: randomness", "not repeatable"] == [
        len(first.stdout.splitlines()),
        *(part for part in ("identical", "different: randomness", "not repeatable") if part in first.stdout),
    ]
    assert [("identical", True), ("different", True), ("not repeatable", False)] == [
        (one["verdict"], one["earlier"]) for one in second["runs"]
    ]
    assert count + 1 == len(stage.runs())  # the one that was asked for again
    assert ({"identical": 1}, True) == (again["counts"], again["reproduced"])


def test_a_diagnosis_says_what_of_the_randomness_goes_away(stage: Stage) -> None:
    """The order of a set goes with the hash seed; what the system draws stays."""
    stage.write("hashed.py", HASHED)
    stage.write("system.py", "import os\nvalue = int.from_bytes(os.urandom(4), 'big')\n" + LOGGING)
    hashed = stage.repeat(stage.python("hashed.py"), diagnose=True)
    system = stage.repeat(stage.python("system.py"), diagnose=True, repeats=2)

    assert hashed.diagnosis is not None
    assert system.diagnosis is not None
    assert (("randomness",), 1) == (hashed.verdict.classes, len(hashed.diagnosis.settings)), said(hashed.verdict)
    assert "goes away with a fixed hash seed" in hashed.diagnosis.text
    assert (("randomness",), 3) == (system.verdict.classes, len(system.diagnosis.settings))
    assert "os.urandom" in system.diagnosis.text


def test_a_command_that_hangs_is_ended(stage: Stage) -> None:
    """Nothing of it is left behind, and the verdict says it."""
    stage.write(
        "hang.py",
        "import os, time\nif os.path.exists('/proc') and 'ledgit/work' in os.getcwd(): time.sleep(600)\nvalue = 1\n"
        + LOGGING,
    )
    verdict = stage.verdict(stage.python("hang.py"), timeout=2)

    assert "failed" == verdict.level
    assert "timeout of 2 s" in said(verdict)
    assert "KILLED" == stage.newest().status
    assert [] == os.listdir(stage.path / ".git" / "ledgit" / "work")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_interrupted_reproduction_leaves_nothing_that_the_next_does_not_clean(
    stage: Stage, tmp_path: Path, number: int
) -> None:
    """Ctrl-C: what ran is recorded as killed. SIGKILL: the next command finalizes it and removes the folder."""
    flag, going = tmp_path / "flag", tmp_path / "going"
    code = f"import os, time\nif os.path.exists({str(flag)!r}):\n"
    code += f"    open({str(going)!r}, 'w').close()\n    time.sleep(600)\n"
    stage.write("slow.py", code + "value = 1\n" + LOGGING)
    run = stage.python("slow.py")
    flag.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "ledgit", "repro", run.id], cwd=stage.path, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(going.exists)
    process.send_signal(number)
    process.wait(60)
    if number == signal.SIGKILL:
        for pid in _working_in(stage.path / ".git" / "ledgit" / "work"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _working_in(stage.path / ".git" / "ledgit" / "work"))
    flag.unlink()
    done = stage.ledgit("repro", run.id, "--no-output")

    assert {signal.SIGINT: 130, signal.SIGKILL: -9}[number] == process.returncode
    assert "reproduced" in done.stdout
    repros = [one for one in stage.runs() if "ledgit.repro" in one.tags]
    assert ["FINISHED", "KILLED"] == [one.status for one in repros]
    assert ["identical", None] == [one.tags.get("ledgit.repro.verdict") for one in repros]
    assert [] == os.listdir(stage.path / ".git" / "ledgit" / "work")
    assert not (stage.path / ".git" / "worktrees").exists()


def _working_in(folder: Path) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/cwd").startswith(str(folder)):
                    found.append(int(name))
            except OSError:
                continue
    return found
