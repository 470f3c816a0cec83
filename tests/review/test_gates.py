"""What gates say of two samples."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import Direction
from ledgit.review.gates import GateResult, MetricComparison, compare_metric, count, judge, judge_all
from ledgit.review.settings import Gate, Threshold

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


def metric(
    base: list[float], head: list[float], *, way: Direction | None = "maximize", name: str = "accuracy"
) -> MetricComparison:
    return compare_metric(name, base, head, runs=(len(base), len(head)), direction=way)


def state(gate: Gate, base: list[float], head: list[float], way: Direction | None = "maximize") -> GateResult:
    return judge(gate, metric(base, head, way=way))


PLAIN = Gate("accuracy")
LOOSE = Gate("accuracy", threshold=Threshold(0.05))


@pytest.mark.parametrize(
    ("gate", "base", "head", "way", "expected"),
    [
        (PLAIN, [0.9], [0.95], "maximize", "pass"),
        (PLAIN, [0.9], [0.9], "maximize", "pass"),
        (PLAIN, [0.9], [0.89], "maximize", "fail"),
        (PLAIN, [0.9], [0.89], "minimize", "pass"),
        (LOOSE, [0.9], [0.85], "maximize", "warn"),
        (LOOSE, [0.9], [0.84], "maximize", "fail"),
        (Gate("accuracy", threshold=Threshold(0.1, relative=True)), [0.0], [-0.1], "maximize", "fail"),
        (Gate("accuracy", threshold=Threshold(0.1, relative=True), tolerance=0.2), [0.0], [-0.1], "maximize", "warn"),
        (Gate("accuracy", threshold=Threshold(0.1, relative=True), tolerance=0.01), [10.0], [9.1], "maximize", "warn"),
        (Gate("accuracy", tolerance=0.05), [0.9], [0.84], "maximize", "fail"),
        (PLAIN, [1000.3], [1000.3 - 1e-12], "maximize", "pass"),
        (Gate("accuracy", threshold=Threshold(0.01)), [1000.9], [1000.89], "maximize", "warn"),
        (Gate("accuracy", target=0.8), [], [0.81], "maximize", "pass"),
        (Gate("accuracy", target=0.8), [0.99], [0.79], "maximize", "fail"),
        (PLAIN, [], [0.5], "maximize", "no-baseline"),
        (PLAIN, [0.9], [], "maximize", "no-run"),
        (PLAIN, [0.9], [math.nan], "maximize", "fail"),
        (PLAIN, [0.9], [-math.inf], "maximize", "fail"),
        (PLAIN, [0.9], [math.inf], "maximize", "pass"),
        (PLAIN, [0.9], [math.inf], "minimize", "fail"),
        (PLAIN, [math.nan], [0.9], "maximize", "no-baseline"),
        (PLAIN, [0.9], [0.8], None, "fail"),
    ],
)
def test_one_number_of_each_side(
    gate: Gate, base: list[float], head: list[float], way: Direction | None, expected: str
) -> None:
    """Without repeats the threshold decides."""
    assert state(gate, base, head, way).state == expected


def test_missing_is_not_zero() -> None:
    """A loss that is missing is not the best of all."""
    found = state(PLAIN, [0.4], [], "minimize")

    assert found.failed
    assert found.value is None
    assert "no run of this code" in found.reason


def test_with_repeats_worse_counts_only_if_it_is_more_than_chance() -> None:
    """The same difference of means: within the noise it warns, beyond it fails."""
    noisy = state(PLAIN, [0.80, 0.90, 1.00, 0.85], [0.75, 0.89, 0.97, 0.86])
    steady = state(PLAIN, [0.900, 0.901, 0.899, 0.900], [0.880, 0.881, 0.879, 0.880])

    assert (noisy.state, noisy.failed) == ("warn", False)
    assert "chance" in noisy.reason
    assert steady.state == "fail"


def test_too_few_repeats_to_tell_is_an_answer() -> None:
    """The baseline's two runs lie further apart than the head from them."""
    found = state(PLAIN, [0.80, 0.90], [0.82])

    assert found.state == "warn"
    assert "not enough repeats to tell" in found.reason


def test_a_gate_that_informs_never_fails() -> None:
    """Whatever is wrong."""
    gate = Gate("accuracy", required=False)

    for base, head in (([0.9], [0.1]), ([0.9], []), ([0.9], [math.nan])):
        assert not state(gate, base, head).failed


def test_no_baseline_and_no_run_are_what_the_gate_says() -> None:
    """Each of the words in the file."""
    assert state(Gate("accuracy", if_no_baseline="fail"), [], [1.0]).failed
    assert state(Gate("accuracy", if_no_baseline="pass"), [], [1.0]).state == "pass"
    assert not state(Gate("accuracy", if_no_run="warn"), [1.0], []).failed
    assert state(PLAIN, [1.0], []).failed


def test_the_closer_rule_counts_and_none_is_silent() -> None:
    """A metric's own gate goes before a pattern; a gate that names nothing fails, for it may be misspelled."""
    metrics = [metric([1.0], [0.9], name="val_acc"), metric([1.0], [0.9], name="val_f1")]
    gates = [Gate("val_*"), Gate("val_acc", threshold=Threshold(0.5)), Gate("recall")]

    found = {(result.gate.metric, result.metric): result.state for result in judge_all(gates, metrics, head_runs=1)}

    assert found == {("val_*", "val_f1"): "fail", ("val_acc", "val_acc"): "warn", ("recall", "recall"): "no-run"}


def test_counts_are_the_line_that_people_read() -> None:
    """What fails because something is missing counts as failed."""
    results = [
        state(PLAIN, [1.0], [2.0]),
        state(LOOSE, [1.0], [0.99]),
        state(PLAIN, [1.0], []),
        state(PLAIN, [], [1.0]),
    ]

    counts = count(results)

    assert str(counts) == "PASS 1 · WARN 1 · FAIL 1 · NO BASELINE 1"
    assert counts.verdict == "fail"
    assert len(counts.reasons) == 1


@given(
    st.lists(NUMBERS, min_size=1, max_size=6),
    st.floats(0, 1e6),
    st.sampled_from(["maximize", "minimize"]),
    st.floats(0, 1),
    st.booleans(),
)
def test_an_improvement_never_fails(
    base: list[float], gain: float, way: Direction, threshold: float, relative: bool
) -> None:
    """Whatever the numbers: all of the head's as good as all of the baseline's, or better."""
    head = [value + gain if way == "maximize" else value - gain for value in base]
    gate = Gate("accuracy", threshold=Threshold(threshold, relative))

    assert not judge(gate, metric(base, head, way=way)).failed


def test_every_gate_of_a_metric_counts() -> None:
    """One says what is the least, another how much worse is fine: the second was silently none."""
    gates = [Gate("accuracy", target=0.5), Gate("accuracy", threshold=Threshold(0.01))]

    results = judge_all(gates, [metric([0.9], [0.8])], head_runs=1)

    assert [result.state for result in results] == ["pass", "fail"]
