"""``--keep`` rules: which runs a clean-up leaves alone, in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.errors import InvalidValue, UsageError

if TYPE_CHECKING:
    from ledgit.store.gc.facts import RunFacts
    from ledgit.store.index import Index

__all__ = ["Rule", "kept_by", "parse_rule", "parse_span"]

_SPANS = {"h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_SPAN = re.compile(r"(\d{1,12})\s*(h|d|w|y)", re.ASCII)
_BEST = re.compile(r"best\s+(\d{1,12})\s+by\s+(.+?)(?:\s+(asc|desc))?", re.IGNORECASE | re.DOTALL)
_EXPECTED = "'best N by metrics.NAME', 'younger SPAN' (such as 30d), 'tagged', 'registered', or 'filter EXPRESSION'"
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        text: As it was given.
        kind: ``best``, ``younger``, ``tagged``, ``registered`` or ``filter``.
        count: Of best: how many of each experiment.
        key: Of best: what they are ordered by.
        way: Of best: ``ASC``, ``DESC``, or "": as the metric's direction says.
        span: Of younger: ms.
        filter: Of filter: the expression.
    """

    text: str
    kind: str
    count: int = 0
    key: str = ""
    way: str = ""
    span: int = 0
    filter: str = ""


def parse_span(text: str) -> int:
    """Return a span such as ``12h``, ``30d``, ``2w`` or ``1y`` in ms.

    Raises:
        InvalidValue: It is none.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidValue("span", text, "a number with h, d, w or y, such as 30d")
    return int(found[1]) * _SPANS[found[2]] * 1000


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        InvalidValue: It is none.
    """
    words = text.strip()
    kind, _, rest = words.partition(" ")
    kind = kind.lower()
    best = _BEST.fullmatch(words)
    if best is not None and int(best[1]):
        key = best[2].strip()
        return Rule(text, "best", count=int(best[1]), key=key, way=(best[3] or "").upper())
    if kind in ("tagged", "registered") and not rest:
        return Rule(text, kind)
    if kind == "younger" and rest:
        return Rule(text, kind, span=parse_span(rest.strip().removeprefix("than ")))
    if kind == "filter" and rest.strip():
        from ledgit.query import parse_filter

        parse_filter(rest.strip())
        return Rule(text, kind, filter=rest.strip())
    raise InvalidValue("--keep", text, _EXPECTED)


def kept_by(
    rule: Rule,
    index: Index,
    runs: Mapping[str, RunFacts],
    *,
    now: int,
    directions: Mapping[str, str],
    registered: Collection[str],
) -> set[str]:
    """Return the ids of the runs that *rule* keeps.

    Args:
        rule: The rule.
        index: The index, refreshed.
        runs: All finished runs.
        now: Ms since the epoch.
        directions: Which way metrics are better, as configured.
        registered: Ids of runs that registry tags hold.

    Raises:
        UsageError: Of *best*: nothing says which way the metric is better.
        FilterError: An expression doesn't parse.
    """
    from ledgit.query import Query

    if rule.kind == "younger":
        return {run.id for run in runs.values() if run.start >= now - rule.span}
    if rule.kind == "registered":
        return set(registered)
    if rule.kind == "filter":
        return {state.id for state in index.search(Query(filter=rule.filter, view="all")).runs}
    if rule.kind == "best":
        return _best(rule, index, runs, directions)
    found: set[str] = set()
    token = ""
    while True:
        page = index.search(Query(view="all", limit=_PAGE, page_token=token))
        # What MLflow and Ledgit write themselves (user, source …) makes no run a tagged one.
        found.update(state.id for state in page.runs if any(not key.startswith("mlflow.") for key in state.tags))
        if page.next_token is None:
            return found
        token = page.next_token


def _best(rule: Rule, index: Index, runs: Mapping[str, RunFacts], directions: Mapping[str, str]) -> set[str]:
    from ledgit.query import Query

    way = rule.way or _direction(rule.key, directions)
    found: set[str] = set()
    for label in {run.experiment for run in runs.values()}:
        # Deleted runs do not take the places of those that are shown.
        query = Query(
            filter=f"{rule.key} IS NOT NULL",
            order_by=(f"{rule.key} {way}",),
            limit=rule.count,
            experiments=(label,),
        )
        found.update(state.id for state in index.search(query).runs)
    return found


def _direction(key: str, directions: Mapping[str, str]) -> str:
    from ledgit.compare import direction

    name = key.removeprefix("metrics.").strip('`"')
    way = direction(name, directions)
    if way is None:
        raise UsageError(
            f"nothing says whether more or less of {name} is better; say 'best N by {key} desc' (or asc), or set"
            f" metrics.{name}.direction in .ledgit/config.yaml"
        )
    return "DESC" if way == "maximize" else "ASC"
