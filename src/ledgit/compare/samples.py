"""Repeats of two sides as two samples: how far apart they are, and whether that is more than chance.

Welch's t-test (Welch 1947), the Mann-Whitney U test and the bias-corrected and accelerated bootstrap (Efron 1987)
are SciPy's; Hedges' g (Hedges 1981) is Cohen's d with its correction for small samples. SciPy is imported when two
samples are large enough to be tested, never for single runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ledgit.errors import InvalidValue, MissingDependency

__all__ = ["ENOUGH", "SampleComparison", "compare_samples"]

#: Repeats that each side needs before a test says anything.
ENOUGH = 3
# Below, the bootstrap's intervals are too short and the U test can't reach 5 %.
_MANY = 8
_DRAWS = 2_000
# From here on squares of values are beyond every float.
_SQUARED = 1e150
# A sample skewed more than this is not taken for near normal.
_SKEWED = 1.0


@dataclass(frozen=True, slots=True)
class SampleComparison:
    """Two samples of one metric. Differences are head minus base, in the metric's own unit.

    Attributes:
        n_base: How many numbers the base has; values that are no finite numbers are not counted.
        n_head: How many the head has.
        mean_base: Mean; None for an empty sample.
        mean_head: Mean; None for an empty sample.
        spread_base: Standard deviation (n - 1); None below two.
        spread_head: Standard deviation (n - 1); None below two.
        difference: Between the means; None where a side has none.
        interval: Between which limits the difference lies, at the confidence asked for; None without enough repeats.
        p_value: How probable a difference at least as large is by chance alone; None without enough repeats.
        effect: Hedges' g: the difference in pooled standard deviations; None without enough repeats, infinite
            where nothing varies and the means differ.
        test: ``welch``, ``mann-whitney``, ``exact`` (neither side varies) or ``""``.
        confidence: What *interval* was asked for.
    """

    n_base: int
    n_head: int
    mean_base: float | None
    mean_head: float | None
    spread_base: float | None
    spread_head: float | None
    difference: float | None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    effect: float | None = None
    test: str = ""
    confidence: float = 0.95

    @property
    def enough(self) -> bool:
        """Whether both sides have enough repeats for a test."""
        return self.n_base >= ENOUGH and self.n_head >= ENOUGH

    @property
    def significant(self) -> bool | None:
        """Whether the sides differ by more than chance; None where there are not enough repeats to tell."""
        return None if self.p_value is None else self.p_value < 1 - self.confidence

    @property
    def relative(self) -> float | None:
        """The difference as a part of the base's size (0.1 is 10 %); None for a base of 0 or none."""
        return self.difference / abs(self.mean_base) if self.difference is not None and self.mean_base else None

    @property
    def within_spread(self) -> bool | None:
        """Whether the difference is no larger than two standard deviations of the side that was repeated.

        For samples too small for a test; None where neither side was repeated.
        """
        spreads = [spread for spread in (self.spread_base, self.spread_head) if spread is not None]
        if self.difference is None or not spreads:
            return None
        return abs(self.difference) <= 2 * max(spreads)

    def to_dict(self) -> dict[str, object]:
        """Return the comparison for JSON."""
        return {
            "n": [self.n_base, self.n_head],
            "mean": [self.mean_base, self.mean_head],
            "spread": [self.spread_base, self.spread_head],
            "difference": self.difference,
            "relative": self.relative,
            "interval": None if self.interval is None else list(self.interval),
            "p_value": self.p_value,
            "effect": self.effect,
            "test": self.test,
            "confidence": self.confidence,
        }


