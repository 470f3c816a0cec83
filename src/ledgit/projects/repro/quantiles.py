"""Student's t distribution, as far as a prediction interval needs it: without SciPy, which a training need not have.

The distribution function is the regularised incomplete beta function, by its continued fraction (Lentz's method; DLMF
8.17.22), and the quantile is found by halving.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["prediction_interval", "t_quantile"]

_STEPS = 300
_TINY = 1e-300
_CLOSE = 1e-15


def prediction_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return where one more value of the same kind lies with the probability *confidence*.

    Args:
        values: At least two finite numbers, taken for a sample of a normal distribution.
        confidence: Between 0 and 1.
    """
    count = len(values)
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    reach = t_quantile((1 + confidence) / 2, count - 1) * spread * math.sqrt(1 + 1 / count)
    return mean - reach, mean + reach


def t_quantile(probability: float, freedom: int) -> float:
    """Return the value that a t-distributed number stays below with *probability* (0.5 to below 1)."""
    low, high = 0.0, 1.0
    while _below(high, freedom) < probability:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _below(middle, freedom) < probability else (low, middle)
    return high


def _below(value: float, freedom: int) -> float:
    """Return the probability of staying below *value*, which is not negative."""
    return 1 - _beta(freedom / 2, 0.5, freedom / (freedom + value * value)) / 2


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, _STEPS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + factor * d)
            c = _away(1 + factor / c)
            total *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return front * total / a


def _away(value: float) -> float:
    """Keep a divisor away from zero."""
    return value if abs(value) > _TINY else _TINY
