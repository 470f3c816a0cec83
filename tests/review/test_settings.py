"""``.ledgit/config.yaml``: what it may say about reviewing, and what it is told when it can't."""

from __future__ import annotations

import pytest

from ledgit.errors import ConfigError, LedgitError, RecordError
from ledgit.review.settings import Gate, ReviewSettings, Threshold, read_settings

WHOLE = b"""
metrics:
  accuracy: {direction: maximize}
  "val_*": minimize
gates:
  - metric: accuracy
    threshold: 1%
  - metric: latency_ms
    target: 20
    threshold: 2.5
    direction: minimize
    required: false
    if_no_baseline: fail
    if_no_run: warn
    confidence: 0.9
review:
  base: develop
  baseline: {stage: "churn@prod"}
  seeds: [seed, fold]
  experiment: training
  all_runs: true
code_paths: [src]
"""


def test_everything_that_can_be_said_is_understood() -> None:
    """Each key once, with another value than its default."""
    found = read_settings(WHOLE)

    first, second = found.gates
    assert first == Gate("accuracy", threshold=Threshold(0.01, relative=True), where=".ledgit/config.yaml, line 6")
    assert (second.target, second.threshold, second.direction) == (20.0, Threshold(2.5), "minimize")
    assert (second.required, second.if_no_baseline, second.if_no_run, second.confidence) == (False, "fail", "warn", 0.9)
    assert found.directions == {"accuracy": "maximize", "val_*": "minimize"}
    assert (found.base, found.baseline_stage, found.baseline_run) == ("develop", "churn@prod", "")
    assert (found.seeds, found.experiment, found.all_runs) == (("seed", "fold"), "training", True)


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"gates:\nreview:\nmetrics:\n"])
def test_nothing_said_is_the_default(data: bytes) -> None:
    """A file of comments, or of keys that nobody filled in."""
    assert read_settings(data) == ReviewSettings()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"gate:\n  - metric: a\n", ["line 1", "did you mean 'gates'"]),
        (b"gates:\n  - metrc: a\n", ["line 2", "gates.1.metrc", "did you mean 'metric'"]),
        (b"gates:\n  - threshold: 1\n", ["line 2", "a metric"]),
        (b"gates:\n  - metric: a\n\n    treshold: 1\n", ["line 4", "'threshold'"]),
        (b"gates:\n  - metric: a\n    threshold: -1\n", ["line 3", "0 or more"]),
        (b"gates:\n  - metric: a\n    threshold: one\n", ["line 3", "1%"]),
        (b"gates:\n  - metric: a\n    target: .nan\n", ["line 3", "auto or a number"]),
        (b"gates:\n  - metric: a\n    target: true\n", ["auto or a number"]),
        (b"gates:\n  - metric: a\n    required: 1\n", ["true or false"]),
        (b"gates:\n  - metric: a\n    confidence: 95\n", ["0.5 to below 1"]),
        (b"gates:\n  - metric: a\n    if_no_run: pass\n", ["fail or warn"]),
        (b"gates: accuracy\n", ["line 1", "a list of gates"]),
        (b"review: {baseline: {run: a, stage: b}}\n", ["one of them"]),
        (b"review: {base: [main]}\n", ["a text"]),
        (b"review: {seeds: 3}\n", ["a list of names"]),
        (b"metrics:\n  f1: {direction: up}\n", ["line 2", "maximize, minimize or none"]),
        (b"metrics: [f1]\n", ["a mapping"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(data: bytes, words: list[str]) -> None:
    """One sentence: which key, on which line, and what would do."""
    with pytest.raises(ConfigError) as caught:
        read_settings(data)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("data", [b"gates: [", b"a: &x 1\nb: *x\n", b"!!python/object:os.system {}\n", b"\xff\xfe"])
def test_what_is_no_plain_yaml_is_refused(data: bytes) -> None:
    """Nothing is guessed from a file that does not read."""
    with pytest.raises((RecordError, LedgitError)):
        read_settings(data)


@pytest.mark.parametrize(("amount", "of", "expected"), [(Threshold(0.5), 10, 0.5), (Threshold(0.1, True), -10, 1.0)])
def test_a_threshold_is_in_the_metrics_unit(amount: Threshold, of: float, expected: float) -> None:
    """A part is of the baseline's size, whatever its sign."""
    assert amount.of(of) == expected
    assert Threshold(0.1, relative=True).of(0.0) == 0.0
