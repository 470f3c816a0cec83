"""Windows: the order of all runs that match, in groups or not, without the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.index.kit import Runs, run_id

from ledgit.errors import FilterError, InvalidValue
from ledgit.query import Query
from ledgit.records import CodeRef, RunState
from ledgit.store.index_window import Window

NOW = 1_700_000_000_000


def live(number: int, **fields: Any) -> RunState:
    return RunState(run_id(number), **{"name": f"live-{number}", "status": "RUNNING", "start": NOW + number, **fields})


@pytest.fixture
def filled(runs: Runs, make: Any) -> Any:
    """Twenty runs with and without values, on two branches, one nested, one deleted; two are being written."""
    for number in range(20):
        params = {"opt": ("adam", "sgd", 0.1)[number % 3]} if number % 4 else {}
        metrics = {"acc": float("nan") if number == 7 else (number * 7 % 11) / 11} if number % 5 else {}
        code = CodeRef(branch=("main", "aug", None)[number % 3])
        parent = run_id(0) if number in (1, 2) else None
        fields = {"params": params, "metrics": metrics, "code": code, "parent_run": parent, "deleted": number == 3}
        runs.add(make(number, **fields))
    runs.live.append(live(30, params={"opt": "adam"}, metrics={"acc": 0.99}))
    runs.live.append(live(31, parent_run=run_id(30)))
    return runs.index()


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(order_by=("metrics.acc DESC",)),
        Query(order_by=("params.opt", "-start")),
        Query(filter="metrics.acc > 0.4", order_by=("metrics.acc",)),
        Query(filter="params.opt = 'adam'"),
        Query(filter="name = 'nobody'"),
        Query(view="all"),
        Query(limit=3),
    ],
)
def test_a_window_has_the_same_runs_in_the_same_order_as_a_search(filled: Any, query: Query) -> None:
    """Finished ones and those that are being written."""
    window = filled.window(query)
    ids = [window.id(position) for position in range(len(window))]

    assert [state.id for state in filled.search(query).runs] == ids
    assert list(range(len(ids))) == [window.find(run) for run in ids]
    states = filled.states(ids[:5])
    assert ids[:5] == [states[run].id for run in ids[:5]]


def test_groups_stand_one_after_the_other_with_their_best(filled: Any) -> None:
    """Counts and offsets fit the order; within a group the order is the one asked for."""
    query = Query(order_by=("metrics.acc DESC",))
    for group, value in (("params.opt", lambda s: s.params.get("opt")), ("branch", lambda s: s.code.branch)):
        window = filled.window(query, group=group, best="acc")
        states = filled.states([window.id(position) for position in range(len(window))])
        plain = [state.id for state in filled.search(query).runs]

        assert len(plain) == len(window) == sum(one.runs for one in window.groups)
        assert [None] == [one.value for one in window.groups if one is window.groups[-1]]
        for one in window.groups:
            ids = [window.id(one.first + offset) for offset in range(one.runs)]
            assert {one.value} == {None if value(states[i]) is None else str(value(states[i])) for i in ids}
            assert ids == sorted(ids, key=plain.index)
            numbers = [states[i].metrics["acc"] for i in ids if states[i].metrics.get("acc", float("nan")) >= 0]
            assert one.best == max(numbers, default=None)


def test_what_nobody_groups_by_is_refused(filled: Any) -> None:
    """A metric has a value a run."""
    for group, error in (("metrics.acc", InvalidValue), ("start", InvalidValue), ("wrong", FilterError)):
        with pytest.raises(error):
            filled.window(Query(), group=group)
    (only,) = filled.window(Query(), group="params.unheard_of").groups
    assert only.value is None


def test_nesting_and_branches_are_told_of_all_runs(filled: Any) -> None:
    """Of those that are being written too."""
    assert {run_id(1): run_id(0), run_id(2): run_id(0), run_id(31): run_id(30)} == filled.nested()
    assert [("aug", 7, NOW + 19), ("main", 6, NOW + 18)] == filled.branches()


@given(st.lists(st.integers(0, 3), min_size=0, max_size=40))
def test_an_id_is_found_at_its_own_place_only(numbers: Sequence[int]) -> None:
    """Not where the end of one id and the beginning of the next look like it."""
    ids = [bytes([number] * 15 + [number ^ 1]) for number in numbers]
    window = Window(b"".join(ids))

    for raw in {*ids, b"\x00" * 16, b"\x01" * 16}:
        assert window.find(raw.hex()) == (ids.index(raw) if raw in ids else None)
    assert window.find("no id") is window.find("abcd") is None
    with pytest.raises(IndexError):
        window.id(len(ids))
