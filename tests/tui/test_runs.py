"""The runs screen, driven by keys on a real repository."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tests.tui.conftest import log_runs, look, press, run, settled, type_line, ui

from ledgit.records.record import RunRecord
from ledgit.records.run import RunInfo
from ledgit.repository import open_repository
from ledgit.tui.screens.runs import RunsScreen


def screen(pilot: Any) -> RunsScreen:
    found = pilot.app.seen
    assert isinstance(found, RunsScreen)
    return found


def text(pilot: Any) -> str:
    grid = screen(pilot).grid
    return "\n".join(grid.render_line(y).text for y in range(grid.size.height))


def names(pilot: Any) -> list[str]:
    rows = screen(pilot).rows
    assert rows is not None
    return [state.name for n in range(len(rows)) if (state := rows.state(rows.key(n))) is not None]


def cursor(pilot: Any) -> str | None:
    return screen(pilot).grid.cursor_key


def test_filter_sort_marks_and_diff_by_keys(repo: Path) -> None:
    """The walk that the issue describes."""
    ids = log_runs(repo, 5)

    async def work() -> None:
        async with ui(repo) as pilot:
            assert names(pilot) == ["run-4", "run-3", "run-2", "run-1", "run-0"]
            assert "this branch" in screen(pilot).headline
            await press(pilot, "slash")
            await type_line(pilot, "metrics.accuracy >")
            assert len(names(pilot)) == 5  # a wrong filter keeps what was there
            await type_line(pilot, " 0.835")
            await press(pilot, "enter")
            assert names(pilot) == ["run-4", "run-3", "run-2"]
            await press(pilot, "escape")
            assert len(names(pilot)) == 5

            grid = screen(pilot).grid
            while grid.columns[grid.cursor_column].key != "metrics.loss":
                await press(pilot, "right")
            await press(pilot, "s")
            assert names(pilot) == ["run-4", "run-3", "run-2", "run-1", "run-0"]  # less is better
            await press(pilot, "S")
            assert names(pilot)[0] == "run-0"
            assert "▼" in text(pilot).splitlines()[0]

            await press(pilot, "space", "v", "j", "v")
            assert list(pilot.app.session.marks) == [ids[0], ids[1], ids[2]]
            await press(pilot, "M", "a")
            assert len(pilot.app.session.marks) == 5
            assert "5 marked" in screen(pilot).headline
            await press(pilot, "a")
            assert not pilot.app.session.marks

    run(work())


def test_the_baseline_tells_better_from_worse_by_more_than_colour(repo: Path) -> None:
    """Signs and arrows, in the direction of the metric."""
    log_runs(repo, 3)

    async def work() -> None:
        async with ui(repo, (140, 30)) as pilot:
            await press(pilot, "j", "b")
            lines = text(pilot).splitlines()
            assert "◆ run-1" in lines[2]
            assert "0.84 +0.01▲" in lines[1]
            assert "0.82 -0.01▼" in lines[3]
            assert "1 +0.1▼" in lines[3]
            await press(pilot, "b")
            assert "▲" not in text(pilot)

    run(work())


def test_groups_and_nested_runs_fold(repo: Path) -> None:
    """A count and the best metric a group; a sweep's trials below it."""
    ids = log_runs(repo, 4)
    with open_repository(repo).bulk() as bulk:
        bulk.add(
            RunRecord(
                RunInfo(
                    "c" * 32, "trial", "Default", "FINISHED", 1_795_435_100_000, 1_795_435_100_900, parent_run=ids[3]
                )
            )
        )

    async def work() -> None:
        async with ui(repo) as pilot:
            await press(pilot, "escape")
            screen(pilot).narrow()
            await settled(pilot)
            assert "▸ run-3 (1)" in text(pilot)
            await press(pilot, "plus")
            assert names(pilot) == ["run-3", "trial", "run-2", "run-1", "run-0"]
            await press(pilot, "j", "minus")
            assert names(pilot) == ["run-3", "run-2", "run-1", "run-0"]
            assert cursor(pilot) == ids[3]

            screen(pilot)._group_by("params.lr")
            await settled(pilot)
            lines = text(pilot).splitlines()
            assert len(screen(pilot).grid.rows) == 5
            assert lines[1].split()[1] == "▸"
            assert "0.85" in lines[1]
            await press(pilot, "enter")
            assert names(pilot) == ["run-3"]
            await press(pilot, "escape")
            assert not screen(pilot).asked.group

    run(work())


