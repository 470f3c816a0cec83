"""What all screens share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git

from ledgit.repository import open_repository
from ledgit.tui.session import Session, UiOptions, knows_unicode
from ledgit.tui.themes import GLYPHS, SERIES_DARK, SERIES_LIGHT, SERIES_MARKS, default_theme


@pytest.mark.parametrize(
    ("environ", "known"),
    [
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C.utf8"}, True),
        ({}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
    ],
)
def test_what_the_terminal_can_draw_is_told_by_its_locale(environ: dict[str, str], known: bool) -> None:
    """As by every program; the console's font lacks most marks."""
    assert known is knows_unicode(environ)


def test_ascii_marks_are_ascii_and_no_two_states_look_alike() -> None:
    """State is told by the mark where there is no colour."""
    states = ["running", "finished", "failed", "killed", "scheduled", "lost", "unreadable", "deleted"]

    assert all(ascii_.isascii() and 1 == len(ascii_) == len(mark) for mark, ascii_ in GLYPHS.values())
    assert all(8 == len({GLYPHS[name][column] for name in states}) for column in (0, 1))
    assert all(8 == len(set(marks)) for marks in (SERIES_DARK, SERIES_LIGHT, *zip(*SERIES_MARKS, strict=True)))


def test_the_branch_is_the_one_that_is_checked_out(repo: Path) -> None:
    """None where HEAD is detached."""
    assert "main" == Session(open_repository(repo)).branch
    run_git(repo, "checkout", "-q", "-b", "exp/one")
    session = Session(open_repository(repo))
    assert "exp/one" == session.branch
    run_git(repo, "checkout", "-q", "--detach")
    session.forget()
    assert session.branch is None


def test_directions_are_the_repositorys(repo: Path) -> None:
    """A file that does not decode says nothing here; it must not keep the UI from starting."""
    config = repo / ".ledgit" / "config.yaml"
    config.parent.mkdir()
    config.write_text("metrics:\n  lag: {direction: minimize}\n  odd: {direction: sideways}\n")
    session = Session(open_repository(repo))
    assert {"lag": "minimize"} == session.directions
    config.write_text("metrics: [\n")
    session.forget()
    assert {} == session.directions


def test_why_nothing_can_be_written_is_known(repo: Path) -> None:
    """By the option; else it can."""
    assert "" == Session(open_repository(repo)).read_only
    assert "--read-only" in Session(open_repository(repo), UiOptions(read_only=True)).read_only


def test_the_theme_follows_the_terminal_where_it_says() -> None:
    """Dark where it doesn't."""
    assert "ledgit-light" == default_theme({"COLORFGBG": "0;15"})
    assert "ledgit-dark" == default_theme({"COLORFGBG": "15;default;0"}) == default_theme({})
