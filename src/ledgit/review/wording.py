"""A review in words: the same sentences in Markdown, HTML and on a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from ledgit.records.wording import age, apart, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.review.gates import GateResult, MetricComparison
    from ledgit.review.reviewing import Review

__all__ = [
    "STATE_WORDS",
    "against",
    "change",
    "cells",
    "failing",
    "gate_word",
    "headline",
    "how_to",
    "runs_word",
    "sides",
]

STATE_WORDS = {
    "pass": "PASS",
    "warn": "WARN",
    "fail": "FAIL",
    "no-baseline": "NO BASELINE",
    "no-run": "NO RUN",
}
ABSENT = "–"


def headline(found: Review) -> str:
    """Return the one line that people read: ``PASS 4 · WARN 1 · FAIL 0``, or that there are no gates."""
    if found.gates:
        return str(found.counts)
    if not found.head.runs:
        return "NO RUN of this code, and no gates"
    better = sum(metric.better is True for metric in found.metrics)
    worse = sum(metric.better is False for metric in found.metrics)
    return f"{better} better · {worse} worse · no gates are set"


def failing(found: Review) -> list[GateResult]:
    """Return the gates that fail, then those that don't pass."""
    order = {"fail": 0, "no-run": 1, "no-baseline": 2, "warn": 3}
    return sorted(
        (result for result in found.gates if result.state != "pass"),
        key=lambda result: (not result.failed, order[result.state], result.metric),
    )


def gate_word(result: GateResult) -> str:
    """Return the state of a gate in capitals; a missing run of a required gate is a failure."""
    word = STATE_WORDS[result.state]
    return f"FAIL ({word.lower()})" if result.failed and result.state != "fail" else word


def runs_word(count: int) -> str:
    """Return ``1 run``, ``3 runs``, ``no run``."""
    return "no run" if not count else f"{count} run{'s' if count > 1 else ''}"


def sides(found: Review) -> list[tuple[str, str, list[str]]]:
    """Return (title, what the side is, names of its runs) of the head and the baseline."""
    head = found.head
    what = f"{found.range.head_rev} ({found.range.head[:12]})"
    if found.foreign:
        what += f", runs from {found.foreign}"
    rows = [("head", what, [run.name for run in head.runs])]
    base = found.baseline.side
    rows.append(("baseline", against(found), [run.name for run in base.runs]))
    return rows


def against(found: Review) -> str:
    """Return which baseline it is, why, and how old."""
    base = found.baseline
    commit = f"{base.side.commit[:12]}: " if base.side.commit else ""
    newest = base.side.newest
    made = f", {age(newest.start, found.made / 1000 if found.made else time.time())}" if newest is not None else ""
    return f"{commit}{base.reason}{made}"


def cells(metric: MetricComparison) -> tuple[str, str]:
    """Return the two sides of a metric: mean, spread and number of repeats where there are several."""
    one, other = metric.samples.mean_base, metric.samples.mean_head
    if one is not None and other is not None:
        shown_base, shown_head = apart([one, other])
    else:
        shown_base = ABSENT if one is None else number(one)
        shown_head = ABSENT if other is None else number(other)
    samples = metric.samples
    return (
        _side(shown_base, samples.spread_base, metric.base),
        _side(shown_head, samples.spread_head, metric.head),
    )


def _side(mean: str, spread: float | None, values: Sequence[float]) -> str:
    if not values:
        return ABSENT
    odd = [value for value in values if not math.isfinite(value)]
    shown = mean if mean != ABSENT else number(odd[0])
    if spread is not None:
        shown += f" ± {number(spread, 2)}"
    if len(values) > 1:
        shown += f" (n={len(values)})"
    if odd and mean != ABSENT:
        shown += f", {len(odd)} no number"
    return shown


def change(metric: MetricComparison) -> tuple[str, str]:
    """Return the difference with its sign, and as a part of the baseline; "" where there is none."""
    difference, relative = metric.samples.difference, metric.samples.relative
    if difference is None:
        if not metric.base or not metric.head:
            return ("new" if metric.head else "missing"), ""
        return "", ""
    if difference == 0:
        return "0", ""
    part = "" if relative is None else f"{relative * 100:+.3g}%"
    return f"{difference:+.4g}", part


def chance(metric: MetricComparison) -> str:
    """Return what the repeats say of the difference; "" where there are none."""
    samples = metric.samples
    if samples.p_value is not None and samples.interval is not None:
        if samples.test == "exact":
            return "neither side varies"
        low, high = samples.interval
        effect = "" if samples.effect is None or math.isinf(samples.effect) else f", g = {samples.effect:.2g}"
        return f"{samples.confidence * 100:g}% between {low:+.4g} and {high:+.4g} (p = {samples.p_value:.2g}{effect})"
    if samples.difference and samples.within_spread:
        return "not enough repeats to tell"
    return ""


def how_to(found: Review) -> Iterable[str]:
    """Return the commands that show the same in a clone."""
    yield "ledgit pull"
    if found.head.newest is not None:
        yield f"ledgit show {found.head.newest.id[:8]}"
        if found.baseline.side.newest is not None:
            yield f"ledgit diff {found.baseline.side.newest.id[:8]} {found.head.newest.id[:8]}"
        yield f"ledgit repro {found.head.newest.id[:8]}"
