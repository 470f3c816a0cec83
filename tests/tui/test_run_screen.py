"""The screen of one run: what it shows, what it changes, and that it moves with the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.tui.conftest import NOON, log_runs, look, press, run, settled, type_line, ui, until
from textual.pilot import Pilot

import ledgit
from ledgit.records.history import Points
from ledgit.tui.screens.run import RunScreen
from ledgit.tui.screens.run.page import TABS
from ledgit.tui.widgets.lines import Lines


def screen(pilot: Pilot[Any]) -> str:
    """What is on the screen, as text."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(part.text for part in strip).rstrip() for strip in strips)


async def opened(pilot: Pilot[Any], run_id: str, tab: str = "") -> RunScreen:
    pilot.app.open_run(run_id, tab)  # type: ignore[attr-defined]
    await settled(pilot)
    page = pilot.app.screen
    assert isinstance(page, RunScreen)
    return page


def test_a_run_is_shown_whole_and_its_tabs_are_a_key_away(repo: Path) -> None:
    (run_id,) = log_runs(repo, 1)

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, run_id)
            shown = screen(pilot)
            for text in (
                "run-0 · finished",
                "main@",
                "accuracy",
                "0.82",
                "0.8 – 0.82",
                "lr",
                "forest",
                "none; t adds one",
            ):
                assert text in shown, text
            for tab, text in zip(
                TABS[1:],
                (
                    "loss",
                    "was not kept",
                    "logged no files",
                    "commit",
                    "not recorded",
                    "run: run-0",
                    f"ledgit repro {run_id[:8]}",
                ),
                strict=True,
            ):
                await press(pilot, "right_square_bracket")
                assert text in screen(pilot), tab.KEY
            await press(pilot, "right_square_bracket", "left_square_bracket", "left_square_bracket", "escape")
            assert not isinstance(pilot.app.screen, RunScreen)

    run(work())


def test_tags_notes_names_and_stars_change_and_can_be_taken_back(repo: Path) -> None:
    (run_id,) = log_runs(repo, 1)
    repository = ledgit.open(repo)

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, run_id)
            await press(pilot, "t")
            await type_line(pilot, "team=vision [b]")
            await press(pilot, "enter")
            assert repository.run(run_id).tags == {"team": "vision [b]"}
            assert "vision [b]" in screen(pilot)
            await press(pilot, "t")
            await type_line(pilot, "-team")
            await press(pilot, "enter")
            assert repository.run(run_id).tags == {}
            await press(pilot, "u")
            assert repository.run(run_id).tags == {"team": "vision [b]"}
            await press(pilot, "e")
            await type_line(pilot, "good")
            await press(pilot, "ctrl+s")
            assert repository.run(run_id).note == "good"
            await press(pilot, "asterisk", "x")
            assert "deleted" in screen(pilot)
            await press(pilot, "x", "r")
            await type_line(pilot, "-best")
            await press(pilot, "enter")
            now = repository.run(run_id)
            assert (now.name, now.deleted, now.tags["ledgit.star"]) == ("run-0-best", False, "true")
            await press(pilot, "left_square_bracket", "left_square_bracket")
            assert "wrote" in screen(pilot) or "note" in screen(pilot)

    run(work())


def test_nothing_can_be_changed_where_that_is_not_wanted(repo: Path) -> None:
    (run_id,) = log_runs(repo, 1)

    async def work() -> None:
        async with ui(repo, read_only=True) as pilot:
            await opened(pilot, run_id)
            await press(pilot, *"etrm", "asterisk", "x", "u")
            assert isinstance(pilot.app.screen, RunScreen)

    run(work())
    assert ledgit.open(repo).run(run_id).tags == {}


HOSTILE = "\x1b]0;x\x07[bold red]a[/] [link=https://x.example]b[/link] \u202egnp\u2066 日本語e\u0301\x9b2J"


