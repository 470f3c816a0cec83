"""Which values a trial gets: the samplers that need no library, and what all samplers have in common.

``grid``, ``random`` and ``qmc`` are functions of the sweep's seed, the trial's number and the
parameter's name. So a clone that goes on with a sweep gives trial 17 what any other would.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from ledgit.errors import UsageError
from ledgit.projects.sweeps.kinds import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from ledgit.projects.sweeps.space import Space, Value
    from ledgit.projects.sweeps.trials import Trial

__all__ = ["Grid", "LowDiscrepancy", "Random", "Sampler", "make_sampler"]

_ALONE = ("grid", "random", "qmc")  # need nothing but themselves


class Sampler(Protocol):
    """Gives trials their values, and learns how they came out."""

    def ask(self, number: int) -> dict[str, Value]:
        """Return the values of trial *number*; each number is asked for once."""

    def tell(self, trial: Trial) -> None:
        """Take in a trial that has ended, of this session or an earlier one; each once."""

    def again(self, number: int, params: Mapping[str, Any]) -> None:
        """Know trial *number*, whose values were given earlier, as one that runs."""

    def report(self, number: int, points: Sequence[tuple[int, float]]) -> bool:
        """Take in what a running trial logged, as (step, value); return whether it should be given up."""


class _Knowing:
    """A sampler that has nothing to learn."""

    def tell(self, trial: Trial) -> None:
        """Nothing is learned."""

    def again(self, number: int, params: Mapping[str, Any]) -> None:
        """Nothing is learned."""

    def report(self, number: int, points: Sequence[tuple[int, float]]) -> bool:  # noqa: ARG002
        """No trial is given up."""
        return False


class Grid(_Knowing):
    """Every point, one after the other; the last parameter changes soonest."""

    def __init__(self, space: Space) -> None:
        self.space = space
        space.point(0)  # says at once if there is no grid

    def ask(self, number: int) -> dict[str, Value]:
        """Return point *number* of the grid."""
        return self.space.point(number)


class Random(_Knowing):
    """Values drawn independently of each other."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def ask(self, number: int) -> dict[str, Value]:
        """Return values that the seed, *number* and the names decide."""
        return {one.name: one.at(_share(self.seed, number, one.name)) for one in self.space.dimensions}


class LowDiscrepancy(_Knowing):
    """Values spread more evenly than chance does it: a scrambled Halton sequence.

    Each dimension has a prime of its own, and the digits of the trial's number in that base,
    each permuted as the seed wants it, are the digits of its place (Owen 2017, arXiv:1706.02808).
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed
        self._primes = _primes(len(space.dimensions))

    def ask(self, number: int) -> dict[str, Value]:
        """Return point *number* of the sequence."""
        return {
            one.name: one.at(_halton(self.seed, one.name, prime, number))
            for one, prime in zip(self.space.dimensions, self._primes, strict=True)
        }


def _share(*words: object) -> float:
    """Return a number in [0, 1) that *words* decide, the same on every machine."""
    digest = sha256("\0".join(map(str, words)).encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) >> 11) / (1 << 53)


def _halton(seed: int, name: str, base: int, number: int) -> float:
    place, weight, digit = 0.0, 1.0, 0
    while weight > 1e-12:  # digits beyond the number's own are permuted zeros, and count as well
        weight /= base
        number, value = divmod(number, base)
        place += _permutation(seed, name, base, digit)[value] * weight
        digit += 1
    return min(place, 1 - 2**-53)


@lru_cache(maxsize=4096)
def _permutation(seed: int, name: str, base: int, digit: int) -> tuple[int, ...]:
    order = list(range(base))
    for last in range(base - 1, 0, -1):  # Fisher and Yates
        other = int(_share(seed, name, digit, last) * (last + 1))
        order[last], order[other] = order[other], order[last]
    return tuple(order)


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def make_sampler(
    name: str,
    space: Space,
    seed: int,
    *,
    direction: Literal["minimize", "maximize"] = "minimize",
    pruner: str = "",
    warm: Sequence[Trial] = (),
) -> Sampler:
    """Return the sampler *name*, which knows the trials that have ended already.

    Args:
        name: One of :data:`.kinds.SAMPLERS`.
        space: What is tried.
        seed: Any integer.
        direction: ``minimize`` or ``maximize``.
        pruner: One of :data:`.kinds.PRUNERS`, with options as ``median(startup=5,warmup=10)``; "" or ``none``: no trial
            is given up.
        warm: Trials that have ended.

    Raises:
        UsageError: There is no such sampler or pruner, or it can't do with this space.
        MissingDependency: It needs a library that is not installed.
    """
    if name not in SAMPLERS:
        raise UsageError(f"there is no sampler {name!r}; there are {', '.join(SAMPLERS)}")
    plain: Sampler | None = None
    if name in _ALONE:
        plain = Grid(space) if name == "grid" else (Random if name == "random" else LowDiscrepancy)(space, seed)
        if pruner in ("", "none"):
            return plain
    from ledgit.projects.sweeps.optuna import OptunaSampler

    return OptunaSampler(name, space, seed, direction=direction, pruner=pruner, plain=plain, warm=warm)
