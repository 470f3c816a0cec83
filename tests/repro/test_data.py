"""Data of a repetition: fetched, hashed, and named where they are not what the run saw."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests.repro.stage import Stage, said

import ledgit
from ledgit.errors import RunStateError
from ledgit.projects.repro.data import fetch_inputs, fetch_tracked
from ledgit.projects.repro.recipe import recipe_of_record
from ledgit.records.inputs import InputRecord
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo
from ledgit.store import ActiveRun, RunStart

INPUT = (
    "import sys, ledgit as mlflow\npath = sys.argv[1]\nwith mlflow.start_run():\n    mlflow.log_input(path)\n"
    "    mlflow.log_metric('value', float(open(path).read()))\n"
)


ONE = "c4ca4238a0b923820dcc509a6f75849b"  # MD5 of "1"


@pytest.fixture
def tracked(stage: Stage, tmp_path: Path) -> Stage:
    """The stage with a file that DVC tracks, as ``dvc init``, ``add`` and ``push`` leave it: a remote has it, too."""
    stage.write("input.py", INPUT)
    stage.write(".dvc/config", f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n")
    stage.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    stage.write(".dvcignore", "")
    stage.write("values.txt", "1")
    stage.write("values.txt.dvc", f"outs:\n- md5: {ONE}\n  size: 1\n  hash: md5\n  path: values.txt\n")
    stage.write(".gitignore", (stage.path / ".gitignore").read_text() + "/values.txt\n")
    for cache in (stage.path / ".dvc" / "cache", tmp_path / "store"):
        place = cache / "files" / "md5" / ONE[:2] / ONE[2:]
        place.parent.mkdir(parents=True)
        place.write_text("1")
    stage.commit("data")
    return stage


def test_data_that_dvc_tracks_come_from_its_cache_then_from_its_remote(tracked: Stage) -> None:
    """What the user's work tree has by now does not matter."""
    run = tracked.python("input.py", "values.txt")
    tracked.write("values.txt", "2")
    from_cache = tracked.verdict(run)
    shutil.rmtree(tracked.path / ".dvc" / "cache")
    from_remote = tracked.repeat(run)

    assert "identical" == from_cache.level, said(from_cache)
    assert "identical" == from_remote.verdict.level, said(from_remote.verdict)
    assert [False] == [check.differs for check in from_remote.inputs]
    assert "2" == (tracked.path / "values.txt").read_text()


def test_what_nobody_asked_for_is_fetched_up_to_a_size(tracked: Stage, tmp_path: Path) -> None:
    """A repository may track more than a disk holds; what stays away is named."""
    shutil.rmtree(tracked.path / ".dvc" / "cache")
    (tracked.path / "values.txt").unlink()
    large = f"outs:\n- md5: {ONE}\n  size: 5\n  hash: md5\n  path: large.txt\n"
    tracked.write("large.txt.dvc", large)
    lost = fetch_tracked(str(tracked.path), 4)

    assert "1" == (tracked.path / "values.txt").read_text()
    assert not (tracked.path / "large.txt").exists()
    assert ["large.txt is not in DVC's cache, and large"] == [text.partition(";")[0] for text in lost]


def test_paths_that_lead_out_of_the_repository_are_not_followed(stage: Stage, tmp_path: Path) -> None:
    """Runs come from others, too: neither folder nor data of one may be anywhere else."""
    outside = tmp_path / "outside"
    outside.mkdir()
    stage.write("local/away/values.txt", "1")
    folder = tmp_path / "work"
    (folder / "local").mkdir(parents=True)
    (folder / "local" / "away").symlink_to(outside)
    info = RunInfo("a" * 32, command=("true",), code=CodeInfo("c" * 40, "d" * 40))
    inputs = [
        InputRecord("linked", ONE, "local", "local/away/values.txt"),
        InputRecord("above", ONE, "dvc", '{"path": "../../etc/passwd", "pointer": "../../x.dvc"}'),
    ]
    recipe = recipe_of_record(RunRecord(info, inputs=inputs), "x", "E", None)
    checks = fetch_inputs(recipe, str(folder), str(stage.path))

    assert [] == list(outside.iterdir())
    assert ["leads out of the repository", "leaves the repository"] == [
        next(part for part in ("leads out of the repository", "leaves the repository") if part in one.how)
        for one in checks
    ]
    repository = ledgit.open(stage.path)
    active = ActiveRun.create(repository.repo, RunStart(command=("true",), directory="../.."))
    active.finish()
    with pytest.raises(RunStateError, match="has not"):
        stage.verdict(stage.newest())


