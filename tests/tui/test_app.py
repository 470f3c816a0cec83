"""Which screen is shown, and what all of them can do."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text
from tests.conftest import run_git
from tests.tui.conftest import log_runs, look, press, run, settled, type_line, ui, until
from tests.tui.looks import look as look_of
from textual.events import Key
from textual.widgets import Static

from ledgit.errors import RunNotFound
from ledgit.tui.screen import Change, Choice, LedgitScreen, Problem
from ledgit.tui.widgets.dialogs import ChooseDialog, ConfirmDialog, ProblemDialog
from ledgit.tui.widgets.header import KeyLine
from ledgit.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.pilot import Pilot


class Plain(LedgitScreen):
    """A screen with a word on it that remembers what it was told."""

    NAME = "plain"

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def body(self) -> ComposeResult:
        yield Static(Text("word"))

    def changed(self, change: Change) -> None:
        self.told.append(change)


async def plain(pilot: Pilot[Any]) -> Plain:
    screen = Plain()
    pilot.app.push_screen(screen)
    await settled(pilot)
    return screen


def test_an_answer_comes_from_a_thread_to_the_screens_own(repo: Path) -> None:
    """A question never holds a key up, and what it finds is drawn where drawing is allowed."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            screen.ask(threading.get_ident, lambda found: screen.told.append((found, threading.get_ident())))
            await settled(pilot)

            [(asked, answered)] = screen.told
            assert threading.get_ident() == answered != asked

    run(main())


def test_a_later_question_of_the_group_makes_the_earlier_answer_void(repo: Path) -> None:
    """Holding an arrow down does not show what the cursor has left."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            hold = threading.Event()
            screen.ask(hold.wait, lambda _: screen.told.append("first"), group="g")
            screen.ask(lambda: None, lambda _: screen.told.append("second"), group="g")
            hold.set()
            await settled(pilot)

            assert ["second"] == screen.told

    run(main())


def test_an_error_is_one_panel_that_says_what_to_do(repo: Path) -> None:
    """Nothing is a traceback, and the screen stays as it was."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)

            def fail() -> None:
                raise RunNotFound("calm\x1b[2J")

            screen.ask(fail, screen.told.append)
            await settled(pilot)

            dialog = pilot.app.screen
            assert isinstance(dialog, ProblemDialog)
            assert "\x1b" not in str(dialog.query_one(".dialog--text", Static).render())
            await press(pilot, "escape")
            assert pilot.app.screen is screen
            assert [] == screen.told

    run(main())


def test_a_long_question_says_what_it_reads(repo: Path) -> None:
    """And no more when it has."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            hold = threading.Event()
            screen.ask(hold.wait, lambda _: None, what="reading 3 runs")
            while not (busy := screen.query_one(KeyLine).busy):
                await pilot.pause(0.05)
            hold.set()
            await settled(pilot)

            assert "reading 3 runs" in busy
            assert "" == screen.query_one(KeyLine).busy

    run(main())


def test_how_far_a_first_index_is_stands_in_the_first_line(repo: Path) -> None:
    """And nothing is drawn into the terminal behind the screen's back; what is read in no time is not spoken of."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            hold = threading.Event()

            def read() -> None:
                while not hold.is_set():
                    screen.session.repository.index.progress("reading the ledger", 1_024, 1_600)

            screen.ask(read, screen.told.append)
            await until(pilot, lambda: "indexing 1,024 of 1,600 files" in look_of(pilot, styles=False), settle=False)
            hold.set()
            await settled(pilot)

            assert "indexing" not in look_of(pilot, styles=False)

    run(main())


def test_changes_wait_until_a_screen_is_seen(repo: Path) -> None:
    """What is below another screen is not drawn, and misses nothing."""

    async def main() -> None:
        async with ui(repo) as pilot:
            below = await plain(pilot)
            above = await plain(pilot)
            below.told.clear()
            log_runs(repo, 1)
            await look(pilot)

            assert [] == below.told
            assert [True] == [change.everything for change in above.told]
            await press(pilot, "escape")
            assert [True] == [change.everything for change in below.told]

    run(main())


def test_a_question_is_answered_by_keys(repo: Path) -> None:
    """y and n, or what has to be typed first; a reason comes along."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            screen.confirm("Delete?", "text", lambda: screen.told.append("yes"))
            await press(pilot, "n")
            screen.confirm("Delete?", "text", lambda: screen.told.append("yes"))
            await press(pilot, "y")
            assert ["yes"] == screen.told

            screen.confirm("Promote?", "", screen.told.append, reason=True, typed="prod")
            await settled(pilot)
            await type_line(pilot, "why")
            await press(pilot, "enter", "enter")
            assert isinstance(pilot.app.screen, ConfirmDialog), "enter goes on to what must be typed, and stays there"
            await type_line(pilot, "prod")
            await press(pilot, "enter")
            assert ["yes", "why"] == screen.told

    run(main())


def test_a_list_is_filtered_by_typing(repo: Path) -> None:
    """In the text and in what stands beside it; hostile names are only words."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            items = [Choice("1", "alpha"), Choice("2", "[bold]beta[/]", "the second"), Choice("3", "gamma")]
            screen.choose("Pick", items, screen.told.append)
            await settled(pilot)
            await type_line(pilot, "second")
            await press(pilot, "enter")
            screen.choose("Pick", items, screen.told.append)
            await press(pilot, "down", "down", "enter")
            screen.choose("Pick", items, screen.told.append)
            await settled(pilot)
            assert isinstance(pilot.app.screen, ChooseDialog)
            await press(pilot, "escape")

            assert ["2", "3"] == screen.told

    run(main())


