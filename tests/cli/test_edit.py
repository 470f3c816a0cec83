"""Editing runs: tags, notes, deletion, and the trail they leave."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Record = Callable[..., str]


def test_tags_are_set_deleted_and_printed(cli: Cli, record: Record) -> None:
    record("--name", "owl", "-t", "stage=new")
    cli("tag", "owl", "keep=yes", "why=a=b", "stage-")

    assert cli("tag", "owl", "--json").json == {"keep": "yes", "why": "a=b"}
    assert [line.split() for line in cli("tag", "owl").out.splitlines()] == [["keep", "yes"], ["why", "a=b"]]
    cli("tag", "owl", "--delete", "keep", "--delete", "why")
    assert cli("tag", "owl").out == ""


def test_a_wrong_tag_changes_nothing(cli: Cli, record: Record) -> None:
    record("--name", "owl")

    assert "neither key=value nor 'key-'" in cli("tag", "owl", "a=1", "keep", code=2).err
    assert "has no tag 'gone'" in cli("tag", "owl", "a=1", "gone-", code=2).err
    assert "can't be set and deleted at once" in cli("tag", "owl", "a=1", "a-", code=2).err
    assert cli("tag", "owl", "--json").json == {}


def test_several_runs_are_tagged_at_once(cli: Cli, record: Record) -> None:
    """All of them, or none."""
    for name in ("owl", "fox", "eel"):
        record("--name", name, "-t", "old=1")
    cli("tag", "owl", "fox", "keep=yes", "eel", "old-")

    for name in ("owl", "fox", "eel"):
        assert cli("tag", name, "--json").json == {"keep": "yes"}
    assert "'owl-2' is neither key=value nor 'key-', and no run" in cli("tag", "owl", "owl-2", "a=1", code=2).err
    assert "only one run can have a name" in cli("tag", "owl", "fox", "--rename", "best", code=2).err
    assert "only one run can be printed at once" in cli("tag", "owl", "fox", code=2).err
    assert cli("tag", "owl", "--json").json == {"keep": "yes"}


def test_a_run_named_twice_is_deleted_once(cli: Cli, record: Record) -> None:
    record("--name", "owl")
    record("--name", "fox")

    assert cli("rm", "owl", "fox", "owl").out.count("deleted owl") == 1
    assert cli("restore", "owl", "fox").out.count("restored") == 2
    assert len(cli("ls", "--json").json) == 2


def test_a_run_is_renamed_and_moved(cli: Cli, record: Record) -> None:
    run_id = record("--name", "owl", "-e", "old")
    cli("tag", "owl", "--rename", "best", "--move", "new")
    run = cli("show", "best", "--json").json

    assert (run["id"], run["experiment"]) == (run_id, "new")
    newest, first = cli("log", "best", "--json").json
    assert (newest["subject"], newest["changes"]) == ("edit: best", ["rename owl to best", "move to experiment new"])
    assert first["subject"] == "run: owl (old)"


def test_an_edit_that_cannot_be_made_whole_is_not_made(cli: Cli, record: Record) -> None:
    run_id = record("--name", "owl")
    cli("tag", "owl", "good=yes", "--rename", "x" * 2_000, code=2)

    assert cli("show", run_id, "--json").json["tags"] == {}


def test_every_edit_is_in_the_log(cli: Cli, record: Record) -> None:
    run_id = record("--name", "owl", "-m", "loss=0.5")
    cli("tag", "owl", "keep=yes")
    cli("note", "owl", "-m", "fine")
    cli("rm", "owl")
    entries = cli("log", run_id, "--json").json

    assert [entry["subject"] for entry in entries] == [
        "delete: owl",
        "note: owl",
        "tag keep=yes: owl",
        "run: owl (Default)",
    ]
    assert all(entry["author"] == "Ada Lovelace <ada@example.org>" for entry in entries)
    shown = cli("log", run_id).out.splitlines()
    assert len(shown) == 6
    assert shown[2].strip() == "note: fine"
    assert shown[0].split()[1] == entries[0]["when"].partition(".")[0] + "Z"


def test_a_note_is_written_read_and_removed(cli: Cli, record: Record, repo: Path) -> None:
    record("--name", "owl")
    cli("note", "owl", "-m", "first\nsecond")
    shown = cli("note", "owl", "--show").out
    (repo / "note.md").write_text("from a file\n")
    cli("note", "owl", "-F", "note.md")

    assert shown == "first\nsecond\n"
    assert cli("note", "owl", "--show").out == "from a file\n"
    assert "as it was" in cli("note", "owl", "-m", "from a file").err
    cli("note", "owl", "-m", "")
    assert cli("note", "owl", "--show").out == ""


def test_a_note_comes_from_standard_input(process: Cli) -> None:
    process("record", "--name", "owl")
    process("note", "owl", "-F", "-", stdin=None, input="piped\n")

    assert process("note", "owl", "--show").out == "piped\n"


def test_a_note_is_edited_with_the_users_editor(
    cli: Cli, record: Record, monkeypatch: pytest.MonkeyPatch, repo: Path
) -> None:
    record("--name", "owl")
    cli("note", "owl", "-m", "old")
    editor = repo / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/old/new/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    cli("note", "owl")

    assert cli("note", "owl", "--show").out == "new\n"
    monkeypatch.setenv("EDITOR", "false")
    assert "nothing was changed" in cli("note", "owl", code=2).err


def test_nobody_is_asked_when_nobody_is_there(process: Cli) -> None:
    process("record", "--name", "owl")
    env = dict.fromkeys(("EDITOR", "VISUAL", "GIT_EDITOR"), "")

    assert "give the text with -m" in process("note", "owl", code=2, env=env).err


def test_deleting_marks_and_restoring_takes_the_mark_back(cli: Cli, record: Record) -> None:
    run_id = record("--name", "owl")

    assert cli("rm", "owl").out == f"deleted owl ({run_id[:8]})\n"
    assert cli("rm", "owl").err == f"owl ({run_id[:8]}) was deleted already\n"
    assert cli("ls", "--json").json == []
    assert cli("restore", "owl").out == f"restored owl ({run_id[:8]})\n"
    assert cli("restore", "owl").err == f"owl ({run_id[:8]}) was not deleted\n"
    assert len(cli("ls", "--json").json) == 1


def test_nothing_is_deleted_when_one_name_is_wrong(cli: Cli, record: Record) -> None:
    record("--name", "owl")

    assert "no run matches 'fox'" in cli("rm", "owl", "fox", code=3).err
    assert len(cli("ls", "--json").json) == 1


def test_an_ambiguous_name_lists_the_candidates(cli: Cli, record: Record) -> None:
    first, second = record("--name", "owl"), record("--name", "owl")
    ran = cli("show", "owl", code=3)

    assert "matches 2 runs" in ran.err
    assert first[:8] in ran.err
    assert second[:8] in ran.err


def test_a_misspelt_name_gets_a_hint(cli: Cli, record: Record) -> None:
    record("--name", "calm-owl")

    assert "did you mean calm-owl?" in cli("show", "calm-owi", code=3).err


def test_rev_prints_ids_for_plain_git(cli: Cli, record: Record, repo: Path, git: Callable[..., str]) -> None:
    record("--name", "owl")
    commit = cli("rev", "owl").out.strip()
    cli("tag", "owl", "a=b")

    assert git(repo, "show", "-s", "--format=%s", commit) == "run: owl (Default)"
    assert cli("rev", "owl").out.strip() == commit
    assert git(repo, "rev-parse", cli("rev", "--head", "owl").out.strip() + "^") == commit
    assert cli("rev", "--code", "owl").out.strip() == git(repo, "rev-parse", "HEAD")
    assert cli("rev", "--tree", "owl").out.strip() == git(repo, "rev-parse", "HEAD^{tree}")
    assert cli("rev", "--short", "owl").out.strip() == commit[:8]
    assert cli("show", commit, "--json").json["name"] == "owl"


def test_rev_of_an_active_run_says_why_there_is_none(cli: Cli, record: Record) -> None:
    run_id = record("--start")

    assert "gets its commit when it ends" in cli("rev", run_id, code=4).err


def test_work_tree_index_and_head_are_untouched(cli: Cli, record: Record, repo: Path, git: Callable[..., str]) -> None:
    (repo / "train.py").write_text("print('edited')\n")

    def state() -> list[object]:
        words = [
            git(repo, "--no-optional-locks", "status", "--porcelain"),
            git(repo, "stash", "list"),
            git(repo, "branch", "-a"),
        ]
        return [words, *(os.stat(repo / name).st_mtime_ns for name in ("train.py", ".git/index", ".git/HEAD"))]

    before = state()
    record("--name", "owl", "-m", "a=1", "data.csv")
    for words in (
        ["tag", "owl", "a=b"],
        ["note", "owl", "-m", "x"],
        ["rm", "owl"],
        ["restore", "owl"],
        ["diff", "owl", "owl"],
    ):
        cli(*words)

    assert state() == before


def test_an_empty_name_renames_nothing(cli: Cli, record: Record) -> None:
    """It was a variable that a script did not set."""
    record("--name", "owl")

    assert "--rename needs a name" in cli("tag", "owl", "--rename", "", code=2).err
    assert "--move needs a name" in cli("tag", "owl", "--move", " ", code=2).err
