"""Review: what an experiment changed, against which baseline, and whether that is good enough.

::

    from ledgit.review import parse_range, read_settings, review

    settings = read_settings(data)
    found = review(repository, parse_range(repository, "main...HEAD", settings), settings)
    found.counts.verdict
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.review.baseline import Baseline as Baseline
    from ledgit.review.comments import Place as Place
    from ledgit.review.gates import Counts as Counts
    from ledgit.review.gates import GateResult as GateResult
    from ledgit.review.gates import MetricComparison as MetricComparison
    from ledgit.review.ranges import PullRequest as PullRequest
    from ledgit.review.ranges import Range as Range
    from ledgit.review.ranges import parse_range as parse_range
    from ledgit.review.reviewing import Review as Review
    from ledgit.review.reviewing import review as review
    from ledgit.review.settings import Gate as Gate
    from ledgit.review.settings import ReviewSettings as ReviewSettings
    from ledgit.review.settings import read_settings as read_settings
    from ledgit.review.sides import Side as Side

_WHERE = {
    "baseline": "Baseline",
    "comments": "Place",
    "gates": "Counts GateResult MetricComparison",
    "ranges": "PullRequest Range parse_range",
    "reviewing": "Review review",
    "settings": "Gate ReviewSettings read_settings",
    "sides": "Side",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)
    globals()[name] = value
    return value