def compare_samples(base: Sequence[float], head: Sequence[float], *, confidence: float = 0.95) -> SampleComparison:
    """Compare the repeats of two sides.

    Args:
        base: Values of the side compared with; NaN and infinities are left out.
        head: Values of the other.
        confidence: Of the interval, and 1 - the level of the test; between 0.5 and 1.

    Raises:
        InvalidValue: *confidence* is none.
        MissingDependency: There are enough repeats for a test, and SciPy is not installed.
    """
    if not 0.5 <= confidence < 1:
        raise InvalidValue("confidence", str(confidence), "a number from 0.5 to below 1, such as 0.95")
    ours = [float(value) for value in base if math.isfinite(value)]
    theirs = [float(value) for value in head if math.isfinite(value)]
    mean_base, mean_head = _mean(ours), _mean(theirs)
    difference = None if mean_base is None or mean_head is None else mean_head - mean_base
    spread_base, spread_head = _spread(ours), _spread(theirs)
    plain = (len(ours), len(theirs), mean_base, mean_head, spread_base, spread_head, difference)
    if difference is None or spread_base is None or spread_head is None or min(len(ours), len(theirs)) < ENOUGH:
        return SampleComparison(*plain, confidence=confidence)
    if _is_flat(ours) and _is_flat(theirs):
        # Deterministic training: any difference is one, and no difference is none.
        effect = 0.0 if difference == 0 else math.copysign(math.inf, difference)
        chance = 1.0 if difference == 0 else 0.0
        return SampleComparison(*plain, (difference, difference), chance, effect, "exact", confidence)
    scale = max(map(abs, (*ours, *theirs)))
    scale = scale if scale >= _SQUARED else 1.0
    ours, theirs = [value / scale for value in ours], [value / scale for value in theirs]
    test, chance, (low, high) = _tested(ours, theirs, confidence)
    effect = _hedges(ours, theirs, difference / scale)
    return SampleComparison(*plain, (low * scale, high * scale), chance, effect, test, confidence)


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    try:
        return statistics.fmean(values)
    except OverflowError:  # the sum is beyond every float, the mean is not
        return math.fsum(value / len(values) for value in values)


def _spread(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    largest = max(map(abs, values))
    if largest < _SQUARED:
        return statistics.stdev(values)
    return statistics.stdev([value / largest for value in values]) * largest


def _is_flat(values: Sequence[float]) -> bool:
    return min(values) == max(values)


def _hedges(base: Sequence[float], head: Sequence[float], difference: float) -> float:
    free = len(base) + len(head) - 2
    pooled = math.sqrt(
        ((len(base) - 1) * statistics.variance(base) + (len(head) - 1) * statistics.variance(head)) / free
    )
    if pooled == 0:  # spreads so small that their squares are nothing
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / pooled * (1 - 3 / (4 * free - 1))


def _skew(values: Sequence[float]) -> float:
    mean, spread = statistics.fmean(values), statistics.pstdev(values)
    return 0.0 if spread == 0 else statistics.fmean([((value - mean) / spread) ** 3 for value in values])


def _tested(base: Sequence[float], head: Sequence[float], confidence: float) -> tuple[str, float, tuple[float, float]]:
    """Return which test was made, the probability of chance, and the interval of the difference."""
    try:
        from scipy import stats
    except ImportError:
        raise MissingDependency("comparing repeats as samples", "ledgit[review]") from None
    import warnings

    many = min(len(base), len(head)) >= _MANY
    with warnings.catch_warnings():  # of numbers that are next to the same, which is no news
        warnings.simplefilter("ignore", RuntimeWarning)
        welch = stats.ttest_ind(head, base, equal_var=False)
        ends = welch.confidence_interval(confidence)
    interval = (float(ends.low), float(ends.high))
    if many:
        interval = _bootstrap(base, head, confidence) or interval
    if many and max(abs(_skew(base)), abs(_skew(head))) > _SKEWED:
        ranked = stats.mannwhitneyu(head, base, alternative="two-sided")
        return "mann-whitney", float(ranked.pvalue), interval
    return "welch", float(welch.pvalue), interval


def _bootstrap(base: Sequence[float], head: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Return the bootstrap's interval; None where the draws are too much alike for one."""
    import warnings

    import numpy as np
    from scipy import stats

    def apart(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.mean(one, axis=axis) - np.mean(other, axis=axis))

    # The same data give the same report, on every machine.
    random = np.random.default_rng(abs(hash((tuple(base), tuple(head)))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = stats.bootstrap(
            (head, base), apart, n_resamples=_DRAWS, confidence_level=confidence, method="BCa", rng=random
        )
    low, high = float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None
