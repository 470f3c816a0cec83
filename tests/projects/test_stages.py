"""What a pipeline did, read from dvc.lock: made by the real DVC, with foreach stages, cached and failing ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import run_git

from ledgit.projects.dvc_words import Repro, repro_of
from ledgit.projects.stages import before, record_stages

PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py, raw.csv, data/more.csv]
    params: [prepare.rows, token]
    outs: [clean.csv]
  train:
    foreach: [us, eu]
    do:
      cmd: python train.py ${item}
      deps: [train.py, clean.csv]
      params: [train, {other.yaml: null}]
      outs: ["models/${item}.txt"]
      metrics:
        - metrics/${item}.json: {cache: false}
  report:
    wdir: reports
    cmd: python ../report.py
    deps: [../models]
    outs: [summary.txt]
    metrics: [all.yaml: {cache: false}]
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "prepare: {rows: 2}\ntoken: abcdef\ntrain:\n  lr: 0.1\n  layers: [1, 2]\nunused: 1\n",
    "other.yaml": "deep: {a: true}\n",
    "raw.csv": "x\n1\n2\n3\n",
    "data/more.csv": "y\n",
    "prepare.py": "open('clean.csv', 'w').writelines(open('raw.csv').readlines()[:2])\n",
    "train.py": (
        "import json, os, sys\n"
        "if os.path.exists('fail') and sys.argv[1] == 'us': sys.exit('no')\n"
        "os.makedirs('models', exist_ok=True); os.makedirs('metrics', exist_ok=True)\n"
        "open(f'models/{sys.argv[1]}.txt', 'w').write(open('clean.csv').read())\n"
        "json.dump({'acc': len(sys.argv[1]) / 4, 'only_' + sys.argv[1]: 1, 'text': 'x', 'ok': True},"
        " open(f'metrics/{sys.argv[1]}.json', 'w'))\n"
    ),
    "report.py": (
        "open('summary.txt', 'w').write('x')\nopen('all.yaml', 'w').write('total: {files: 2, rate: 1e-3}\\n')\n"
    ),
    "reports/.keep": "",
}


def dvc(path: Path, *args: str) -> int:
    """Run the real DVC."""
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "1"}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", *args]
    return subprocess.run(command, cwd=path, env=environ, capture_output=True, check=False).returncode


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of four stages that never ran; one of its data files is DVC's."""
    path = tmp_path_factory.mktemp("made") / "project"
    for name, text in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    run_git(path, "init", "-q")
    assert 0 == dvc(path, "init", "-q")
    assert 0 == dvc(path, "add", "-q", "data/more.csv")
    return path


