"""The screens of sweeps: all of them, and one that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.tui.conftest import look, press, run, type_line, ui
from tests.tui.sweepkit import CLOCKS, make_sweep, plan_of, start_trial, trial_record

from ledgit.errors import StorageError, UsageError
from ledgit.projects.sweeps import status
from ledgit.projects.sweeps.control import Control
from ledgit.records import ArtifactRecord, RunInfo, RunRecord
from ledgit.repository import open_repository
from ledgit.tui.data.sweeping import picture, resume_command, sorted_trials
from ledgit.tui.data.tables import table_text, write_table
from ledgit.tui.screens import sweepacts
from ledgit.tui.screens.sweeps import SweepScreen, SweepsScreen
from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.parallel import Parallel
from ledgit.tui.widgets.scatter import Scatter

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from ledgit.tui.widgets.grid import Grid

SWEEP = "5" * 32


def texts(grid: Grid) -> list[list[str]]:
    """The cells of a table."""
    return [[cell.text for cell in grid.rows.cells(place) or ()] for place in range(len(grid.rows))]


def sweeps(pilot: Pilot[Any]) -> SweepsScreen:
    found = pilot.app.screen
    assert isinstance(found, SweepsScreen)
    return found


def one(pilot: Pilot[Any]) -> SweepScreen:
    found = pilot.app.screen
    assert isinstance(found, SweepScreen)
    return found


def test_the_list_counts_trials_and_enter_leads_to_a_sweep_and_to_a_trials_run(repo: Path) -> None:
    """The best one first; sorting by any column, and the order they came in the third time."""
    make_sweep(repo, 40, planned=60)
    make_sweep(repo, 3, sweep="6" * 32, name="other")
    best = status(open_repository(repo), SWEEP).best
    assert best is not None

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            opened: list[str] = []
            pilot.app.open_run = opened.append  # type: ignore[attr-defined]
            lines = {row[0]: row for row in texts(sweeps(pilot).sweeps)}
            assert ["40/60", "", "2"] == lines["calm-sweep"][2:5]
            assert "✓ finished" == lines["other"][1]
            grid = sweeps(pilot).sweeps
            grid.move(grid.rows.find(SWEEP))
            await press(pilot, "enter")
            trials = one(pilot).pane.trials
            assert [str(best.number), "★ best"] == texts(trials)[0][:2]
            await press(pilot, "right", "right", "s")
            values = [float(row[2]) for row in texts(trials)]
            assert sorted(values) == values
            await press(pilot, "s")
            assert values == [float(row[2]) for row in texts(trials)][::-1]
            await press(pilot, "s", "g", "enter")
            assert [best.run] == opened

    run(main())


def test_a_sweep_is_watched_while_it_goes_on(repo: Path) -> None:
    """A trial shows when it begins, its value while it is logged, and the best one when it has ended."""
    make_sweep(repo, 10, planned=30)
    elsewhere = open_repository(repo)

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            await press(pilot, "enter")
            trials = one(pilot).pane.trials
            trial = start_trial(elsewhere, SWEEP, 10)
            trial.log_metric("loss", 0.75)
            await look(pilot)
            row = next(row for row in texts(trials) if row[0] == "10")
            assert ["● running", "0.75"] == row[1:3]
            trial.log_metric("loss", 0.0001, step=1)
            trial.set_tags({"ledgit.sweep.state": "complete"})
            trial.finish()
            await look(pilot)
            assert ["10", "★ best", "0.0001"] == texts(trials)[0][:3]
            await press(pilot, "escape")
            assert ["11/30", "", ""] == texts(sweeps(pilot).sweeps)[0][2:5]

    run(main())


def test_stopping_asks_how_and_whether_and_leaves_the_coordinator_a_word(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that has ended is not stopped, and the way on can be copied."""
    monkeypatch.setattr(sweepacts, "_PATIENCE", 0.0)
    repository = make_sweep(repo, 5, planned=9, reason="stopped")
    control = Control(repository.folder, SWEEP)

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            await press(pilot, "X")
            assert isinstance(pilot.app.screen, SweepsScreen)
            control.take()
            await press(pilot, "R")
            await press(pilot, "X", *"come", "enter", "escape")
            assert "" == control.asked()
            await press(pilot, "X", *"come", "enter", "enter")
            assert "finish" == control.asked()
            await press(pilot, "y", "enter")
            assert f"ledgit sweep resume {SWEEP[:8]}" == pilot.app.clipboard

    run(main())
    control.release()


