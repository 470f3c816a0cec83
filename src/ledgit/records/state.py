"""The state of a run: what its entries say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isnan

from ledgit.errors import RecordError
from ledgit.records.basics import DEFAULT_EXPERIMENT, FINISHED, CodeRef
from ledgit.records.clock import Clock, Clocks
from ledgit.records.line import Entry, encode_entry, value_bytes
from ledgit.records.scalars import Scalar
from ledgit.records.table import survivors

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RunState", "join", "join_heads", "union_entries"]


@dataclass(slots=True)
class RunState:
    """A run as lists, queries and comparisons see it.

    Attributes:
        start, end: ms since the epoch.
        metrics: latest values.
        ranges: (least, greatest) of metrics where they differ from the latest value.
        heads: newest edits, the newest first; several after edits on two machines, none while active.
        commit: the commit that finalizing made; None while active.
        clocks: who wrote each key last.
        conflicts: params that differ between heads: all values, the one that counts first.
        left: how many params, metrics, tags, ranges, inputs … are in the run commit only.
        lost: the run seems dead: no heartbeat from where it ran.
        problem: why the run could not be read whole; mostly empty.
        purged: only a tombstone is left.
        inputs: name, digest and context of the data sets of all heads, each once, sorted.
    """

    id: str
    name: str = ""
    experiment: str = DEFAULT_EXPERIMENT
    status: str = FINISHED
    start: int = 0
    end: int | None = None
    user: str = ""
    parent_run: str | None = None
    code: CodeRef = field(default_factory=CodeRef)
    params: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    heads: tuple[str, ...] = ()
    commit: str | None = None
    clocks: Clocks = field(default_factory=Clocks)
    conflicts: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    lost: bool = False
    problem: str = ""
    purged: bool = False
    inputs: tuple[tuple[str, str, str], ...] = ()

    @property
    def head(self) -> str | None:
        """The newest edit; of several the newest."""
        return self.heads[0] if self.heads else None


def _bytes(entry: Entry) -> bytes:
    return entry.raw or encode_entry(entry)


def union_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of one run that count, sorted by head.

    A tombstone absorbs all others, of two lines for one head the greater (v, bytes) stays, and a
    head that stands in another line's ``past`` goes: the law of :mod:`ledgit.records.table`.
    """
    return survivors(entries, _bytes)


def join(entries: Iterable[Entry]) -> RunState:
    """Return the state of one run from all its entries, in any order.

    Key by key the greatest (clock, canonical bytes) wins; a removed key stays removed. Of params
    the first writer's value counts and a conflict is recorded.

    Raises:
        RecordError: there are no entries, or of several runs.
    """
    lines = union_entries(entries)
    if not lines or any(line.id != lines[0].id for line in lines):
        raise RecordError("ledger", "entries of none or of several runs can't be joined")
    first = lines[0]
    if first.purged:
        return RunState(first.id, start=first.start, purged=True)
    if len(lines) == 1:
        return _single(first)
    return join_heads(lines)


def _single(line: Entry) -> RunState:
    keys = line.state
    return RunState(
        id=line.id,
        name=line.name,
        experiment=line.experiment,
        status=line.status,
        start=line.start,
        end=line.end,
        user=line.user,
        parent_run=line.parent_run,
        code=line.code,
        params=dict(line.params),
        metrics=dict(line.metrics),
        ranges=dict(line.ranges),
        tags=dict(line.tags),
        deleted=line.deleted,
        heads=(line.head,) if line.head else (),
        commit=line.commit or None,
        clocks=Clocks(line.clock, dict(keys)),
        left=dict(line.left),
        inputs=line.inputs,
    )


# A candidate for a key: clock, rank, canonical bytes, value. The greatest of the first three wins:
# of equal clocks a value over a removal, and one that is known over one that was cut from its line.
_Candidate = tuple[Clock, int, bytes, object]
_REMOVED, _CUT, _KNOWN = range(3)


def _candidates(lines: list[Entry], section: str, key: str) -> list[_Candidate]:
    full = f"{section}.{key}"
    found: list[_Candidate] = []
    for line in lines:
        values: dict[str, Any] = getattr(line, section)
        if key in values:
            found.append((line.clock_of(full), _KNOWN, value_bytes(values[key]), values[key]))
        elif full in line.cut:
            found.append((line.clock_of(full), _CUT, line.cut[full].encode(), None))
        elif full in line.state:
            found.append((line.state[full], _REMOVED, b"", None))
    return found


