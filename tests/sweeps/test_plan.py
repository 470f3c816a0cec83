"""A sweep's plan: checked when it is made, and read from its file again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import NewerFormat, RecordError, UsageError
from ledgit.projects.sweeps.plan import SweepPlan, fill_places

PLAN = SweepPlan({"lr": "log(1e-4,1e-1)", "n": "1,2"}, entry_point="train", metric="loss")


@given(
    st.builds(
        SweepPlan,
        st.dictionaries(st.text(min_size=1, max_size=8), st.sampled_from(["1,2", "log(1,2)", "'é,\"'"]), max_size=3),
        command=st.lists(st.text(max_size=8), max_size=3).map(tuple),
        timeout=st.one_of(st.none(), st.floats(1, 1e6)),
        seed=st.integers(0, 1 << 62),
        trials=st.integers(0, 1000),
        direction=st.sampled_from(["minimize", "maximize"]),
        in_place=st.booleans(),
        tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    )
)
def test_a_plan_is_read_as_it_was_written(plan: SweepPlan) -> None:
    """Through the file in the sweep's run."""
    assert plan == SweepPlan.from_json(plan.to_json())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 2}, NewerFormat),
        ({"format": None}, NewerFormat),
        ({"space": []}, RecordError),
        ({"space": {"a": 1}}, RecordError),
        ({"space": {"a": "log(0,0)"}}, RecordError),
        ({"command": "rm -rf"}, RecordError),
        ({"trials": True}, RecordError),
        ({"trials": "many"}, RecordError),
        ({"direction": "up"}, RecordError),
        ({"timeout": "1"}, RecordError),
    ],
)
def test_a_file_that_says_something_else_is_refused(change: dict[str, Any], error: type[Exception]) -> None:
    """Nothing read from a repository is trusted."""
    with pytest.raises(error):
        SweepPlan.from_json(json.dumps(json.loads(PLAN.to_json()) | change))


def test_what_a_newer_ledgit_added_to_the_format_is_left_out() -> None:
    """Fields nobody knows here change nothing."""
    assert SweepPlan.from_json(json.dumps(json.loads(PLAN.to_json()) | {"colour": "blue"})) == PLAN


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sampler": "gird"}, "there is no sampler 'gird'; there are grid, random"),
        ({"pruner": "mean"}, "there is no pruner"),
        ({"sampler": "tpe", "metric": ""}, "sampler tpe needs to know what to look for; name it with --metric"),
        ({"pruner": "median", "metric": ""}, "pruner median needs"),
        ({"patience": 3, "metric": ""}, "--patience and --target need --metric"),
        ({"trials": -1}, "--trials is -1"),
        ({"jobs": 0}, "--jobs is 0"),
        ({"timeout": 0.0}, "--timeout is 0.0"),
        ({"max_time": float("nan")}, "--max-time is nan"),
        ({"entry_point": ""}, "name an entry point"),
        ({"sampler": "grid"}, "no end of them"),
        ({"entry_point": "", "command": ("python", "--lr={lr}")}, "no place for n: write {n}"),
        ({"space": {"n": "1"}, "sampler": "tpe"}, "nothing to choose"),
        ({"space": {"n": "int(1,20000)"}}, "the grid has 20,000 points; say with --trials"),
    ],
)
def test_an_impossible_plan_is_refused_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError, match=said.replace("{", r"\{")):
        SweepPlan(**{**{one: getattr(PLAN, one) for one in PLAN.__slots__}, **changes}).checked()


def test_what_a_plan_leaves_open_is_decided_by_its_space() -> None:
    """A space with an end is a grid, all of it; else twenty random trials."""
    grid = SweepPlan({"a": "1,2,3", "b": "x,y"}, entry_point="main").checked()
    some = SweepPlan({"a": "uniform(0,1)"}, entry_point="main").checked()
    more = SweepPlan({"a": "1,2,3"}, entry_point="main", trials=50).checked()

    assert [("grid", 6), ("random", 20), ("grid", 3)] == [(one.sampler, one.trials) for one in (grid, some, more)]


def test_values_fill_their_places_and_stay_one_word() -> None:
    """No shell reads them, other braces stay, and a value is not looked through for places."""
    command = ("python", "--lr={lr}", '{"a": 1}', "{other}", "{lr}{name}")

    words = fill_places(command, {"lr": 0.1, "name": "$(rm -rf /) '{lr}'\n"})

    assert words == ["python", "--lr=0.1", '{"a": 1}', "{other}", "0.1$(rm -rf /) '{lr}'\n"]