def test_trials_are_filtered_marked_compared_and_written_to_a_file(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filter is the language of the runs; a trial is compared with the best one if none is marked."""
    make_sweep(repo, 30)
    best = status(open_repository(repo), SWEEP).best
    target = tmp_path / "t.json"
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            diffs: list[list[str]] = []
            pilot.app.open_diff = diffs.append  # type: ignore[attr-defined]
            await press(pilot, "enter", "down", "d")
            assert best is not None
            assert best.run == diffs[0][0]
            await press(pilot, "space", "space", "d")
            assert 2 == len(diffs[1]) == len(pilot.app.session.marks)  # type: ignore[attr-defined]
            await press(pilot, "slash")
            await type_line(pilot, "params.kind = 'relu'")
            await press(pilot, "enter")
            rows = texts(one(pilot).pane.trials)
            assert {"relu"} == {row[5] for row in rows}
            await press(pilot, "w", "ctrl+u")
            await type_line(pilot, target.name)
            await press(pilot, "enter")
            assert len(rows) == len(json.loads(target.read_text()))
            await press(pilot, "escape")
            assert 30 == len(one(pilot).pane.trials.rows)

    run(main())


def test_each_picture_draws_the_trials_that_have_a_value(repo: Path) -> None:
    """What is best so far, parallel coordinates, any parameter against the value, what matters."""
    make_sweep(repo, 60)

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            await press(pilot, "enter")
            pane = one(pilot).pane
            assert 57 == len(pane.query_one("#best", Scatter).cloud.dots)
            await press(pilot, "right_square_bracket")
            parallel = pane.query_one(Parallel)
            assert ["lr", "layers", "kind", "loss"] == [axis.key for axis in parallel.axes]
            assert parallel.axes[0].log
            assert ["gelu", "relu", "tanh"] == list(parallel.axes[2].names)
            await press(pilot, "p", *"kind", "enter")
            scatter = pane.query_one("#scatter", Scatter)
            assert ("kind", 57) == (scatter.cloud.x_label, len(scatter.cloud.dots))
            await press(pilot, "right_square_bracket")
            lines = pane.query_one("#matter", Lines)
            assert lines._source.line(0).plain.startswith("lr")  # type: ignore[union-attr]

    run(main())


EVIL = "[bold]x[/] \x1b[31m\u202eevil\u202c 名前 " + "w" * 300


def test_hostile_sweeps_and_tiny_terminals_do_no_harm(repo: Path) -> None:
    """Names and values are drawn as they are; a sweep without a plan says so; an empty repository teaches."""
    repository = open_repository(repo)

    async def empty() -> None:
        async with ui(repo, (80, 24), screen="sweeps") as pilot:
            lines = sweeps(pilot).query_one("#nothing", Lines)
            assert "ledgit sweep train.py" in "".join(lines._source.line(at).plain for at in range(len(lines)))  # type: ignore[union-attr]

    run(empty())
    content = plan_of(5, metric="", sampler="random").to_json().replace("relu", "[red]r\\u001b[0m").encode()
    with repository.bulk() as bulk:
        for digit, files in (("7", {"sweep.json": content}), ("8", {})):
            info = RunInfo(digit * 32, EVIL, "x", "FINISHED", 1_795_392_000_000, 1_795_392_001_000, "Ada")
            parent = RunRecord(info, tags={"ledgit.sweep": EVIL}, clocks=CLOCKS)
            parent.artifacts = [ArtifactRecord(path, len(data), "md5:0") for path, data in files.items()]
            bulk.add(parent, files)
        for number, value in enumerate((EVIL, float("nan"), 10**400, None, True)):
            trial = trial_record("7" * 32, number)
            trial.params["kind"] = value
            bulk.add(trial)

    async def main() -> None:
        async with ui(repo, screen="sweeps") as pilot:
            assert any("sweep.json" in row[-1] for row in texts(sweeps(pilot).sweeps))
            sweeps(pilot).sweeps.move(sweeps(pilot).sweeps.rows.find("8" * 32))
            await press(pilot, "R")
            assert "sweep.json" in str(sweeps(pilot).pane.query_one("#summary").render())  # and no window is in the way
            for size in ((100, 30), (10, 3), (160, 45), (39, 9), (80, 24)):
                await pilot.resize_terminal(*size)
                await press(pilot, "right_square_bracket", "tab", "down")
            svg = pilot.app.export_screenshot()
            assert "\x1b" not in svg
            assert "\u202e" not in svg

    run(main())


def test_trials_without_a_value_come_last_and_texts_after_numbers(repo: Path) -> None:
    """Whichever way they are sorted; equal ones by their number."""
    make_sweep(repo, 12)
    found = status(open_repository(repo), SWEEP)
    trials = list(found.trials)
    nan = float("nan")
    object.__setattr__(trials[3], "value", nan)
    object.__setattr__(trials[5], "value", None)
    object.__setattr__(trials[7], "params", {**trials[7].params, "layers": "many"})

    up = [trial.number for trial in sorted_trials(found, "value")]
    down = [trial.number for trial in sorted_trials(found, "value", reverse=True)]
    assert [3, 5] == up[-2:] == down[-2:]
    assert up[:-2] == down[-3::-1]
    assert 7 == sorted_trials(found, "params.layers")[-1].number
    shown = picture(found)
    assert {3, 5} & {number for number, *_ in shown.best} == set()
    assert "many" in shown.axes[1][2]
    assert "--trials 24" in resume_command(found)


def test_a_table_is_written_as_its_files_ending_says(tmp_path: Path) -> None:
    """And never over a file that is there."""
    titles, rows = ["a", "b|c"], [[1, None], [0.5, "x\n<b>"]]
    assert 'a,b|c\n1,\n0.5,"x\n<b>"\n' == table_text(titles, rows, "csv")
    assert [{"a": 1, "b|c": None}, {"a": 0.5, "b|c": "x\n<b>"}] == json.loads(table_text(titles, rows, "json"))
    assert "| a | b\\|c |" == table_text(titles, rows, "md").splitlines()[0]
    assert "<b>" not in table_text(titles, rows, "md")
    path = str(tmp_path / "t.csv")
    assert path == write_table(path, titles, rows)
    with pytest.raises(UsageError, match="already"):
        write_table(path, titles, rows)
    with pytest.raises(UsageError, match=r"\.csv"):
        write_table(str(tmp_path / "t.xls"), titles, rows)
    with pytest.raises(StorageError):
        write_table(str(tmp_path / "no" / "t.csv"), titles, rows)
