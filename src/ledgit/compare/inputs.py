"""Whether runs saw the same data: data sets lined up by what they were used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledgit.compare.rows import Row
from ledgit.compare.view import MISSING, InputFacts

if TYPE_CHECKING:
    from ledgit.records.inputs import InputRecord

Verdict = Literal["same", "different", "unknown"]
Line = dict[int, InputFacts]


@dataclass(slots=True)
class InputRow(Row):
    """One data set, or one role, across runs; cells are digests.

    Attributes:
        facts: What each run recorded; None where it recorded none.
        verdict: ``unknown`` where the digests were made in different ways, or a run recorded no data at all.
    """

    facts: tuple[InputFacts | None, ...] = ()
    verdict: Verdict = "same"

    @property
    def renamed(self) -> bool:
        """Whether the runs have different names for it."""
        return len({fact.name for fact in self.facts if fact is not None}) > 1

    def to_dict(self) -> dict[str, object]:
        """Return the row for JSON, with the verdict and what each run recorded."""
        return {
            **Row.to_dict(self),
            "verdict": self.verdict,
            "sets": [None if fact is None else fact.to_dict() for fact in self.facts],
        }


def input_facts(records: Iterable[InputRecord]) -> tuple[InputFacts, ...]:
    """Return what is compared of a run's data sets; one that was logged twice for one use counts once."""
    from ledgit.records.inputs import kind_of_digest

    found: dict[tuple[str, str, str], InputFacts] = {}
    for record in records:
        profile = _profile(record.profile)
        fact = InputFacts(
            record.name,
            record.digest,
            kind_of_digest(record),
            record.context,
            _count(profile, "size", "size_in_bytes", "dataset_size"),
            _count(profile, "num_rows", "features_shape"),
        )
        found.setdefault((fact.context, fact.name, fact.digest), fact)
    return tuple(found.values())


def input_rows(sides: Sequence[Sequence[InputFacts]]) -> tuple[InputRow, ...]:
    """Line up the data sets of runs.

    Within one use (context) those with equal digests belong together, whatever their names; then
    those of one name; and where each run has at most one left, these: ``wine-v1`` of one run and
    ``wine-v2`` of another were both for training. A data set logged without a use joins one with an
    equal digest.
    """
    contexts = sorted({fact.context for side in sides for fact in side}, key=lambda context: (not context, context))
    lines: list[Line] = []
    for context in contexts:
        rest = [[fact for fact in side if fact.context == context] for side in sides]
        if not context:
            _join(lines, rest)
        lines += _lines(rest)
    recorded = [bool(side) for side in sides]
    return tuple(_row(line, recorded) for line in lines)


def same_data(sides: Sequence[Sequence[InputFacts]]) -> bool | None:
    """Whether all runs saw the same data; None where that can't be told."""
    verdicts = {row.verdict for row in input_rows(sides)}
    if "different" in verdicts:
        return False
    return None if "unknown" in verdicts or not verdicts else True


def compare_inputs(one: InputFacts, other: InputFacts) -> Verdict:
    """Return whether two are the same data.

    Digests of one kind decide; those of two kinds, such as pandas' and a file's, only when they are
    equal. Numbers of rows that differ decide too.
    """
    if one.digest and one.digest == other.digest:
        return "same"
    if one.digest and other.digest and one.kind == other.kind:
        return "different"
    return "different" if one.rows is not None and other.rows is not None and one.rows != other.rows else "unknown"


def _join(lines: list[Line], rest: list[list[InputFacts]]) -> None:
    """Move data sets of *rest* into lines that lack them and have their digest."""
    for place, side in enumerate(rest):
        for fact in list(side):
            for line in lines:
                if place not in line and fact.digest and any(fact.digest == known.digest for known in line.values()):
                    line[place] = fact
                    side.remove(fact)
                    break


def _lines(rest: list[list[InputFacts]]) -> Iterator[Line]:
    """Yield lines of the data sets of one use, and empty *rest*."""
    for key in ("digest", "name"):
        values = dict.fromkeys(getattr(fact, key) for side in rest for fact in side)
        for value in values:
            while True:
                line = {
                    place: next(fact for fact in side if getattr(fact, key) == value)
                    for place, side in enumerate(rest)
                    if any(getattr(fact, key) == value for fact in side)
                }
                if len(line) < 2 or not value:
                    break
                for place, fact in line.items():
                    rest[place].remove(fact)
                yield line
    if all(len(side) <= 1 for side in rest):
        line = {place: side[0] for place, side in enumerate(rest) if side}
        if line:
            yield line
        return
    for place, side in enumerate(rest):
        for fact in side:
            yield {place: fact}


def _row(line: Line, recorded: Sequence[bool]) -> InputRow:
    facts = tuple(line.get(place) for place in range(len(recorded)))
    known = list(line.values())
    verdicts = {compare_inputs(known[0], fact) for fact in known[1:]}
    if any(fact is None and recorded[place] for place, fact in enumerate(facts)):
        verdicts.add("different")
    elif None in facts:
        verdicts.add("unknown")
    verdict: Verdict = "different" if "different" in verdicts else "unknown" if "unknown" in verdicts else "same"
    names = dict.fromkeys(fact.name for fact in known)
    context = next((fact.context for fact in known if fact.context), "")
    key = " / ".join(names) if len(names) == 1 or not context else ""
    key = f"{key} ({context})" if key and context else key or context
    cells = tuple(MISSING if fact is None else fact.digest for fact in facts)
    return InputRow(key, cells, verdict != "same", facts, verdict)


def _profile(text: str) -> Mapping[str, object]:
    import json

    try:
        profile = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return profile if isinstance(profile, dict) else {}


def _count(profile: Mapping[str, object], *keys: str) -> int | None:
    for key in keys:
        value = profile.get(key)
        if isinstance(value, list) and value:  # the first of a shape
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
