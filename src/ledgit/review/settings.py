"""What ``.ledgit/config.yaml`` says about reviewing: ``metrics``, ``gates`` and ``review``.

A key that is misspelled is an error with its line and the nearest name, never a rule that silently does not apply.
The words of gates are those of Codecov's status checks: ``target: auto`` or a number, ``threshold``, ``if_…``.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from ledgit.errors import ConfigError
from ledgit.records import line_of, load_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["Gate", "ReviewSettings", "Threshold", "read_committed", "read_settings"]

_LARGEST = 1 << 20

#: Params that tell repeats apart, and nothing else.
SEEDS = ("seed", "*_seed", "random_state", "random_seed")

_GATE_KEYS = (
    *("metric", "target", "threshold", "tolerance", "confidence"),
    *("required", "if_no_baseline", "if_no_run", "direction"),
)
_REVIEW_KEYS = ("base", "baseline", "seeds", "experiment", "all_runs")
_BASELINE_KEYS = ("run", "stage")
_METRIC_KEYS = ("direction",)
_WAYS = ("maximize", "minimize", "none")
#: What else the file may say; it is read elsewhere.
_OTHERS = ("artifacts", "code_paths", "columns", "registry", "secrets")
_TOP = ("gates", "metrics", "review")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much worse is still fine.

    Attributes:
        amount: In the metric's unit, or as a part of the baseline's size (0.01 is 1 %) where *relative*.
        relative: Which of the two.
    """

    amount: float = 0.0
    relative: bool = False

    def of(self, baseline: float) -> float:
        """Return the amount in the metric's unit. Relative to a baseline of 0 it is 0."""
        return self.amount * abs(baseline) if self.relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount * 100:g}%" if self.relative else f"{self.amount:g}"


@dataclass(frozen=True, slots=True)
class Gate:
    """A rule about the metrics that *metric* names.

    Attributes:
        metric: A name or a shell pattern (``val_*``).
        target: The value to be reached, or None (``auto``): the baseline's.
        threshold: How much worse than the target is still fine.
        tolerance: How much worse is still fine in any case, in the metric's unit: a part of a small or zero
            baseline may be nothing. The larger of the two counts.
        confidence: With enough repeats of both sides, worse counts only if it is significant at this level.
        required: Whether failing fails the whole; else it is at most a warning.
        if_no_baseline: The state where the baseline lacks the metric: ``warn``, ``pass`` or ``fail``.
        if_no_run: The state where the head has no run, or no such metric: ``fail`` or ``warn``.
        direction: ``maximize`` or ``minimize``; None: as ``metrics`` says, else guessed from the name.
        where: Where the gate stands, for people.
    """

    metric: str
    target: float | None = None
    threshold: Threshold = Threshold()
    confidence: float = 0.95
    required: bool = True
    if_no_baseline: Literal["warn", "pass", "fail"] = "warn"
    if_no_run: Literal["fail", "warn"] = "fail"
    direction: Literal["maximize", "minimize"] | None = None
    where: str = ""
    tolerance: float = 0.0

    def limit(self, target: float) -> str:
        """Return what of the two decides for *target*, for people."""
        if self.tolerance > self.threshold.of(target):
            return f"tolerance of {self.tolerance:g}"
        return f"threshold of {self.threshold}"


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """All of it.

    Attributes:
        gates: In the order of the file.
        directions: Metric name or pattern → ``maximize``, ``minimize`` or ``none``.
        base: The branch that branches go into; "" where it is not said.
        baseline_run: A run that is always compared with; "" for none.
        baseline_stage: A version at a stage, ``churn@prod``, whose run is; "" for none.
        seeds: Names and patterns of params that tell repeats apart.
        experiment: The only experiment that counts; "" for the one of a side's newest run.
        all_runs: A side's runs are all of its code, whatever their params.
    """

    gates: tuple[Gate, ...] = ()
    directions: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    baseline_run: str = ""
    baseline_stage: str = ""
    seeds: tuple[str, ...] = SEEDS
    experiment: str = ""
    all_runs: bool = False

    @property
    def ways(self) -> Mapping[str, str]:
        """Directions with those that gates declare themselves, which go first: a table says what the gate judges by."""
        own = {gate.metric: gate.direction for gate in reversed(self.gates) if gate.direction is not None}
        return own | {name: way for name, way in self.directions.items() if name not in own}


def read_settings(data: bytes, where: str = ".ledgit/config.yaml") -> ReviewSettings:
    """Return what the file *data* says about reviewing.

    Args:
        data: The file; b"" where there is none.
        where: What errors call it.

    Raises:
        RecordError: It does not decode.
        ConfigError: It has a key that nobody knows, or a value of the wrong type; with the line.
    """
    document = load_document(data, where) if data.strip() else {}
    reader = _Reader(data.decode("utf-8", "replace"), where)
    top = reader.mapping(document or {}, ())
    reader.keys(top, (), (*_TOP, *_OTHERS))
    review = reader.mapping(top.get("review") or {}, ("review",))
    reader.keys(review, ("review",), _REVIEW_KEYS)
    baseline = reader.mapping(review.get("baseline") or {}, ("review", "baseline"))
    reader.keys(baseline, ("review", "baseline"), _BASELINE_KEYS)
    if len(baseline) > 1:
        raise reader.error(("review", "baseline"), "a run and a stage", "one of them")
    return ReviewSettings(
        gates=tuple(_gates(reader, top.get("gates"))),
        directions=dict(_directions(reader, top.get("metrics"))),
        base=reader.text(review, ("review",), "base"),
        baseline_run=reader.text(baseline, ("review", "baseline"), "run"),
        baseline_stage=reader.text(baseline, ("review", "baseline"), "stage"),
        seeds=reader.texts(review, ("review",), "seeds", SEEDS),
        experiment=reader.text(review, ("review",), "experiment"),
        all_runs=reader.flag(review, ("review",), "all_runs", default=False),
    )