def hostile(repo: Path) -> str:
    with ledgit.start_run(run_name="[bold red]a[/] [link=https://x.example]b[/link] 日本語e\u0301") as active:
        ledgit.log_params({f"p/{number}": HOSTILE for number in range(2000)})
        ledgit.set_tags({"t": HOSTILE, "mlflow.note.content": HOSTILE + "\n[/]" + "y" * 3000})
        ledgit.log_metric("all nan", float("nan"))
        for step in range(3):
            ledgit.log_metrics({f"m{number} /i": float(step * number) for number in range(100)}, step=step)
        ledgit.log_text((HOSTILE + "\n") * 300 + "z" * 300_000, "output.log")
        ledgit.log_text(HOSTILE, "a [bold]b[/].txt")
        ledgit.log_text(f"x,{HOSTILE}\n1,{HOSTILE}\n", "t.csv")
    run_id: str = active.info.run_id
    return run_id


@pytest.mark.parametrize(("size", "options"), [((100, 30), {}), ((10, 3), {"ascii": True})])
def test_hostile_texts_are_words_on_every_tab(repo: Path, size: tuple[int, int], options: dict[str, Any]) -> None:
    run_id = hostile(repo)

    async def work() -> None:
        async with ui(repo, size, **options) as pilot:
            await opened(pilot, run_id)
            for _ in TABS:
                shown = screen(pilot)
                assert not set(shown) & set("\x1b\x07\x9b\u202e\u2066\t")
                assert [len(line) <= size[0] for line in shown.split("\n")]
                await press(pilot, "j", "G", "l", "g", "right_square_bracket")
            await pilot.resize_terminal(60, 20)
            await settled(pilot)

    run(work())


TRAINING = """
import sys, ledgit
run = ledgit.start_run(run_name="training")
from ledgit.git import Repo
from ledgit.store import ActiveRun
log = ActiveRun.join(Repo.discover(), run.info.run_id).open_artifact("output.log")
print(run.info.run_id, flush=True)
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "loss":
        ledgit.log_metric("loss", float(number), step=int(float(number) * 10))
        log.write(f"loss is {number}\\n".encode())
    if word == "end":
        log.close()
        ledgit.end_run()
    print("done", flush=True)
"""


def started(repo: Path) -> subprocess.Popen[str]:
    (repo / "training.py").write_text(TRAINING)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "training.py"], cwd=repo, stdin=pipe, stdout=pipe, text=True)


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_a_live_run_moves_and_stays_when_it_has_ended(repo: Path) -> None:
    process = started(repo)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()

    async def work() -> None:
        async with ui(repo) as pilot:
            page = await opened(pilot, run_id)
            assert "running" in screen(pilot)
            say(process, "loss 0.9")
            await look(pilot)
            assert "0.9" in screen(pilot)
            page.go_to("output")
            await until(pilot, lambda: "loss is 0.9" in screen(pilot))
            assert page.query_one(Lines).following or page.current is not None
            say(process, "loss 0.7")
            await until(pilot, lambda: "loss is 0.7" in screen(pilot))
            page.go_to("charts")
            await settled(pilot)
            say(process, "loss 0.5")
            await look(pilot)
            assert "0.5" in screen(pilot)
            say(process, "end")
            await look(pilot)
            await until(pilot, lambda: "finished" in screen(pilot))
            page.go_to("output")
            await settled(pilot)
            assert "loss is 0.5" in screen(pilot)

    try:
        run(work())
    finally:
        process.kill()
        process.communicate()


def test_a_run_is_stopped_after_a_question_that_names_its_process(repo: Path) -> None:
    process = started(repo)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, run_id)
            await press(pilot, "K")
            shown = screen(pilot)
            assert "Stop training?" in shown
            assert str(process.pid) in shown
            assert os.uname().nodename in shown
            assert "Yes" in shown
            await press(pilot, "escape")
            assert process.poll() is None
            await press(pilot, "K")
            await press(pilot, "y")
            process.wait()
            await look(pilot)
            await until(pilot, lambda: "killed" in screen(pilot))

    try:
        run(work())
    finally:
        process.kill()
        process.communicate()


