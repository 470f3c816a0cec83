"""Pairs of runs of two executions of one command: by parents, by params, by order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ledgit.projects.repro.matching import pair


@dataclass
class One:
    """What is looked at of a run; *number* is what it is in truth."""

    number: int
    id: str
    parent_run: str | None
    start: int
    end: int | None
    params: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def execution(shape: list[tuple[int, int, int]], seed: int) -> list[One]:
    """Return runs one after the other: (which run before it is its parent, param, how long), some in no time at all."""
    draw = random.Random(seed)
    runs: list[One] = []
    clock = draw.randrange(1000)
    for number, (above, param, span) in enumerate(shape):
        parent = runs[above % number] if number and above % 3 else None
        run_id = f"{draw.getrandbits(64):016x}"
        runs.append(One(number, run_id, parent and parent.id, clock, clock + span + 1, {"p": param}))
        clock += span
    draw.shuffle(runs)
    return runs


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12),
    st.integers(0, 1000),
)
def test_each_run_finds_the_one_that_is_made_at_its_place(shape: list[tuple[int, int, int]], seed: int) -> None:
    """Whatever their ids are; runs that begin at once and end at once are told apart by what they logged."""
    ours, theirs = execution(shape, seed), execution(shape, seed + 1)
    for run in (*ours, *theirs):
        run.metrics["number"] = float(run.number) if run.number % 2 else run.number / 3
    found = pair(ours, theirs)

    assert {run.id: run.number for run in ours} == {key: one.number for key, one in found.items()}


def test_the_order_of_runs_that_begin_at_once_is_that_in_which_they_end() -> None:
    """The second began when the first was over, in the same millisecond; ids say nothing."""
    ours = [One(0, "b", None, 5, 5), One(1, "a", None, 5, 9), One(2, "c", None, 7, 8)]
    theirs = [One(0, "z", None, 15, 19), One(1, "y", None, 25, 29), One(2, "x", None, 35, 39)]

    assert {"b": 0, "a": 1, "c": 2} == {key: one.number for key, one in pair(ours, theirs).items()}


def test_runs_with_other_params_are_paired_by_their_order() -> None:
    """A param that is drawn; and what one execution has more of stays alone."""
    ours = [One(0, "a", None, 1, 2, {"p": 1}), One(1, "b", None, 3, 4, {"p": 2}), One(2, "c", None, 5, 6, {"p": 3})]
    theirs = [One(0, "x", None, 1, 2, {"p": 2}), One(1, "y", None, 3, 4, {"p": 9})]

    assert {"b": 0, "a": 1} == {key: one.number for key, one in pair(ours, theirs).items()}


def test_nested_runs_go_with_their_parents_whatever_their_order() -> None:
    """A script with threads, or one that goes over a set, makes them in another order each time."""
    ours = [One(0, "a", None, 1, 4, {"p": 1}), One(1, "b", "a", 2, 3), One(2, "c", None, 5, 8, {"p": 2})]
    ours += [One(3, "d", "c", 6, 7)]
    theirs = [One(2, "w", None, 1, 4, {"p": 2}), One(3, "x", "w", 2, 3), One(0, "y", None, 5, 8, {"p": 1})]
    theirs += [One(1, "z", "y", 6, 7)]

    assert {"a": 0, "b": 1, "c": 2, "d": 3} == {key: one.number for key, one in pair(ours, theirs).items()}
