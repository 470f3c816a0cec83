"""Arguments, help, and what starting costs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledgit
from ledgit.cli import main, parsing
from ledgit.cli.commands import completion
from ledgit.cli.table import GROUPS, SUMMARIES, overview
from ledgit.errors import UsageError

COMMANDS = sorted(SUMMARIES)


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if not isinstance(action, argparse._HelpAction))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_every_argument_explains_itself(command: str) -> None:
    parser = parsing.build(command)
    shown = parser.format_help()

    assert parser.description
    assert f"ledgit {command}" in str(parser.epilog)
    assert [] == [action.dest for action in actions(parser) if not action.help or action.help.endswith(".")]
    assert all(len(line) <= 100 for line in shown.splitlines()), shown


def test_the_overview_names_every_command_once() -> None:
    lines = overview().splitlines()

    for command in COMMANDS:
        assert len([line for line in lines if line.startswith(f"  {command} ")]) == 1
    assert len(SUMMARIES) == sum(len(commands) for _, commands in GROUPS)
    assert "exit codes:" in overview()


def test_every_module_of_commands_is_in_the_overview() -> None:
    folder = Path(completion.__file__).parent
    modules = {path.stem.rstrip("_") for path in folder.glob("*.py") if path.stem != "__init__"}

    assert modules == set(SUMMARIES)


def test_every_option_has_one_meaning() -> None:
    """A letter that means two things in two commands is a trap; these few differ on purpose."""
    meanings: dict[str, set[str]] = {}
    for command in COMMANDS:
        for action in actions(parsing.build(command)):
            for flag in action.option_strings:
                if len(flag) == 2:
                    meanings.setdefault(flag, set()).add(action.dest)
    several = {flag: dests for flag, dests in meanings.items() if len(dests) > 1}

    # -e and -v of projects are MLflow's.
    assert several == {
        "-e": {"experiment", "entry_point"},
        "-m": {"metric", "message"},
        "-p": {"param", "patch"},
        "-v": {"verbose", "version"},
    }


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("1", 1), ("-3", -3), ("0.1", 0.1), ("1e-3", 0.001), ("true", True), ("False", False), ("nan", float("nan")),
        ("007", "007"), ("1_000", "1_000"), ("", ""), ("adam", "adam"), ("None", "None"), ("0x10", "0x10"), ("+5", 5.0),
        (" 1", " 1"), ("١", "١"), ("1e", "1e"), ("-", "-"), ("99999999999999999999", 99999999999999999999),
    ],
)  # fmt: skip
def test_values_typed_in_a_shell_get_their_type(given: str, value: object) -> None:
    assert repr(parsing.typed(given)) == repr(value)


@given(st.integers() | st.floats() | st.booleans())
def test_what_python_prints_is_read_back(value: float) -> None:
    assert repr(parsing.typed(str(value))) == repr(value)


def test_pairs_keep_further_equals_signs() -> None:
    assert parsing.pairs(["a=b=c", "d="], "param") == {"a": "b=c", "d": ""}


@pytest.mark.parametrize("given", ["a", "=b", ""])
def test_a_pair_without_a_key_or_equals_sign_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="not of the form key=value"):
        parsing.pairs([given], "param")


def test_a_sort_key_may_begin_with_a_dash() -> None:
    args = parsing.build("ls").read(["--sort", "-loss", "-s", "-acc", "--sort", "lr", "x > 1"])

    assert args.sort == ["-loss", "-acc", "lr"]
    assert args.filter == "x > 1"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_the_completion_script_names_every_command(shell: str) -> None:
    script = completion.script(shell)

    assert [] == [command for command in COMMANDS if command not in script]
    assert "completion --names" in script


@pytest.mark.parametrize(("shell", "check"), [("bash", ["bash", "-n"])])
def test_the_completion_script_is_valid(shell: str, check: list[str]) -> None:
    done = subprocess.run(check, input=completion.script(shell), text=True, capture_output=True, check=False)

    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ["owl", "--force", "a", "b"],
        ["--force", "owl", "a", "b"],
        ["owl", "a", "--force", "b"],
        ["owl", "a", "b", "--force"],
    ],
)
def test_options_may_stand_anywhere(words: list[str]) -> None:
    args = parsing.build("apply").read(words)

    assert (args.ref, args.paths, args.force) == ("owl", ["a", "b"], True)


def test_what_follows_two_dashes_is_no_option() -> None:
    assert parsing.build("apply").read(["owl", "--", "--force"]).paths == ["--force"]
    assert parsing.build("run").read(["-p", "a=1", "--", "cmd", "-p", "b=2", "--", "c"]).command[-5:] == [
        "cmd", "-p", "b=2", "--", "c",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["show", "a", "b"], ["rev"], ["ls", "--limit", "x"], ["export"], ["tag"]])
def test_too_many_or_too_few_arguments_are_usage(words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"see 'ledgit {words[0]} --help'"):
        parsing.build(words[0]).read(words[1:])


def test_bash_completes_commands_options_and_runs(repo: Path) -> None:
    """In a real bash, with the names of this repository's runs."""
    words = """
ledgit() { "$PYTHON" -m ledgit "$@"; }
ledgit record --name calm-owl > /dev/null
eval "$(ledgit completion bash)"
complete_this() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_ledgit ledgit "${@: -1}" ""; }
for line in "ledgit dem" "ledgit ls --exper" "ledgit show calm" "ledgit ls --experiment Def"; do
  complete_this $line; echo "${COMPREPLY[*]}"
done
"""
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=repo,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["demo", "--experiment", "calm-owl", "Default"]


@pytest.mark.parametrize("words", [["--color=never"], ["--color", "never"], ["--no-pager"]])
def test_an_option_for_all_commands_that_stands_too_late_is_sent_forward(words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0].partition('=')[0]} goes before the command"):
        parsing.build("ls").read(words)


def test_what_stands_behind_two_dashes_is_no_option(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that names somebody's branch or run so is safe whatever they are called."""
    start = ledgit.start_run(run_name="--json")
    ledgit.end_run()

    assert 0 == main(["show", "--", "--json"])
    assert start.info.run_id in capsys.readouterr().out.splitlines()[0]
    assert 0 != main(["report", "--", "--output=stolen...HEAD"])
    assert 0 != main(["check", "--", "--junit=stolen"])
    assert 0 != main(["diff", "--", "--output=stolen", "HEAD"])
    assert "'--output=stolen" in capsys.readouterr().err
    assert not list(repo.glob("*stolen*"))
