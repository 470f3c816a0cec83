"""What a synthetic repository is to hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import NamedTuple

DAY = 86_400_000
_LAST = 1_795_132_800_000  # 2026-11-20, ms since the epoch
_DAYS = 250

SHAPES = {"narrow": (15, 20, 10), "wide": (300, 200, 10)}
"""Params, metrics and tags of each run."""


class Slot(NamedTuple):
    """A run to be made: which one, when it starts, and what happened to it afterwards."""

    number: int
    start: int
    id: str
    fate: str  # "", "edited", "two heads" or "purged"


@dataclass(frozen=True)
class Plan:
    """A synthetic repository.

    Attributes:
        runs: How many runs there are, purged ones included.
        shape: ``narrow`` or ``wide``.
        spread: All runs within ``months`` (250 days) or on one ``day``.
        edited, two_headed, purged: Which part of the runs.
        histories: So many of the newest runs have histories of *points* points of *curves* metrics.
        digits: Of these points' values, behind the point; 17 are all.
        loose: So many of the newest runs are refs of their own and not in the ledger.
        last: The last day, ms since the epoch. For more runs beside those of another plan.
        seed: Of everything.
    """

    runs: int = 1_000
    shape: str = "narrow"
    spread: str = "months"
    edited: float = 0.05
    two_headed: float = 0.02
    purged: float = 0.01
    histories: int = 0
    points: int = 1_000
    curves: int = 5
    digits: int = 6
    loose: int = 0
    last: int = _LAST
    seed: int = 1

    def slots(self) -> list[Slot]:
        """Return the runs day by day, and within a day by id: so a ledger is written in one go."""
        random = Random(f"runs {self.seed}")
        days = _DAYS if self.spread == "months" else 1
        made = []
        for _ in range(self.runs):
            start = self.last - DAY * random.randrange(days) + random.randrange(DAY)
            made.append((start // DAY, f"{random.getrandbits(128):032x}", start))
        made.sort()
        fates = self._fates(random)
        return [Slot(number, start, run, fates.get(number, "")) for number, (_, run, start) in enumerate(made)]

    def _fates(self, random: Random) -> dict[int, str]:
        shares = {"edited": self.edited, "two heads": self.two_headed, "purged": self.purged}
        counts = {fate: round(self.runs * share) for fate, share in shares.items()}
        chosen = iter(random.sample(range(self.runs), sum(counts.values())))
        return {number: fate for fate, count in counts.items() for number in islice(chosen, count)}

    def chunks(self, slots: list[Slot], size: int = 500) -> Iterator[list[Slot]]:
        """Yield the runs in pieces that a process makes at a time."""
        for at in range(0, len(slots), size):
            yield slots[at : at + size]
