"""Entries: one run as one line of JSON in the ledger.

A line is written once, with the commit that is its head, and copied byte for byte ever after.
The commit's own ``entry.json`` has the same bytes but for ``head``.

The fields, in order: ``id head v start name experiment status end user parent_run deleted code
clock state past metrics params tags ranges inputs left``; empty ones are left out. ``clock`` is the
clock of every key that ``state`` does not name. ``state`` has ``[counter, clone]`` for the others;
the value stands in its usual place. A key in ``state`` without a value was removed, unless a third
item (a digest) says that its value was too long for the line. ``inputs`` has name, digest and context of
each data set that the run used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ledgit.records.basics import DEFAULT_EXPERIMENT, FINISHED, CodeRef
from ledgit.records.clock import Clock
from ledgit.records.scalars import Scalar, clean_text, to_json
from ledgit.records.table import FULL_PAST, SHORT_ID

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "MAX_LINE",
    "VERSION",
    "Entry",
    "encode_entry",
    "encode_tombstone",
    "value_bytes",
]

VERSION = 1
MAX_LINE = 4096
"""Bytes of a line, with head and newline."""

_HEAD_ROOM = len('"head":"",') + 64  # room for SHA-256 ids
_LONG_VALUE = 512
_LONG_SUBTREES = 400
_ROOM_FOR_INPUTS = 1024
_SECTIONS = ("metrics", "params", "tags", "ranges")


@dataclass(slots=True)
class Entry:
    """What one line of the ledger says about a run.

    Attributes:
        head: the commit the line was written with; empty in entry.json.
        start, end: ms since the epoch.
        ranges: (least, greatest) of the metrics where they differ from the last value.
        clock: the clock of the keys that *state* does not name.
        state: clocks of the keys ``name experiment deleted status end tags.* params.* metrics.*``.
        cut: the keys of *state* whose value did not fit, with its digest.
        past: commits of the run's own chain below the head, oldest first; of many the older ones
            are cut to 16 digits, and the first one is always whole.
        inputs: name, digest and context of the data sets, each once, sorted.
        left: how many params, metrics, tags, ranges, inputs, state, past, text, subtrees did not fit.
        purged: a tombstone; all else but id and start is empty.
        extra: fields of a newer Ledgit.
        raw: the line it was decoded from, without the newline.
    """

    id: str
    start: int = 0
    v: int = VERSION
    head: str = ""
    name: str = ""
    experiment: str = DEFAULT_EXPERIMENT
    status: str = FINISHED
    end: int | None = None
    user: str = ""
    parent_run: str | None = None
    deleted: bool = False
    code: CodeRef = field(default_factory=CodeRef)
    params: dict[str, Scalar] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    clock: Clock = (0, "")
    state: dict[str, Clock] = field(default_factory=dict)
    cut: dict[str, str] = field(default_factory=dict)
    past: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str, str], ...] = ()
    left: dict[str, int] = field(default_factory=dict)
    purged: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""

    def clock_of(self, key: str) -> Clock:
        """Return the clock of *key*."""
        return self.state.get(key, self.clock)

    def greatest_clock(self) -> Clock:
        """Return the greatest clock in the line."""
        return max(self.clock, *self.state.values()) if self.state else self.clock

    @property
    def commit(self) -> str:
        """The run's commit: the one that finalizing made."""
        return self.past[0] if self.past else self.head


def value_bytes(value: Scalar) -> bytes:
    """Return the canonical bytes of a scalar: what decides between equal clocks."""
    return _dumps(to_json(value))


def _dumps(value: Any) -> bytes:
    from orjson import dumps

    return dumps(value)


def _digest(value: Any) -> str:
    """Return what stands for a value (as JSON) that did not fit."""
    from hashlib import sha256

    return sha256(_dumps(value)).hexdigest()[:8]


def _cut_text(text: str, limit: int, left: dict[str, int]) -> str:
    text = clean_text(text)
    if len(_dumps(text)) - 2 <= limit:
        return text
    left["text"] = left.get("text", 0) + 1
    while len(_dumps(text)) + 1 > limit:  # quotes 2, "…" 3 bytes
        text = text[: min(len(text) - 1, limit)]
    return text + "…"


