"""Params, metrics, tags: what is accepted, what is refused, what is kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledgit
from ledgit.errors import InvalidName, InvalidValue, ParamConflict, RunNotFound, RunStateError


@pytest.fixture
def run(repo: Path) -> ledgit.ActiveRun:
    return ledgit.start_run()


def test_types_of_params_are_kept_and_their_texts_are_mlflows(run: ledgit.ActiveRun) -> None:
    """``run.params`` has the values, ``run.data.params`` what MLflow would have."""
    params = {"a": 1, "b": 0.1, "c": True, "d": None, "e": "text", "f": [1, 2], "g": math.inf}
    ledgit.log_params(params)
    assert 7 == ledgit.log_param("h", 7)
    ledgit.end_run()

    assert {**params, "f": "[1, 2]", "h": 7} == run.params
    assert {key: str(value) for key, value in {**params, "h": 7}.items()} == run.data.params


def test_a_param_can_be_logged_again_but_not_changed(run: ledgit.ActiveRun) -> None:
    """Texts are compared, as MLflow does: 1 and "1" are the same."""
    ledgit.log_param("a", 1)
    ledgit.log_param("a", "1")

    with pytest.raises(ParamConflict, match="param 'a' is already '1' in this run and can't become '2'"):
        ledgit.log_param("a", 2)


def test_a_batch_with_one_changed_param_is_refused_whole(run: ledgit.ActiveRun) -> None:
    """Nothing of it is stored."""
    ledgit.log_param("a", 1)
    with pytest.raises(ParamConflict):
        ledgit.log_params({"b": 1, "a": 2})
    with pytest.raises(ParamConflict):
        ledgit.log_batch(metrics=[("m", 1.0)], params={"a": 3}, tags={"t": "x"})
    with pytest.raises(InvalidValue):
        ledgit.log_metrics({"m": 1.0, "n": "many"})
    ledgit.end_run()

    assert ({"a": 1}, {}, {}) == (dict(run.params), dict(run.metrics), dict(run.tags))


def test_a_batch_takes_tuples_mappings_and_mlflows_objects(run: ledgit.ActiveRun) -> None:
    """Whatever MlflowClient.log_batch was given."""

    class Item:
        def __init__(self, key: str, value: Any, step: int | None = None, timestamp: int | None = None) -> None:
            self.key, self.value, self.step, self.timestamp = key, value, step, timestamp

    ledgit.log_batch(metrics=[("a", 1), ("a", 2, 1), ("a", 3, 2, 77), Item("b", 4, 5, 6)], params=[Item("p", "x")])
    ledgit.log_batch(metrics={"c": 9}, tags=[("t", 1)])
    with pytest.raises(ParamConflict):
        ledgit.log_batch(params=[("q", 1), ("q", 2)])
    ledgit.end_run()

    assert {"a": 3.0, "b": 4.0, "c": 9.0} == run.metrics
    points = run.history("a")
    assert ([0, 1, 2], [1.0, 2.0, 3.0], 77) == (list(points.steps), list(points.values), points.times[2])
    assert ({"p": "x"}, {"t": "1"}) == (dict(run.params), dict(run.tags))


def test_the_latest_metric_is_that_of_the_greatest_step(run: ledgit.ActiveRun) -> None:
    """Not the one written last; then the greatest time, then the greatest value."""
    for value, step, time in [(5.0, 2, 10), (9.0, 1, 99), (6.0, 2, 11), (4.0, 2, 11)]:
        ledgit.log_metric("m", value, step=step, timestamp=time)
    ledgit.end_run()

    assert {"m": 6.0} == run.metrics


@pytest.mark.parametrize(
    ("value", "kept"), [(1, 1.0), (True, 1.0), ("0.5", 0.5), ("1e3", 1000.0), (-0.0, -0.0), (math.inf, math.inf)]
)
def test_metrics_are_numbers(run: ledgit.ActiveRun, value: Any, kept: float) -> None:
    """Bools and numeric strings too, as in MLflow; infinity stays what it is."""
    ledgit.log_metric("m", value)

    assert kept == run.metrics["m"]


def test_not_a_number_is_kept(run: ledgit.ActiveRun) -> None:
    """A diverged loss is worth knowing."""
    ledgit.log_metric("m", math.nan)
    ledgit.log_metric("n", 1.0)
    ledgit.log_metric("n", -math.inf, step=1)
    ledgit.end_run()

    assert math.isnan(run.metrics["m"])
    assert -math.inf == run.metrics["n"]


@pytest.mark.parametrize("value", ["many", None, [1.0], {}, object(), 1 + 2j])
def test_what_is_no_number_is_refused_and_the_run_goes_on(run: ledgit.ActiveRun, value: Any) -> None:
    """The error names what it got."""
    with pytest.raises(InvalidValue):
        ledgit.log_metric("m", value)
    ledgit.log_metric("m", 1)

    assert {"m": 1.0} == run.metrics


def test_numpy_and_torch_scalars_are_numbers(run: ledgit.ActiveRun) -> None:
    """And so are arrays and tensors of one element without dimensions."""
    import numpy as np
    import torch

    values = [np.float32(0.5), np.int64(3), np.array(2.0), np.bool_(True), torch.tensor(4.0), torch.tensor(5)]
    for step, value in enumerate(values):
        ledgit.log_metric("m", value, step=np.int64(step))  # type: ignore[arg-type]
    ledgit.log_params({"a": np.float32(0.1), "b": np.int64(2), "c": torch.tensor(3)})
    ledgit.end_run()

    assert [0.5, 3.0, 2.0, 1.0, 4.0, 5.0] == list(run.history("m").values)
    assert {"a": 0.1, "b": 2, "c": 3} == run.params


@pytest.mark.parametrize("key", ["", "../x", "a//b", "/x", "a" * 251, "a\tb", "a\nb", "é|"])
def test_names_that_mlflow_refuses_are_refused(run: ledgit.ActiveRun, key: str) -> None:
    """For params, metrics and tags alike."""
    for log in (ledgit.log_param, ledgit.log_metric, ledgit.set_tag):
        with pytest.raises(InvalidName):
            log(key, 1)


@pytest.mark.parametrize("key", ["a", "a/b", "a.tsv/b", "val/loss:top 5", "größe", "a" * 250, "CON", ".git", "x-_."])
def test_names_that_mlflow_takes_are_taken(run: ledgit.ActiveRun, key: str) -> None:
    """Also those that would be trouble as file names."""
    ledgit.log_metric(key, 1)
    ledgit.log_param(key, 2)
    ledgit.set_tag(key, 3)
    ledgit.end_run()

    assert ({key: 1.0}, {key: 2}, {key: "3"}) == (dict(run.metrics), dict(run.params), dict(run.tags))


def test_a_name_and_a_path_below_it_can_both_be_there(run: ledgit.ActiveRun) -> None:
    """``a`` beside ``a/b``: a trap for one file a name."""
    ledgit.log_metrics({"a": 1, "a/b": 2, "A": 3})
    ledgit.end_run()

    assert {"a": 1.0, "a/b": 2.0, "A": 3.0} == run.metrics
    assert [2.0] == list(run.history("a/b").values)


def test_tags_change_and_go(run: ledgit.ActiveRun) -> None:
    """Tags are labels: text, mutable, removable."""
    ledgit.set_tags({"a": 1, "b": None})
    ledgit.set_tag("a", 2)
    ledgit.delete_tag("b")
    with pytest.raises(InvalidValue, match="'b'"):
        ledgit.delete_tag("b")
    ledgit.end_run()

    assert {"a": "2"} == run.tags


def test_logging_to_another_run_leaves_the_active_one_alone(run: ledgit.ActiveRun) -> None:
    """``run_id=``: an open one, one that ended, and one that is not there."""
    ledgit.end_run()
    end, commit = run.info.end_time, run.commit
    with ledgit.start_run() as other:
        ledgit.log_metric("late", 1.0, step=3, run_id=run.id)
        ledgit.log_metrics({"later": 2.0}, run_id=run.id)
        ledgit.log_param("p", 1, run_id=run.id)
        ledgit.set_tag("t", "x", run_id=run.id)
        ledgit.log_metric("own", 1.0, run_id=other.id)
        assert other is ledgit.active_run()

    assert {"late": 1.0, "later": 2.0} == run.metrics
    assert ({"p": 1}, {"t": "x"}, {"own": 1.0}) == (dict(run.params), dict(run.tags), dict(other.metrics))
    assert ("FINISHED", end, commit) == (run.status, run.info.end_time, run.commit)
    with pytest.raises(RunNotFound):
        ledgit.log_metric("m", 1, run_id="e" * 32)


def test_the_object_of_an_ended_run_takes_no_more_metrics(run: ledgit.ActiveRun) -> None:
    """Whoever kept it is told how to go on."""
    ledgit.end_run()

    with pytest.raises(RunStateError, match="resumes it"):
        run.store.log_metric("m", 1.0)


def test_mlflows_other_arguments_are_accepted(run: ledgit.ActiveRun) -> None:
    """Scripts that log asynchronously go on working."""
    ledgit.log_metric("m", 1.0, 1, False, 5)
    ledgit.log_metrics({"n": 1.0}, step=2, synchronous=False, timestamp=6)
    ledgit.log_param("p", 1, synchronous=False)
    ledgit.log_params({"q": 1}, synchronous=True)
    ledgit.set_tag("t", 1, synchronous=False)
    ledgit.flush_async_logging()
    ledgit.flush_artifact_async_logging()

    points = run.history("m")
    assert (1, 5, 1.0) == (points.steps[0], points.times[0], points.values[0])


@pytest.mark.parametrize("wrong", [None, "lr=1", [("a", 1)]])
def test_plurals_take_mappings(run: ledgit.ActiveRun, wrong: Any) -> None:
    """A list of pairs is a mistake that deserves a sentence."""
    for log in (ledgit.log_params, ledgit.log_metrics, ledgit.set_tags):
        with pytest.raises(InvalidValue, match="mapping"):
            log(wrong)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 5), st.floats(allow_nan=False)), min_size=1, max_size=12))
def test_histories_and_latest_values_follow_mlflow_for_any_points(points: list[tuple[int, int, float]]) -> None:
    """Latest = greatest (step, time, value); every distinct point is kept."""
    from ledgit.records.history import Points

    history = Points()
    for step, time, value in points:
        history.append(step, time, value)

    value, step, time = history.latest()
    assert max(points) == (step, time, value)
