"""A ledger line taken into the index as it is, without becoming an entry and a state first.

Nearly every run has one head, and its line says all there is. Such a line is checked here, its
values go straight into the run's row, and the line itself is kept as the run's document: taking
in 100,000 runs then costs a third. A line with anything unusual (tagged numbers, a newer version,
a tombstone) goes the long way, which also finds the words for what is wrong with it. Both ways
give the same answers; a property test compares them.
"""

from __future__ import annotations

from typing import Any

from orjson import JSONDecodeError, loads

from ledgit.records import STATUSES, Clocks, CodeRef, RunState, is_commit_id, is_run_id
from ledgit.records.basics import DEFAULT_EXPERIMENT, FINISHED
from ledgit.records.line import VERSION
from ledgit.records.shapes import FIRST_MS, LAST_MS

__all__ = ["inputs_of", "lean", "run_of", "state_of"]

_MAX = 65_536
_HEX = frozenset(b"0123456789abcdef")
_HEX_TEXT = "0123456789abcdef"
_NOTHING: dict[str, Any] = {}
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FLOATS = frozenset({float})
_TEXTS = frozenset({str})
_WHOLE = frozenset({int})
_LEFT_OUT = frozenset({"params", "metrics", "tags", "ranges", "inputs", "state", "past"})
_SECTIONS = ("params", "metrics", "tags")
_SELDOM = frozenset({"parent_run", "past", "inputs", "left", "ranges", "state"})
_FIELDS: set[tuple[object, ...]] = set()
"""Names and types of the fields of plain lines."""

_CODES: set[tuple[object, ...]] = set()
"""Commits, trees and patch-ids that are well written; thousands of runs share theirs."""

_MOST_FIELDS = 1_000
_MOST_CODES = 20_000


def run_of(line: bytes) -> str:
    """Return the id of the run that *line* is about if it begins as Ledgit writes it, else nothing."""
    # {"id":"<32 digits>","head":"<40 digits>",
    if line[:7] == b'{"id":"' and line[39:49] == b'","head":"' and line[89:91] == b'",':
        run = line[7:39]
        if _HEX.issuperset(run):
            return run.decode("ascii")
    return ""


def lean(line: bytes, run: str) -> dict[str, Any] | None:
    """Return what *line* says if it is a plain line of *run* that needs nothing but itself, else None.

    What had no room in the line may be missing: ``left`` tells. Texts that were cut and subtrees
    that were left out are not plain, since a row has them in columns of their own.
    """
    if len(line) > _MAX:
        return None
    try:
        data = loads(line)
        return data if _is_plain(line, data, run) else None
    except (JSONDecodeError, TypeError, AttributeError):  # what is unusual may be anything
        return None


def _is_plain(line: bytes, data: dict[str, Any], run: str) -> bool:
    # Nearly all lines have the same fields, of the same types: asked once, that needs no asking again.
    fields = (*data, *map(type, data.values()))
    if fields not in _FIELDS:
        if not _has_plain_fields(data):
            return False
        if len(_FIELDS) >= _MOST_FIELDS:
            _FIELDS.clear()
        _FIELDS.add(fields)
    get = data.get
    head = data["head"]
    return (
        data["id"] == run
        and line[49:89] == head.encode()  # a second one further on is no plain thing
        and not head.strip(_HEX_TEXT)
        and FIRST_MS <= data["start"] <= LAST_MS
        and get("v", VERSION) <= VERSION
        and get("status", FINISHED) in STATUSES
        and FIRST_MS <= (get("end") or 0) <= LAST_MS
        and _SCALARS.issuperset(map(type, get("params", _NOTHING).values()))
        and _FLOATS.issuperset(map(type, get("metrics", _NOTHING).values()))
        and _TEXTS.issuperset(map(type, get("tags", _NOTHING).values()))
        and _is_code(get("code", _NOTHING))
        and ("clock" not in data or _is_clock(data["clock"]))
        and (_SELDOM.isdisjoint(data) or _has_plain_rest(data))
    )


