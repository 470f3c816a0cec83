"""Filtering and ordering experiments: MLflow's little grammar, in memory. There are few of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from ledgit.errors import FilterError

if TYPE_CHECKING:
    from ledgit.experiment import Experiment

__all__ = ["matching"]

_CONDITION = re.compile(
    r"""\s*(?P<key>[\w.]*(?:`[^`]+`|"[^"]+")?)\s*
    (?P<op>!=|>=|<=|=|>|<|LIKE\b|ILIKE\b)\s*
    (?P<value>'(?:[^'])*'|"(?:[^"])*"|-?\d+(?:\.\d+)?)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_ORDER = re.compile(r"\s*(?P<key>[\w.]+)(?:\s+(?P<way>ASC|DESC))?\s*", re.IGNORECASE)

ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "name": lambda experiment: experiment.name,
    "experiment_id": lambda experiment: experiment.id,
    "creation_time": lambda experiment: experiment.created,
    "last_update_time": lambda experiment: max(experiment.updated, experiment.created),
}
_NUMBERS = {"creation_time", "last_update_time"}


def matching(
    experiments: Iterable[Experiment], filter_string: str | None, order_by: Iterable[str] | None
) -> list[Experiment]:
    """Return those of *experiments* that match, in order.

    Raises:
        FilterError: The filter or an order does not parse; its position points at the place.
    """
    conditions = _parse(filter_string or "")
    found = [one for one in experiments if all(condition(one) for condition in conditions)]
    # Sorting is stable, so the last key is sorted by first.
    for text in reversed(list(order_by or ["last_update_time DESC"])):
        match = _ORDER.fullmatch(text)
        key = match["key"].removeprefix("attribute.").removeprefix("attributes.") if match else ""
        if match is None or key not in ATTRIBUTES:
            raise FilterError(text, 0, f"experiments are ordered by {', '.join(ATTRIBUTES)}, with ASC or DESC")
        get = ATTRIBUTES[key]
        found.sort(key=cmp_to_key(lambda a, b, get=get: _compare(get(a), get(b))), reverse=_is_down(match["way"]))  # type: ignore[misc]
    return found


def _is_down(way: str | None) -> bool:
    return (way or "").upper() == "DESC"


def _compare(first: Any, second: Any) -> int:
    return int(first > second) - int(first < second)


def _parse(text: str) -> list[Callable[[Any], bool]]:
    conditions: list[Callable[[Any], bool]] = []
    place = 0
    while text[place:].strip():
        match = _CONDITION.match(text, place)
        if match is None:
            raise FilterError(text, place, "expected a condition such as name = 'a', joined by AND")
        conditions.append(_condition(text, match))
        place = match.end()
        if text[place:].strip():
            joined = _AND.match(text, place)
            if joined is None or not text[joined.end() :].strip():
                raise FilterError(text, place, "expected AND and another condition")
            place = joined.end()
    return conditions


def _condition(text: str, match: re.Match[str]) -> Callable[[Any], bool]:
    key, operator, raw = match["key"], match["op"].upper(), match["value"]
    quoted = raw[0] in "'\""
    value: Any = raw[1:-1] if quoted else float(raw)
    get = _getter(text, match.start("key"), key)
    name = key.rpartition(".")[2]
    if (name in _NUMBERS and key.partition(".")[0] not in {"tag", "tags"}) is quoted:
        expected = "a number of milliseconds" if quoted else "a text in quotes"
        raise FilterError(text, match.start("value"), f"{key} is compared with {expected}")
    if quoted and operator in {">", ">=", "<", "<="}:
        raise FilterError(text, match.start("op"), f"{key} is text: compare it with = != LIKE ILIKE")
    if not quoted and operator.endswith("LIKE"):
        raise FilterError(text, match.start("op"), f"{key} is a number: compare it with = != > >= < <=")
    test = _tests(operator, value)

    def holds(experiment: Any) -> bool:
        found = get(experiment)
        return found is not None and test(found)

    return holds


def _getter(text: str, place: int, key: str) -> Callable[[Any], Any]:
    kind, dot, rest = key.partition(".")
    if dot and kind.lower() in {"tag", "tags"}:
        label = rest.strip('`"')
        return lambda experiment: experiment.tags.get(label)
    plain = rest if dot and kind.lower() in {"attribute", "attributes"} else key
    if plain not in ATTRIBUTES:
        raise FilterError(text, place, f"experiments have {', '.join(ATTRIBUTES)} and tags.<key>, no {key!r}")
    return ATTRIBUTES[plain]


def _tests(operator: str, value: Any) -> Callable[[Any], bool]:
    if operator.endswith("LIKE"):
        pattern = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in value)
        flags = re.DOTALL | (re.IGNORECASE if operator == "ILIKE" else re.NOFLAG)
        like = re.compile(pattern, flags)
        return lambda found: like.fullmatch(found) is not None
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda found: bool(found == value),
        "!=": lambda found: bool(found != value),
        ">": lambda found: bool(found > value),
        ">=": lambda found: bool(found >= value),
        "<": lambda found: bool(found < value),
        "<=": lambda found: bool(found <= value),
    }
    return tests[operator]