def test_data_that_are_lost_are_named(tracked: Stage, tmp_path: Path) -> None:
    """Neither the cache nor the remote has them, and the user's file is another."""
    run = tracked.python("input.py", "values.txt")
    shutil.rmtree(tracked.path / ".dvc" / "cache")
    shutil.rmtree(tmp_path / "store")
    tracked.write("values.txt", "2")
    changed = tracked.verdict(run)
    (tracked.path / "values.txt").unlink()
    lost = tracked.verdict(run)

    assert ("different", ("data",)) == (changed.level, changed.classes), said(changed)
    assert ("failed", ("data",)) == (lost.level, lost.classes), said(lost)
    assert "values.txt is neither in DVC's cache nor on its remote" in lost.reasons[0].text


def test_a_data_file_that_git_ignores_is_taken_from_the_work_tree_if_it_is_the_same(stage: Stage) -> None:
    """It was logged, so its digest is known."""
    stage.write("input.py", INPUT)
    stage.write("local/values.txt", "1")
    run = stage.python("input.py", "local/values.txt")
    same = stage.verdict(run)
    stage.write("local/values.txt", "2")
    other = stage.verdict(run)

    assert "identical" == same.level, said(same)
    assert ("different", ("data",)) == (other.level, other.classes), said(other)


def test_tables_in_memory_are_compared_when_they_are_logged_again(stage: Stage, tmp_path: Path) -> None:
    """Their digest is pandas' or NumPy's, of what the program made of a file."""
    data = tmp_path / "table.txt"
    data.write_text("1")
    code = f"import numpy, ledgit as mlflow\nvalues = numpy.array([float(open({str(data)!r}).read())])\n"
    code += "with mlflow.start_run():\n    mlflow.log_input(mlflow.data.from_numpy(values, name='table'))\n"
    stage.write("table.py", code + "    mlflow.log_metric('value', values.sum())\n")
    run = stage.python("table.py")
    data.write_text("2")
    verdict = stage.verdict(run, trace=False)

    assert ("different", ("data",)) == (verdict.level, verdict.classes), said(verdict)
    assert verdict.reasons[0].text.startswith("table: ")


PIPELINE = """\
stages:
  train:
    cmd: {python} stage.py
    deps: [stage.py, values.txt]
    metrics:
      - scores.json:
          cache: false
"""


def test_a_pipeline_is_computed_again(tracked: Stage) -> None:
    """DVC would hand out what it remembers of a stage; its metrics are compared as any."""
    tracked.write(
        "stage.py",
        "import json; json.dump({'score': 2 * float(open('values.txt').read())}, open('scores.json', 'w'))\n",
    )
    tracked.write("dvc.yaml", PIPELINE.format(python=sys.executable))
    tracked.commit()
    tracked.ledgit("run", "--", sys.executable, "-m", "dvc", "repro")
    run = tracked.newest()
    made = tracked.repeat(run)

    assert "identical" == made.verdict.level, said(made.verdict)
    assert [("score", 2.0)] == [
        (one.name.rpartition(":")[2].rpartition(".")[2], one.wanted) for one in made.verdict.metrics
    ]
    assert b"Running stage" in tracked.newest().read_artifact("output.log")
