"""Whether a repetition gives the same as the run, and what is to blame if it does not. Pure: no I/O, no Git."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ledgit.projects.repro.findings import CLASSES, RANDOMNESS, Finding, listed
from ledgit.projects.repro.quantiles import prediction_interval

__all__ = [
    "CONSISTENT",
    "DIFFERENT",
    "ENOUGH",
    "FAILED",
    "IDENTICAL",
    "LEVELS",
    "WITHIN",
    "ArtifactCheck",
    "MetricCheck",
    "Outcome",
    "Tolerance",
    "Verdict",
    "differences",
    "judge",
]

IDENTICAL, WITHIN, CONSISTENT, DIFFERENT, FAILED = "identical", "within tolerance", "consistent", "different", "failed"
#: From the best to the worst; the first three are reproduced.
LEVELS = (IDENTICAL, WITHIN, CONSISTENT, DIFFERENT, FAILED)
#: Repeats below which nothing is said to be consistent: an interval from fewer would hold almost anything.
ENOUGH = 5
_CONFIDENCE = 0.95
#: What the machine did while it ran, not what came out.
_ABOUT_THE_MACHINE = "system/"
#: What a command printed has times and paths in it.
_OUTPUT = "output.log"

_TIME = re.compile(
    r"(?i)(^|[_./-])(secs?|seconds?|m?secs?|ms|time|duration|elapsed|latency|throughput|it_?s|fps)($|[_./-])"
)

Series = tuple[tuple[int, float], ...]
"""Points of a metric: (step, value), by step."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one execution.

    Attributes:
        run_id: Its run.
        name: What people call it.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        metrics: All points of each metric.
        params: As text.
        artifacts: Digest by path.
        exit_code: Of the command; None where it was not recorded.
        problem: Why the command could not go on, in a line; "" if it could.
    """

    run_id: str
    name: str
    status: str
    metrics: Mapping[str, Series] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a metric may be off.

    Two values are within ``t`` if they differ by at most ``t``, or by at most ``t`` times the larger one's size.

    Attributes:
        default: For metrics that none of *named* names; 0 asks for the same number, bit by bit.
        named: (name or shell pattern, tolerance): the first that fits counts. An infinite tolerance takes any
            number: for times.
    """

    default: float = 0.0
    named: tuple[tuple[str, float], ...] = ()

    def of(self, metric: str) -> float:
        """Return the tolerance for *metric*."""
        return next((value for pattern, value in self.named if fnmatchcase(metric, pattern)), self.default)


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """One metric of the run and of its repeats.

    Attributes:
        name: The metric.
        wanted: The run's last value; None if it has none.
        got: Each repeat's last value; None where it has none.
        level: One of `LEVELS` but ``failed``.
        tolerance: What was allowed.
        points: How many points the run has.
        first_step: The first step at which a repeat has another value; None if none has.
        largest: The largest difference at one step; None if none is a finite number.
        interval: Where one more repeat would lie with 95 % probability; None where there are not enough repeats.
    """

    name: str
    wanted: float | None
    got: tuple[float | None, ...]
    level: str
    tolerance: float = 0.0
    points: int = 0
    first_step: int | None = None
    largest: float | None = None
    interval: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "name": self.name,
            "level": self.level,
            "wanted": self.wanted,
            "got": list(self.got),
            "tolerance": self.tolerance,
            "points": self.points,
            "first_step": self.first_step,
            "largest_difference": self.largest,
            "interval": None if self.interval is None else list(self.interval),
        }


