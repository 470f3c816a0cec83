"""When a sweep ends before every trial was tried. Pure, but for the clock."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from ledgit.projects.sweeps.trials import COMPLETE, FAILED, best_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.projects.sweeps.trials import Trial

__all__ = ["Rules"]


class Rules:
    """The rules of one session: whoever goes on with a sweep that a rule ended wants more of it.

    Args:
        plan: The rules, and the direction of the metric.
        known: Trials that ended in earlier sessions: their best value is the one to beat.
        clock: Seconds that only rise.
    """

    def __init__(
        self, plan: SweepPlan, known: Iterable[Trial] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan, self._clock = plan, clock
        self._began = clock()
        self._failures = self._idle = 0
        best = best_trial(known, plan.direction)
        self._best = math.nan if best is None or best.value is None else best.value
        self._reached = False

    def tell(self, trial: Trial) -> None:
        """Take in a trial that has ended."""
        if trial.state == FAILED:
            self._failures += 1
        if trial.state != COMPLETE or trial.value is None or math.isnan(trial.value):
            return
        sign = -1.0 if self._plan.direction == "maximize" else 1.0
        if math.isnan(self._best) or sign * trial.value < sign * self._best:
            self._best, self._idle = trial.value, 0
        else:
            self._idle += 1
        target = self._plan.target
        self._reached = self._reached or (target is not None and sign * trial.value <= sign * target)

    def broken(self) -> str:
        """Return the rule that ends the sweep now, or ""."""
        plan = self._plan
        if self._reached:
            return "target"
        if plan.max_time is not None and self._clock() - self._began > plan.max_time:
            return "max time"
        if plan.stop_after_failures is not None and self._failures >= plan.stop_after_failures:
            return "failures"
        return "patience" if plan.patience is not None and self._idle >= plan.patience else ""
