"""Sweeps over entry points: their parameters, their folder, and projects that are elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sweeps.kit import counted, left_behind, newest, put, sweep, trial_runs

from ledgit.repository import open_repository

MLPROJECT = f"""\
name: demo
entry_points:
  train:
    parameters:
      lr: {{type: float}}
      data: {{type: path, default: data.csv}}
      kind: {{type: string, default: plain}}
    command: "{sys.executable} -S train.py {{lr}} {{data}} {{kind}}"
"""
TRAIN = "import sys\nprint(sys.argv[1], open(sys.argv[2]).read().strip(), repr(sys.argv[3]))\n"


def make(folder: Path) -> None:
    """Commit a project in *folder*."""
    folder.mkdir(exist_ok=True)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "train.py").write_text(TRAIN)
    (folder / "data.csv").write_text("project's\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "project")


def outputs(repo: Path) -> list[str]:
    return [run.read_artifact("output.log").decode().strip() for run in trial_runs(repo)]


def test_an_entry_point_gets_values_of_its_types(repo: Path) -> None:
    """What it declares decides what is recorded; defaults are recorded too, and its folder may be below the top."""
    make(repo / "models")

    sweep(repo / "models", "train", "-P", "lr=1,2", "-P", "kind=007", "--env-manager", "local")

    runs = trial_runs(repo)
    assert outputs(repo) == ["1 project's '007'", "2 project's '007'"]
    assert [run.params for run in runs] == [{"lr": float(lr), "data": "data.csv", "kind": "007"} for lr in (1, 2)]
    assert [run.record().info.directory for run in runs] == ["models", "models"]
    assert [run.record().info.entry_point for run in runs] == ["train", "train"]
    assert counted(newest(repo)) == [(0, "complete"), (1, "complete")]


def test_a_value_reaches_the_program_as_it_was_written(repo: Path) -> None:
    """No shell reads it, whatever is in it."""
    make(repo)
    nasty = '$(touch hacked) `id` "x" \\ ; é\nline'

    sweep(repo, "train", "-P", "lr=1", "-P", f"kind='it''s {nasty}',b", "--env-manager", "local")

    assert outputs(repo)[0] == "1 project's " + repr("it's " + nasty)
    assert trial_runs(repo)[0].params["kind"] == "it's " + nasty


def test_a_path_means_the_folder_that_the_person_is_in(repo: Path, tmp_path: Path) -> None:
    """It is made absolute when the sweep begins: trials run somewhere else, and maybe somebody else goes on."""
    make(repo)
    (repo / "sub").mkdir()
    (repo / "sub" / "mine.csv").write_text("mine\n")
    (tmp_path / "other.csv").write_text("other\n")

    sweep(repo, "train", "-P", "lr=1", "-P", f"data=sub/mine.csv,{tmp_path}/other.csv", "--env-manager", "local")

    assert outputs(repo) == ["1 mine 'plain'", "1 other 'plain'"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["train"], "parameter 'lr' of entry point 'train': has no value and no default"),
        (["train", "-P", "lr=1,x"], "parameter 'lr' of entry point 'train'"),
        (["train", "-P", "lr=1", "-P", "knd=a,b"], "'knd'"),
        (["train", "-P", "lr=log(0,1)"], "a logarithm needs a least value above 0"),
        (["train", "-P", "lr=1", "-P", "lr=2"], "twice"),
        (["trian", "-P", "lr=1"], "it has train"),
        (["train", "-P", "lr=1", "--metric", "zork"], "say --direction maximize or minimize"),
        (["train", "-P", "lr=1", "--", "true"], "two things to run"),
        (["-P", "a=1", "--"], "no command after '--'"),
        (["-P", "a=1", "--", "nosuchprogram", "{a}"], "there is no command 'nosuchprogram'"),
        (["train", "-P", "lr=1", "--scheduler", "tcp://x"], "for an executor of other machines"),
        (["train", "-P", "lr=1", "--timeout", "soon"], "--timeout is 'soon'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_recorded(repo: Path, args: list[str], said: str) -> None:
    """One sentence with what there is; no run, no folder."""
    make(repo)

    told = sweep(repo, *args, code=3 if args[0] == "trian" else 2)

    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert open_repository(repo).runs.first() is None
    assert left_behind(repo) == []


def test_a_project_of_another_repository_is_recorded_here(repo: Path, tmp_path: Path) -> None:
    """Its files are the runs' code, its history is not; going on needs nothing but the runs."""
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    make(other / "models")
    run_git(other, "tag", "v1")
    (other / "models" / "train.py").write_text("raise SystemExit(1)\n")
    run_git(other, "commit", "-qam", "broken")
    address = f"file://{other}#models"

    sweep(
        repo, "train", "--project", address, "-v", "v1", "-P", "lr=range(1,3)", "--trials", "2",
        "--env-manager", "local",
        LEDGIT_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    (tmp_path / "cache").rename(tmp_path / "gone")
    sweep(repo, "resume", "--trials", "3", LEDGIT_CACHE=str(tmp_path / "cache"))

    runs = trial_runs(repo)
    assert outputs(repo) == [f"{lr} project's 'plain'" for lr in (1, 2, 3)]
    assert [run.record().info.source.endswith("other#models") for run in runs] == [True] * 3
    assert run_git(repo, "log", "-1", "--format=%P", str(runs[0].commit)) == ""
    assert run_git(repo, "show", f"{runs[0].commit}:models/train.py") == TRAIN.strip()


def test_the_status_is_the_same_for_people_and_programs(repo: Path) -> None:
    """Best trial, the command that runs it once more, and JSON of everything."""
    make(repo)
    (repo / "train.py").write_text(
        "import sys, ledgit\nwith ledgit.start_run():\n    ledgit.log_metric('loss', abs(float(sys.argv[1]) - 2))\n"
    )
    (repo / "MLproject").write_text(MLPROJECT.replace(" -S", ""))

    said = sweep(repo, "train", "-P", "lr=1,2,4", "--metric", "loss", "--env-manager", "local", "--name", "three")
    found = json.loads(sweep(repo, "status", "three-1", "--json"))
    text = sweep(repo, "status")
    listed = json.loads(sweep(repo, "ls", "--json"))

    assert "best: 0 loss, trial 1" in said
    assert "once more: ledgit run . -e train -P lr=2" in text
    assert (found["name"], found["state"], found["best"]) == ("three", "finished", 1)
    assert found["counts"] == {"complete": 3, "pruned": 0, "failed": 0, "running": 0}
    assert [(one["trial"], one["value"], one["params"]) for one in found["runs"]] == [
        (0, 1.0, {"lr": 1}), (1, 0.0, {"lr": 2}), (2, 2.0, {"lr": 4}),
    ]  # fmt: skip
    assert [one["id"] for one in listed] == [found["id"]]
    assert "runs" not in listed[0]
    assert "three-1" not in sweep(repo, "status", "zork", code=3)


def test_a_script_that_is_not_there_is_missed_in_the_folder_as_people_call_it(repo: Path) -> None:
    """Not in the work folder, whose name is a number."""
    put(repo, "")
    done = sweep(repo, "trian.py", "-P", "lr=1,2", code=3)

    assert f"project '{repo.name}' has no entry point 'trian.py': did you mean 'train.py'? it has" in done
