"""A sweep for people: the live table, and what is said when it has ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from ledgit.cli import render, terminal
from ledgit.cli.text import Style, clean, duration, fit, number, scalar
from ledgit.projects.sweeps.table import Row, best_command, headline, left_milliseconds, live_rows, row_of, values_text
from ledgit.store.journal import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from typing import Any

    from ledgit.projects.sweeps import Event, Sweep, SweepPlan, SweepResult, SweepStatus

_BAR = 24
_EVERY = 0.25  # s between two pictures
_MOST_ROWS = 14
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_FIRST = 5  # trials that a dry run shows


def show(sweep: Sweep, executor: Executor | None, style: Style, *, quiet: bool = False) -> int:
    """Run a sweep, draw what happens, say how it ended; return the exit code."""
    terminal.note(f"ledgit: sweep {sweep.name} ({sweep.run_id[:8]})")
    live = not quiet and bool(getattr(sys.stdout, "isatty", lambda: False)())
    view: _Live | _Lines = _Live(sweep, style) if live else _Lines(sweep, quiet=quiet)
    interrupted = _Signals(sweep, view)
    handlers = {getattr(signal, name): signal.signal(getattr(signal, name), interrupted) for name in _SIGNALS}
    try:
        result = sweep.run(executor, view)
    finally:
        view.clear()
        for code, handler in handlers.items():
            signal.signal(code, handler if handler is not None else signal.SIG_DFL)
    terminal.write_now(_ended(result, style))
    if interrupted.first:
        return 128 + interrupted.first
    return 1 if result.reason == "failures" or not result.status.count("complete") else 0


class _Signals:
    """The first signal asks the trials to end, the second one kills them."""

    def __init__(self, sweep: Sweep, view: _Live | _Lines) -> None:
        self._sweep, self._view = sweep, view
        self.first = 0

    def __call__(self, code: int, _frame: object) -> None:
        """Take a signal."""
        again = bool(self.first)
        self.first = self.first or code
        self._sweep.stop("kill" if again else "stop")
        self._view.say(
            "killing the trials that run" if again else "asking the trials that run to end; again kills them"
        )


class _Lines:
    """A line a trial, for a file or a pipe."""

    def __init__(self, sweep: Sweep, *, quiet: bool = False) -> None:
        self._sweep, self._quiet = sweep, quiet

    def __call__(self, event: Event) -> None:
        """Print what ended."""
        if event.kind == "begun" and event.text:
            self.say(event.text)
        if self._quiet or event.trial is None or event.kind not in ("ended", "lost"):
            return
        row = row_of(event.trial, event.at)
        words = [f"trial {row.number}", "lost" if event.kind == "lost" else row.state]
        words += [f"{self._sweep.plan.metric} {number(row.value)}"] if row.value is not None else []
        words += [clean(values_text(row)), duration(row.milliseconds), clean(event.text)]
        terminal.write_now("  ".join(filter(None, words)) + "\n")

    def say(self, text: str) -> None:
        """Print a line for the person."""
        terminal.note(f"ledgit: {clean(text)}")

    def clear(self) -> None:
        """Nothing is drawn, so nothing goes."""


class _Live:
    """A block of lines that is drawn over itself."""

    def __init__(self, sweep: Sweep, style: Style) -> None:
        self._sweep, self._style = sweep, style
        self._next, self._lines = 0.0, 0
        self._said: list[str] = []

    def __call__(self, event: Event) -> None:
        """Draw, if it is time."""
        if (
            event.text
            and event.kind in ("begun", "lost", "ended")
            and (event.trial is None or event.trial.state != "complete")
        ):
            which = f"trial {event.trial.number}: " if event.trial is not None else ""
            self.say(which + event.text)
        now = time.monotonic()
        if now < self._next and event.kind != "ended all":
            return
        self._next = now + _EVERY
        self._draw(_picture(self._sweep.status(), self._style, self._said[-2:]))

    def say(self, text: str) -> None:
        """Show a line below the table."""
        self._said.append(f"ledgit: {clean(text)}")
        self._next = 0.0

    def clear(self) -> None:
        """Take the block away."""
        self._draw([])

    def _draw(self, lines: Sequence[str]) -> None:
        up = f"\x1b[{self._lines}A" if self._lines else ""
        terminal.write_now(f"\r{up}\x1b[J" + "".join(f"{line}\n" for line in lines))
        self._lines = len(lines)


def _picture(status: SweepStatus, style: Style, said: Sequence[str]) -> list[str]:
    wide = terminal.columns()
    try:
        high = os.get_terminal_size(sys.stdout.fileno()).lines
    except (ValueError, OSError):
        high = 24
    now = now_ms()
    lines = [fit(_headline(status), wide - 1)]
    rows = live_rows(status, now, min(_MOST_ROWS, high - 4 - len(said)))
    lines += _table(status, rows, style, wide - 1)
    return [*lines, *(fit(line, wide - 1) for line in said)]


def _headline(status: SweepStatus) -> str:
    total = max(status.plan.trials, 1)
    filled = min(status.ended * _BAR // total, _BAR)
    left = left_milliseconds(status)
    words = [f"[{'#' * filled}{'.' * (_BAR - filled)}]", *headline(status)]
    words += [f"about {duration(left)} left"] if left is not None else []
    return "  ".join(words)


def _table(status: SweepStatus, rows: Sequence[Row], style: Style, wide: int | None) -> list[str]:
    if not rows:
        return []
    names = [name for name, _ in rows[0].params] or list(status.plan.space)
    metric = status.plan.metric
    columns = [render.Column("trial", right=True), render.Column("state")]
    columns += [render.Column(clean(metric), right=True, whole=True, least=6)] if metric else []
    columns += [render.Column(clean(name), right=True, least=6) for name in names]
    columns += [render.Column("duration", right=True), render.Column("run")]
    cells = []
    for row in rows:
        values = dict(row.params)
        line: list[str] = [str(row.number), render.Painted(row.state, _paint(style, row.state))]
        line += ["" if row.value is None else number(row.value)] if metric else []
        line += [scalar(values.get(name)) for name in names]
        line += [duration(row.milliseconds), row.run[:8]]
        cells.append(line)
    return render.table(columns, cells, style=style, limit=wide)[0]


def _paint(style: Style, state: str) -> Any:
    return {"best": style.green, "complete": str, "failed": style.red, "running": style.cyan}.get(state, style.dim)


def _ended(result: SweepResult, style: Style) -> str:
    status = result.status
    why = {
        "done": "",
        "stopped": ", stopped",
        "error": ", because of an error",
        "failures": ", because so many failed",
        "patience": ", because it got no better",
        "target": ", because the target was reached",
        "max time": ", because the time was over",
    }.get(result.reason, "")
    lines = [f"{style.bold(clean(status.name))}: {', '.join(headline(status))}{why}"]
    lines += _best(status, style)
    if status.ended < status.plan.trials:
        lines.append(f"goes on with: ledgit sweep resume {clean(status.name)}")
    return "\n".join(lines) + "\n"


def _best(status: SweepStatus, style: Style) -> list[str]:
    best = status.best
    if best is None or best.value is None:
        return []
    values = clean(values_text(row_of(best, 0)))
    told = f"best: {style.green(number(best.value))} {clean(status.plan.metric)}, trial {best.number} ({best.run[:8]})"
    return [f"{told}: {values}", f"once more: {clean(best_command(status))}"]


def status_text(status: SweepStatus, style: Style, limit: int, wide: int | None) -> str:
    """Return everything about a sweep."""
    reason = f" ({status.reason})" if status.reason else ""
    lines = [
        f"{style.bold(clean(status.name))}  {status.run[:8]}  {status.state}{reason}  {', '.join(headline(status))}"
    ]
    lines += _best(status, style)
    told = status.importance()
    if told:
        lines.append("what mattered: " + ", ".join(f"{clean(name)} {share:.0%}" for name, share in told.items()))
    rows = live_rows(status, now_ms(), limit or len(status.trials))
    if rows:
        lines += ["", *_table(status, rows, style, wide)]
    if len(rows) < len(status.trials):
        lines.append(f"{len(status.trials) - len(rows):,} more; -n 0 lists them all")
    return "\n".join(lines) + "\n"


def list_text(found: Sequence[SweepStatus], style: Style, wide: int | None) -> str:
    """Return sweeps as a table."""
    if not found:
        return "no sweeps yet\n"
    columns = [
        render.Column("id"),
        render.Column("name", least=8),
        render.Column("state"),
        render.Column("trials", right=True),
        render.Column("best", right=True),
        render.Column("metric"),
        render.Column("what", least=8),
    ]
    rows = []
    for one in found:
        best = "" if one.best is None or one.best.value is None else number(one.best.value)
        what = one.plan.entry_point or " ".join(one.plan.command)
        counts = f"{one.ended:,}/{one.plan.trials:,}"
        rows.append([one.run[:8], clean(one.name), one.state, counts, best, clean(one.plan.metric), clean(what)])
    return "\n".join(render.table(columns, rows, style=style, limit=wide)[0]) + "\n"


def plan_text(plan: SweepPlan, style: Style) -> str:
    """Return what a sweep would do."""
    from ledgit.projects.sweeps.samplers import make_sampler

    what = plan.entry_point or " ".join(plan.command)
    lines = [f"{style.bold(clean(what))}: {plan.trials:,} trials by {plan.sampler}, seed {plan.seed}"]
    lines += [f"  {clean(name)} = {clean(text)}" for name, text in plan.space.items()]
    if plan.metric:
        lines.append(f"  {plan.direction} {clean(plan.metric)}" + (f", pruner {plan.pruner}" if plan.pruner else ""))
    sampler = make_sampler(plan.sampler, plan.points(), plan.seed, direction=plan.direction, pruner=plan.pruner)
    lines.append("the first trials:")
    for trial in range(min(plan.trials, _FIRST)):
        values = " ".join(f"{name}={value}" for name, value in sampler.ask(trial).items())
        lines.append(f"  {trial}  {clean(values)}")
    return "\n".join(lines) + "\n"
