"""Charts: ticks, dots, reduction, what is drawn, and the keys."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tui.conftest import log_runs, press, run, ui

from ledgit.records.harmless import width
from ledgit.records.history import Points
from ledgit.tui.data.axes import Scale, span_of
from ledgit.tui.data.curves import Curve, Series, series_of, smoothed
from ledgit.tui.widgets.chart import Chart
from ledgit.tui.widgets.plot import Plot, compose, frame_rows
from ledgit.tui.widgets.raster import Raster, draw_line

ANY = st.floats(width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, st.booleans(), st.integers(1, 12), st.sampled_from(["number", "step", "elapsed", "wall"]))
def test_ticks_are_few_ascending_and_on_the_axis(one: float, other: float, log: bool, most: int, kind: str) -> None:
    """Huge, tiny, negative and equal ends too."""
    if kind != "number":
        one, other = max(min(one, 1e15), -1e12), max(min(other, 1e15), -1e12)
    scale = Scale(min(one, other), max(one, other), log=log, kind=kind)  # type: ignore[arg-type]

    ticks = scale.ticks(most)

    assert 1 <= len(ticks) <= most
    places = [tick.at for tick in ticks]
    assert places == sorted(places)
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)
    assert all(tick.text and len(tick.text) < 40 for tick in ticks)


def test_ticks_are_round_numbers() -> None:
    """As people write them."""
    assert [tick.text for tick in Scale(0, 1).ticks(6)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [tick.text for tick in Scale(0, 50_000, kind="step").ticks(6)] == ["0", "10k", "20k", "30k", "40k", "50k"]
    assert [tick.text for tick in Scale(1e-5, 1, log=True).ticks(6)] == ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]
    assert [tick.text for tick in Scale(0, 3600, kind="elapsed").ticks(5)] == ["0s", "15m", "30m", "45m", "1h"]


@given(st.lists(ANY, max_size=120), st.integers(1, 40), st.integers(1, 12), st.booleans(), st.booleans())
def test_no_peak_is_hidden_and_nothing_is_drawn_that_is_not_there(
    values: list[float], columns: int, rows: int, unicode: bool, log: bool
) -> None:
    """Every point has its dot; the rows above and below all points are empty."""
    span = span_of([values], log=log)
    if span is None:
        return
    raster = Raster(columns, rows, unicode=unicode)
    across, up = Scale(0, max(len(values) - 1, 1)), Scale(*span, log=log)

    draw_line(raster, range(len(values)), values, across, up, 0)

    dots = []
    for x, y in enumerate(values):
        place, at = up.place(y), across.place(x)
        if place is not None and at is not None:
            dots.append((round(at * (raster.width - 1)), raster.height - 1 - round(place * (raster.height - 1))))
    assert all(raster.has(x, y) for x, y in dots)
    low, high = min(y for _, y in dots), max(y for _, y in dots)
    drawn = [(x, y) for x in range(raster.width) for y in range(raster.height) if raster.has(x, y)]
    assert all(low <= y <= high for _, y in drawn)


@given(st.lists(ANY, min_size=1, max_size=400), st.lists(st.integers(1, 3000), min_size=1, max_size=6))
@settings(max_examples=40)
def test_a_reduced_history_keeps_the_extremes_however_it_arrives(values: list[float], pieces: list[int]) -> None:
    """Every point that is kept was logged; the least and the greatest of all are among them."""
    curve, step = Curve(), 0
    logged: dict[int, float] = {}
    for size in pieces:
        piece = Points()
        for _ in range(size):
            logged[step] = values[step % len(values)]
            piece.append(step, step * 10, logged[step])
            step += 1
        curve.add(piece)

    drawn = curve.drawn()

    assert drawn.total == len(logged)
    assert len(drawn.points) <= 1_700
    finite = [value for value in logged.values() if math.isfinite(value)]
    kept = [value for value in drawn.points.values if not math.isnan(value)]
    assert drawn.odd == len(logged) - len(finite)
    for at, time, value in drawn.points:
        assert time == at * 10
        assert logged[at] == value or not math.isfinite(logged[at])
    if finite:
        assert (min(finite), max(finite)) == (min(kept), max(kept))
    last = logged[step - 1]
    assert drawn.latest == last or math.isnan(last)


def test_a_million_points_are_kept_as_some_hundred_stretches() -> None:
    """One spike among them is there."""
    values = array("d", [0.5]) * 1_000_000
    values[777_777] = 9.0
    curve = Curve()
    curve.add(Points(array("q", range(1_000_000)), array("q", range(1_000_000)), values))

    points = curve.drawn().points

    assert len(curve) < 2_500
    assert (777_777, 777_777, 9.0) in list(points)


@given(st.lists(ANY, max_size=60), st.floats(0, 0.999))
def test_smoothing_stays_between_the_values(values: list[float], weight: float) -> None:
    """What is not finite stays as it is."""
    found = smoothed(values, weight)

    finite = [value for value in values if math.isfinite(value)]
    assert len(found) == len(values)
    for before, after in zip(values, found, strict=True):
        if math.isfinite(before):
            room = 1e-9 * max(map(abs, finite)) + 1e-300
            assert min(finite) - room <= after <= max(finite) + room
        else:
            assert repr(before) == repr(after)


@given(
    st.lists(st.lists(ANY, max_size=30), max_size=9),
    st.integers(1, 130),
    st.integers(1, 30),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.9]),
)
@settings(max_examples=80)
def test_a_chart_fits_its_frame_at_any_size(
    lines: list[list[float]], columns: int, rows: int, unicode: bool, log: bool, smooth: float
) -> None:
    """Hostile labels don't get out of it, and without Unicode all is ASCII."""
    series = [
        Series(f"{n}", f"run \x1b[31m[bold]{n}", n, range(len(ys)), ys, [1000.0 * x for x in range(len(ys))])
        for n, ys in enumerate(lines)
    ]
    plot = Plot(series, title="lo\x1bss", log_y=log, smooth=smooth, cursor=3.0, unicode=unicode, x_kind="elapsed")

    frame = compose(plot, columns, rows)

    assert len(frame.rows) <= rows
    for row in frame_rows(frame.rows, columns):
        text = "".join(piece.text for piece in row)
        assert width(text) <= columns
        assert "\x1b" not in text
        assert unicode or text.isascii() or "…" in text