@dataclass(frozen=True, slots=True)
class ArtifactCheck:
    """One file that the run logged, and whether each repeat logged the same bytes (None: it logged none there)."""

    path: str
    same: tuple[bool | None, ...]

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"path": self.path, "same": list(self.same)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reproduction says.

    Attributes:
        level: One of `LEVELS`.
        classes: Which of `CLASSES` differ, where it is not reproduced; empty else.
        reasons: What of them differs.
        notes: What differs and made no difference, what can't be told, what is not compared.
        metrics: Each metric, the different ones first.
        artifacts: Each file that is not the same everywhere.
        compared: What the level rests on: ``metrics``, ``artifacts`` or ``exit code``.
        repeats: How many repeats there are.
    """

    level: str
    classes: tuple[str, ...] = ()
    reasons: tuple[Finding, ...] = ()
    notes: tuple[Finding | str, ...] = ()
    metrics: tuple[MetricCheck, ...] = ()
    artifacts: tuple[ArtifactCheck, ...] = ()
    compared: str = "metrics"
    repeats: int = 1

    @property
    def reproduced(self) -> bool:
        """Whether it came out the same, as far as was asked for."""
        return self.level in (IDENTICAL, WITHIN, CONSISTENT)

    @property
    def tag(self) -> str:
        """The tag ``ledgit.repro.verdict``: the level, and after ``: `` the classes that differ."""
        return f"{self.level}: {', '.join(self.classes)}" if self.classes else self.level

    @property
    def unexplained(self) -> bool:
        """Whether it is not reproduced and nothing that is known of differs."""
        return not self.reproduced and not self.classes

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "verdict": self.level,
            "reproduced": self.reproduced,
            "classes": list(self.classes),
            "reasons": [finding.to_dict() for finding in self.reasons],
            "notes": [note if isinstance(note, str) else note.text for note in self.notes],
            "compared": self.compared,
            "repeats": self.repeats,
            "metrics": [check.to_dict() for check in self.metrics],
            "artifacts": [check.to_dict() for check in self.artifacts],
        }


def judge(
    original: Outcome,
    repeats: Sequence[Outcome],
    facts: Iterable[Finding],
    tolerance: Tolerance | None = None,
    notes: Iterable[str] = (),
) -> Verdict:
    """Say whether *repeats* give the same as *original*, and which of the classes differ if they don't.

    Facts differ or not whatever the metrics do: of a reproduced run they become notes.

    Args:
        original: The run.
        repeats: At least one repetition of it, all made alike.
        facts: What differs in code, data, environment and hardware.
        tolerance: How far metrics may be off; exact by default.
        notes: What else is worth saying.
    """
    tolerance = tolerance or Tolerance()
    said = list(notes)
    checks = _metrics(original, repeats, tolerance)
    files = _artifacts(original, repeats)
    failed = [one for one in repeats if original.status == "FINISHED" and one.status != "FINISHED"]
    level, compared = _level(original, repeats, checks, files)
    if failed:
        level = FAILED
        ends = {one.problem or one.status.lower() for one in failed}
        said.insert(0, f"the command failed: {listed(sorted(ends), 2)}")
    elif compared == "exit code":
        said.append("the run logged no metrics and no files, so only how the command ended is compared")
    elif compared == "artifacts":
        said.append("the run logged no metrics, so the files that it logged are compared")
    if level == DIFFERENT and len(repeats) > 1 and len(repeats) < ENOUGH and differences(repeats, tolerance):
        said.append(
            f"{len(repeats)} repeats are not enough to tell whether the run is one of them; --repeats {ENOUGH} would do"
        )
    odd = [check.name for check in checks if check.level == DIFFERENT]
    if level == DIFFERENT and odd and all(map(_TIME.search, odd)):
        said.append(f"only {listed(odd)} came out otherwise, by name a time: --tolerance '{odd[0]}=any' takes any")
    findings = list(facts)
    spread = differences(repeats, tolerance)
    if spread:
        findings.append(Finding(RANDOMNESS, spread))
    said += _asides(original, repeats, files if compared != "artifacts" else ())
    blamed = [] if level in (IDENTICAL, WITHIN, CONSISTENT) else [one for one in findings if one.differs]
    classes = tuple(kind for kind in CLASSES if any(one.kind == kind for one in blamed))
    return Verdict(
        level,
        classes,
        tuple(sorted(blamed, key=lambda one: CLASSES.index(one.kind))),
        (*said, *(one for one in findings if one not in blamed)),
        tuple(sorted(checks, key=lambda check: (-LEVELS.index(check.level), check.name))),
        files,
        compared,
        len(repeats),
    )


def _level(
    original: Outcome, repeats: Sequence[Outcome], checks: Sequence[MetricCheck], files: Sequence[ArtifactCheck]
) -> tuple[str, str]:
    """Return the level, and what it rests on."""
    ended = any(not _ends_alike(original, one) for one in repeats)
    if checks:
        worst = max((check.level for check in checks), key=LEVELS.index)
        return (DIFFERENT if ended else worst), "metrics"
    logged = [path for path in original.artifacts if path != _OUTPUT]
    if logged:
        same = all(one is True for check in files if check.path in logged for one in check.same)
        return (DIFFERENT if ended or not same else IDENTICAL), "artifacts"
    return (DIFFERENT if ended else IDENTICAL), "exit code"


def _ends_alike(original: Outcome, other: Outcome) -> bool:
    if original.exit_code is not None and other.exit_code is not None and original.status != "FINISHED":
        return original.exit_code == other.exit_code
    return original.status == other.status


def _metrics(original: Outcome, repeats: Sequence[Outcome], tolerance: Tolerance) -> list[MetricCheck]:
    names = sorted({*original.metrics, *(name for one in repeats for name in one.metrics)})
    names = [name for name in names if not name.startswith(_ABOUT_THE_MACHINE)]
    confidence = 1 - (1 - _CONFIDENCE) / max(1, len(names))  # Bonferroni: 5 % for all metrics together
    return [_check(name, original, repeats, tolerance.of(name), confidence) for name in names]


def _check(name: str, original: Outcome, repeats: Sequence[Outcome], allowed: float, confidence: float) -> MetricCheck:
    wanted = original.metrics.get(name, ())
    all_got = [one.metrics.get(name, ()) for one in repeats]
    last = [_last(series) for series in all_got]
    differences = [_compare(wanted, series, 0.0) for series in all_got]
    steps = [step for step, _ in differences if step is not None]
    largest = [size for _, size in differences if size is not None]
    level, interval = DIFFERENT, None
    if not steps:
        level = IDENTICAL
    elif wanted and all(all_got):
        if allowed and all(_compare(wanted, series, allowed)[0] is None for series in all_got):
            level = WITHIN
        else:
            interval = _interval(last, confidence)
            if interval is not None and interval[0] <= wanted[-1][1] <= interval[1]:
                level = CONSISTENT
    return MetricCheck(
        name,
        _last(wanted),
        tuple(last),
        level,
        allowed,
        len(wanted),
        min(steps, default=None),
        max(largest, default=None),
        interval,
    )


def _last(series: Series) -> float | None:
    return series[-1][1] if series else None


def _interval(values: Sequence[float | None], confidence: float) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < max(ENOUGH, len(values)):
        return None
    return prediction_interval(known, confidence)


def _compare(wanted: Series, got: Series, allowed: float) -> tuple[int | None, float | None]:
    """Return the first step at which two series differ by more than *allowed*, and the largest difference."""
    if wanted == got and not any(math.isnan(value) for _, value in wanted):
        return None, None
    first: int | None = None
    largest: float | None = None
    for place in range(max(len(wanted), len(got))):
        if place >= len(wanted) or place >= len(got) or wanted[place][0] != got[place][0]:
            here = min(side[place][0] for side in (wanted, got) if place < len(side))
            return (here if first is None else first), largest  # from here on the steps are others
        step, value = wanted[place]
        if not _close(value, got[place][1], allowed):
            first = step if first is None else first
        size = abs(got[place][1] - value)
        if math.isfinite(size) and size and (largest is None or size > largest):
            largest = size
    return first, largest


def _close(one: float, other: float, allowed: float) -> bool:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return True
    return allowed > 0 and (allowed == math.inf or math.isclose(one, other, rel_tol=min(allowed, 1), abs_tol=allowed))


def differences(repeats: Sequence[Outcome], tolerance: Tolerance) -> str:
    """Return how repeats of the same differ from each other; "" if they don't, or there is only one."""
    if len({one.status for one in repeats}) > 1:
        return "repeats of the same end differently: " + listed([one.status for one in repeats])
    told = []
    for check in _metrics(repeats[0], repeats[1:], tolerance) if len(repeats) > 1 else ():
        if check.level in (DIFFERENT, CONSISTENT):
            values = [value for value in (check.wanted, *check.got) if value is not None]
            told.append(f"{check.name} is {min(values):.6g} to {max(values):.6g}" if values else check.name)
    if told:
        return "repeats of the same differ from each other: " + listed(told, 3)
    if len(repeats) > 1 and not any(one.metrics for one in repeats):
        other = [path for path in sorted(repeats[0].artifacts) if path != _OUTPUT and len(_digests(repeats, path)) > 1]
        if other:
            return f"repeats of the same log different files: {listed(other)}"
    return ""