def test_code_stands_beside_its_commit_file_by_file(repo: Path) -> None:
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("x = 1\n")
    with ledgit.start_run() as active:
        pass

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, active.info.run_id, "code")
            shown = screen(pilot)
            assert "what was not committed  2 files differ" in shown
            assert "+x = 1" in shown
            await press(pilot, "j")
            assert "-print('train')" in screen(pilot)
            assert "+print('changed')" in screen(pilot)

    run(work())


def test_files_are_written_into_a_folder_and_never_over_others(repo: Path) -> None:
    with ledgit.start_run() as active:
        ledgit.log_text("hello\n", "notes/a.txt")

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, active.info.run_id, "artifacts")
            await press(pilot, "j")
            assert "hello" in screen(pilot)
            await press(pilot, "w")
            await press(pilot, "enter")
            assert (repo / "a.txt").read_text() == "hello\n"
            (repo / "a.txt").write_text("mine")
            await press(pilot, "w")
            await press(pilot, "enter")
            assert "That did not work" in screen(pilot)
            assert (repo / "a.txt").read_text() == "mine"
            await press(pilot, "escape")

    run(work())


def test_the_commit_is_opened_or_its_address_copied(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_git(repo, "remote", "add", "origin", "https://me:secret@github.com/ada/code.git")
    (run_id,) = log_runs(repo, 1)
    head = run_git(repo, "rev-parse", "HEAD")
    page = f"https://github.com/ada/code/commit/{head}"

    async def work() -> None:
        async with ui(repo, environ={"SSH_CONNECTION": "1 2 3 4"}) as pilot:
            await opened(pilot, run_id)
            await press(pilot, "o")
            assert pilot.app.clipboard == page
            seen: list[str] = []
            monkeypatch.setattr("ledgit.tui.hosts.has_browser", lambda _: True)
            monkeypatch.setattr(pilot.app, "open_url", seen.append)
            await press(pilot, "o")
            assert seen == [page]
            await press(pilot, "y")
            await press(pilot, "enter")
            assert pilot.app.clipboard == run_id

    run(work())


def test_a_run_that_is_purged_underneath_stays_in_sight_and_says_so(repo: Path) -> None:
    ids = log_runs(repo, 2)

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, ids[0])
            command = [sys.executable, "-m", "ledgit", "gc", ids[0], "--purge", "--yes"]
            done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            await look(pilot)
            await press(pilot, "R")
            shown = screen(pilot)
            assert "purged" in shown
            assert "accuracy" in shown

    run(work())


def test_a_metric_of_nothing_but_nan_and_a_million_points_have_charts(repo: Path) -> None:
    from ledgit.records.clock import Clocks
    from ledgit.records.record import RunRecord
    from ledgit.records.run import RunInfo
    from ledgit.repository import open_repository

    record = RunRecord(RunInfo("f" * 32, "long", "Default", "FINISHED", NOON - 10**7, NOON, user="Ada"))
    record.clocks = Clocks((1, "c" * 16))
    for name, values in (("loss", [float(n % 7) for n in range(30_000)]), ("odd", [float("nan")] * 3)):
        points = record.histories.setdefault(name, Points())
        for step, value in enumerate(values):
            points.append(step, NOON - 10**7 + step, value)
        record.metrics[name] = values[-1]
    with open_repository(repo).bulk() as bulk:
        bulk.add(record)

    async def work() -> None:
        async with ui(repo) as pilot:
            await opened(pilot, "f" * 32, "charts")
            shown = screen(pilot)
            assert "loss" in shown
            assert "odd" in shown
            await press(pilot, "slash")
            await type_line(pilot, "odd")
            await press(pilot, "enter")
            assert "1 of 2 metrics" in screen(pilot)

    run(work())
