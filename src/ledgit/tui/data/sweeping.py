"""What the screen of sweeps shows: a line a sweep, the trials of one in any order, what came of them so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.projects.sweeps import SweepPlan, SweepStatus, Trial
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = [
    "ORDERS",
    "Pictured",
    "SweepLine",
    "SweepList",
    "Trend",
    "line_of",
    "numeric",
    "picture",
    "renewed",
    "resume_command",
    "shown",
    "sorted_trials",
    "trends",
    "varying",
]

#: Columns of trials that are no parameter, by which they can be sorted.
ORDERS = ("trial", "state", "value", "duration", "run")
_MOST_SWEEPS = 500
_FEW = 3  # finite values below which nothing can go along with anything
_STATES = {"running": 0, "complete": 1, "pruned": 2, "failed": 3, "killed": 4}


class SweepLine(NamedTuple):
    """A sweep in a list.

    Attributes:
        run: Id of its run.
        name: The run's name.
        state: ``running``, ``finished``, ``stopped`` or ``interrupted``.
        planned: How many trials there are to be; 0 where the plan is not known here.
        complete: Trials that were completed.
        running: Trials that run.
        failed: Trials that failed.
        pruned: Trials that were given up.
        best: The best value, or None.
        metric: What is looked for, or "".
        direction: ``minimize`` or ``maximize``.
        started: Its start, ms since the epoch.
        what: What is run: the entry point or the command.
        problem: Why nothing more is known; "" if all is.
    """

    run: str
    name: str
    state: str
    planned: int
    complete: int
    running: int
    failed: int
    pruned: int
    best: float | None
    metric: str
    direction: str
    started: int
    what: str
    problem: str = ""

    @property
    def ended(self) -> int:
        """Trials that count as done."""
        return self.complete + self.failed + self.pruned


class SweepList:
    """The sweeps of a repository, newest first; what has ended is counted once.

    Args:
        repository: Where they are. All methods read, so they are called in a thread.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: dict[str, tuple[object, SweepLine]] = {}

    def runs(self) -> list[Run]:
        """Return the runs of the sweeps, newest first."""
        from ledgit.projects.sweeps import list_sweeps

        return list_sweeps(self._repository, _MOST_SWEEPS)

    def forget(self) -> None:
        """Count all again when they are asked for: trials of sweeps that have ended may have come with a pull."""
        self._kept.clear()

    def known(self, run: Run) -> SweepLine | None:
        """Return the line of a sweep if it was counted and has not changed since; None: :meth:`line` does it."""
        kept = self._kept.get(run.id)
        return kept[1] if kept is not None and kept[0] == _key(run) else None

    def line(self, run: Run) -> SweepLine:
        """Return the line of a sweep: by questions that count, so that 10,000 trials take 20 ms."""
        from ledgit.projects.sweeps.control import Control
        from ledgit.projects.sweeps.overview import REASON, SWEEP, read_plan
        from ledgit.query import Query

        index = self._repository.index
        alive = Control(self._repository.folder, run.id).is_held()
        try:
            plan, problem = read_plan(run), ""
        except (LedgitError, OSError) as error:
            plan, problem = None, str(error)

        def count(condition: str = "") -> int:
            return index.count(Query(parent_run=run.id, filter=condition))

        state = "tags.`ledgit.sweep.state`"
        running = count("attributes.status = 'RUNNING'")
        pruned, failed = count(f"{state} = 'pruned'"), count(f"{state} = 'failed'")
        complete = count(f"{state} = 'complete'")
        planned = _planned(plan, run)
        reason = run.tags.get(REASON, "")
        ended = "interrupted" if run.status in ("KILLED", "RUNNING", "FAILED") else "finished"
        if planned and complete + failed + pruned >= planned:
            ended = "finished"
        elif reason == "stopped":
            ended = "stopped"
        found = SweepLine(
            run.id,
            run.name,
            "running" if alive else ended,
            planned,
            complete,
            running,
            failed,
            pruned,
            self._best(run, plan),
            plan.metric if plan is not None else "",
            plan.direction if plan is not None else "minimize",
            run.start,
            _what(plan) or run.tags.get(SWEEP, ""),
            problem,
        )
        if not alive and not run.active:
            self._kept[run.id] = (_key(run), found)
        return found

    def _best(self, run: Run, plan: SweepPlan | None) -> float | None:
        from ledgit.query import Query

        if plan is None or not plan.metric or "`" in plan.metric:
            return None
        way = "DESC" if plan.direction == "maximize" else "ASC"
        wanted = Query(
            parent_run=run.id,
            filter="tags.`ledgit.sweep.state` = 'complete'",
            order_by=(f"metrics.`{plan.metric}` {way}",),
            limit=1,
        )
        found = self._repository.index.search(wanted).runs
        value = found[0].metrics.get(plan.metric) if found else None
        return None if value is None or math.isnan(value) else value