def _order(candidate: _Candidate) -> tuple[Clock, int, bytes]:
    return candidate[:3]


def _first_order(candidate: _Candidate) -> tuple[Clock, int, bytes]:
    return candidate[0], -candidate[1], candidate[2]


def join_heads(lines: list[Entry]) -> RunState:
    """Return what *lines* say together, each of them a head that counts: `join` without its choice of lines."""
    newest = sorted(lines, key=lambda line: (line.greatest_clock(), line.head), reverse=True)
    default = max(line.clock for line in lines)
    clocks = Clocks(default)
    left: dict[str, int] = {}
    for line in lines:
        for kind, count in line.left.items():
            left[kind] = max(count, left.get(kind, 0))

    def attribute(key: str) -> Any:
        clock, _, winner = max(
            (line.clock_of(key), value_bytes(getattr(line, key)), getattr(line, key)) for line in _distinct(lines, key)
        )
        if clock != default:
            clocks.set(key, clock)
        return winner

    def section(name: str, first_writer: bool = False) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
        values: dict[str, Any] = {}
        conflicts: dict[str, tuple[Any, ...]] = {}
        prefix = name + "."
        keys = {key for line in lines for key in getattr(line, name)}
        keys.update(key[len(prefix) :] for line in lines for key in line.state if key.startswith(prefix))
        sections = [getattr(line, name) for line in lines]
        alike = all(line.clock == default for line in lines)
        for key in sorted(keys):
            if alike and not any(prefix + key in line.state for line in lines) and _is_one(sections, key):
                values[key] = sections[0][key]
                continue
            found = _candidates(lines, name, key)
            if first_writer:
                written = sorted((one for one in found if one[1] != _REMOVED), key=_first_order)
                by_text: dict[str, Any] = {}
                for _, rank, _, value in written:
                    if rank == _KNOWN:
                        by_text.setdefault(str(value), value)
                if len(by_text) > 1:
                    conflicts[key] = tuple(by_text.values())
                winner = written[0] if written else max(found, key=_order)
            else:
                winner = max(found, key=_order)
            if winner[1] == _KNOWN:
                values[key] = winner[3]
            if winner[0] != default or winner[1] == _REMOVED:
                clocks.set(prefix + key, winner[0])
        return values, conflicts

    params, conflicts = section("params", first_writer=True)
    metrics, _ = section("metrics")
    tags, _ = section("tags")
    # These never change; should two lines differ all the same, the greatest bytes decide.
    base = max(lines, key=lambda line: (line.v, _bytes(line)))
    return RunState(
        id=base.id,
        name=attribute("name"),
        experiment=attribute("experiment"),
        status=attribute("status"),
        start=base.start,
        end=attribute("end"),
        user=base.user,
        parent_run=base.parent_run,
        code=base.code,
        params=params,
        metrics=metrics,
        ranges=_ranges(lines, metrics),
        tags=tags,
        deleted=attribute("deleted"),
        heads=tuple(line.head for line in newest),
        commit=min(line.commit for line in lines) or None,
        clocks=clocks,
        conflicts=conflicts,
        left=left,
        inputs=tuple(sorted({one for line in lines for one in line.inputs})),
    )


def _is_one(sections: list[dict[str, Any]], key: str) -> bool:
    """Say whether all *sections* have the same value for *key*, told without making bytes of it."""
    if not all(key in section for section in sections):
        return False
    first = sections[0][key]
    # A zero has a sign, and a NaN is not itself.
    return bool(first) and all(type(one[key]) is type(first) and one[key] == first for one in sections[1:])


def _distinct(lines: list[Entry], key: str) -> list[Entry]:
    """Return one line for each value and clock of *key*, so that comparing never reaches the value."""
    return list({(line.clock_of(key), value_bytes(getattr(line, key))): line for line in lines}.values())


def _ranges(lines: list[Entry], metrics: dict[str, float]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for key, latest in metrics.items():
        ends = [
            end
            for line in lines
            if key in line.metrics
            for end in line.ranges.get(key, (line.metrics[key],))
            if not isnan(end)
        ]
        if ends and (min(ends), max(ends)) != (latest, latest):
            ranges[key] = (min(ends), max(ends))
    return ranges
