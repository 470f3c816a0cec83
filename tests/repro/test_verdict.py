"""The verdict by itself: levels, classes, tolerance, statistics."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.projects.repro.findings import CLASSES, CODE, DATA, HARDWARE, Finding
from ledgit.projects.repro.quantiles import prediction_interval, t_quantile
from ledgit.projects.repro.verdict import (
    CONSISTENT,
    DIFFERENT,
    FAILED,
    IDENTICAL,
    LEVELS,
    WITHIN,
    Outcome,
    Tolerance,
    Verdict,
    judge,
)

NAN, INF = math.nan, math.inf


def outcome(*values: float, name: str = "m", status: str = "FINISHED", **more: object) -> Outcome:
    """An execution with one metric of these values."""
    metrics = {name: tuple(enumerate(values))} if values else {}
    return replace(Outcome("a" * 32, "run", status, metrics), **more)


def level(original: Outcome, *repeats: Outcome, tolerance: Tolerance | None = None) -> str:
    """The level of a verdict without facts."""
    return judge(original, repeats, [], tolerance).level


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((1.0, 2.0), (1.0, 2.0), IDENTICAL),
        ((1.0, 2.0), (1.5, 2.0), DIFFERENT),  # the last value is not all
        ((1.0, 2.0), (1.0,), DIFFERENT),
        ((NAN,), (NAN,), IDENTICAL),
        ((NAN,), (1.0,), DIFFERENT),
        ((INF,), (INF,), IDENTICAL),
        ((INF,), (-INF,), DIFFERENT),
        ((0.0,), (-0.0,), IDENTICAL),
        ((1.0,), (), DIFFERENT),
        ((), (1.0,), DIFFERENT),
        ((), (), IDENTICAL),
    ],
)
def test_every_point_is_compared(old: tuple[float, ...], new: tuple[float, ...], expected: str) -> None:
    """Exactly, as long as nothing else was asked for."""
    assert expected == level(outcome(*old), outcome(*new))


def test_tolerance_is_absolute_or_relative_and_by_name() -> None:
    """The first name that fits counts; an infinite one takes any number, but not a missing one."""
    tolerance = Tolerance(0.01, (("sec*", INF), ("exact", 0.0)))

    assert WITHIN == level(outcome(1000.0), outcome(1009.0), tolerance=tolerance)
    assert WITHIN == level(outcome(0.0), outcome(0.005), tolerance=tolerance)
    assert DIFFERENT == level(outcome(1000.0), outcome(1011.0), tolerance=tolerance)
    assert WITHIN == level(outcome(1.0, name="seconds"), outcome(9e9, name="seconds"), tolerance=tolerance)
    assert DIFFERENT == level(outcome(1.0, name="exact"), outcome(1.001, name="exact"), tolerance=tolerance)
    assert DIFFERENT == level(outcome(1.0, name="seconds"), outcome(), tolerance=tolerance)
    assert DIFFERENT == level(outcome(NAN, name="seconds"), outcome(1.0), tolerance=tolerance)


def test_a_time_alone_that_differs_is_pointed_at() -> None:
    """The exact way is the default, and no run would pass it."""
    fit = outcome(1.0, name="fit_time"), [outcome(2.0, name="fit_time")]

    assert "only fit_time came out" in str(judge(*fit, []).notes)
    assert () == judge(outcome(1.0, name="timely"), [outcome(2.0, name="timely")], []).notes


def test_what_the_machine_did_is_not_compared() -> None:
    """System metrics are of the machine, not of the program."""
    name = "system/cpu_utilization_percentage"

    assert IDENTICAL == level(outcome(1.0, name=name), outcome(2.0, name=name))


def test_facts_are_reasons_only_where_it_is_not_reproduced() -> None:
    """They differ or not whatever the metrics do; one that blames nothing stays a note."""
    facts = [Finding(HARDWARE, "CPU"), Finding(CODE, "train.py"), Finding(DATA, "unused", differs=False)]
    same, other = (judge(outcome(1.0), [outcome(value)], facts) for value in (1.0, 2.0))

    assert ((), (), 3) == (same.classes, same.reasons, len(same.notes))
    assert ("identical", "different: code, hardware") == (same.tag, other.tag)
    assert ["train.py", "CPU"] == [one.text for one in other.reasons]
    assert [facts[2]] == list(other.notes)


def test_repeats_that_differ_are_randomness() -> None:
    """And where they are enough, the run is one of them or is not."""
    two = judge(outcome(1.0), [outcome(1.1), outcome(1.2)], [])
    assert (DIFFERENT, ("randomness",)) == (two.level, two.classes)
    assert any("not enough to tell" in str(note) for note in two.notes)

    five = [outcome(value) for value in (1.1, 0.9, 1.05, 0.95, 1.02)]
    near, far = judge(outcome(1.0), five, []), judge(outcome(2.0), five, [])
    assert (CONSISTENT, (), True) == (near.level, near.classes, near.reproduced)
    assert (DIFFERENT, ("randomness",)) == (far.level, far.classes)
    low, high = near.metrics[0].interval or (0, 0)
    assert low < 1.0 < high < 2.0


def test_repeats_that_agree_leave_no_room() -> None:
    """A spread of zero is an interval without width."""
    verdict = judge(outcome(1.0), [outcome(1.1)] * 5, [])

    assert (DIFFERENT, (), True) == (verdict.level, verdict.classes, verdict.unexplained)


def test_a_command_that_fails_is_failed_and_one_that_always_did_is_not() -> None:
    """How it ended is compared, too."""
    bad = outcome(1.0, status="FAILED", exit_code=3, problem="no such file")

    assert FAILED == level(outcome(1.0), bad)
    assert "no such file" in str(judge(outcome(1.0), [bad], []).notes[0])
    assert IDENTICAL == level(bad, bad)
    assert DIFFERENT == level(bad, replace(bad, exit_code=4))
    assert DIFFERENT == level(bad, outcome(1.0))


def test_files_decide_where_there_are_no_metrics() -> None:
    """What a command printed is no such file."""
    old = outcome(artifacts={"model.bin": "1", "output.log": "1"})

    assert IDENTICAL == level(old, replace(old, artifacts={"model.bin": "1", "output.log": "2"}))
    assert DIFFERENT == level(old, replace(old, artifacts={"model.bin": "2"}))
    assert DIFFERENT == level(old, replace(old, artifacts={}))
    assert IDENTICAL == level(outcome(artifacts={"output.log": "1"}), outcome())


numbers = st.floats() | st.sampled_from([0.0, 1.0, NAN, INF])
outcomes = st.builds(
    lambda metrics, status: Outcome(
        "b" * 32, "x", status, {key: tuple(enumerate(row)) for key, row in metrics.items()}
    ),
    st.dictionaries(st.sampled_from(["a", "b"]), st.lists(numbers, min_size=1, max_size=3), max_size=2),
    st.sampled_from(["FINISHED", "FAILED"]),
)
findings = st.lists(st.builds(Finding, st.sampled_from(CLASSES[:4]), st.text(max_size=3), st.booleans()), max_size=3)


@settings(max_examples=80)
@given(outcomes, st.lists(outcomes, min_size=1, max_size=6), findings, st.floats(0, 10))
def test_a_verdict_blames_what_differs_and_only_if_it_is_not_reproduced(
    original: Outcome, repeats: list[Outcome], facts: list[Finding], allowed: float
) -> None:
    """Whatever comes: every fact is told once, as a reason or as a note, and nothing raises."""
    verdict: Verdict = judge(original, repeats, facts, Tolerance(allowed))

    assert verdict.level in LEVELS
    assert not (verdict.reproduced and (verdict.classes or verdict.reasons))
    told = [one for one in (*verdict.reasons, *verdict.notes) if isinstance(one, Finding)]
    assert len(facts) == sum(one.kind != "randomness" for one in told)
    assert set(verdict.classes) == {one.kind for one in verdict.reasons}
    assert IDENTICAL == judge(original, [original], facts).level


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9), st.floats(0.5, 0.99))
def test_an_interval_holds_the_mean_and_grows_with_confidence(values: list[float], confidence: float) -> None:
    """As Student has it."""
    low, high = prediction_interval(values, confidence)
    wide_low, wide_high = prediction_interval(values, 0.999)

    mean = math.fsum(values) / len(values)
    slack = 1e-6 * max(1.0, abs(mean))
    assert low - slack <= mean <= high + slack
    assert wide_low <= low
    assert wide_high >= high


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.975, 1, 12.7062047364), (0.975, 4, 2.7764451052), (0.995, 9, 3.2498355416), (0.9, 30, 1.3104150254)],
)
def test_quantiles_are_those_of_the_tables(probability: float, freedom: int, expected: float) -> None:
    """Checked to ten digits."""
    assert math.isclose(expected, t_quantile(probability, freedom), rel_tol=1e-9)
