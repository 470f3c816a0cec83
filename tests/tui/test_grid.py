"""The table: what is drawn, where the cursor goes, and what hostile texts and very many rows do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from ledgit.tui.widgets.cells import Layout, fitted
from ledgit.tui.widgets.grid import Cell, Column, FixedRows, Grid


class Table(App[None]):
    """An app with a table and nothing else."""

    def __init__(self, *, unicode: bool = True) -> None:
        super().__init__()
        self.unicode = unicode
        self.said: list[Any] = []

    def compose(self) -> ComposeResult:
        yield Grid(unicode=self.unicode, empty="nothing here")

    def on_grid_opened(self, message: Grid.Opened) -> None:
        self.said.append(("opened", message.key))

    def on_grid_ranged(self, message: Grid.Ranged) -> None:
        self.said.append(("ranged", list(message.keys)))

    def on_grid_header_pressed(self, message: Grid.HeaderPressed) -> None:
        self.said.append(("head", message.column))


class Counted:
    """Any number of rows, made when asked for; remembers which were."""

    def __init__(self, count: int, columns: int = 2) -> None:
        self.count, self.columns, self.asked = count, columns, set[int]()

    def __len__(self) -> int:
        return self.count

    def key(self, position: int) -> str:
        return f"k{position}"

    def cells(self, position: int) -> Sequence[Cell] | None:
        self.asked.add(position)
        return [Cell(f"r{position}c{column}") for column in range(self.columns)]

    def find(self, key: str) -> int | None:
        return int(key[1:])

    def depth(self, position: int) -> int:
        return position % 2


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


@asynccontextmanager
async def table(size: tuple[int, int] = (40, 8), *, unicode: bool = True) -> Any:
    app = Table(unicode=unicode)
    async with app.run_test(size=size) as pilot:
        yield app.query_one(Grid), pilot


def lines(grid: Grid) -> list[str]:
    return [grid.render_line(y).text for y in range(grid.size.height)]


COLUMNS = (Column("name", "name", 8, fixed=True), Column("loss", "loss", 7, right=True))


def test_only_rows_on_the_screen_are_asked_for() -> None:
    """A hundred thousand rows cost what fits on the screen."""

    async def work() -> None:
        async with table() as (grid, pilot):
            rows = Counted(100_000)
            grid.show(COLUMNS, rows)
            await pilot.press("G")
            await pilot.pause()

            assert grid.cursor_row == 99_999
            assert len(rows.asked) < 40
            assert "r9999…" in lines(grid)[-1]

    run(work)


def test_ten_thousand_columns_draw_those_in_sight_and_scroll_with_the_cursor() -> None:
    """The first column stays, and a cell beyond the edge comes into sight when the cursor gets there."""

    async def work() -> None:
        async with table() as (grid, pilot):
            columns = [Column(f"c{n}", f"c{n}", 8, fixed=n == 0) for n in range(10_000)]
            grid.show(columns, Counted(3, 10_000))
            assert lines(grid)[0].rstrip().endswith("›")
            await pilot.press("dollar_sign")
            await pilot.pause()

            head, first = lines(grid)[:2]
            assert "c9999" in head
            assert "‹" in head
            assert first.startswith("› r0c0")
            assert "r0c9999" in first

    run(work)


def test_the_cursor_stays_on_its_run_and_at_its_place_on_the_screen() -> None:
    """Rows that come in above don't move what somebody is looking at."""

    async def work() -> None:
        async with table() as (grid, pilot):
            rows = [(f"k{n}", [Cell(f"run{n}"), Cell("1")]) for n in range(30)]
            grid.show(COLUMNS, FixedRows(rows))
            grid.show(COLUMNS, FixedRows([("new", [Cell("new"), Cell("0")]), *rows]), cursor="k0")
            assert (grid.cursor_row, grid.scroll_offset.y) == (1, 0)  # at the top one sees what comes
            grid.show(COLUMNS, FixedRows(rows), cursor="k0")
            await pilot.press(*"jjjjjjjjj")
            before = lines(grid)[1:]
            new = [(f"new{n}", [Cell("new"), Cell("0")]) for n in range(3)]
            grid.show(COLUMNS, FixedRows(new + rows), cursor=grid.cursor_key)
            await pilot.pause()

            assert grid.cursor_key == "k9"
            assert lines(grid)[1:] == before
            assert grid.scroll_offset.y == 6

            grid.show(COLUMNS, FixedRows(rows[:1]), cursor="k9")
            assert grid.cursor_key == "k0"
            grid.show(COLUMNS, FixedRows([]), cursor="k9")
            assert grid.cursor_key is None
            assert "nothing here" in lines(grid)[1]
            await pilot.press("j", "k", "G", "g", "pagedown", "right", "left", "enter", "v", "v")

    run(work)