def line_of(status: SweepStatus) -> SweepLine:
    """Return the line of a sweep that is known whole."""
    plan, best = status.plan, status.best
    counts = {state: status.count(state) for state in ("complete", "running", "failed", "pruned")}
    return SweepLine(
        run=status.run,
        name=status.name,
        state=status.state,
        planned=max(plan.trials, 0),
        complete=counts["complete"],
        running=counts["running"],
        failed=counts["failed"],
        pruned=counts["pruned"],
        best=None if best is None else best.value,
        metric=plan.metric,
        direction=plan.direction,
        started=status.began,
        what=_what(plan),
    )


def _key(run: Run) -> object:
    return (run.heads, run.status, run.name)


def _planned(plan: SweepPlan | None, run: Run) -> int:
    if plan is not None:
        return max(plan.trials, 0)
    said = run.params.get("trials")
    return said if isinstance(said, int) and said > 0 else 0


def _what(plan: SweepPlan | None) -> str:
    return "" if plan is None else plan.entry_point or " ".join(plan.command)


def resume_command(status: SweepStatus) -> str:
    """Return the command that goes on with a sweep, to copy."""
    if status.ended < status.plan.trials:
        return f"ledgit sweep resume {status.run[:8]}"
    return f"ledgit sweep resume {status.run[:8]} --trials {2 * max(status.plan.trials, 1)}"


# ---------------------------------------------------------------------- trials


def varying(status: SweepStatus) -> list[str]:
    """Return the names of the parameters, those first that have several values; others after them."""
    names = list(status.plan.space) or sorted({name for trial in status.trials[:100] for name in trial.params})
    several = []
    for name in names:
        seen: set[object] = set()
        for trial in status.trials:
            seen.add(trial.params.get(name))
            if len(seen) > 1:
                several.append(name)
                break
    return [*several, *(name for name in names if name not in several)]


def sorted_trials(
    status: SweepStatus, order: str = "", *, reverse: bool = False, only: Callable[[Trial], bool] | None = None
) -> list[Trial]:
    """Return the trials in an order.

    Args:
        status: The sweep.
        order: One of :data:`ORDERS` or ``params.<name>``; "" has the best one first, then those that run, then the
            others, the one that ended last first.
        reverse: The other way round. What has no value stays at the end.
        only: Which ones; all if None.
    """
    trials = [trial for trial in status.trials if only is None or only(trial)]
    if not order:
        best = status.best

        def recent(trial: Trial) -> tuple[object, ...]:
            first = trial.attempts[0] if trial.attempts else None
            ended = 0 if first is None or first.end is None else first.end
            return (trial is not best, trial.state != "running", -ended, -trial.number)

        trials.sort(key=recent)
        return trials[::-1] if reverse else trials
    value = _value_of(order)
    present = [(value(trial), trial) for trial in trials]
    there = [(_sortable(found), trial.number, trial) for found, trial in present if found is not None]
    # By number where values are equal, whichever way they are sorted.
    there.sort(key=lambda one: one[1])
    there.sort(key=lambda one: one[0], reverse=reverse)
    return [trial for _, _, trial in there] + [trial for found, trial in present if found is None]


def _value_of(order: str) -> Callable[[Trial], object]:
    if order.startswith("params."):
        name = order[len("params.") :]
        return lambda trial: trial.params.get(name)
    reads: dict[str, Callable[[Trial], object]] = {
        "trial": lambda trial: trial.number,
        "state": lambda trial: _STATES.get(trial.state, 9),
        "value": lambda trial: None if trial.value is None or math.isnan(trial.value) else trial.value,
        "duration": lambda trial: trial.milliseconds,
        "run": lambda trial: trial.run,
    }
    return reads[order]


def _sortable(value: object) -> tuple[int, float, str]:
    """Numbers before texts, so that a parameter of both can be sorted."""
    number = numeric(value)
    return (1, 0.0, str(value)) if number is None else (0, number, "")


def numeric(value: object) -> float | None:
    """Return *value* as a number that can be drawn; None for texts, nan and what has no end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class Trend(NamedTuple):
    """What a parameter has to do with the value.

    Attributes:
        name: The parameter.
        share: How much of the value's variance it alone explains, 0 to 1: ``importance`` of ``projects.sweeps``.
        correlation: -1 to 1, of ranks: whether the value grows with it; None for one that is no number.
        log: Whether the plan draws it on a logarithmic scale.
    """

    name: str
    share: float
    correlation: float | None
    log: bool


def trends(status: SweepStatus) -> list[Trend]:
    """Return what each parameter has to do with the value, what matters most first; [] where it is too early."""
    shares = status.importance()
    done = [
        trial
        for trial in status.trials
        if trial.state == "complete" and trial.value is not None and math.isfinite(trial.value)
    ]
    space: Mapping[str, str] = status.plan.space
    found = []
    for name, share in shares.items():
        pairs = [(numeric(trial.params.get(name)), trial.value) for trial in done]
        numbers = [(one, float(value)) for one, value in pairs if one is not None and value is not None]
        whole = len(numbers) == len(done) >= _FEW
        found.append(Trend(name, share, _correlation(numbers) if whole else None, is_log(space.get(name, ""))))
    return found


def is_log(dimension: str) -> bool:
    """Whether a dimension, as it was written, is logarithmic."""
    words = dimension.replace(" ", "")
    return words.startswith("log(") or words.endswith(",log)")


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's correlation."""
    xs, ys = _ranks([x for x, _ in pairs]), _ranks([y for _, y in pairs])
    mean = (len(pairs) + 1) / 2
    across = math.fsum((x - mean) ** 2 for x in xs) * math.fsum((y - mean) ** 2 for y in ys)
    if not across:
        return None
    return math.fsum((x - mean) * (y - mean) for x, y in zip(xs, ys, strict=True)) / math.sqrt(across)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1 on; equal ones share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def shown(value: Scalar | None) -> str:
    """Return a parameter's value for a table."""
    from ledgit.records.wording import scalar

    return scalar(value)


