"""The demonstration, played for real."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import GitFunction

from ledgit.demo import run_demo
from ledgit.demo.folder import MARKER
from ledgit.errors import LedgitError, MissingDependency, StorageError, UsageError


def play(folder: Path) -> str:
    """Play it in *folder* and return what it showed."""
    shown: list[str] = []
    run_demo(str(folder), shown.append)
    return "".join(shown)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demonstration that was played twice, and what the second one showed.

    It takes a while, so processes that share these tests share one.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, said = shared / "stage" / "demo", shared / "stage.txt"
    with open(shared / "stage.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            (folder / ".git").mkdir(parents=True)
            (folder / MARKER).write_text("from an earlier one\n")
            (folder / "left-over.txt").write_text("from an earlier one\n")
            said.write_text(play(folder), encoding="utf-8")
    return folder, said.read_text(encoding="utf-8")


def test_it_shows_the_commands_and_what_they_print(stage: tuple[Path, str]) -> None:
    """A reader sees each command line, and its output below."""
    _, shown = stage

    for command in ("python train.py", "ledgit ls", "ledgit diff", "ledgit log", "ledgit rev", "git log", "git status"):
        assert f"\n$ {command}" in shown, command
    assert "\n$ ledgit push" in shown
    assert "accuracy" in shown
    assert "Try next" in shown


def test_it_leaves_runs_of_two_branches_and_one_of_uncommitted_code(stage: tuple[Path, str]) -> None:
    """The repository it built is there to play with."""
    folder, _ = stage
    listed = subprocess.run(
        [sys.executable, "-m", "ledgit", "ls", "--json"], cwd=folder, capture_output=True, check=True
    )
    runs = json.loads(listed.stdout)

    assert {"main", "forest"} == {run["code"]["branch"] for run in runs}
    assert 1 == sum(run["code"]["dirty"] for run in runs)
    assert {"digits", "wine"} == {run["experiment"] for run in runs}
    assert {"FINISHED"} == {run["status"] for run in runs}
    assert all(run["metrics"]["accuracy"] > 0.8 for run in runs)


def test_a_second_clone_has_the_model_and_the_plot(stage: tuple[Path, str]) -> None:
    """The model went through the artifact remote, the plot with the run."""
    folder, shown = stage
    colleague = folder / "elsewhere" / "colleague"
    model, plot = colleague / "model" / "model.skops", colleague / "confusion.svg"
    (run,) = [run for run in json.loads(_ledgit(colleague, "ls", "--json")) if run["code"]["dirty"]]
    listed = {item["path"]: item for item in json.loads(_ledgit(folder, "artifacts", "ls", run["id"], "--json"))}

    assert listed["model/model.skops"]["stored"] == "dvc"
    assert listed["plots/confusion.svg"]["stored"] == "git"
    assert model.stat().st_size == listed["model/model.skops"]["size"]
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    assert "wrote model/model.skops" in shown


def test_the_best_model_is_in_production_everywhere(stage: tuple[Path, str]) -> None:
    """Registered and promoted in one clone; the other pulled the tags, and predicts with it."""
    folder, shown = stage
    colleague = folder / "elsewhere" / "colleague"

    for clone in (folder, colleague):
        (model,) = json.loads(_ledgit(clone, "registry", "ls", "--json"))
        assert ("digits", {"prod": "v1.1.0"}) == (model["name"], model["stages"])
    predicted = _ledgit(colleague, "models", "predict", "models:/digits@prod", "rows.csv")
    assert b"prediction\n0\n1\n2\n" == predicted
    assert "\nprediction\n0\n1\n2\n" in shown


def _ledgit(folder: Path, *words: str) -> bytes:
    command = [sys.executable, "-m", "ledgit", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def test_an_earlier_demo_is_built_again(stage: tuple[Path, str]) -> None:
    """Nothing is left of it."""
    folder, _ = stage

    assert not (folder / "left-over.txt").exists()
    assert (folder / MARKER).exists()


def test_its_own_edit_is_all_that_git_reports(stage: tuple[Path, str], git: GitFunction) -> None:
    """Logging leaves the work tree alone."""
    folder, _ = stage

    assert " M train.py" == git(folder, "status", "--short")


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    """Nobody's files are removed."""
    (tmp_path / "thesis.tex").write_text("years of work\n")

    with pytest.raises(UsageError, match="name another folder"):
        play(tmp_path)

    assert ["thesis.tex"] == [path.name for path in tmp_path.iterdir()]


def test_a_repository_that_no_demo_made_is_refused(repo: Path) -> None:
    """The marker decides, not that it is a repository."""
    with pytest.raises(UsageError):
        play(repo)

    assert (repo / "train.py").exists()


def test_a_folder_that_can_not_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match="file"):
        play(tmp_path / "file" / "demo")


def test_without_scikit_learn_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is made."""
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingDependency, match="scikit-learn"):
        play(tmp_path / "demo")

    assert not (tmp_path / "demo").exists()


def test_a_failing_command_ends_it_with_what_the_command_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command and its last words."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "git").write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    (tmp_path / "git").chmod(0o755)

    with pytest.raises(LedgitError, match="out of order"):
        play(tmp_path / "demo")
