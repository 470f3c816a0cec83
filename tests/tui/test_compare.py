"""Scatter, parallel coordinates, and the screen that has them."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tui.conftest import log_runs, look, press, run, settled, type_line, ui

from ledgit.records.harmless import width
from ledgit.repository import open_repository
from ledgit.tui.data.bundles import Axis, bundle
from ledgit.tui.data.clouds import Cloud, Dot, arrange, best_so_far, nearest, step_to
from ledgit.tui.data.comparing import Column, placed
from ledgit.tui.widgets.cloudface import paint, room_for
from ledgit.tui.widgets.parallel import Parallel
from ledgit.tui.widgets.plot import frame_rows
from ledgit.tui.widgets.scatter import Scatter

ANY = st.floats(width=64)


@given(st.lists(st.tuples(ANY, ANY), max_size=60), st.integers(1, 90), st.integers(1, 25), st.booleans(), st.booleans())
@settings(max_examples=80)
def test_every_dot_that_can_be_drawn_is_in_the_frame(
    pairs: list[tuple[float, float]], columns: int, rows: int, log: bool, unicode: bool
) -> None:
    """The others are counted; the cursor reaches a dot from anywhere."""
    dots = [Dot(f"{n}", f"run\x1b{n}", x, y, n) for n, (x, y) in enumerate(pairs)]
    cloud = Cloud(dots, "x\x1b", "y", log_x=log, best="minimize", legend=[(0, "a")])
    _, _, inner, height = room_for(columns, rows, legend=True)

    layout = arrange(cloud, inner, height)

    drawable = [n for n, (x, y) in enumerate(pairs) if math.isfinite(x) and math.isfinite(y) and (not log or x > 0)]
    if inner and height:
        assert drawable == sorted(layout.places)
        assert sorted(place for spot in layout.spots.values() for place in spot.dots) == drawable
        assert all(0 <= column < inner and 0 <= row < height for column, row in layout.spots)
        assert (nearest(layout, 3, 3) is None) == (not drawable)
    assert layout.out == len(pairs) - len(drawable)
    for row in frame_rows(
        paint(
            layout,
            columns,
            rows,
            drawable[0] if drawable else None,
            frozenset(),
            unicode=unicode,
            marks=list("ox+*#^v%"),
        ),
        columns,
    ):
        text = "".join(piece.text for piece in row)
        assert width(text) <= columns
        assert "\x1b" not in text


def test_the_cursor_goes_to_the_nearest_dot_in_a_direction() -> None:
    """And stays where there is none further on."""
    layout = arrange(Cloud([Dot("a", "a", 0, 0), Dot("b", "b", 1, 0), Dot("c", "c", 1, 1)]), 60, 20)

    assert step_to(layout, 0, 1, 0) == 1
    assert step_to(layout, 1, 0, -1) == 2
    assert step_to(layout, 2, -1, 0) == 0
    assert step_to(layout, 0, -1, 0) == 0


def test_many_dots_are_drawn_by_how_many_there_are() -> None:
    """With braille, and without Unicode with characters that look fuller and fuller."""
    dots = [Dot(f"{n}", "", n % 50, 0.0 if n % 3 else 1.0) for n in range(20_000)]
    layout = arrange(Cloud(dots), 60, 20)

    rows = paint(layout, 72, 23, None, frozenset(), unicode=False, marks=list("o"))

    assert layout.dense
    assert "@" in "".join(piece.text for row in rows for piece in row)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-10, 10)), max_size=40))
def test_the_best_so_far_only_gets_better(pairs: list[tuple[float, float]]) -> None:
    """It ends with the best of all, at the last point."""
    xs, ys = best_so_far(pairs, "maximize")

    assert ys == sorted(ys)
    assert xs == sorted(xs)
    if pairs:
        assert (xs[-1], ys[-1]) == (max(x for x, _ in pairs), max(y for _, y in pairs))


def test_texts_get_positions_and_numbers_stay() -> None:
    """A column of both is one of texts."""
    assert placed(Column("params", "lr"), [0.1, None, 1]).values[::2] == [0.1, 1.0]
    mixed = placed(Column("params", "size"), ["auto", 10.0, 2.0, None])
    assert (mixed.kind, mixed.names, mixed.values[:3]) == ("names", ["2", "10", "auto"], [2.0, 1.0, 0.0])


@given(st.lists(st.tuples(ANY, st.sampled_from(["a", "b", None]), ANY), min_size=1, max_size=30))
def test_lines_between_axes_end_on_them(rows: list[tuple[float, str | None, float]]) -> None:
    """A value that can't be drawn breaks the line; the brightest line is drawn last."""
    axes = [Axis("x", "x"), Axis("n", "n", names=["a", "b"]), Axis("y", "y")]

    found = bundle(axes, [(str(n), row) for n, row in enumerate(rows)], [row[2] for row in rows], 40)

    for threads in found.threads:
        assert all(0 <= one.start < 40 and 0 <= one.stop < 40 and 0 <= one.shade < 5 for one in threads)
        assert [one.shade for one in threads] == sorted(one.shade for one in threads)
    alone = [x for x, name, _ in rows if math.isfinite(x) and not name]
    assert {found.dot(0, x) for x in alone} == {dot for dot, _ in found.lone[0]}
    both = any(math.isfinite(x) and name for x, name, _ in rows)
    assert bool(found.threads[0]) == both


