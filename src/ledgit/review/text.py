"""A review on a terminal, as rows that the command line paints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledgit.records.harmless import clean
from ledgit.review.wording import cells, chance, change, gate_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.review.gates import MetricComparison
    from ledgit.review.reviewing import Review

__all__ = ["TITLES", "metric_rows", "shown_metrics"]

TITLES = ("metric", "", "baseline", "head", "Δ", "Δ%", "gate", "repeats")


def shown_metrics(found: Review, *, everything: bool = False) -> list[MetricComparison]:
    """Return the metrics that are worth a line: gated ones and those that changed."""
    return [one for one in found.metrics if everything or one.changed or found.gate_of(one.name)]


def metric_rows(found: Review, metrics: Sequence[MetricComparison]) -> Iterable[tuple[bool | None, list[str]]]:
    """Return of each metric whether it is better, and its cells, harmless, in the order of `TITLES`."""
    for one in metrics:
        result = found.gate_of(one.name)
        way = {"maximize": "↑", "minimize": "↓", None: ""}[one.direction] + ("?" if one.guessed else "")
        gate = "" if result is None else gate_word(result)
        yield one.better, [clean(one.name), way, *cells(one), *change(one), gate, chance(one)]
