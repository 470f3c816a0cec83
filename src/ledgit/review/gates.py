"""Whether a metric is good enough: pure, from two samples and a rule.

An improvement never fails. What is missing is not zero. A number that is none (NaN, an infinity on the wrong side)
is worse than any other. Worse, but within what repeats of the same thing spread, is no failure where there are not
enough repeats to tell: it is a warning that says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from ledgit.compare import Direction, SampleComparison, compare_samples
from ledgit.review.settings import Gate

__all__ = ["Counts", "GateResult", "MetricComparison", "State", "compare_metric", "count", "judge", "judge_all"]

#: Part of the values themselves that sums and differences of floats may be off by; it decides nothing.
ROUNDING = 1e-12

State = Literal["pass", "warn", "fail", "no-baseline", "no-run"]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric of both sides.

    Attributes:
        name: The metric.
        base: The values of the baseline's runs that have it, as logged; empty where there is none.
        head: The head's.
        base_runs: How many runs the baseline has, with it or without.
        head_runs: How many the head has.
        direction: Which way is better; None where nothing says.
        guessed: The direction was told from the name, not declared.
        samples: The two sides as samples.
    """

    name: str
    base: tuple[float, ...]
    head: tuple[float, ...]
    base_runs: int
    head_runs: int
    direction: Direction | None
    guessed: bool
    samples: SampleComparison

    @property
    def better(self) -> bool | None:
        """Whether the head's mean is better than the baseline's; None if equal, missing or not decided."""
        if not self.samples.difference or self.direction is None:
            return None
        return (self.samples.difference > 0) is (self.direction == "maximize")

    @property
    def changed(self) -> bool:
        """Whether the sides differ at all: in what they are, or in whether they have it."""
        return sorted(map(repr, set(self.base))) != sorted(map(repr, set(self.head)))

    @property
    def broken(self) -> int:
        """How many of the head's values are no number, or infinite where that is the bad end."""
        return sum(_is_broken(value, self.direction) for value in self.head)

    def to_dict(self) -> dict[str, object]:
        """Return the comparison for JSON."""
        return {
            "metric": self.name,
            "base": list(self.base),
            "head": list(self.head),
            "runs": [self.base_runs, self.head_runs],
            "direction": self.direction,
            "guessed": self.guessed,
            "better": self.better,
            "changed": self.changed,
            "samples": self.samples.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate says of one metric.

    Attributes:
        gate: The rule.
        metric: The metric, or the gate's pattern where nothing matches it.
        state: ``pass``, ``warn``, ``fail``, ``no-baseline`` (nothing to compare with) or ``no-run``.
        failed: Whether the whole fails by it.
        reason: One sentence.
        target: The value that was to be reached; None without one.
        value: The head's mean; None without one.
    """

    gate: Gate
    metric: str
    state: State
    failed: bool
    reason: str
    target: float | None = None
    value: float | None = None

    @property
    def shown(self) -> str:
        """The state as counts show it: what is missing counts as what it was decided to be."""
        if self.state in ("no-baseline", "no-run"):
            return "fail" if self.failed else self.state
        return self.state

    def to_dict(self) -> dict[str, object]:
        """Return the result for JSON."""
        return {
            "metric": self.metric,
            "state": self.state,
            "failed": self.failed,
            "reason": self.reason,
            "target": self.target,
            "value": self.value,
            "threshold": str(self.gate.threshold),
            "tolerance": self.gate.tolerance,
            "required": self.gate.required,
            "gate": self.gate.metric,
            "where": self.gate.where,
        }


@dataclass(slots=True)
class Counts:
    """How many gates are in which state."""

    passed: int = 0
    warned: int = 0
    failed: int = 0
    no_baseline: int = 0
    no_run: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``fail``, ``warn`` or ``pass``: the worst."""
        return "fail" if self.failed else "warn" if self.warned or self.no_baseline or self.no_run else "pass"

    def __str__(self) -> str:
        shown = f"PASS {self.passed} · WARN {self.warned} · FAIL {self.failed}"
        if self.no_baseline:
            shown += f" · NO BASELINE {self.no_baseline}"
        return f"{shown} · NO RUN {self.no_run}" if self.no_run else shown

    def to_dict(self) -> dict[str, int]:
        """Return the counts for JSON."""
        return {
            "pass": self.passed,
            "warn": self.warned,
            "fail": self.failed,
            "no_baseline": self.no_baseline,
            "no_run": self.no_run,
        }


def count(results: Iterable[GateResult]) -> Counts:
    """Return how many *results* are in which state."""
    counts = Counts()
    for result in results:
        shown = result.shown
        if shown == "fail":
            counts.failed += 1
        elif shown == "warn":
            counts.warned += 1
        elif shown == "no-baseline":
            counts.no_baseline += 1
        elif shown == "no-run":
            counts.no_run += 1
        else:
            counts.passed += 1
        if result.failed:
            counts.reasons.append(result.reason)
    return counts


def compare_metric(
    name: str,
    base: Sequence[float],
    head: Sequence[float],
    *,
    runs: tuple[int, int],
    direction: Direction | None,
    guessed: bool = False,
    confidence: float = 0.95,
) -> MetricComparison:
    """Compare one metric of both sides; *runs* is how many runs each has.

    Raises:
        MissingDependency: There are enough repeats for a test, and SciPy is not installed.
    """
    samples = compare_samples(base, head, confidence=confidence)
    return MetricComparison(name, tuple(base), tuple(head), *runs, direction, guessed, samples)


def judge_all(gates: Sequence[Gate], metrics: Sequence[MetricComparison], *, head_runs: int) -> list[GateResult]:
    """Return what every gate says of every metric it names; one that names none says so once.

    A metric is judged by every gate of its own name (one may say what is the least, another how much worse is
    fine), else by the first pattern: of rules for a metric the closer ones count.
    """
    results = []
    named = {gate.metric for gate in gates}
    taken: set[str] = set()
    for gate in gates:
        found = [
            one
            for one in metrics
            if one.name == gate.metric or (one.name not in taken and _names(gate.metric, one.name, named))
        ]
        for one in found:
            taken.add(one.name)
            results.append(judge(gate, one))
        if not found and not any(one.name in taken and fnmatchcase(one.name, gate.metric) for one in metrics):
            results.append(_missing(gate, head_runs))
    return results


def _names(pattern: str, name: str, named: set[str]) -> bool:
    return name == pattern or (name not in named and fnmatchcase(name, pattern))


def _missing(gate: Gate, head_runs: int) -> GateResult:
    if not head_runs:
        reason = f"{gate.metric}: there is no run of this code"
    else:
        reason = f"{gate.metric}: no run of either side has such a metric"
    return _result(gate, gate.metric, "no-run", gate.if_no_run == "fail", reason)


def judge(gate: Gate, metric: MetricComparison) -> GateResult:
    """Return what *gate* says of *metric*."""
    name = metric.name
    if not metric.head:
        had = "the baseline has it, " if metric.base else ""
        what = "there is no run of this code" if not metric.head_runs else f"{had}no run of this code does"
        return _result(gate, name, "no-run", gate.if_no_run == "fail", f"{name}: {what}")
    direction = gate.direction or metric.direction
    if direction is None:
        reason = f"{name}: nothing says whether more or less is better; declare metrics.{name}.direction"
        return _result(gate, name, "fail", True, reason)
    broken = sum(_is_broken(value, direction) for value in metric.head)
    if broken:
        of = f"{broken} of {len(metric.head)} runs" if len(metric.head) > 1 else "the run"
        return _result(gate, name, "fail", True, f"{name}: {of} ended with a value that is no number")
    value = metric.samples.mean_head
    if value is None:  # infinitely good
        return _result(gate, name, "pass", False, f"{name} is beyond every number")
    target = gate.target if gate.target is not None else metric.samples.mean_base
    if target is None:
        reason = f"{name} is {value:.6g}; there is no baseline to compare it with"
        if gate.if_no_baseline == "pass":
            return _result(gate, name, "pass", False, reason, value=value)
        return _result(gate, name, "no-baseline", gate.if_no_baseline == "fail", reason, value=value)
    return _compared(gate, metric, direction, value, target)


def _compared(gate: Gate, metric: MetricComparison, direction: Direction, value: float, target: float) -> GateResult:
    name, sign = metric.name, 1.0 if direction == "maximize" else -1.0
    worse = sign * (target - value)
    allowed = max(gate.threshold.of(target), gate.tolerance)
    rounding = ROUNDING * max(abs(target), abs(value))
    than = f"the target {target:.6g}" if gate.target is not None else f"the baseline's {target:.6g}"
    if worse <= rounding:
        how = "as good as" if worse >= -rounding else "better than"
        return _result(gate, name, "pass", False, f"{name} {value:.6g} is {how} {than}", target, value)
    by = f"{name} {value:.6g} is {worse:.4g} worse than {than}"
    limit = gate.limit(target)
    if worse <= allowed + rounding:
        return _result(gate, name, "warn", False, f"{by}, within the {limit}", target, value)
    if gate.target is None:
        chance = _chance(gate, metric)
        if chance:
            return _result(gate, name, "warn", False, f"{by}, but {chance}", target, value)
    beyond = f", more than the {limit}" if allowed else ""
    return _result(gate, name, "fail", True, f"{by}{beyond}", target, value)


def _chance(gate: Gate, metric: MetricComparison) -> str:
    """Return why the difference may be chance alone; "" where it is not."""
    samples = metric.samples
    if samples.p_value is not None:
        if samples.p_value < 1 - gate.confidence:
            return ""
        return f"that can be chance (p = {samples.p_value:.2g}, {samples.n_base} and {samples.n_head} repeats)"
    if samples.within_spread:
        return f"not enough repeats to tell it from chance ({samples.n_base} and {samples.n_head})"
    return ""


def _result(
    gate: Gate,
    metric: str,
    state: State,
    fails: bool,
    reason: str,
    target: float | None = None,
    value: float | None = None,
) -> GateResult:
    """Return the result; of a gate that only informs a failure is a warning."""
    if fails and not gate.required:
        state = "warn" if state == "fail" else state
    return GateResult(gate, metric, state, fails and gate.required, reason, target, value)


def _is_broken(value: float, direction: Direction | None) -> bool:
    if math.isnan(value):
        return True
    return math.isinf(value) and direction is not None and (value < 0) is (direction == "maximize")
