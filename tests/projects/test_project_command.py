"""``ledgit project``: the same as from Python, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.projects.sharekit import set_remotes

from ledgit.cli import main


def call(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    ended = main(["project", *words])
    printed = capsys.readouterr()
    assert code == ended, printed
    return printed.out, printed.err


def test_from_a_folder_of_files_to_a_version(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says what it did, and what comes next; what it pushes it says before."""
    run_git(workspace, "init", "-q")
    bare, _ = set_remotes(workspace)

    out, err = call(capsys, "create", "my_project")
    assert f"my_project: {workspace}/MLproject\n" == out
    assert "ledgit project add FILE" in err
    out, _ = call(capsys, "add", "data.csv", "model.py", "train.py")
    assert out.startswith("data.csv → DVC (larger than 256.0 KiB)\nmodel.py → Git (small text)\n")
    assert "new entry points: train\n" in out
    out, err = call(capsys, "share", "-m", "first")
    assert "my_project@v1.0.0\n" == out
    assert [
        "sending data to the DVC remote",
        f"pushing the branch main to origin ({bare}), as 'git push' does",
        "tagging my_project@v1.0.0",
        f"others run it with: ledgit run file://{bare} -v my_project@v1.0.0 -e train",
    ] == err.splitlines()
    out, _ = call(capsys, "show")
    assert "-P alpha  float, 0.5 if not given" in out
    out, _ = call(capsys, "ls")
    assert ["my_project", "v1.0.0", ".", "train"] == out.splitlines()[1].split()


def test_json_has_it_all(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts."""
    created = json.loads(call(capsys, "create", "my_project", "--json")[0])
    added = json.loads(call(capsys, "add", "model.py", "train.py", "--json")[0])
    shared = json.loads(call(capsys, "share", "--bundle", "../b", "--json")[0])
    shown = json.loads(call(capsys, "show", "my_project", "--json")[0])
    (listed,) = json.loads(call(capsys, "ls", "--json")[0])

    assert str(workspace) == created["folder"]
    assert [("model.py", "git"), ("train.py", "git")] == [(one["path"], one["where"]) for one in added["files"]]
    assert ["train"] == added["entry_points"]
    assert (str(workspace.parent / "b"), True, "v1.0.0") == (shared["bundle"], shared["new"], shared["version"])
    assert ["v1.0.0"] == shown["versions"]
    assert {"type": "float", "default": "0.5"} == listed["entry_points"]["train"]["parameters"]["alpha"]
    assert [] == json.loads(call(capsys, "envs", "--json")[0])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["share"], 3, "no project matches"),
        (["add", "model.py"], 3, "no project matches"),
        (["share", "--history"], 2, "--history is about a bundle"),
        (["share", "--bundle", "x", "--remote", "origin"], 2, "leave out --remote"),
        (["envs", "--all"], 2, "give that, too"),
        (["envs", "--remove"], 2, "say what to remove"),
        (["create", "a\nb"], 2, "control characters"),
    ],
)
def test_wrong_words_are_answered_in_one_sentence(
    repo: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    """With the exit code that the manual says."""
    _, err = call(capsys, *words, code=code)

    assert said in err
    assert 1 == err.count("\n")