def odd(text: str) -> Problem | None:
    return Problem(text.index("x"), "no x here") if "x" in text else None


def test_a_line_is_looked_at_while_it_is_typed(repo: Path) -> None:
    """What is wrong is marked below its character, and is not handed on; escape goes back to how it was."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            typed: list[str] = []
            screen.prompt("filter", screen.told.append, value="a", check=odd, live=typed.append)
            await settled(pilot)
            await type_line(pilot, "b")
            await type_line(pilot, "x")
            hint = screen.query_one(".prompt--hint", Static)
            place = screen.query_one(Prompt).input.region.x + 2
            assert " " * place + "^ no x here" == str(hint.render()).rstrip()
            await press(pilot, "enter")
            assert [] == screen.told
            await press(pilot, "backspace", "enter")

            assert ["ab"] == screen.told
            assert ["ab"] == typed
            screen.prompt("filter", screen.told.append, value="a", live=typed.append)
            await settled(pilot)
            await press(pilot, "up")
            assert "ab" == screen.query_one(Prompt).input.value, "what was given before comes back"
            await press(pilot, "escape")
            assert "a" == typed[-1]
            assert not screen.query(Prompt)

    run(main())


def test_keys_that_are_typed_ahead_go_into_the_line(repo: Path) -> None:
    """However fast they come: on the table the same letters would be commands."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            screen.prompt("filter", screen.told.append)
            for key in "aMx1":
                pilot.app.post_message(Key(key, key))
            await settled(pilot)
            pilot.app.post_message(Key("enter", "\r"))
            await settled(pilot)

            assert ["aMx1"] == screen.told
            assert pilot.app.screen is screen

    run(main())


def test_tab_completes_the_word_before_the_cursor(repo: Path) -> None:
    """Again for the next one; the rest of the line stays."""

    async def main() -> None:
        async with ui(repo) as pilot:
            screen = await plain(pilot)
            names = ["metrics.accuracy", "metrics.loss"]
            screen.prompt("filter", screen.told.append, value="a = 1 and me", complete=lambda text, at: names)
            await settled(pilot)
            await press(pilot, "tab")
            assert "a = 1 and metrics.accuracy" == screen.query_one(Prompt).input.value
            await press(pilot, "tab")
            assert "a = 1 and metrics.loss" == screen.query_one(Prompt).input.value
            await type_line(pilot, " > 1")
            await press(pilot, "enter")

            assert ["a = 1 and metrics.loss > 1"] == screen.told

    run(main())


def test_without_unicode_every_main_screen_and_the_help_are_ascii(repo: Path) -> None:
    """Frames, marks, charts, scroll bars, toasts."""

    async def main() -> None:
        log_runs(repo, 3)
        async with ui(repo, size=(80, 12), ascii=True) as pilot:
            odd = {}
            for key in "12345":
                await press(pilot, key)
                screen = pilot.app.screen
                assert isinstance(screen, LedgitScreen)
                screen.tell("a word")
                await settled(pilot)
                odd[key] = {char for char in look_of(pilot, styles=False) if not char.isascii()}
            await press(pilot, "question_mark")
            odd["help"] = {char for char in look_of(pilot, styles=False) if not char.isascii()}

            assert {} == {key: found for key, found in odd.items() if found}

    run(main())


def test_who_has_a_remote_and_no_runs_hears_how_to_get_them(repo: Path) -> None:
    """An empty table after a clone would look like lost work."""
    run_git(repo, "remote", "add", "origin", "../elsewhere")

    async def main() -> None:
        async with ui(repo) as pilot:
            assert "ledgit pull" in look_of(pilot, styles=False)

    run(main())


@pytest.mark.parametrize("size", [(10, 3), (1, 1), (39, 7), (300, 80)])
def test_any_size_can_be_drawn(repo: Path, size: tuple[int, int]) -> None:
    """And the way back from it."""

    async def main() -> None:
        async with ui(repo, size=(80, 24)) as pilot:
            screen = await plain(pilot)
            screen.prompt("filter", screen.told.append)
            await settled(pilot)
            await pilot.resize_terminal(*size)
            await settled(pilot)
            await pilot.resize_terminal(80, 24)
            await settled(pilot)

            assert 1 == screen.query_one(KeyLine).size.height

    run(main())