# ---------------------------------------------------------------------- pictures


class Pictured(NamedTuple):
    """A sweep made ready to be shown; made in a thread, because a sweep may have 10,000 trials.

    Attributes:
        status: What is known of it.
        trials: The trials of the table, in their order.
        names: The parameters, those that vary first.
        best: For the picture over time: (trial's number, how many had ended, value, whether it was pruned).
        trends: What mattered.
        axes: For parallel coordinates: (parameter, logarithmic, names of its values or ()); the value is the last one.
        lines: (trial's number, a value for each axis) of each trial that has one.
        color: A number for each line, the greater the better.
        pictured: How many trials had ended when the pictures were made.
    """

    status: SweepStatus
    trials: Sequence[Trial]
    names: Sequence[str]
    best: Sequence[tuple[int, int, float, bool]]
    trends: Sequence[Trend]
    axes: Sequence[tuple[str, bool, Sequence[str]]]
    lines: Sequence[tuple[str, Sequence[float | str | None]]]
    color: Sequence[float]
    pictured: int


_MOST_AXES = 12


def picture(
    status: SweepStatus, order: str = "", *, reverse: bool = False, only: Callable[[Trial], bool] | None = None
) -> Pictured:
    """Make a sweep ready to be shown; the arguments are those of :func:`sorted_trials`."""
    names = varying(status)
    trials = sorted_trials(status, order, reverse=reverse, only=only)
    rated = [
        trial
        for trial in status.trials
        if trial.state in ("complete", "pruned") and trial.value is not None and math.isfinite(trial.value)
    ]
    rated.sort(key=lambda trial: (trial.attempts[0].end or 0 if trial.attempts else 0, trial.number))
    best = [(one.number, place, one.value or 0.0, one.state == "pruned") for place, one in enumerate(rated, 1)]
    axes = [_axis(status, name) for name in names[:_MOST_AXES]]
    if status.plan.metric:
        axes.append((status.plan.metric, False, ()))
    sign = -1.0 if status.plan.direction == "minimize" else 1.0
    lines: list[tuple[str, Sequence[float | str | None]]] = []
    for one in rated:
        values = [_on_axis(one.params.get(name), axis) for name, axis in zip(names, axes, strict=False)]
        lines.append((str(one.number), [*values, one.value] if status.plan.metric else values))
    color = [sign * (one.value or 0.0) if one.state == "complete" else math.nan for one in rated]
    return Pictured(status, trials, names, best, trends(status), axes, lines, color, status.ended)


def renewed(
    before: Pictured | None,
    status: SweepStatus,
    order: str = "",
    *,
    reverse: bool = False,
    only: Callable[[Trial], bool] | None = None,
    due: bool = True,
) -> Pictured:
    """Make a sweep ready to be shown that was shown before: what did not change is not made again.

    Args:
        before: What is shown.
        status: What is known of the sweep now.
        order: As for :func:`sorted_trials`; so are *reverse* and *only*.
        reverse: The other way round.
        only: Which trials.
        due: Make the pictures again if trials have ended; of thousands that takes a third of a second.
    """
    if before is None or before.status.run != status.run or before.status.plan != status.plan:
        return picture(status, order, reverse=reverse, only=only)
    if due and status.ended != before.pictured:
        return picture(status, order, reverse=reverse, only=only)
    return before._replace(status=status, trials=sorted_trials(status, order, reverse=reverse, only=only))


def _axis(status: SweepStatus, name: str) -> tuple[str, bool, Sequence[str]]:
    values = {trial.params[name] for trial in status.trials if trial.params.get(name) is not None}
    if all(numeric(value) is not None for value in values):
        log = is_log(status.plan.space.get(name, "")) and all((numeric(value) or 0) > 0 for value in values)
        return name, log, ()
    return name, False, sorted({shown(value) for value in values})


def _on_axis(value: Scalar | None, axis: tuple[str, bool, Sequence[str]]) -> float | str | None:
    if value is None:
        return None
    return shown(value) if axis[2] else numeric(value)
