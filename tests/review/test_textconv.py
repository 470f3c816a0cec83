"""``git diff`` of runs' files, by real Git, with the driver that ``ledgit init --diff-driver`` sets up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.review.conftest import Train

from ledgit.cli import main
from ledgit.review.textconv import textconv


@pytest.fixture
def pair(repo: Path, train: Train, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two runs whose histories differ, and Ledgit on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    runs = train(0.8, steps=50), train(0.9, steps=50)
    heads = runs[0].head, runs[1].head
    assert heads[0] is not None
    assert heads[1] is not None
    return heads[0], heads[1]


def test_git_shows_what_matters_of_a_history(repo: Path, pair: tuple[str, str]) -> None:
    """Instead of every point; without the driver it says that the file differs, and so again when it is undone."""
    before = (repo / ".git/config").read_text()
    assert main(["init"]) == 0
    plain = run_git(repo, "diff", *pair, "--", ".ledgit/run/history")
    prepared = (repo / ".git/info/attributes").read_bytes()
    assert "Binary files" in plain

    assert main(["init", "--diff-driver"]) == 0
    shown = run_git(repo, "diff", *pair, "--", ".ledgit/run")

    assert "-last: 0.8 at step 50" in shown
    assert "+last: 0.9 at step 50" in shown
    assert " points: 51" in shown
    assert "-metrics.accuracy: 0.8" in shown or "accuracy" in shown
    assert main(["init", "--diff-driver"]) == 0
    assert run_git(repo, "diff", *pair, "--", ".ledgit/run") == shown
    assert run_git(repo, "show", "--format=", "--stat", pair[0], "--", ".ledgit/run") != ""

    assert main(["init", "--no-diff-driver"]) == 0
    assert run_git(repo, "diff", *pair, "--", ".ledgit/run/history") == plain
    assert (repo / ".git/info/attributes").read_bytes() == prepared
    assert 'diff "ledgit"' not in (repo / ".git/config").read_text()
    assert before.splitlines()[0] == "[core]"


def test_git_shows_the_file_where_ledgit_is_not_on_the_path(
    repo: Path, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that fails would end the whole diff."""
    assert main(["init", "--diff-driver"]) == 0
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")

    shown = run_git(repo, "diff", *pair, "--", ".ledgit/run/history")

    assert "+50\t" in shown


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=100).map(b"step\ttimestamp\tx\n".__add__)))
def test_any_file_becomes_harmless_lines(data: bytes) -> None:
    """Whatever its content: no control character reaches the terminal."""
    text = textconv(data)

    assert not any((ord(char) < 32 and char != "\n") or ord(char) == 127 for char in text)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"step\ttimestamp\tloss\n0\t1\t0.5\n1\t2\tnan\n", "no numbers: 1"),
        (b"step\ttimestamp\tloss\n", "points: 0"),
        (b"step\ttimestamp\tloss\nbroken\n", "broken"),
        (b'{"b": {"c": 1}, "a": "\\u001b[31m"}', 'a: "'),
        (b"accuracy: 0.9\n", "accuracy: 0.9"),
    ],
)
def test_each_file_is_summed_up(data: bytes, said: str) -> None:
    """And what is broken is shown as it is."""
    assert said in textconv(data)


def test_a_file_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit code of the disk."""
    assert main(["textconv", "no/such/file"]) == 7
    assert "no/such/file" in capsys.readouterr().err
