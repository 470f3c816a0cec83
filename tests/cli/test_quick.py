"""Plain lines of pull and push are read without argparse, to the same result."""

from __future__ import annotations

import itertools

import pytest

from ledgit.cli.parsing import build
from ledgit.cli.quick import _OPTIONS, read

LINES = [
    (command, words)
    for command, options in _OPTIONS.items()
    for count in range(4)
    for words in itertools.permutations([*options, "origin"], count)
]


@pytest.mark.parametrize("command", ["pull", "push"])
def test_what_is_read_here_is_what_argparse_reads(command: str) -> None:
    """All lines of up to three plain words, in every order."""
    parser = build(command)
    differ = []
    for name, words in LINES:
        if name == command:
            found = read(command, words)
            expected = vars(parser.read(words))
            del expected["run"]
            if found is None or vars(found) != expected:
                differ.append(words)

    assert len(LINES) > 100
    assert not differ


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--jsn"],
        ["a", "b"],
        [""],
        ["-"],
        ["--"],
        ["--json", "--json"],
        ["--json=1"],
        ["--run", "owl"],
        ["--runs", "owl"],
    ],
)
def test_all_else_is_left_to_argparse(words: list[str]) -> None:
    assert read("pull", words) is None
    assert read("push", words) is None


def test_other_commands_are_left_to_argparse() -> None:
    assert read("ls", []) is None
