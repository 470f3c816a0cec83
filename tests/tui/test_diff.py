"""The comparison of runs: which rows, what they say, what keys do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import GitFunction
from tests.tui.conftest import NOON, look, press, run, settled, type_line, ui
from tests.tui.looks import look as look_of
from textual.pilot import Pilot

from ledgit.records.history import Points
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo
from ledgit.repository import open_repository
from ledgit.tui.screens.codediff import CodeDiffScreen
from ledgit.tui.screens.diff import DiffScreen
from ledgit.tui.screens.diffrows import DiffRows

EVIL = "x\x1b[31m[bold]y[/]\u202e"


def add_runs(repo: Path, git: GitFunction, count: int, params: int = 0) -> list[str]:
    """Runs of two commits: accuracy and loss grow, `same` is the same in all."""
    commits = [git(repo, "rev-parse", "HEAD")]
    (repo / "train.py").write_text("def train():\n    return 1  # better\n")
    git(repo, "commit", "-q", "-a", "-m", "better")
    commits.append(git(repo, "rev-parse", "HEAD"))
    ids = []
    with open_repository(repo).bulk() as bulk:
        for number in range(count):
            start = NOON - 1_000_000 + number * 1000
            commit = commits[min(number, 1)]
            tree = git(repo, "rev-parse", f"{commit}^{{tree}}")
            name = f"run-{number}{EVIL if number == 1 else ''}"
            code = CodeInfo(commit=commit, tree=tree, branch="main")
            record = RunRecord(
                RunInfo(f"{number + 1:032x}", name, "E", "FINISHED", start, start + 500, user="A", code=code)
            )
            record.params.update(lr=10.0**-number, same=1, **{EVIL: number})
            record.params.update({f"param_{at:05}": at + number for at in range(params)})
            for key, value in (("accuracy", 0.8 + number / 10), ("loss", 1.0 + number), ("odd", number * 1.0)):
                record.metrics[key] = value
                record.histories[key] = Points.of([(step, start + step, value + step) for step in range(4)])
            bulk.add(record)
            ids.append(record.info.id)
    return ids


def shown(pilot: Pilot[Any]) -> dict[str, list[str]]:
    """What stands in the rows, by what they are about."""
    screen = pilot.app.screen
    assert isinstance(screen, DiffScreen)
    rows = screen.grid.rows
    assert isinstance(rows, DiffRows)
    return {cells[0].text.strip(): [cell.text for cell in cells[1:]] for cells in map(rows.cells, range(len(rows)))}


async def open_diff(pilot: Pilot[Any], ids: list[str]) -> DiffScreen:
    pilot.app.open_diff(ids)  # type: ignore[attr-defined]
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, DiffScreen)
    return screen


def test_only_what_differs_is_shown_until_asked_for_all(repo: Path, git: GitFunction) -> None:
    """Metrics say by how much, and whether that is better; hostile names are harmless."""
    ids = add_runs(repo, git, 2)

    async def walk() -> None:
        async with ui(repo, size=(120, 40)) as pilot:
            screen = await open_diff(pilot, ids)
            found = shown(pilot)
            assert ["0.8", "0.9", "▲ better +0.1  +12.5%"] == found["accuracy"]
            assert ["1", "2", "▼ worse  +1  +100.0%"] == found["loss"]
            assert ["0", "1", "+1"] == found["odd"]
            assert ["1", "0.1", "÷ 10"] == found["lr"]
            assert "same" not in found
            drawn = "".join(screen.grid.render_line(y).text for y in range(screen.grid.size.height))
            assert "x\\x1b[31m[bold]y" in drawn
            assert drawn.isprintable()
            await press(pilot, "=")
            assert "same" in shown(pilot)
            await press(pilot, "slash")
            await type_line(pilot, "sam")
            assert ["params · 2 of 3 differ", "same"] == list(shown(pilot))
            await press(pilot, "enter", "escape", "=")
            assert "accuracy" in shown(pilot)
            assert screen is pilot.app.screen

    run(walk())


def test_the_baseline_moves_and_the_chart_follows_the_metric(repo: Path, git: GitFunction) -> None:
    """Of more than two runs each cell says how it differs from the first."""
    ids = add_runs(repo, git, 4)

    async def walk() -> None:
        async with ui(repo, size=(80, 24)) as pilot:
            screen = await open_diff(pilot, ids)
            assert ["0.8", "0.9 ▲+0.1", "1 ▲+0.2", "1.1 ▲+0.3"] == shown(pilot)["accuracy"]
            await press(pilot, "percent_sign")
            assert "0.9 ▲+12.5%" == shown(pilot)["accuracy"][1]
            await press(pilot, "greater_than_sign")
            assert [*ids[1:], ids[0]] == screen.ids
            await press(pilot, "less_than_sign", "l", "b")
            assert ids[2] == screen.ids[0] == screen.session.baseline
            assert screen.chart.display
            assert 4 == len(screen.chart.plot.series)
            await press(pilot, "j", "right_square_bracket")
            assert screen.line is not None
            assert "params" == screen.line.section
            assert not screen.chart.display

    run(walk())


def test_repeats_of_two_setups_are_compared_as_samples(repo: Path) -> None:
    """Two setups, each run with some seeds: whether they differ by more than chance, or there are too few to tell."""
    ids = []
    with open_repository(repo).bulk() as bulk:
        for number in range(7):
            late, seed = divmod(number, 4)
            start = NOON - 1_000_000 + number * 1000
            code = CodeInfo(commit="c" * 40, tree="d" * 40)
            record = RunRecord(
                RunInfo(f"{number + 1}" * 32, f"run-{number}", "E", "FINISHED", start, start + 500, code=code)
            )
            record.params.update(lr=0.1 + late, seed=seed)
            record.metrics.update(accuracy=0.8 + late / 10 + seed / 1000, loss=1 + seed % 2 + late / 100, same=1.0)
            bulk.add(record)
            ids.append(record.info.id)

    async def walk() -> None:
        async with ui(repo, size=(160, 30), ascii=True) as pilot:
            await open_diff(pilot, [ids[0], ids[4], *ids[1:4], *ids[5:]])
            assert shown(pilot)["accuracy"][-1].startswith("^ better +0.0995  p = ")
            assert shown(pilot)["loss"][-1].startswith("-0.157  can be chance (p = 0.")
            said = look_of(pilot, styles=False)
            assert "4 against 3 repeats - 1 metric better - 1 metric by chance perhaps - 2 params differ" in said
            assert "0.8015 +- 0.0013 (n=4) > 0.901 +- 0.001 (n=3)  95% between" in said
            await press(pilot, "escape")
            await open_diff(pilot, ids[2:6])
            assert shown(pilot)["accuracy"][-1] == "+0.098  not enough repeats to tell"
            assert "2 against 2 repeats - 2 metrics with not enough repeats to tell" in look_of(pilot, styles=False)
            await press(pilot, "escape")
            await open_diff(pilot, ids[:3])  # repeats of one setup are no two samples
            assert "repeats" not in look_of(pilot, styles=False)

    run(walk())


def test_a_file_leads_to_its_lines_and_a_column_to_its_run(repo: Path, git: GitFunction) -> None:
    ids = add_runs(repo, git, 2)

    async def walk() -> None:
        async with ui(repo, size=(100, 30)) as pilot:
            screen = await open_diff(pilot, ids)
            pilot.app.open_code_diff("HEAD~1", "HEAD", "both")  # type: ignore[attr-defined]
            await settled(pilot)
            code = pilot.app.screen
            assert isinstance(code, CodeDiffScreen)
            assert ["train.py"] == [change.path for change in code.files]
            kinds = [line.kind for line in code.patch]
            assert {"hunk", "removed", "added"} == set(kinds)
            await press(pilot, "s", "n", "N", "tab", "s", "right_square_bracket")
            await pilot.resize_terminal(160, 45)
            await pilot.resize_terminal(10, 3)
            await press(pilot, "escape")
            assert screen is pilot.app.screen
            await press(pilot, "enter")
            assert screen is not pilot.app.screen

    run(walk())


def test_it_is_written_as_markdown_json_and_csv(repo: Path, git: GitFunction) -> None:
    """Files that are there stay as they are."""
    from ledgit.tui.data.difffiles import diff_text

    ids = add_runs(repo, git, 2)

    async def walk() -> None:
        async with ui(repo, size=(100, 30)) as pilot:
            screen = await open_diff(pilot, ids)
            await press(pilot, "w", "enter")
            text = (repo / "diff.md").read_text()
            assert "### metrics" in text
            assert "[bold]" not in text
            assert "\x1b" not in text
            assert screen.differences is not None
            lines = screen.differences.shown()
            document = json.loads(diff_text(screen.differences, lines, "json"))
            assert ids == [one["id"] for one in document["runs"]]
            assert "params,lr," in diff_text(screen.differences, lines, "csv")

    run(walk())


def test_a_run_that_is_deleted_meanwhile_stays_in_sight(repo: Path, git: GitFunction) -> None:
    """What was read of a purged run is still shown, and said to be gone; unknown ids are no error."""
    ids = add_runs(repo, git, 2)

    async def walk() -> None:
        async with ui(repo, size=(100, 30)) as pilot:
            screen = await open_diff(pilot, [*ids, "f" * 32])
            assert ids == screen.ids
            git(repo, "update-ref", "-d", "refs/ledgit/ledger")
            await look(pilot)
            assert screen.differences is not None
            assert set(ids) == screen.differences.gone
            assert "accuracy" in shown(pilot)
            gone = await open_diff(pilot, ["e" * 32, "d" * 32])
            assert "gone" in gone.grid.empty
            await press(pilot, "enter", "p", "D", "y", "escape", "greater_than_sign", "right_square_bracket")

    run(walk())


def test_ten_thousand_params_and_eight_runs_are_a_table_like_any(repo: Path, git: GitFunction) -> None:
    """Only what is seen is worked out; columns scroll sideways beside the first."""
    ids = add_runs(repo, git, 8, params=1_000)

    async def walk() -> None:
        async with ui(repo, size=(80, 24)) as pilot:
            screen = await open_diff(pilot, ids)
            assert len(screen.grid.rows) > 1_000
            await press(pilot, "G", "dollar_sign", "g", "0")
            assert 0 == screen.grid.cursor_row
            await pilot.resize_terminal(10, 3)
            await press(pilot, "j", "l")

    run(walk())
