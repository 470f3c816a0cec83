"""What a run must not tell: secrets in the environment and on the command line, who and where."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import ROOT, read_run, run_refs

from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart

KEY = "AKIAsecretfromtheenvironment0123456789"
PASSWORD = "correct-horse-battery-staple"
SCRIPT = """
import os, shutil, sys
import ledgit
with ledgit.start_run():
    ledgit.log_param("lr", 0.1)
    ledgit.log_metric("loss", 1.0)
    ledgit.log_text("some text", "note.txt")
    shutil.copytree(".git/ledgit/active", sys.argv[1])
"""


def train(repo: Path, copy: Path, *options: str) -> None:
    """Run a training script that copies its own journal while it runs."""
    script = repo.parent / "script.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "AWS_SECRET_ACCESS_KEY": KEY, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, script, copy, *options], cwd=repo, env=env, check=True)


def everything(repo: Path, git: GitFunction) -> bytes:
    """Return the content of every object in the repository."""
    done = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repo, capture_output=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("option", ["--password {}", "--password={}", "--api-key {}", "--db postgres://me:{}@host/db"])
def test_no_secret_of_environment_or_command_line_is_in_any_object(
    repo: Path, git: GitFunction, tmp_path: Path, option: str
) -> None:
    """Neither while the run is active nor afterwards, in no object and no file of ours."""
    train(repo, tmp_path / "copy", *option.format(PASSWORD).split(" "))

    [run_id] = run_refs(repo)
    objects = everything(repo, git)
    journal = b"".join(file.read_bytes() for file in (tmp_path / "copy").rglob("*") if file.is_file())
    kept = b"".join(file.read_bytes() for file in (repo / ".git/ledgit").rglob("*") if file.is_file())
    assert b"some text" in objects
    assert run_id.encode() in journal
    shown = " ".join(read_run(repo, run_id).record.info.command)
    assert option.split(maxsplit=1)[0].partition("=")[0] in shown
    for content in (objects, journal, kept):
        assert KEY.encode() not in content
        assert PASSWORD.encode() not in content


@pytest.mark.parametrize(("mode", "told"), [("full", True), ("name", False), ("none", False)])
def test_the_home_folder_which_has_the_account_in_it_is_told_with_the_full_identity_only(
    repo: Path, git: GitFunction, monkeypatch: pytest.MonkeyPatch, mode: str, told: bool
) -> None:
    """Commands, entry points and errors are full of it."""
    git(repo, "config", "ledgit.identity", mode)
    home = str(repo.parent / "ada-l")
    monkeypatch.setenv("HOME", home)
    words = (f"{home}/venv/bin/python", f"--data={home}/data", f"{home}ce/other", home)
    run = ActiveRun.create(Repo.discover(), RunStart(command=words, entry_point=f"{home}/train.py"))
    run.note_problem(f"can't read {home!r}")

    commit = run.finish()

    info = read_run(repo, run.id).record.info
    shown = home if told else "~"
    assert (f"{shown}/venv/bin/python", f"--data={shown}/data", f"{home}ce/other", shown) == info.command
    assert f"{shown}/train.py" == info.entry_point
    assert f"Problem: can't read {shown!r}" in git(repo, "log", "-1", "--format=%B", str(commit))


@pytest.mark.parametrize(("mode", "name"), [("name", True), ("none", False)])
def test_identity_leaves_out_what_it_is_told_to(
    repo: Path, git: GitFunction, tmp_path: Path, mode: str, name: bool
) -> None:
    """``name`` says who but not where to write; ``none`` says neither. No host either way."""
    git(repo, "config", "ledgit.identity", mode)
    (repo / "train.py").write_text("changed\n")
    known = set(git(repo, "rev-list", "--all", "--objects", "--no-object-names").splitlines())

    train(repo, tmp_path / "copy")
    [run_id] = run_refs(repo)
    subprocess.run(
        [sys.executable, "-c", f"import ledgit; ledgit.open().run('{run_id}').set_tags({{'a': 'b'}})"],
        cwd=repo,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=True,
    )

    objects = git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines()
    new = [git(repo, "cat-file", "-p", oid) for oid in objects if oid not in known]
    assert len(new) > 10
    assert not [text for text in new if "ada@example.org" in text]
    assert not [text for text in new if socket.gethostname() in text]
    assert name == bool([text for text in new if "Ada Lovelace" in text])
    record = read_run(repo, run_id).record
    assert ("Ada Lovelace" if name else "", "") == (record.info.user, record.info.host)
