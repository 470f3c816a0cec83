"""Sweeps and trials as rows of tables and lines of text. Takes values, asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from ledgit.projects.sweeps.table import headline, left_milliseconds
from ledgit.records.harmless import clean
from ledgit.records.harmless import width as wide_of
from ledgit.records.wording import age, duration, number
from ledgit.tui.data.sweeping import shown
from ledgit.tui.widgets.cells import Cell, Column, FixedRows

if TYPE_CHECKING:
    from ledgit.projects.sweeps import SweepStatus, Trial
    from ledgit.tui.data.sweeping import Pictured, SweepLine, Trend
    from ledgit.tui.session import Session

__all__ = ["EMPTY", "TrialRows", "summary_lines", "sweeps_table", "trend_lines", "trial_columns"]

#: What is shown where there is no sweep yet.
EMPTY = (
    "No sweep yet. One tries an entry point, or any command, with many params:",
    "",
    "    ledgit sweep train.py -P 'lr=log(1e-4,1e-1)' --trials 20 --metric loss",
    "    ledgit sweep -P n=1,2,3 -- python train.py --layers {n}",
    "",
    "Each trial is a run. It can be watched here while it goes on,",
    "and in any clone that pulls.",
)
_BAR = 20
_STATES = {
    "running": ("running", "live"),
    "complete": ("finished", ""),
    "finished": ("finished", ""),
    "pruned": ("down", "dim"),
    "failed": ("failed", "bad"),
    "killed": ("killed", "warn"),
    "stopped": ("killed", "warn"),
    "interrupted": ("lost", "warn"),
}


def state_cell(state: str, session: Session) -> Cell:
    """Return a state with its mark."""
    mark, style = _STATES.get(state, ("unreadable", "bad"))
    return Cell(f"{session.glyph(mark)} {state}", style)


def sweeps_table(lines: Sequence[SweepLine], session: Session) -> tuple[list[Column], FixedRows]:
    """Return the table of all sweeps."""
    name = max((wide_of(clean(line.name)) for line in lines[:500]), default=8)
    metric = max((wide_of(clean(line.metric)) for line in lines), default=6)
    columns = [
        Column("name", "sweep", max(min(name, 28), 8), fixed=True),
        Column("state", "state", 13),
        Column("trials", "trials", 13, right=True),
        Column("running", "now", 4, right=True),
        Column("failed", "failed", 6, right=True),
        Column("best", "best", 10, right=True),
        Column("metric", "metric", max(min(metric + 2, 18), 8)),
        Column("started", "started", 10),
        Column("what", "what", 30),
    ]
    now = session.now()
    rows = []
    for line in lines:
        arrow = session.glyph("down" if line.direction == "minimize" else "up")
        planned = f"/{line.planned:,}" if line.planned else ""
        cells = [
            Cell(line.name, "head"),
            state_cell(line.state, session) if line.state else Cell(session.glyph("more"), "dim"),
            Cell(f"{line.ended:,}{planned}" if line.state else ""),
            Cell(f"{line.running:,}" if line.running else "", "live"),
            Cell(f"{line.failed:,}" if line.failed else "", "bad"),
            Cell("" if line.best is None else number(line.best), "good"),
            Cell(f"{line.metric} {arrow}" if line.metric else "", "dim"),
            Cell(age(min(line.started, now), now / 1000), "dim"),
            Cell(line.problem or line.what, "warn" if line.problem else "dim"),
        ]
        rows.append((line.run, cells))
    return columns, FixedRows(rows)


# ---------------------------------------------------------------------- one sweep


def summary_lines(status: SweepStatus, session: Session, room: int) -> list[Text]:
    """Return two lines: how far the sweep is, and the best trial."""
    total = max(status.plan.trials, len(status.trials), 1)
    filled = min(status.ended * _BAR // total, _BAR)
    full, empty = ("━", "─") if session.unicode else ("#", "-")
    first = Text(no_wrap=True, overflow="ellipsis")
    first.append(clean(status.name), "bold")
    mark, _ = _STATES.get(status.state, ("unreadable", ""))
    first.append(f"  {session.glyph(mark)} {status.state}")
    if status.reason and status.reason != status.state:
        first.append(f" ({clean(status.reason)})")
    if room >= 90:
        first.append("  " + full * filled)
        first.append(empty * (_BAR - filled), "dim")
    first.append("  " + ", ".join(headline(status)))
    left = left_milliseconds(status) if status.state == "running" else None
    if left is not None:
        first.append(f"  about {duration(left)} left", "dim")
    second = Text(no_wrap=True, overflow="ellipsis")
    best, plan = status.best, status.plan
    if best is not None and best.value is not None:
        second.append(f"best {clean(plan.metric)} ", "dim")
        second.append(number(best.value), "bold")
        second.append(f"  trial {best.number}  ", "dim")
        second.append("  ".join(f"{clean(name)} {shown(value)}" for name, value in best.params.items()))
    elif plan.metric:
        second.append(f"nothing has a value of {clean(plan.metric)} yet; {plan.direction} it", "dim")
    else:
        second.append("no metric was named, so no trial is better than another", "dim")
    return [first, second]


def trial_columns(found: Pictured) -> list[Column]:
    """Return the columns of the trials of a sweep."""
    status = found.status
    columns = [Column("trial", "trial", max(5, len(str(max(status.plan.trials, 1)))), right=True, fixed=True)]
    columns.append(Column("state", "state", 10))
    if status.plan.metric:
        columns.append(
            Column("value", status.plan.metric, max(min(wide_of(clean(status.plan.metric)), 16), 9), right=True)
        )
    sample = found.trials[:60]
    for name in found.names:
        values = [trial.params.get(name) for trial in sample]
        texts = all(isinstance(value, str) for value in values if value is not None)
        widest = max([wide_of(clean(name)), *(wide_of(shown(value)) for value in values)])
        columns.append(Column(f"params.{name}", name, max(min(widest, 20), 5), right=not texts))
    columns.append(Column("duration", "took", 9, right=True))
    if any(len(trial.attempts) > 1 for trial in status.trials):
        columns.append(Column("attempts", "tries", 5, right=True))
    columns.append(Column("run", "run", 8))
    return columns


class TrialRows:
    """The trials of a sweep as rows, made when they are drawn.

    Args:
        found: What is shown.
        session: For marks and the time.
    """

    def __init__(self, found: Pictured, session: Session) -> None:
        self._trials, self._session = found.trials, session
        self._keys = [column.key for column in trial_columns(found)]
        best = found.status.best
        self._best = -1 if best is None else best.number
        self._places: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._trials)

    def key(self, position: int) -> str:
        """Return a trial's number."""
        return str(self._trials[position].number)

    def trial(self, position: int) -> Trial:
        """Return a trial."""
        return self._trials[position]

    def find(self, key: str) -> int | None:
        """Return where a trial is."""
        if self._places is None:
            self._places = {str(trial.number): place for place, trial in enumerate(self._trials)}
        return self._places.get(key)

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0: nothing is folded."""
        return 0

    def cells(self, position: int) -> list[Cell]:
        """Return a trial's cells."""
        trial = self._trials[position]
        return [self._cell(trial, key) for key in self._keys]

    def _cell(self, trial: Trial, key: str) -> Cell:
        if key == "trial":
            return Cell(str(trial.number), "head" if trial.number == self._best else "")
        if key == "state":
            if trial.number == self._best:
                return Cell(f"{self._session.glyph('star')} best", "good")
            return state_cell(trial.state, self._session)
        if key == "value":
            said = "" if trial.value is None else number(trial.value)
            style = "good" if trial.number == self._best else "" if trial.state == "complete" else "dim"
            return Cell(said, style)
        if key == "duration":
            taken = trial.milliseconds
            if taken is None and trial.state == "running" and trial.attempts:
                taken = max(self._session.now() - trial.attempts[0].start, 0)
            return Cell(duration(taken), "dim")
        if key == "attempts":
            return Cell(str(len(trial.attempts)) if len(trial.attempts) > 1 else "", "dim")
        if key == "run":
            return Cell(trial.run[:8], "dim")
        return Cell(shown(trial.params.get(key[len("params.") :])))


def trend_lines(found: Sequence[Trend], status: SweepStatus, session: Session, room: int) -> list[Text]:
    """Return what mattered, as bars: how much of the value each parameter alone explains, and which way it goes."""
    if not found:
        words = "After 8 complete trials this says how much of the value each parameter alone explains."
        return [Text(words, "dim")]
    wide = min(max(wide_of(clean(trend.name)) for trend in found), 24)
    bar = max(min(room - wide - 26, 30), 5)
    full = "━" if session.unicode else "#"
    worse = status.plan.direction == "minimize"
    lines = []
    for trend in found:
        line = Text(no_wrap=True)
        name = clean(trend.name)
        line.append(name + " " * max(wide - wide_of(name), 0) + "  ")
        filled = round(trend.share * bar)
        line.append((full * filled).ljust(bar), "live")
        line.append(f" {trend.share:4.0%}", "head")
        if trend.correlation is not None and abs(trend.correlation) >= 0.1:
            better = (trend.correlation > 0) != worse
            line.append(f"  {'more' if better else 'less'} is better", "dim")
        lines.append(line)
    lines += [Text(), Text("how much of the value each one alone explains;", "dim")]
    lines += [Text("what they do together is not seen", "dim")]
    return lines
