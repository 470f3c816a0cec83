"""The screen of branches: the graph, runs at commits, what is compared, what is searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import GitFunction
from tests.tui.conftest import NOON, look, press, run, type_line, ui
from textual.pilot import Pilot

from ledgit.records.history import Points
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo
from ledgit.repository import open_repository
from ledgit.tui.screens.branches import BranchesScreen
from ledgit.tui.screens.codediff import CodeDiffScreen
from ledgit.tui.screens.diff import DiffScreen


def commit(git: GitFunction, repo: Path, subject: str, content: str) -> str:
    (repo / "train.py").write_text(content)
    git(repo, "commit", "-q", "-a", "-m", subject)
    return git(repo, "rev-parse", "HEAD")


def add_run(repo: Path, git: GitFunction, number: int, commit: str, accuracy: float, tree: str = "") -> str:
    """A finished run of a commit's code."""
    run_id = f"{number:032x}"
    code = CodeInfo(commit=commit, tree=tree or git(repo, "rev-parse", f"{commit}^{{tree}}"), branch="main")
    start = NOON - 1_000_000 + number * 1000
    record = RunRecord(
        RunInfo(run_id, f"run-{number}", "Default", "FINISHED", start, start + 500, user="Ada", code=code)
    )
    record.metrics["accuracy"] = accuracy
    record.histories["accuracy"] = Points.of([(0, start, accuracy)])
    with open_repository(repo).bulk() as bulk:
        bulk.add(record)
    return run_id


def screen_of(pilot: Pilot[Any]) -> BranchesScreen:
    found = pilot.app.screen
    assert isinstance(found, BranchesScreen)
    return found


def texts(screen: BranchesScreen) -> list[list[str]]:
    """What stands in the rows: subject, runs, value, change."""
    rows = screen.commits.rows
    return [[cell.text for cell in rows.cells(at) or ()][1:5] for at in range(len(rows))]


def test_each_commit_has_its_runs_the_best_value_and_the_change(repo: Path, git: GitFunction) -> None:
    """The best of several runs counts, and is compared with the best of all that the commit stands on."""
    one = commit(git, repo, "one", "1")
    two = commit(git, repo, "two", "2")
    git(repo, "checkout", "-q", "-b", "tree\u202e(bold)", one)
    three = commit(git, repo, "three \x1b[31m[bold]", "3")
    add_run(repo, git, 1, one, 0.8)
    add_run(repo, git, 2, one, 0.85)
    add_run(repo, git, 3, two, 0.9)
    add_run(repo, git, 4, three, 0.7)

    async def walk() -> None:
        async with ui(repo, size=(120, 30), screen="branches") as pilot:
            screen = screen_of(pilot)
            found = {row[0].split("] ")[-1]: row[1:] for row in texts(screen)}
            assert ["2", "0.85", "first"] == found["one"]
            assert ["1", "0.9", "▲ +0.05"] == found["two"]
            assert ["1", "0.7", "▼ -0.15"] == found["three \\x1b[31m[bold]"]
            assert ["", "", ""] == found["first"]
            tips = [[cell.text for cell in screen.tips.rows.cells(at) or ()] for at in range(2)]
            assert {"0.9", "0.85"} == {row[2] for row in tips}
            assert "\u202e" not in "".join(text for row in tips for text in row)
            assert "\x1b" not in "".join(text for row in texts(screen) for text in row)

    run(walk())


def test_runs_of_a_commit_that_was_rewritten_stand_at_the_one_with_its_code(repo: Path, git: GitFunction) -> None:
    """An amended commit keeps its runs, and enter finds them."""
    old = commit(git, repo, "before", "1")
    ours = add_run(repo, git, 1, old, 0.8)
    git(repo, "commit", "-q", "--amend", "-m", "after")

    async def walk() -> None:
        async with ui(repo, size=(120, 30), screen="branches") as pilot:
            screen = screen_of(pilot)
            assert ["1~", "0.8", "first"] == texts(screen)[0][1:]
            assert screen.runs is not None
            from ledgit.tui.data.branching import runs_at

            assert [ours] == runs_at(screen.session, next(iter(screen.runs.at.values())))

    run(walk())


def test_two_marked_commits_are_compared_by_their_best_runs_or_their_code(repo: Path, git: GitFunction) -> None:
    """Where a side has no run, what differs in the code is shown."""
    one = commit(git, repo, "one", "1")
    two = commit(git, repo, "two", "2")
    runs = [add_run(repo, git, 1, one, 0.8), add_run(repo, git, 2, two, 0.9)]

    async def walk() -> None:
        async with ui(repo, size=(80, 24), screen="branches") as pilot:
            screen = screen_of(pilot)
            await press(pilot, "j", "space", "k", "space", "d")
            shown = pilot.app.screen
            assert isinstance(shown, DiffScreen)
            assert runs == shown.ids
            await press(pilot, "escape", "M", "G", "space", "g", "space", "d")
            code = pilot.app.screen
            assert isinstance(code, CodeDiffScreen)
            assert ["train.py"] == [change.path for change in code.files]
            await press(pilot, "escape")
            assert screen is pilot.app.screen

    run(walk())


def test_new_commits_and_runs_appear_and_the_cursor_stays(repo: Path, git: GitFunction) -> None:
    """What is made in another terminal is there after the next look."""
    commit(git, repo, "one", "1")

    async def walk() -> None:
        async with ui(repo, size=(100, 30), screen="branches") as pilot:
            screen = screen_of(pilot)
            await press(pilot, "j")
            on = screen.commits.cursor_key
            two = commit(git, repo, "two", "2")
            add_run(repo, git, 7, two, 0.5)
            await look(pilot)
            assert "two" in texts(screen)[0][0]
            assert ["1", "0.5", "first"] == texts(screen)[0][1:]
            assert on == screen.commits.cursor_key

    run(walk())


def test_a_search_finds_commits_that_were_not_read_yet(repo: Path, git: GitFunction) -> None:
    """A history is read on until the word is found."""
    lines = [f"commit refs/heads/main\ncommitter A <a@example.org> {1_700_000_000 + number} +0000\n"
             f"data <<X\nchange {number}\nX\n" for number in range(1_500)]  # fmt: skip
    git(repo, "fast-import", "--quiet", "--force", stdin="\n".join(lines).encode())

    async def walk() -> None:
        async with ui(repo, size=(100, 30), screen="branches") as pilot:
            screen = screen_of(pilot)
            assert len(screen.commits.rows) < 1_500
            await press(pilot, "slash")
            await type_line(pilot, "change 3")
            await press(pilot, "enter")
            assert screen.view is not None
            assert "change 399" == screen.view.graph.rows[screen.commits.cursor_row].commit.subject
            await press(pilot, "n", "n", "N")
            assert "change 398" == screen.view.graph.rows[screen.commits.cursor_row].commit.subject

    run(walk())


def test_a_repository_without_commits_says_what_makes_the_first(tmp_path: Path, git: GitFunction) -> None:
    git(tmp_path, "init", "-q")

    async def walk() -> None:
        async with ui(tmp_path, size=(60, 15), screen="branches", ascii=True) as pilot:
            screen = screen_of(pilot)
            assert "git commit" in screen.commits.empty
            await press(pilot, "d", "m", "enter", "space", "o", "tab", "tab", "n", "right_square_bracket")
            await pilot.resize_terminal(10, 3)
            await press(pilot, "j")
            await pilot.resize_terminal(120, 40)

    run(walk())
