"""The report: Markdown tables of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.case import Case, Target
from benchmarks.measure import Timing

Results = Mapping[str, Mapping[str, Timing]]
"""Times by subject and measure."""


def targets_table(measured: Sequence[tuple[Case, Results]]) -> str:
    """What is aimed at, and what came out."""
    rows = []
    for case, results in measured:
        for target in case.targets:
            value = reached(target, results)
            met = "–" if value is None else "yes" if value <= target.at_most else "**no**"
            rows.append([target.text, shown(target, value, case.unit), met])
    return table(["target", "measured", "met"], rows)


def case_table(case: Case, results: Results) -> str:
    """One case: every subject's times, and how many times Ledgit's they are."""
    reference = results[case.subjects[0].name]
    rows = []
    for subject, measures in results.items():
        for measure, timing in measures.items():
            base = reference.get(measure)
            ratio = f"{timing.wall / base.wall:.2f}" if base and base.wall else ""
            cpu = "" if timing.cpu is None else human(timing.cpu)
            name = subject if len(measures) == 1 else f"{subject}: {measure}"
            rows.append([name, human(timing.wall, case.unit), cpu, ratio])
    heading = f"### {case.title}\n\n{case.note}\n\n"
    if case.unit != "s":
        rows = [[name, size, ratio] for name, size, _, ratio in rows]
        return heading + table(["", "size" if case.unit else "", f"× {case.subjects[0].name}"], rows)
    return heading + table(["", "time", "CPU", f"× {case.subjects[0].name}"], rows)


def reached(target: Target, results: Results) -> float | None:
    """Return the value that *target* limits, or None where a subject was left out."""
    asked = [name for name in (target.subject, target.baseline) if name]
    if any(target.measure not in results.get(name, {}) for name in asked):
        return None
    value = results[target.subject][target.measure].wall
    if target.baseline is None:
        return value
    base = results[target.baseline][target.measure].wall
    return value - base if target.minus else value / base


def shown(target: Target, value: float | None, unit: str = "s") -> str:
    """Write *value* as the target's text speaks of it."""
    if value is None:
        return "not measured"
    if target.baseline is None or target.minus:
        return human(value, unit)
    return f"{1 / value:.2f}×" if target.rate else f"{value:.2f}×"


def human(seconds: float, unit: str = "s") -> str:
    """Write a time, or bytes, with three digits; without a unit, a number."""
    if not unit:
        return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
    if unit == "B":
        size, factor = ("MB", 1e6) if seconds >= 1e6 else ("KB", 1e3)
        return f"{seconds / factor:.3g} {size}"
    for name, factor in (("s", 1.0), ("ms", 1e3)):
        if abs(seconds) * factor >= 1:
            return f"{seconds * factor:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are set to the right."""
    rule = ["---", *["--:"] * (len(heads) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [heads, rule, *rows])
