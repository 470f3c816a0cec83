"""Lines: only what is on the screen is drawn, whatever the lines say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.texts import harmless


class Page(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield Lines(empty="Nothing was printed.")

    def on_lines_found(self, message: Lines.Found) -> None:
        self.found.append(message.position)


class Counted:
    """A million lines that are made when asked for, and how many were."""

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, 0

    def __len__(self) -> int:
        return self.count

    def line(self, position: int) -> Text:
        self.asked += 1
        return Text(f"line {position}")


def drawn(lines: Lines) -> list[str]:
    return ["".join(part.text for part in lines.render_line(y)).rstrip() for y in range(lines.size.height)]


def page(work: Callable[[Pilot[None], Lines], Awaitable[None]], size: tuple[int, int] = (40, 10)) -> None:
    async def play() -> None:
        app = Page()
        async with app.run_test(size=size) as pilot:
            lines = app.query_one(Lines)
            lines.focus()
            await work(pilot, lines)

    asyncio.run(play())


def test_of_a_million_lines_only_those_in_sight_are_asked_for() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        source = Counted(1_000_000)
        lines.show(source)
        await pilot.pause()
        assert drawn(lines)[0] == "line 0"
        await pilot.press("G")
        assert drawn(lines)[-1] == "line 999999"
        await pilot.press("k", "ctrl+u", "pageup", "g", "j")
        assert drawn(lines)[0] == "line 1"
        assert source.asked < 100

    page(work)


def test_the_end_stays_in_sight_until_somebody_scrolls_up() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        said: list[str] = [f"{n}" for n in range(30)]
        lines.show(said, follow=True, keep=False)
        await pilot.pause()
        assert lines.following
        assert drawn(lines)[-1] == "29"
        said.append("30")
        lines.grown()
        await pilot.pause()
        assert drawn(lines)[-1] == "30"
        await pilot.press("k")
        said.append("31")
        lines.grown()
        await pilot.pause()
        assert (lines.following, drawn(lines)[-1]) == (False, "29")
        await pilot.press("F")
        assert (lines.following, drawn(lines)[-1]) == (True, "31")
        said[-1] = "31 and more of the same line"
        lines.grown()
        assert drawn(lines)[-1] == "31 and more of the same line"

    page(work)


def test_matches_are_found_both_ways_and_around_the_end() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        lines.show([f"step {n} Loss" if n % 40 == 7 else f"step {n}" for n in range(100)])
        await pilot.pause()
        assert lines.find("loss")
        assert lines.find("loss")
        assert lines.find("loss")
        await pilot.press("n", "N")
        assert not lines.find("LOSS")
        await pilot.pause()
        assert pilot.app.found == [7, 47, 87, 7, 87, None]  # type: ignore[attr-defined]
        assert any(part.text == "Loss" for y in range(10) for part in lines.render_line(y)) is False
        lines.find("Loss", back=True)
        assert any(part.text == "Loss" for y in range(10) for part in lines.render_line(y))

    page(work)


def test_the_rest_of_very_many_lines_is_searched_beside_the_screen() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        lines.show(Counted(60_000))
        await pilot.pause()
        assert not lines.find("line 59123")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert pilot.app.found == [59123]  # type: ignore[attr-defined]
        assert "line 59123" in drawn(lines)

    page(work)


def test_long_lines_scroll_sideways_and_a_match_far_right_comes_into_sight() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        lines.show(["x" * 200 + "needle" + "y" * 100, "z" * 100_000])
        await pilot.pause()
        await pilot.press("l", "l")
        assert lines.scroll_offset.x == 16
        lines.find("needle")
        await pilot.pause()
        assert "needle" in drawn(lines)[0]
        await pilot.press("0")
        assert lines.scroll_offset.x == 0

    page(work)


HOSTILE: Sequence[str] = (
    "\x1b[2J\x1b]0;title\x07 gone",
    "[bold]not markup[/] [link=https://example.org]x[/link]",
    "\u202egnp.exe \u2066abc\u2069",
    "日本語" * 30,
    "e\u0301\u0301\u0301 z\u0334\u0335\u0336",
    "\ud800 lone, \x00 nul, \x9b31m c1, a\tb",
)


def test_hostile_lines_are_drawn_as_what_they_say() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        lines.show(list(HOSTILE))
        await pilot.pause()
        for y, line in enumerate(drawn(lines)[: len(HOSTILE)]):
            assert not set(line) & set("\x1b\x07\x00\x9b\u202e\u2066\t\ud800"), y
        assert drawn(lines)[1].startswith("[bold]not markup[/]")
        for y in range(10):
            assert lines.render_line(y).cell_length == lines.size.width

    page(work)


def test_what_is_made_harmless_keeps_the_places_of_its_styles() -> None:
    text = Text("\x1b[31m red")
    text.stylize("bold", 6, 9)
    shown = harmless(text)
    assert (shown.plain, shown.spans) == ("␛[31m red", text.spans)


def test_no_lines_at_all_say_so_and_no_key_does_harm() -> None:
    async def work(pilot: Pilot[None], lines: Lines) -> None:
        lines.show([])
        await pilot.press(*"gGjknNhlF0", "pagedown", "ctrl+d", "slash")
        assert drawn(lines)[0] == "Nothing was printed."
        assert not lines.find("x")

    page(work, size=(30, 3))