def test_ranges_marks_openings_and_heads_are_told() -> None:
    """What a key does, the mouse does too."""

    async def work() -> None:
        async with table() as (grid, pilot):
            marked = {"k1": None}
            rows = FixedRows([(f"k{n}" if n else None, [Cell(f"run{n}"), Cell("1")]) for n in range(5)])
            grid.show(COLUMNS, rows, marked=marked)
            assert lines(grid)[2].startswith(" ▌run1")
            await pilot.press("enter", "v", "j", "j", "v", "enter")
            await pilot.click(Grid, offset=(4, 0))
            await pilot.click(Grid, offset=(4, 5), times=2)

            assert grid.app.said == [
                ("ranged", ["k1", "k2"]), ("opened", "k2"), ("head", "name"), ("opened", "k4"),
            ]  # fmt: skip
            assert grid.cursor_key == "k4"
            await pilot.press("v", "k")
            assert grid.ranging
            assert grid.cancel_range()
            assert not grid.ranging

    run(work)


def test_rows_on_their_way_are_dots_and_come_later() -> None:
    """A key never waits for a row."""

    class Slow(Counted):
        ready = False

        def cells(self, position: int) -> Sequence[Cell] | None:
            return super().cells(position) if self.ready else None

    async def work() -> None:
        async with table(unicode=False) as (grid, pilot):
            rows = Slow(5)
            grid.show(COLUMNS, rows, sort=("loss", True))
            await pilot.pause()
            assert lines(grid)[1] == ">" + " " + ".".ljust(8) + "  " + ".".rjust(7) + " " * (40 - 19)
            assert "loss v" in lines(grid)[0]
            rows.ready = True
            grid.refresh_rows()
            assert "r1c0" in lines(grid)[2]

    run(work)


def test_every_line_is_as_wide_as_the_widget_whatever_the_cells_say() -> None:
    """Markup, escapes, wide, combining and right-to-left characters stay in their cell and steer nothing."""
    hostile = [
        "[bold red]x[/] [link=https://example.org]y", "\x1b[2J\x1b]52;c;eA==\x07", "模型训练完成了吗", "e\u0301" * 30,
        "\u202eabc", "שלום עולם", "👩\u200d👩\u200d👧" * 5, "a\nb\tc", "", "\udc80", "x" * 500,
    ]  # fmt: skip

    async def work() -> None:
        async with table() as (grid, pilot):
            columns = (Column("name", "\x1b[31mname", 9, fixed=True), Column("x", "模型模型模型", 5, right=True))
            rows = FixedRows([(f"k{n}", [Cell(text), Cell(text, "bad")]) for n, text in enumerate(hostile)])
            for size in ((40, 14), (10, 3), (5, 2), (2, 1), (24, 20)):
                await pilot.resize_terminal(*size)
                grid.show(columns, rows)
                for line in lines(grid):
                    assert cell_len(line) == grid.size.width
                    assert not any(char < " " or char in "\x7f\x9b\u202e" for char in line)
            await pilot.resize_terminal(40, 14)
            await pilot.pause()
            assert "[bold re…" in "".join(lines(grid))

    run(work)


@given(st.text(), st.integers(0, 30), st.booleans())
def test_a_fitted_text_is_exactly_as_wide_as_asked(text: str, width: int, right: bool) -> None:
    """Whatever it says."""
    assert cell_len(fitted(text, width, right=right)) == width


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=30), st.integers(0, 200), st.integers(0, 80))
def test_the_columns_in_sight_are_those_that_overlap_the_screen(
    widths: list[tuple[int, bool]], x: int, width: int
) -> None:
    """Compared with looking at each column."""
    layout = Layout([Column(str(n), "", size, fixed=fixed) for n, (size, fixed) in enumerate(widths)])
    moving = range(layout.fixed, len(layout.columns))
    seen = [
        number
        for number in moving
        if layout.span(number)[1] + 2 > x and layout.span(number)[0] < x + width - layout.left
    ]
    found = layout.shown(x, width)

    assert list(found) == (seen if width > layout.left else [])