def _attributes(entry: Entry, left: dict[str, int]) -> dict[str, Any]:
    code = entry.code
    branch = code.branch and _cut_text(code.branch, 250, left)
    shown_code: dict[str, Any] = {"commit": code.commit, "tree": code.tree, "branch": branch, "dirty": code.dirty}
    shown_code |= {"patch_id": code.patch_id, "subtrees": _short_subtrees(code.subtrees, left)}
    fields: dict[str, Any] = {
        "id": entry.id,
        "v": entry.v,
        "start": entry.start,
        "name": _cut_text(entry.name, 250, left),
        "experiment": _cut_text(entry.experiment, 1000, left),
        "status": entry.status,
        "end": entry.end,
        "user": _cut_text(entry.user, 250, left),
        "parent_run": entry.parent_run,
        "deleted": entry.deleted,
        "code": {key: value for key, value in shown_code.items() if value},
        "clock": list(entry.clock),
    }
    # Not "not in (None, False, …)": 0 equals False, and the epoch is a time.
    return {key: value for key, value in fields.items() if value or type(value) is int}


def _short_subtrees(subtrees: Mapping[str, str], left: dict[str, int]) -> dict[str, str]:
    """Return *subtrees* if they are few: all must be the same for a link, so a part of them is no use."""
    shown = {clean_text(path): subtrees[path] for path in sorted(subtrees)}
    if shown and len(_dumps(shown)) > _LONG_SUBTREES:
        left["subtrees"] = len(shown)
        return {}
    return shown


def _sections(entry: Entry) -> dict[str, dict[str, Any]]:
    return {
        "metrics": {key: to_json(float(entry.metrics[key])) for key in sorted(entry.metrics)},
        "params": {key: to_json(entry.params[key]) for key in sorted(entry.params)},
        "tags": {key: entry.tags[key] for key in sorted(entry.tags)},
        "ranges": {key: [to_json(float(end)) for end in entry.ranges[key]] for key in sorted(entry.ranges)},
    }


def _short_past(past: Sequence[str]) -> list[str]:
    if len(past) <= FULL_PAST:
        return list(past)
    return [past[0], *(oid[:SHORT_ID] for oid in past[1:])]


@dataclass(slots=True)
class _Draft:
    """The parts of a line, while it is decided what fits."""

    fields: dict[str, Any]
    state: dict[str, list[Any]]
    past: list[str]
    sections: dict[str, dict[str, Any]]
    inputs: list[list[str]]
    left: dict[str, int]
    extra: dict[str, Any]

    def leave(self, kind: str, count: int = 1) -> None:
        """Count what does not fit."""
        self.left[kind] = self.left.get(kind, 0) + count

    def line(self) -> bytes:
        line = dict(self.fields)
        if self.state:
            line["state"] = {key: self.state[key] for key in sorted(self.state)}
        if self.past:
            line["past"] = self.past
        for name, section in self.sections.items():
            if section:
                line[name] = {key: section[key] for key in sorted(section)}
        if self.inputs:
            line["inputs"] = self.inputs
        if self.left:
            line["left"] = {key: self.left[key] for key in sorted(self.left)}
        line.update((key, self.extra[key]) for key in sorted(self.extra))
        return _dumps(line) + b"\n"


def encode_entry(entry: Entry, columns: Sequence[str] = ()) -> bytes:
    """Return the line of *entry* without ``head``, newline included; with a head at most 4,096 bytes.

    What does not fit is left out and counted in ``left``. First come the attributes, ``past`` and
    ``state``, then the *columns* that the committed configuration names (``metrics.accuracy``,
    ``params.lr``), then up to 1,024 bytes of data sets, then tags, metrics, params and ranges, each
    by name. Once something must go, values above 512 bytes go first.
    """
    left = dict(entry.left)
    draft = _Draft(
        fields=_attributes(entry, left),
        state={key: _state_item(entry, key) for key in entry.state},
        past=_short_past(entry.past),
        sections=_sections(entry),
        inputs=[list(one) for one in sorted(set(entry.inputs))],
        left=left,
        extra=entry.extra,
    )
    line = draft.line()
    if len(line) + _HEAD_ROOM <= MAX_LINE:
        return line
    return _fitted(entry, draft, columns).line()