def _has_plain_fields(data: dict[str, Any]) -> bool:
    """Say whether the fields of a line are those of a plain one, by their names and types alone."""
    missing = type(None)
    types = {key: type(value) for key, value in data.items()}
    kind = types.get
    return (
        "purged" not in data
        and kind("id") is str
        and kind("head") is str
        and kind("start") is int
        and kind("v", int) is int
        and all(kind(key, str) is str for key in ("name", "experiment", "user", "status"))
        and kind("end", missing) in (int, missing)
        and kind("parent_run", missing) in (str, missing)
        and kind("deleted", bool) is bool
        and all(kind(key, list) is list for key in ("past", "inputs", "clock"))
        and all(kind(key, dict) is dict for key in ("code", *_SECTIONS, "ranges", "left", "state"))
    )


def _has_plain_rest(data: dict[str, Any]) -> bool:
    """Say whether what few lines have is plain."""
    get = data.get
    parent, left = get("parent_run"), get("left", _NOTHING)
    return (
        (parent is None or is_run_id(parent))
        and ("past" not in data or _is_past(data["past"]))
        and ("inputs" not in data or _is_inputs(data["inputs"]))
        and (not left or (_LEFT_OUT.issuperset(left) and _WHOLE.issuperset(map(type, left.values()))))
        and all(map(_is_range, get("ranges", _NOTHING).values()))
        and all(map(_is_clock, get("state", _NOTHING).values()))
    )


def _is_past(past: Any) -> bool:
    return (
        type(past) is list
        and all(type(oid) is str and 16 <= len(oid) <= 64 and not oid.strip(_HEX_TEXT) for oid in past)
        and (not past or is_commit_id(past[0]))
    )


def _is_clock(clock: Any) -> bool:
    return (
        type(clock) is list
        and len(clock) in (2, 3)
        and type(clock[0]) is int
        and type(clock[1]) is str
        and (len(clock) == 2 or type(clock[2]) is str)
    )


def _is_inputs(inputs: Any) -> bool:
    return type(inputs) is list and all(
        type(one) is list and len(one) == 3 and _TEXTS.issuperset(map(type, one)) for one in inputs
    )


def _is_range(pair: Any) -> bool:
    return type(pair) is list and len(pair) == 2 and type(pair[0]) is float and type(pair[1]) is float


def _is_code(code: dict[str, Any]) -> bool:
    get = code.get
    oids = get("commit"), get("tree"), get("patch_id")
    branch, subtrees = get("branch"), get("subtrees", _NOTHING)
    return (
        (oids in _CODES or _are_ids(oids))
        and (branch is None or type(branch) is str)
        and type(get("dirty", False)) is bool
        and type(subtrees) is dict
        and (not subtrees or all(map(is_commit_id, subtrees.values())))
    )


def _are_ids(oids: tuple[object, ...]) -> bool:
    """Say whether each is an object's id, or None, and remember if so."""
    if not all(oid is None or is_commit_id(oid) for oid in oids):
        return False
    if len(_CODES) >= _MOST_CODES:
        _CODES.clear()
    _CODES.add(oids)
    return True


def state_of(data: dict[str, Any]) -> RunState:
    """Return the state that a line's *data* gives, which :func:`lean` has let pass."""
    get = data.get
    code, clock, head = get("code", _NOTHING), get("clock", (0, "")), data["head"]
    past = get("past")
    return RunState(
        data["id"],
        get("name", ""),
        get("experiment", DEFAULT_EXPERIMENT),
        get("status", FINISHED),
        data["start"],
        get("end"),
        get("user", ""),
        get("parent_run"),
        CodeRef(
            code.get("commit"),
            code.get("tree"),
            code.get("branch"),
            code.get("dirty", False),
            code.get("patch_id"),
            code.get("subtrees", {}),
        ),
        get("params", {}),
        get("metrics", {}),
        {key: (low, high) for key, (low, high) in get("ranges", _NOTHING).items()},
        get("tags", {}),
        get("deleted", False),
        (head,),
        past[0] if past else head,
        Clocks((clock[0], clock[1]), {key: (item[0], item[1]) for key, item in get("state", _NOTHING).items()}),
        {},
        get("left", {}),
        inputs=inputs_of(data) if "inputs" in data else (),
    )


def inputs_of(data: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the data sets that a plain line has, each once, sorted."""
    return tuple(sorted({(name, digest, context) for name, digest, context in data["inputs"]}))