def read_committed(repo: Repo) -> ReviewSettings:
    """Return what ``.ledgit/config.yaml`` in the work tree says; the defaults where there is none.

    Raises:
        RecordError, ConfigError: As `read_settings`.
    """
    from ledgit.store import CONFIG

    data = b""
    if repo.work_tree is not None:
        try:
            with open(os.path.join(repo.work_tree, CONFIG), "rb") as file:
                data = file.read(_LARGEST)
        except OSError:
            data = b""
    return read_settings(data)


def _gates(reader: _Reader, listed: Any) -> Iterable[Gate]:
    if listed is None:
        return
    if not isinstance(listed, list):
        raise reader.error(("gates",), listed, "a list of gates, each with a metric")
    for place, item in enumerate(listed):
        path: Path = ("gates", place)
        gate = reader.mapping(item, path)
        reader.keys(gate, path, _GATE_KEYS)
        metric = reader.text(gate, path, "metric")
        if not metric:
            raise reader.error(path, item, "a metric: - metric: accuracy")
        target = gate.get("target", "auto")
        way = reader.choice(gate, path, "direction", (*_WAYS[:2], "auto"), "auto")
        yield Gate(
            metric=metric,
            target=None if target == "auto" else reader.number(target, (*path, "target"), "auto or a number"),
            threshold=_threshold(reader, gate.get("threshold", 0), (*path, "threshold")),
            tolerance=_tolerance(reader, gate.get("tolerance", 0), (*path, "tolerance")),
            confidence=reader.between(gate, path, "confidence", 0.5, 1, 0.95),
            required=reader.flag(gate, path, "required", default=True),
            if_no_baseline=reader.choice(gate, path, "if_no_baseline", ("warn", "pass", "fail"), "warn"),
            if_no_run=reader.choice(gate, path, "if_no_run", ("fail", "warn"), "fail"),
            direction=None if way == "auto" else way,
            where=reader.place(path),
        )


def _threshold(reader: _Reader, value: Any, path: Path) -> Threshold:
    expected = "a number such as 0.01, or a part of the baseline such as 1%"
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*%\s*", value)
        if found is None:
            raise reader.error(path, value, expected)
        try:
            amount = float(found.group(1)) / 100
        except ValueError:
            raise reader.error(path, value, expected) from None
        value, relative = amount, True
    else:
        value, relative = reader.number(value, path, expected), False
    if value < 0:
        raise reader.error(path, value, "0 or more: how much worse is still fine")
    return Threshold(value, relative)


def _tolerance(reader: _Reader, value: Any, path: Path) -> float:
    found = reader.number(value, path, "a number in the metric's unit, such as 0.001")
    if found < 0:
        raise reader.error(path, value, "0 or more: how much worse is still fine")
    return found


def _directions(reader: _Reader, metrics: Any) -> Iterable[tuple[str, str]]:
    for name, item in reader.mapping(metrics or {}, ("metrics",)).items():
        path: Path = ("metrics", name)
        if isinstance(item, str):
            item = {"direction": item}
        one = reader.mapping(item or {}, path)
        reader.keys(one, path, _METRIC_KEYS)
        if one.get("direction") is not None:
            yield name, reader.choice(one, path, "direction", _WAYS, "none")


class _Reader:
    """Checks values, and says on which line a wrong one stands."""

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where

    def place(self, path: Path) -> str:
        line = line_of(self._text, path) if path else None
        return self._where if line is None else f"{self._where}, line {line}"

    def error(self, path: Path, value: object, expected: str) -> ConfigError:
        name = ".".join(str(step + 1) if isinstance(step, int) else step for step in path) or "the file"
        shown = value if isinstance(value, str) else repr(value)
        return ConfigError(f"{name} ({self.place(path)})", shown[:80], expected)

    def mapping(self, value: Any, path: Path) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(path, value, "a mapping of names to values")
        return value

    def keys(self, value: Mapping[str, Any], path: Path, known: Sequence[str]) -> None:
        for key in value:
            if key not in known:
                near = get_close_matches(key, known, 1, 0.6)
                hint = f"did you mean {near[0]!r}? It" if near else "it"
                raise self.error((*path, key), "unknown", f"another name; {hint} may be one of {', '.join(known)}")

    def text(self, value: Mapping[str, Any], path: Path, key: str) -> str:
        found = value.get(key)
        if found is None:
            return ""
        if not isinstance(found, str) or not found.strip():
            raise self.error((*path, key), found, "a text")
        return found.strip()

    def texts(self, value: Mapping[str, Any], path: Path, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = value.get(key)
        if found is None:
            return default
        listed = [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise self.error((*path, key), found, "a list of names")
        return tuple(listed)

    def flag(self, value: Mapping[str, Any], path: Path, key: str, *, default: bool) -> bool:
        found = value.get(key, default)
        if not isinstance(found, bool):
            raise self.error((*path, key), found, "true or false")
        return found

    def number(self, value: Any, path: Path, expected: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(path, value, expected)
        return float(value)

    def between(self, value: Mapping[str, Any], path: Path, key: str, low: float, high: float, default: float) -> float:
        expected = f"a number from {low:g} to below {high:g}"
        found = self.number(value.get(key, default), (*path, key), expected)
        if not low <= found < high:
            raise self.error((*path, key), found, expected)
        return found

    def choice(self, value: Mapping[str, Any], path: Path, key: str, known: Sequence[str], default: str) -> Any:
        found = value.get(key, default)
        if found not in known:
            raise self.error((*path, key), found, " or ".join((", ".join(known[:-1]), known[-1])))
        return found
