"""``ledgit apply`` and ``ledgit branch``: a run's code, used again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Record = Callable[..., str]
Git = Callable[..., str]


@pytest.fixture
def dirty_run(repo: Path, record: Record, git: Git) -> Path:
    """A run whose code had an edit and a new file; the work tree is clean again."""
    (repo / "train.py").write_text("print('edited')\n")
    (repo / "sub").mkdir()
    (repo / "sub" / "new.py").write_text("x = 1\n")
    record("--name", "owl", "-p", "lr=0.1", "-m", "loss=0.5")
    git(repo, "checkout", "-q", "train.py")
    (repo / "sub" / "new.py").unlink()
    (repo / "sub").rmdir()
    return repo


def test_apply_puts_the_code_of_a_run_into_the_work_tree(cli: Cli, dirty_run: Path, git: Git) -> None:
    ran = cli("apply", "owl")

    assert ran.out == "wrote sub/new.py\nwrote train.py\n"
    assert (dirty_run / "train.py").read_text() == "print('edited')\n"
    assert git(dirty_run, "status", "--porcelain") == " M train.py\n?? sub/"
    assert not (dirty_run / ".ledgit").exists()
    assert "nothing to do" in cli("apply", "owl", "--force").out


def test_apply_never_overwrites_changes(cli: Cli, dirty_run: Path) -> None:
    (dirty_run / "train.py").write_text("print('mine')\n")
    ran = cli("apply", "owl", code=4)

    assert "train.py" in ran.err
    assert (dirty_run / "train.py").read_text() == "print('mine')\n"
    assert not (dirty_run / "sub").exists()
    cli("apply", "owl", "--force")
    assert (dirty_run / "train.py").read_text() == "print('edited')\n"


def test_apply_limits_itself_to_paths_as_seen_from_here(
    cli: Cli, dirty_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dirty_run / "here").mkdir()
    monkeypatch.chdir(dirty_run / "here")

    assert cli("apply", "owl", "../sub", "--json").json["written"] == ["sub/new.py"]
    assert (dirty_run / "train.py").read_text() == "print('train')\n"


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("missing.py", 3, "no file of the run's code matches 'missing.py'"),
        ("../../x", 2, "outside of the repository"),
        (".ledgit/run", 2, "never goes into"),
    ],
)
def test_apply_refuses_paths_it_cannot_give(cli: Cli, dirty_run: Path, path: str, code: int, said: str) -> None:
    assert said in cli("apply", "owl", path, code=code).err


def test_apply_writes_params_and_keeps_comments(cli: Cli, dirty_run: Path, git: Git) -> None:
    (dirty_run / "params.yaml").write_text("# mine\nseed: 1\nlr: 0.5  # learning rate\n")
    git(dirty_run, "add", ".")
    git(dirty_run, "commit", "-q", "-m", "params")

    assert cli("apply", "owl", "--params").out == "set lr\n"
    assert (dirty_run / "params.yaml").read_text() == "# mine\nseed: 1\nlr: 0.1  # learning rate\n"
    assert "changes that would be overwritten" in cli("apply", "owl", "--params", code=4).err
    assert "nothing to do" in cli("apply", "owl", "--params", "--force").out


def test_apply_makes_a_params_file_and_knows_json(cli: Cli, dirty_run: Path) -> None:
    cli("apply", "owl", "--params", "new.yaml")
    cli("apply", "owl", "--params", "new.json")

    assert (dirty_run / "new.yaml").read_text() == "lr: 0.1\n"
    assert json.loads((dirty_run / "new.json").read_text()) == {"lr": 0.1}
    assert "neither .yaml, .yml nor .json" in cli("apply", "owl", "--params", "new.toml", code=2).err


def test_apply_does_not_guess_at_nested_params(cli: Cli, dirty_run: Path) -> None:
    (dirty_run / "nested.yaml").write_text("lr:\n  base: 1\n")

    assert "no single value" in cli("apply", "owl", "--params", "nested.yaml", "--force", code=2).err
    assert (dirty_run / "nested.yaml").read_text() == "lr:\n  base: 1\n"


def test_a_branch_is_the_code_of_a_run_and_nothing_else(cli: Cli, dirty_run: Path, git: Git) -> None:
    head = git(dirty_run, "rev-parse", "HEAD")
    document = cli("branch", "owl", "faster", "--json").json

    assert git(dirty_run, "rev-parse", "faster") == document["commit"]
    assert git(dirty_run, "ls-tree", "-r", "--name-only", "faster").split() == ["data.csv", "sub/new.py", "train.py"]
    assert git(dirty_run, "rev-parse", "faster^") == head
    assert f"Ledgit-Run: {cli('show', 'owl', '--json').json['id']}" in git(
        dirty_run, "log", "-1", "--format=%B", "faster"
    )
    assert git(dirty_run, "status", "--porcelain") == ""
    assert git(dirty_run, "rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_a_branch_has_the_runs_name_unless_told(cli: Cli, dirty_run: Path) -> None:
    assert cli("branch", "owl").out.startswith("branch owl is ")
    assert "already" in cli("branch", "owl", code=4).err
    assert "not allowed by Git" in cli("branch", "owl", "a..b", code=2).err


def test_two_branches_of_runs_merge(cli: Cli, dirty_run: Path, git: Git) -> None:
    """Run files do not live on branches, so metrics never conflict."""
    cli("branch", "owl", "one")
    git(dirty_run, "switch", "-q", "one")
    (dirty_run / "other.py").write_text("y = 2\n")
    cli("record", "--name", "fox", "-m", "loss=0.25")
    cli("branch", "fox", "two")
    (dirty_run / "other.py").unlink()
    git(dirty_run, "switch", "-q", "main")
    git(dirty_run, "merge", "-q", "one")
    git(dirty_run, "merge", "-q", "--no-edit", "two")

    assert (dirty_run / "other.py").exists()


def test_with_run_puts_the_files_where_a_reviewer_sees_them(cli: Cli, dirty_run: Path, git: Git) -> None:
    cli("branch", "owl", "pr", "--with-run")

    assert git(dirty_run, "show", "pr:runs/owl/params.yaml") == "lr: 0.1"
    assert ".ledgit" not in git(dirty_run, "ls-tree", "-r", "--name-only", "pr")


def test_an_active_run_has_no_code_to_use_yet(cli: Cli, record: Record) -> None:
    run_id = record("--start")

    assert "when it has ended" in cli("apply", run_id, code=4).err
    assert "when it has ended" in cli("branch", run_id, code=4).err


@pytest.mark.parametrize("command", ["apply", "branch"])
def test_a_run_imported_without_its_code_says_so(
    command: str, cli: Cli, dirty_run: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty branch, or "nothing to do", would be taken for the truth."""
    cli("export", "owl", str(tmp_path / "out"))
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    monkeypatch.chdir(other)
    cli("import", str(tmp_path / "out"))

    assert "run owl holds no files of code" in cli(command, "owl", code=4).err
    assert git(other, "branch", "--list") == ""