def _digests(repeats: Sequence[Outcome], path: str) -> set[str | None]:
    return {one.artifacts.get(path) for one in repeats}


def _artifacts(original: Outcome, repeats: Sequence[Outcome]) -> tuple[ArtifactCheck, ...]:
    found = []
    for path in sorted(original.artifacts):
        same = tuple(
            None if path not in one.artifacts else one.artifacts[path] == original.artifacts[path] for one in repeats
        )
        if any(one is not True for one in same):
            found.append(ArtifactCheck(path, same))
    return tuple(found)


def _asides(original: Outcome, repeats: Sequence[Outcome], files: Sequence[ArtifactCheck]) -> list[str]:
    """Return what else differs and decides nothing."""
    said = []
    other = [
        key
        for key, value in sorted(original.params.items())
        if any(key in one.params and one.params[key] != value for one in repeats)
    ]
    if other:
        said.append(f"params differ: {listed(other)}")
    changed = [check.path for check in files if False in check.same and check.path != _OUTPUT]
    if changed:
        said.append(f"files that were logged have other bytes: {listed(changed)}")
    lost = [check.path for check in files if None in check.same and check.path != _OUTPUT]
    if lost:
        said.append(f"files that the run logged, and a repeat did not: {listed(lost)}")
    if original.status != "FINISHED":
        said.append(f"the run itself {'was killed' if original.status == 'KILLED' else 'failed'}")
    return said
