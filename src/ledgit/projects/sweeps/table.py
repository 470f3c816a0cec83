"""What a person sees of a sweep, as words and rows. Pure; ``cli/`` draws them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.projects.sweeps.trials import COMPLETE, ENDED, FAILED, PRUNED, RUNNING

if TYPE_CHECKING:
    from ledgit.projects.sweeps.overview import SweepStatus
    from ledgit.projects.sweeps.trials import Trial

__all__ = ["Row", "best_command", "headline", "left_milliseconds", "live_rows", "row_of", "values_text"]


@dataclass(frozen=True, slots=True)
class Row:
    """One trial as a row.

    Attributes:
        number: The trial's number.
        state: Its state; ``best`` of the best one.
        value: Its metric, or the newest point while it runs; None without one.
        params: (name, value) of each parameter.
        milliseconds: How long it took, or runs by now; None if nobody knows.
        run: Id of its run.
        attempts: How many attempts there were.
    """

    number: int
    state: str
    value: float | None
    params: tuple[tuple[str, object], ...]
    milliseconds: int | None
    run: str
    attempts: int


def row_of(trial: Trial, now: int, *, best: bool = False) -> Row:
    """Return a trial as a row; *now* in ms since the epoch."""
    taken = trial.milliseconds
    if taken is None and trial.state == RUNNING and trial.attempts:
        taken = max(now - trial.attempts[0].start, 0)
    state = "best" if best else trial.state
    return Row(trial.number, state, trial.value, tuple(trial.params.items()), taken, trial.run, len(trial.attempts))


def live_rows(status: SweepStatus, now: int, most: int) -> list[Row]:
    """Return *most* rows at most: the best trial, those that run, then those that ended last."""
    best = status.best
    rows = [] if best is None else [row_of(best, now, best=True)]
    rows += [row_of(trial, now) for trial in status.trials if trial.state == RUNNING]
    ended = [trial for trial in status.trials if trial.state != RUNNING and trial is not best]
    ended.sort(key=lambda trial: (trial.attempts[0].end or 0, trial.number), reverse=True)
    rows += [row_of(trial, now) for trial in ended]
    return rows[: max(most, 0)]


def headline(status: SweepStatus) -> list[str]:
    """Return how far it is, as words: ``12 of 50 trials``, ``2 running``, ``1 failed``."""
    words = [f"{status.ended:,} of {max(status.plan.trials, len(status.trials)):,} trials"]
    for state in (RUNNING, PRUNED, FAILED):
        count = status.count(state)
        if count:
            words.append(f"{count:,} {state}")
    return words


def left_milliseconds(status: SweepStatus) -> int | None:
    """Return how long the rest will take if it goes on as it did; None before anything ended."""
    taken = [trial.milliseconds for trial in status.trials if trial.state in ENDED and trial.milliseconds is not None]
    left = status.plan.trials - status.ended
    if not taken or left <= 0:
        return None
    at_once = max(status.count(RUNNING), 1)
    return int(sum(taken) / len(taken) * left / at_once)


def values_text(row: Row) -> str:
    """Return the parameters as ``lr=0.01 n=2``, quoted as a shell wants them."""
    return " ".join(f"{name}={shlex.quote(str(value))}" for name, value in row.params)


def best_command(status: SweepStatus) -> str:
    """Return the command that runs the best trial once more, to copy; "" if there is none."""
    from ledgit.projects.sweeps.plan import fill_places

    best = status.best
    if best is None or best.state != COMPLETE:
        return ""
    plan = status.plan
    if plan.command:
        values = {name: value for name, value in best.params.items() if value is not None}
        return f"ledgit run -- {shlex.join(fill_places(plan.command, values))}"
    words = ["ledgit", "run", plan.source or plan.directory or "."]
    words += ["-v", plan.version] if plan.version else []
    words += ["-e", plan.entry_point]
    for name, value in best.params.items():
        words += ["-P", f"{name}={value}"]
    return shlex.join(words)