def test_a_metric_of_nothing_but_nan_says_so() -> None:
    """Instead of an empty frame."""
    rows = compose(Plot([Series("a", "a", 0, [0, 1], [math.nan, math.inf])], title="loss"), 70, 12).rows

    assert any("2 points, none of them a finite number" in piece.text for row in rows for piece in row)


def test_lines_are_told_apart_without_colour() -> None:
    """Each has its mark in the picture and in the legend."""
    series = [Series(f"{n}", f"run-{n}", n, range(50), [n + x / 50 for x in range(50)]) for n in range(4)]

    frame = compose(Plot(series, title="loss"), 100, 16)

    lines = ["".join(piece.text for piece in row) for row in frame.rows[frame.top : frame.top + frame.height]]
    picture = "".join(line[frame.left : frame.left + frame.columns] for line in lines)
    assert all(mark in picture for mark in "ox+*")


def test_a_gap_is_not_bridged() -> None:
    """Between two points with a NaN in the middle nothing is drawn."""
    raster = Raster(10, 4)
    draw_line(raster, [0, 1, 2], [0.5, math.nan, 0.5], Scale(0, 2), Scale(0, 1), 0)

    assert sum(raster.has(x, y) for x in range(20) for y in range(16)) == 2


def test_a_chart_opens_on_all_of_the_terminal_and_goes_back(repo: Path) -> None:
    """Keys change how it is drawn; another chart of the page is drawn alike."""
    log_runs(repo, 3)

    async def walk() -> None:
        async with ui(repo, size=(120, 36), screen="compare") as pilot:
            await press(pilot, "left_square_bracket")  # from the first view backwards: charts
            charts = list(pilot.app.screen.query(Chart))
            assert [chart.plot.title for chart in charts] == ["accuracy", "loss"]
            await press(pilot, "L", "full_stop", "x")
            assert all((chart.plot.log_y, chart.plot.x_kind) == (True, "elapsed") for chart in charts)
            await press(pilot, "h", "enter")
            alone = pilot.app.screen.query_one(Chart)
            assert (alone.plot.title, alone.plot.log_y) == ("accuracy", True)
            await press(pilot, "h", "plus")
            assert alone.plot.zoom is not None
            await press(pilot, "0")
            assert alone.plot.zoom is None
            await press(pilot, "escape")
            assert pilot.app.screen.query_one(Chart) is charts[0]

    run(walk())


def test_a_part_at_the_newest_end_goes_on_with_a_live_run(repo: Path) -> None:
    """What was zoomed to stays, but where the chart follows the newest point."""

    def lines(count: int) -> list[Series]:
        return [Series("a", "a", 0, list(range(count)), [1.0] * count)]

    async def walk() -> None:
        async with ui(repo) as pilot:
            chart = Chart()
            await pilot.app.screen.mount(chart)
            chart.show(lines(101))
            chart.action_zoom(0.5)
            assert (50, 100) == chart.plot.zoom
            chart.show(lines(121))
            assert (70, 120) == chart.plot.zoom
            chart.action_end(-1)  # the cursor is at the first point, and the part goes there
            kept = chart.plot.zoom
            chart.show(lines(141))
            assert kept == chart.plot.zoom

    run(walk())


def test_series_know_their_times() -> None:
    """So a chart can count time along its x axis."""
    curve = Curve()
    curve.add(Points.of([(0, 5_000, 1.0), (1, 7_000, 2.0)]))
    plot = Plot([series_of(curve.drawn(), "a", "a", 0, 5_000)], x_kind="elapsed")

    assert plot.span() == (0.0, 2.0)
