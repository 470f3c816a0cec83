"""Repeats of two sides, compared as samples."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.compare import SampleComparison, compare_samples
from ledgit.errors import InvalidValue

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))


def normal(seed: int, n: int, mean: float, spread: float = 1.0) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(mean, spread) for _ in range(n)]


def test_clearly_different_samples_differ() -> None:
    """Ten spreads apart, five repeats each: no chance, and the interval holds the true difference."""
    found = compare_samples(normal(1, 5, 0.0), normal(2, 5, 10.0))

    assert found.significant is True
    assert found.test == "welch"
    assert found.interval is not None
    assert found.interval[0] < 10 < found.interval[1]
    assert found.effect is not None
    assert 3 < found.effect < 20


def test_the_same_process_twice_does_not_differ_too_often() -> None:
    """Of 200 comparisons of a process with itself about 5 % look different, for tests are made so."""
    wrong = sum(bool(compare_samples(normal(2 * n, 5, 1.0), normal(2 * n + 1, 5, 1.0)).significant) for n in range(200))

    assert wrong <= 22  # 10 expected; more than 22 has a probability of one in ten thousand


def test_few_repeats_say_nothing() -> None:
    """Two repeats are no sample; what they spread is known all the same."""
    found = compare_samples([1.0, 1.2], [1.3])

    assert not found.enough
    assert found.significant is None
    assert found.interval is None
    assert found.within_spread is True
    assert compare_samples([1.0, 1.2], [9.0]).within_spread is False
    assert compare_samples([1.0], [9.0]).within_spread is None


def test_deterministic_training_is_exact() -> None:
    """Repeats that never vary need no statistics."""
    same, other = compare_samples([0.5] * 3, [0.5] * 3), compare_samples([0.5] * 3, [0.4] * 3)

    assert (same.significant, same.test, same.p_value) == (False, "exact", 1.0)
    assert (other.significant, other.effect) == (True, -math.inf)


def test_skewed_samples_are_compared_by_rank() -> None:
    """One outlier of a size that says nothing makes a mean useless; ranks hold."""
    base = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1000.0]
    head = [value + 2 for value in base[:-1]] + [500.0]

    found = compare_samples(base, head)

    assert found.test == "mann-whitney"
    assert found.significant is True


def test_the_interval_is_the_same_in_every_process() -> None:
    """A report that is made again says the same: the draws depend on the data alone."""
    program = (
        "from ledgit.compare import compare_samples\n"
        "print(compare_samples([1,2,3,4,5,6,7,8.5], [2,3,4,5,6,7,8,9.25]).interval)"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert len(answers) == 1
    assert b"(" in answers.pop()


def test_what_is_no_number_is_left_out() -> None:
    """A run that diverged is no repeat; whoever asks sees that it is missing by the count."""
    found = compare_samples([1.0, math.nan, 2.0], [math.inf])

    assert (found.n_base, found.n_head, found.difference) == (2, 0, None)


@pytest.mark.parametrize("confidence", [0.2, 1.0, math.nan])
def test_an_impossible_confidence_is_refused(confidence: float) -> None:
    """Percent, or none at all."""
    with pytest.raises(InvalidValue, match="confidence"):
        compare_samples([1.0], [2.0], confidence=confidence)


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, max_size=7), st.lists(NUMBERS, max_size=7))
def test_both_ways_round_say_the_same(base: list[float], head: list[float]) -> None:
    """Swapping the sides turns signs, and nothing else."""
    one, other = compare_samples(base, head), compare_samples(head, base)

    assert isinstance(one, SampleComparison)
    assert one.significant == other.significant
    assert (one.n_base, one.n_head) == (other.n_head, other.n_base)
    if one.difference is not None:
        assert other.difference == pytest.approx(-one.difference)
    if one.p_value is not None:
        assert other.p_value == pytest.approx(one.p_value, abs=1e-9)
        assert one.interval is not None
        assert one.interval[0] <= one.interval[1]


def test_numbers_whose_squares_or_sums_are_beyond_every_float_are_compared_like_others() -> None:
    """A loss that went astray is reported, not a crash; tests know no unit, so a scaled sample says the same."""
    small = compare_samples([1.0, 2.0, 4.0], [3.0, 5.0, 9.0])
    large = compare_samples([1e300, 2e300, 4e300], [3e300, 5e300, 9e300])
    assert large.p_value == pytest.approx(small.p_value)
    assert large.effect == pytest.approx(small.effect)
    assert large.spread_head == pytest.approx(small.spread_head * 1e300)

    edge = compare_samples([1.7e308] * 3, [1.7e308, 1.6e308])
    assert edge.mean_base == pytest.approx(1.7e308)
    assert compare_samples([1.7e308, -1.7e308, 1e308], [1.7e308, 1.0, 3.0]).p_value is not None
