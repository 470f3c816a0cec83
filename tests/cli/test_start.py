"""Starting, failing, and what strangers' repositories may do to a terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgit._version import __version__
from ledgit.cli import main, terminal

Cli = Callable[..., Any]
Record = Callable[..., str]
HOSTILE = "\x1b]0;owned\x07\x1b[2J|`<b>\u202e@all\r\nnext\x9b31m"


def test_the_version_is_printed(process: Cli) -> None:
    assert process("--version").out == f"ledgit {__version__}\n"
    assert process("version", "--json").json["ledgit"] == __version__


def test_help_is_help_however_asked_for(process: Cli) -> None:
    assert process("--help").out == process("help").out
    assert process("help", "ls").out == process("ls", "--help").out


def test_no_command_says_the_next_step(process: Cli, repo: Path, tmp_path: Path) -> None:
    """From where one stands: no repository, no runs, runs."""
    (tmp_path / "empty").mkdir()
    nowhere = process(code=2, cwd=tmp_path / "empty")
    empty = process(code=2)
    process("record", "-m", "accuracy=0.9")
    full = process(code=2)

    assert nowhere.out + empty.out + full.out == ""
    assert "\n  git init " in nowhere.err
    assert "\n  ledgit run -- python train.py " in empty.err
    assert "\n  ledgit ls " in full.err


def test_an_unknown_command_gets_a_hint(process: Cli) -> None:
    assert process("shwo", code=2).err == "ledgit: there is no command 'shwo'; did you mean show?\n"
    assert "unknown option '--bogus'" in process("--bogus", "ls", code=2).err


@pytest.mark.parametrize(
    ("words", "code"),
    [(["ls", "--bogus"], 2), (["show", "nobody"], 3), (["ls", "a ="], 2), (["-C", "/nowhere", "ls"], 1)],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(process: Cli, words: list[str], code: int) -> None:
    ran = process(*words, code=code)

    assert ran.out == ""
    assert ran.err.startswith("ledgit: ")
    assert "Traceback" not in ran.err


def test_a_traceback_is_for_who_asks_for_it(process: Cli) -> None:
    assert "Traceback" in process("show", "nobody", code=3, env={"LEDGIT_TRACEBACK": "1"}).err


def test_outside_of_a_repository_the_next_step_is_named(process: Cli, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    env = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}

    assert "run 'git init' there" in process("ls", cwd=outside, code=5, env=env).err


def test_another_folder_can_be_named(process: Cli, tmp_path: Path, repo: Path) -> None:
    process("-C", str(repo), "record", "--name", "owl", cwd=tmp_path)

    assert process("-C", str(repo), "ls", "--json", cwd=tmp_path).json[0]["name"] == "owl"
    assert process("ls", "--json", cwd=tmp_path, env={"LEDGIT_REPO": str(repo)}).json[0]["name"] == "owl"


def test_git_finds_the_command(repo: Path) -> None:
    """`git ledgit ls` works, aliases and all."""
    folder = os.path.dirname(sys.executable)
    if shutil.which("git-ledgit", path=folder) is None:
        pytest.fail("the package is not installed with its scripts")
    env = {**os.environ, "PATH": folder + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(["git", "ledgit", "--version"], cwd=repo, env=env, capture_output=True, text=True, check=True)

    assert done.stdout == f"ledgit {__version__}\n"


def test_a_reader_that_has_enough_is_no_error(process: Cli, repo: Path) -> None:
    process("record")
    done = subprocess.run(
        f"{sys.executable} -m ledgit --help | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=repo, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout.count("\n"), done.stderr, done.returncode) == (1, "", 0)


def test_ctrl_c_ends_quietly(repo: Path) -> None:
    env = {**os.environ, "EDITOR": "sh -c 'kill -INT $PPID; sleep 5'"}
    subprocess.run(
        [sys.executable, "-m", "ledgit", "record", "--name", "owl"], cwd=repo, check=True, capture_output=True
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ledgit", "note", "owl"], cwd=repo, env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.strip()) == (130, "")
    assert time.monotonic() - began < 30


def test_an_error_of_ours_is_reported_as_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgit.cli.context.repository", lambda: 1 / 0)

    assert "please report it" in cli("ls", code=1).err


@pytest.mark.parametrize(
    ("environment", "tty", "expected"),
    [
        ({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"NO_COLOR": ""}, True, True),
        ({"CLICOLOR": "0"}, True, False), ({"CLICOLOR_FORCE": "1"}, False, True), ({"TERM": "dumb"}, True, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
    ],
)  # fmt: skip
def test_colours_are_for_terminals_and_can_be_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tty: bool, expected: bool
) -> None:
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(terminal, "output_is_terminal", lambda: tty)
    terminal.configure("auto", True)

    assert terminal.use_color() is expected


def test_colours_can_be_asked_for(process: Cli) -> None:
    process("record", "--name", "owl")

    assert "\x1b[33m" in process("--color", "always", "ls").out
    assert "\x1b" not in process("--color=never", "ls", env={"CLICOLOR_FORCE": "1"}).out
    assert "expected one of auto" in process("--color", "sometimes", "ls", code=2).err


def test_a_terminal_that_knows_only_ascii_gets_ascii(process: Cli) -> None:
    process("record", "-p", "name=日本", "--name", "owl")

    assert "\\u65e5\\u672c" in process("show", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}).out


def test_long_output_goes_through_the_pager_of_choice(repo: Path, tmp_path: Path) -> None:
    import pty

    seen = tmp_path / "seen"
    ours, theirs = pty.openpty()
    env = {**os.environ, "LEDGIT_PAGER": f"tee {seen}", "TERM": "xterm", "COLUMNS": "80", "LINES": "10"}
    with subprocess.Popen(
        [sys.executable, "-m", "ledgit", "--help"], cwd=repo, env=env, stdout=theirs, stdin=theirs
    ) as started:
        os.close(theirs)
        while True:
            try:
                if not os.read(ours, 4096):
                    break
            except OSError:
                break
        assert started.wait(timeout=30) == 0
    os.close(ours)

    assert seen.read_text().startswith("usage: ledgit")


@pytest.mark.parametrize(
    "words",
    [
        "ls",
        "ls --columns all",
        "ls --csv",
        "ls --md",
        "ls --json",
        "show",
        "show --json",
        "log owl",
        "tag owl",
        "note owl --show",
        "diff fox owl",
        "diff fox owl --md",
        "diff fox owl -p",
    ],
)
def test_no_name_or_value_steers_the_terminal(cli: Cli, record: Record, repo: Path, words: str) -> None:
    """Whatever a colleague logged, committed or wrote: letters arrive, no controls, no markup."""
    hostile = HOSTILE.replace("\r\n", "\n")
    record("--name", "fox")
    path = repo / os.fsdecode("evil\x1b[31m\u202e\n".encode() + b"\xff.py")
    path.write_text(f"# {HOSTILE}\n")
    record("--name", "owl", "-p", f"opt={hostile}", "-t", f"key={hostile}", "-m", "loss=1", path.name)
    cli("note", "owl", "-m", HOSTILE)
    out = cli(*words.split()).out

    bad = {"Cc", "Cs", "Zl", "Zp"}
    assert not [char for char in out if unicodedata.category(char) in bad and char not in "\n\t"]
    assert "\u202e" not in out
    if "--md" in words:
        assert "<b>" not in out
        assert "@all" not in out


def test_a_commit_by_hand_cannot_steer_the_terminal_either(
    cli: Cli, record: Record, repo: Path, git: Callable[..., str]
) -> None:
    """Names that the API refuses can still be written by hand."""
    run_id = record("--name", "owl")
    ref = f"refs/ledgit/runs/{run_id}"
    entry = git(repo, "show", f"{ref}:.ledgit/run/entry.json").replace("owl", "ev\\u001b[31mil")
    yaml = git(repo, "show", f"{ref}:.ledgit/run/run.yaml").replace('"owl"', '"ev\\x1b[31mil"')
    index = repo / ".git" / "forged"
    env = {**os.environ, "GIT_INDEX_FILE": str(index)}

    def plumb(*words: str, data: str = "") -> str:
        done = subprocess.run(
            ["git", *words], cwd=repo, env=env, input=data, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    plumb("read-tree", ref)
    for name, text in (("entry.json", entry), ("run.yaml", yaml)):
        blob = plumb("hash-object", "-w", "--stdin", data=text + "\n")
        plumb("update-index", "--cacheinfo", f"100644,{blob},.ledgit/run/{name}")
    message = git(repo, "log", "-1", "--format=%B", ref).replace("owl", "ev\x1b[31mil")
    commit = plumb("commit-tree", plumb("write-tree"), "-p", f"{ref}^", data=message)
    git(repo, "update-ref", ref, commit)

    for words in (["ls"], ["show"], ["log", run_id], ["ls", "--md"]):
        assert "\x1b" not in cli(*words).out
    assert "ev\\x1b[31mil" in cli("ls").out


def test_nothing_is_left_open_when_interrupted(monkeypatch: pytest.MonkeyPatch, repo: Path) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr("ledgit.cli.context.repository", interrupt)

    assert main(["ls"]) == 130
