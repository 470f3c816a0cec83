"""What a sweep's parameters can be, and that their values are the same on every machine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import UsageError
from ledgit.projects.sweeps.samplers import make_sampler
from ledgit.projects.sweeps.space import Choice, Number, Space, parse_dimension

numbers = st.floats(-1e12, 1e12, allow_nan=False).map(lambda value: float(f"{value:.9g}"))
scalars = st.one_of(st.integers(-(10**9), 10**9), numbers, st.booleans(), st.text(max_size=12))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1", (0.1,)),
        ("adam", ("adam",)),
        ("1,2, 3", (1, 2, 3)),
        ("1,0.5", (1.0, 0.5)),
        ("nan,1e999,inf", ("nan", "1e999", "inf")),
        ("007,1_000,1e3", ("007", "1_000", 1000.0)),
        ("true,False", ("true", "False")),
        ("choice(relu, tanh)", ("relu", "tanh")),
        ("choice('a,b', \"c)\", d(1,2))", ("a,b", "c)", "d(1,2)")),
        ("'log(1,2)'", ("log(1,2)",)),
        ("'it''s'", ("it's",)),
        ("range(0,1,0.25)", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("range(0,0.3,0.1)", (0.0, 0.1, 0.2, 0.3)),
        ("range(1,6,2)", (1, 3, 5)),
        ("range(3,1,-1)", (3, 2, 1)),
        ("", ("",)),
        ([1, "a", 0.5], (1, "a", 0.5)),
        (True, ("True",)),
        ([True, 1], ("True", 1)),
    ],
)
def test_values_are_read_with_their_types(text: object, values: tuple[object, ...]) -> None:
    """Numbers where they are spelled as such, all of them floats if one is, text else."""
    dimension = parse_dimension("x", text)

    assert isinstance(dimension, Choice)
    assert values == dimension.values
    assert list(map(type, values)) == list(map(type, dimension.values))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("log(0,1)", "above 0"),
        ("log(1,2,3)", "a least and a greatest"),
        ("uniform(2,1)", "greater than the greatest"),
        ("uniform(a,1)", "'a' is no number"),
        ("uniform(0,inf)", "is no number"),
        ("int(0.5,3)", "whole numbers"),
        ("int(1,3,exp)", "can only be log"),
        ("choice()", "no values"),
        ("choice(1,1)", "twice"),
        ("range(1,5,-1)", "has to lead"),
        ("range(1,5,0)", "has to lead"),
        ("range(0,1,1e-9)", "a million"),
        ("'a", "not closed"),
        ([], "needs values"),
        ({"a": 1}, "a dimension is"),
    ],
)
def test_what_is_impossible_is_said_with_the_parameter_and_the_ways(text: object, reason: str) -> None:
    """One sentence has it all."""
    with pytest.raises(UsageError, match="x=") as raised:
        parse_dimension("x", text)

    assert reason in str(raised.value)
    assert "log(a,b), uniform(a,b)" in str(raised.value)


@given(st.lists(scalars, min_size=2, max_size=5, unique_by=lambda value: str(value).lower()))
def test_any_list_of_values_is_read_again_from_its_text(values: list[object]) -> None:
    """The plan keeps text alone."""
    dimension = parse_dimension("x", values)

    again = parse_dimension("x", dimension.text)

    assert isinstance(dimension, Choice)
    assert isinstance(again, Choice)
    assert repr(again.values) == repr(dimension.values)
    assert len(values) == len(again.values)
    assert all(dimension.read(value) == value for value in dimension.values)


@given(
    numbers,
    numbers,
    st.booleans(),
    st.booleans(),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_every_drawn_number_is_in_its_range(
    one: float, other: float, whole: bool, log: bool, places: list[float]
) -> None:
    """Bounds hold for any range and any place, and places that rise give values that rise."""
    low, high = sorted((one, other))
    if log:
        low, high = abs(low) + 1e-9, abs(low) + abs(high) + 1e-9
    if whole:
        low, high = math.ceil(low), math.ceil(high)
    dimension = Number("x", low, high, whole, log)

    drawn = [dimension.at(place) for place in sorted(places)]

    assert [dimension.read(value) for value in drawn] == drawn
    assert drawn == sorted(drawn)  # type: ignore[type-var]
    assert all(isinstance(value, int if whole else float) for value in drawn)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_has_every_point_once(sizes: list[int]) -> None:
    """As many as the product of the dimensions' values, the last parameter changing soonest."""
    space = Space.parse({f"p{place}": list(range(size)) for place, size in enumerate(sizes)})

    points = list(space.grid())

    assert len(points) == space.size() == math.prod(sizes)
    assert points == sorted(points, key=lambda point: tuple(point.values()))
    assert len({tuple(point.items()) for point in points}) == len(points)


@pytest.mark.parametrize(
    ("text", "logged", "value"),
    [
        ("1,2", 1.0, 1),
        ("1,2", "2", 2),
        ("1,2", True, None),
        ("1,0.5", 1, 1.0),
        ("true,false", True, "true"),
        ("007,8", 7, None),
        ("int(1,9)", 3.0, 3),
        ("int(1,9)", 3.5, None),
        ("int(1,9)", 10, None),
        ("uniform(0,1)", "0.5", 0.5),
        ("uniform(0,1)", "half", None),
        ("uniform(0,1)", None, None),
    ],
)
def test_what_a_run_logged_is_read_as_the_value_it_stands_for(text: str, logged: object, value: object) -> None:
    """A declared type, or the script itself, may have made 1.0 of 1; what is none of the values is none."""
    read = parse_dimension("x", text).read(logged)

    assert repr(read) == repr(value)


def test_a_grid_refuses_what_has_no_end() -> None:
    """The sentence names the parameter and a way out."""
    with pytest.raises(UsageError, match=r"lr=log\(1e-4,1e-1\) has no end of them; give range"):
        make_sampler("grid", Space.parse({"n": "1,2", "lr": "log(1e-4,1e-1)"}), 0)


SPACE = {"lr": "log(1e-4,1e-1)", "depth": "int(2,12)", "width": "int(8,512,log)", "kind": "a,b,c", "fixed": "7"}


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ("random", {"lr": 0.0184928, "depth": 3, "width": 194, "kind": "b", "fixed": 7}),
        ("qmc", {"lr": 0.000623254, "depth": 3, "width": 97, "kind": "c", "fixed": 7}),
    ],
)
def test_trial_17_has_these_values_on_every_machine(sampler: str, expected: dict[str, object]) -> None:
    """Recorded once: a clone that goes on with a sweep of an older Ledgit must draw the same."""
    assert expected == make_sampler(sampler, Space.parse(SPACE), 42).ask(17)


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_draws_fill_their_space(sampler: str) -> None:
    """Each tenth of a logarithmic range gets about a tenth of the draws, and no two draws are alike."""
    chosen = make_sampler(sampler, Space.parse({"a": "uniform(0,1)", "lr": "log(1e-5,1e5)"}), 3)

    drawn = [chosen.ask(number) for number in range(1000)]

    for key, place in (("a", lambda value: int(value * 10)), ("lr", lambda value: int(math.log10(value) + 5))):
        counts = [0] * 11
        for point in drawn:
            counts[place(point[key])] += 1
        spread = 45 if sampler == "random" else 8
        assert all(abs(count - 100) <= spread for count in counts[:10]), counts
    assert len({point["lr"] for point in drawn}) > 990