def _state_item(entry: Entry, key: str) -> list[Any]:
    clock = list(entry.state[key])
    return [*clock, entry.cut[key]] if key in entry.cut else clock


def _fitted(entry: Entry, full: _Draft, columns: Sequence[str]) -> _Draft:
    """Return the draft of what fits, taken from *full* in the order of importance."""
    worst_left = dict.fromkeys(("text", "state", "past", *_SECTIONS), 9_999_999) | full.left
    if full.inputs:
        worst_left["inputs"] = 9_999_999
    nothing = [["", "", ""]] if full.inputs else []
    frame = _Draft(full.fields, {"": []}, [""], {name: {"": 0} for name in _SECTIONS}, nothing, worst_left, full.extra)
    room = MAX_LINE - _HEAD_ROOM - len(frame.line())
    empty: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    draft = _Draft(full.fields, {}, list(full.past), empty, [], dict(full.left), full.extra)

    past = draft.past
    while len(past) > 1 and (needed := len(_dumps(past))) > room // 2:
        # The oldest ones but the first: who has such an old line has long seen a newer one.
        drop = min(len(past) - 1, max(1, (needed - room // 2) // (SHORT_ID + 3)))
        del past[1 : 1 + drop]
        draft.leave("past", drop)
    room -= len(_dumps(past))

    for key in sorted(full.state, key=lambda key: ("." in key, not key.startswith("tags."), key)):
        # Eleven bytes more should its value not fit and need a digest.
        needed = len(_dumps(key)) + len(_dumps(full.state[key])) + 2 + (0 if key in entry.cut else 11)
        if needed <= room:
            draft.state[key] = full.state[key]
            room -= needed
        else:
            draft.leave("state")

    first = _configured(full.sections, columns)
    room = _put_values(entry, full, draft, first, room)
    room = _put_inputs(full, draft, room)
    others = [(name, key) for name in ("tags", "metrics", "params", "ranges") for key in full.sections[name]]
    _put_values(entry, full, draft, (one for one in others if one not in first), room)
    return draft


def _configured(sections: Mapping[str, dict[str, Any]], columns: Sequence[str]) -> dict[tuple[str, str], None]:
    """Return the (section, key) of *columns* that are there, in that order."""
    first: dict[tuple[str, str], None] = {}
    for column in columns:
        name, _, key = column.partition(".")
        if key in sections.get(name, {}):
            first[name, key] = None
    return first


def _put_values(entry: Entry, full: _Draft, draft: _Draft, which: Iterable[tuple[str, str]], room: int) -> int:
    """Take over those of the values *which* that fit; return the room that is left."""
    for name, key in which:
        value = full.sections[name][key]
        needed = len(_dumps(key)) + len(_dumps(value)) + 2
        if needed <= min(room, _LONG_VALUE):
            draft.sections[name][key] = value
            room -= needed
            continue
        draft.leave(name)
        if f"{name}.{key}" in draft.state:
            draft.state[f"{name}.{key}"] = [*entry.state[f"{name}.{key}"], _digest(value)]
    return room


def _put_inputs(full: _Draft, draft: _Draft, room: int) -> int:
    """The same for data sets; a run with thousands of them keeps room for its metrics."""
    own = min(room, _ROOM_FOR_INPUTS)
    for item in full.inputs:
        needed = len(_dumps(item)) + 1
        if needed <= min(own, _LONG_VALUE):
            draft.inputs.append(item)
            own -= needed
            room -= needed
        else:
            draft.leave("inputs")
    return room


def encode_tombstone(run_id: str, start: int) -> bytes:
    """Return the line that stands in a purged run's place for ever."""
    return _dumps({"id": run_id, "start": start, "purged": True}) + b"\n"