def test_runs_that_come_in_leave_the_cursor_where_it_is(repo: Path) -> None:
    """By run id, with marks and order."""
    ids = log_runs(repo, 3)

    async def work() -> None:
        async with ui(repo) as pilot:
            await press(pilot, "j", "space")
            assert cursor(pilot) == ids[0]
            log_runs(repo, 2, first=3)
            await look(pilot)
            assert names(pilot)[0] == "run-4"
            assert cursor(pilot) == ids[0]
            assert list(pilot.app.session.marks) == [ids[1]]

    run(work())


def test_edits_are_made_and_taken_back(repo: Path) -> None:
    """Star, tags, deletion; undo."""
    ids = log_runs(repo, 2)

    async def work() -> None:
        async with ui(repo) as pilot:
            await press(pilot, "asterisk")
            await look(pilot)
            assert "★ run-1" in text(pilot)
            await press(pilot, "t")
            await type_line(pilot, "team=vision -nothing")
            await press(pilot, "enter")
            await press(pilot, "x")
            await look(pilot)
            assert names(pilot) == ["run-0"]
            await press(pilot, "u")
            await look(pilot)
            assert names(pilot) == ["run-1", "run-0"]

    run(work())
    assert open_repository(repo).run(ids[1]).tags["team"] == "vision"


def test_the_table_is_exported_as_it_is(repo: Path) -> None:
    """CSV, JSON and Markdown; a file that is there stays."""
    log_runs(repo, 3)

    async def work() -> None:
        async with ui(repo) as pilot:
            for kind in ("csv", "json", "md"):
                screen(pilot)._export(f"{kind}:file")
                await settled(pilot)
                await press(pilot, "ctrl+u")
                await type_line(pilot, str(repo / f"out.{kind}"))
                await press(pilot, "enter")

    run(work())
    rows = list(csv.DictReader((repo / "out.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["run-2", "run-1", "run-0"]
    assert json.loads((repo / "out.json").read_text())[0]["params.lr"] == 0.01
    assert (repo / "out.md").read_text().count("\n") == 5


def test_hostile_names_many_columns_and_nan_are_drawn_as_text(repo: Path) -> None:
    """Nothing steers the terminal, nothing is left out, and a metric with only nan sorts."""
    wide = {f"p{n:05d}": n for n in range(300)}
    hostile = "[bold]x[/] \x1b[2J\x1b]0;t\x07 \u202eabc שלום 模型"
    with open_repository(repo).bulk() as bulk:
        for number in range(2):
            record = RunRecord(
                RunInfo(
                    f"{number + 1}" * 32,
                    hostile,
                    "\x1b[31mred",
                    "FAILED",
                    1_795_435_100_000 + number,
                    1_795_435_100_900,
                )
            )
            record.params.update({**wide, "p00000": number, hostile: hostile})
            record.metrics.update({"nan": float("nan"), "acc": number / 10})
            record.tags.update({hostile: hostile})
            bulk.add(record)

    async def work() -> None:
        async with ui(repo, (160, 40)) as pilot:
            assert len(names(pilot)) == 2
            app_screen = screen(pilot)
            app_screen.asked = app_screen.asked._replace(
                names=("metrics.nan", f"params.{hostile}", *(f"params.{key}" for key in wide))
            )
            app_screen.reload(keep_columns=False)
            await settled(pilot)
            app_screen._sort_by("metrics.nan")
            await settled(pilot)
            await press(pilot, "dollar_sign", "0", "right", "right")
            drawn = text(pilot)
            assert "nan" in drawn
            assert "✗" in drawn
            shot = pilot.app.export_screenshot()
            for bad in ("\x1b", "\x07", "\u202e"):
                assert bad not in drawn
                assert bad not in shot
            for size in ((10, 3), (50, 12), (160, 40)):
                await pilot.resize_terminal(*size)
                await settled(pilot)

    run(work())


def test_nothing_to_see_says_why_and_what_to_do(repo: Path) -> None:
    """No runs yet; no run matches, with names that are like it; a branch without runs."""

    async def work() -> None:
        async with ui(repo, (120, 30)) as pilot:
            said = lambda: str(screen(pilot).query_one("#empty").render())  # noqa: E731
            assert "ledgit.log_metric" in said()
            log_runs(repo, 2)
            await look(pilot)
            screen(pilot).narrow(filter="metrics.acuracy > 2")
            await settled(pilot)
            assert "metrics.accuracy" in said()
            await press(pilot, "escape")
            assert len(names(pilot)) == 2
            screen(pilot).narrow(branch="nobody")
            await settled(pilot)
            assert "nobody" in said()
            await press(pilot, "escape")
            assert len(names(pilot)) == 2

    run(work())