def test_columns_of_all_runs_come_at_once(repo: Path) -> None:
    """Numbers as numbers, texts as texts, None where a run has none."""
    from ledgit.query import Key, Query

    ids = log_runs(repo, 3)
    index = open_repository(repo).index
    index.refresh()
    keys = [
        Key("params", "lr"),
        Key("params", "model"),
        Key("metrics", "loss"),
        Key("metrics", "none"),
        Key("attributes", "duration"),
    ]

    found = index.columns(Query(filter="metrics.loss < 1"), *keys)

    rows = {row[0]: row for row in zip(*found, strict=True)}
    assert set(rows) == set(ids[1:])
    assert rows[ids[1]][3:] == (0.1, "forest", 0.9, None, 60_000)


def test_a_run_is_found_in_the_scatter_and_opened(repo: Path) -> None:
    """Arrows go from dot to dot; axes, colour, filter and logarithms are chosen by keys."""
    ids = log_runs(repo, 8)

    async def walk() -> None:
        async with ui(repo, size=(100, 30), screen="compare") as pilot:
            screen = pilot.app.screen
            scatter = screen.query_one("#scatter", Scatter)
            assert (scatter.cloud.x_label, scatter.cloud.y_label, scatter.cloud.log_x) == ("lr", "accuracy", True)
            await press(pilot, "l", "l", "l", "l", "l", "l", "l", "l", "l")
            assert scatter.cursor_key == ids[0]  # the greatest lr
            await press(pilot, "space", "h", "space")
            assert list(pilot.app.session.marks) == [ids[0], ids[1]]
            await press(pilot, "Y")
            await type_line(pilot, "loss")
            await press(pilot, "enter")
            assert scatter.cloud.y_label == "loss"
            assert scatter.cursor_key == ids[1]
            await press(pilot, "L")
            assert scatter.cloud.log_y
            await press(pilot, "slash")
            await type_line(pilot, "params.lr > 0.0005")
            await press(pilot, "enter")
            assert {dot.key for dot in scatter.cloud.dots} == set(ids[:4])
            await press(pilot, "right_square_bracket")
            best = screen.query_one("#best", Scatter)
            assert (best.cloud.best, best.cloud.x_kind) == ("minimize", "wall")
            await press(pilot, "right_square_bracket", "j", "j")
            parallel = screen.query_one(Parallel)
            assert [axis.title for axis in parallel.axes] == ["lr", "loss"]
            assert parallel.cursor_key == ids[1]
            await pilot.resize_terminal(10, 3)
            await settled(pilot)
            await pilot.resize_terminal(100, 30)
            await settled(pilot)
            assert parallel.cursor_key == ids[1]

    run(walk())


def test_a_click_picks_the_nearest_dot(repo: Path) -> None:
    """Without Unicode and in a narrow terminal too."""
    log_runs(repo, 3)

    async def walk() -> None:
        async with ui(repo, size=(50, 16), screen="compare", ascii=True) as pilot:
            scatter = pilot.app.screen.query_one("#scatter", Scatter)
            assert scatter.arranged is not None
            column, row = scatter.arranged.places[2]
            left, top, _, _ = room_for(scatter.size.width, scatter.size.height, legend=False)
            await pilot.click(scatter, offset=(column + left + scatter.gutter.left, row + top))
            await settled(pilot)
            assert scatter.cursor == 2
            strips = [scatter.render_line(y).text for y in range(scatter.size.height)]
            assert all(line.isascii() for line in strips)

    run(walk())


def test_charts_move_while_a_run_is_written(repo: Path) -> None:
    """What it logs is drawn after the next look; a chart that fills the terminal moves too."""
    from ledgit.store import RunStart
    from ledgit.tui.widgets.chart import Chart

    active = open_repository(repo).start_run(RunStart())
    active.log_metric("loss", 1.0, 0)

    async def walk() -> None:
        async with ui(repo, size=(100, 30), screen="compare") as pilot:
            await press(pilot, "left_square_bracket")
            (chart,) = pilot.app.screen.query(Chart)
            assert list(chart.plot.series[0].ys) == [1.0]
            active.log_metric("loss", 0.5, 1)
            await look(pilot)
            assert list(chart.plot.series[0].ys) == [1.0, 0.5]
            await press(pilot, "enter")
            active.log_metric("loss", 0.25, 2)
            await look(pilot)
            assert list(pilot.app.screen.query_one(Chart).plot.series[0].ys) == [1.0, 0.5, 0.25]

    run(walk())
    active.finish()