@pytest.fixture(scope="module")
def done(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline after it ran."""
    path = tmp_path_factory.mktemp("done") / "project"
    shutil.copytree(made, path)
    assert 0 == dvc(path, "repro", "-q")
    return path


@pytest.fixture
def project(done: Path, tmp_path: Path) -> Path:
    """A copy of the pipeline after it ran."""
    path = tmp_path / "project"
    shutil.copytree(done, path, symlinks=True)
    return path


PARAMS = {"prepare.rows": 2, "token": "***", "train.lr": 0.1, "train.layers": "[1, 2]", "deep.a": True}
METRICS = {
    "metrics/us.acc": 0.5,
    "metrics/eu.acc": 0.5,
    "only_us": 1.0,
    "only_eu": 1.0,
    "total.files": 2.0,
    "total.rate": 0.001,
}
STAGES = {"prepare", "train@us", "train@eu", "report"}


def test_a_first_repro_says_all_that_went_in_and_came_out(made: Path, tmp_path: Path) -> None:
    """Data by DVC's hash, programs and what the stages made themselves left out; params and metrics as declared."""
    path = tmp_path / "project"
    shutil.copytree(made, path)
    stages = before(str(path), ["dvc", "repro"])
    assert stages is not None
    assert 0 == dvc(path, "repro", "-q")

    facts = stages.after()

    assert (STAGES, set()) == (set(facts.ran), set(facts.kept))
    assert PARAMS == facts.params
    assert METRICS == facts.metrics
    assert {"dvc.lock": str(path / "dvc.lock")} == facts.lock
    named = {record.name: record for record in facts.inputs}
    assert {"raw.csv": md5(path / "raw.csv"), "data/more.csv": md5(path / "data/more.csv")} == {
        name: record.digest for name, record in named.items()
    }
    assert ("local", "raw.csv", "md5") == (named["raw.csv"].source_type, named["raw.csv"].source, named["raw.csv"].kind)
    assert '"pointer": "data/more.csv.dvc"' in named["data/more.csv"].source
    assert "dvc" == named["data/more.csv"].source_type


def test_a_repro_that_finds_everything_up_to_date_says_the_same(project: Path) -> None:
    """Nothing ran, and what the run stands for is what is there."""
    stages = before(str(project), ["dvc", "repro"])
    assert stages is not None

    facts = stages.after()

    assert ((), STAGES) == (facts.ran, set(facts.kept))
    assert (PARAMS, METRICS) == (facts.params, facts.metrics)
    assert ["data/more.csv", "raw.csv"] == sorted(record.name for record in facts.inputs)


def test_a_target_counts_with_what_it_was_made_by(project: Path) -> None:
    """Of the other stages nothing is said; a group of foreach stages is one target, a file another."""
    for target, expected in {
        "train@us": {"prepare", "train@us"},
        "train": {"prepare", "train@us", "train@eu"},
        "dvc.yaml:prepare": {"prepare"},
        "reports/summary.txt": STAGES,
    }.items():
        stages = before(str(project), ["dvc", "repro", "-f", target])
        assert stages is not None

        assert expected == set(stages.after().kept)


def test_of_a_repro_that_fails_only_what_ran_counts(project: Path) -> None:
    """Its old metrics are of other params: they are nobody's."""
    (project / "params.yaml").write_text(FILES["params.yaml"].replace("0.1", "0.2"))
    (project / "fail").touch()
    stages = before(str(project), ["python", "-m", "dvc", "repro", "-k"])
    assert stages is not None
    assert 0 != dvc(project, "repro", "-q", "-k")

    facts = stages.after(succeeded=False)

    assert (("train@eu",), ("prepare",)) == (facts.ran, facts.kept)
    assert 0.2 == facts.params["train.lr"]
    assert {"acc": 0.5, "only_eu": 1.0} == facts.metrics


def test_a_script_that_calls_dvc_is_known_by_the_lock_it_changed(project: Path) -> None:
    """A command that does not is nobody's stage."""
    stages = before(str(project), ["make", "all"])
    assert stages is not None
    assert {} == stages.after().lock
    lock = (project / "dvc.lock").read_text()
    (project / "dvc.lock").write_text(lock.replace(md5(project / "raw.csv"), "ab" * 16))

    facts = stages.after()

    assert (("prepare",), "ab" * 16) == (facts.ran, next(r.digest for r in facts.inputs if r.name == "raw.csv"))


def test_a_folder_without_dvc_has_no_stages(tmp_path: Path) -> None:
    """Looked at before every command, so it is nothing but a look."""
    assert before(str(tmp_path), ["dvc", "repro"]) is None


def test_a_broken_lock_says_nothing(project: Path) -> None:
    """DVC says what is wrong with it."""
    for text in ("stages: [", "[]", "stages: {a: 1}", "schema: '2.0'\nstages: {a: {deps: [1, {path: 2}], outs: x}}"):
        (project / "dvc.lock").write_text(text)
        stages = before(str(project), ["dvc", "repro"])
        assert stages is not None

        facts = stages.after()

        assert ((), {}, {}) == (facts.inputs, facts.params, facts.metrics)


def test_a_run_gets_what_the_stages_say(project: Path) -> None:
    """What the command logged itself stays; the lock is an artifact under its own name."""
    import ledgit
    from ledgit.store import ActiveRun, RunStart

    repository = ledgit.open(str(project))
    run = ActiveRun.create(repository.repo, RunStart())
    run.log_params({"train.lr": "mine"})
    run.log_metric("only_us", 7.0, 3)
    stages = before(str(project), ["dvc", "repro"], str(project))
    assert stages is not None

    record_stages(run, stages.after())
    run.finish("FINISHED")

    found = repository.run(run.id)
    assert {**PARAMS, "train.lr": "mine"} == dict(found.params)
    assert {**METRICS, "only_us": 7.0} == dict(found.metrics)
    assert ["data/more.csv", "raw.csv"] == sorted(record.name for record in found.record().inputs)
    assert (project / "dvc.lock").read_bytes() == found.read_artifact("dvc.lock")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("dvc repro", Repro()),
        ("/usr/bin/dvc --cd sub -q repro -f a b", Repro(["a", "b"], folder="sub")),
        ("python -m dvc repro -P", Repro(everything=True)),
        ("dvc exp run -S lr=1 -n name train", Repro(["train"])),
        ("dvc exp run --queue", None),
        ("dvc repro --dry", None),
        ("dvc pull", None),
        ("dvc", None),
        ("python train.py dvc-repro", None),
    ],
)
def test_a_command_of_dvcs_is_known(command: str, expected: Repro | None) -> None:
    """Whatever options stand in between."""
    assert expected == repro_of(command.split())


def test_a_shells_line_with_dvc_in_it_is_one_of_everything() -> None:
    """What exactly it does is the shell's affair."""
    assert Repro(everything=True) == repro_of(["sh", "-c", "make && dvc repro train"])


@given(st.lists(st.sampled_from(["dvc", "repro", "exp", "run", "--cd", "-S", "-P", "x", "--cd=y", "-n", "-", ""])))
def test_any_words_are_a_command_of_dvcs_or_not(words: list[str]) -> None:
    """Also such that DVC would refuse."""
    found = repro_of(words)

    assert found is None or set(found.targets) <= set(words)
